/**
 * The service's metrics as Prometheus reads them. What makes the text is loaded at the first scrape: it is a good
 * part of what would have to be loaded at the start.
 */
import { Context, Effect, Layer, Scope } from "effect"

export class Telemetry extends Context.Service<
  Telemetry,
  {
    /** All metrics in the Prometheus text format 0.0.4. */
    readonly prometheus: Effect.Effect<string>
  }
>()("@muster/server/Telemetry") {
  static readonly layer = Layer.effect(
    Telemetry,
    Effect.suspend(() => make)
  )
}

const make = Effect.gen(function* () {
  const scope = yield* Effect.scope
  const text = yield* Effect.promise(() => import("./PrometheusText.ts")).pipe(
    Effect.flatMap(({ makePrometheusText }) => makePrometheusText),
    Scope.provide(scope),
    Effect.cached
  )
  return Telemetry.of({ prometheus: Effect.flatten(text) })
})
