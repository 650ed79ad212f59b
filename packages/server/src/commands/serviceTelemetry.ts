import { Effect, Layer, Option } from "effect"
import type { OtlpSettings } from "../otlp/OtlpSettings.ts"
import { serviceLogger } from "./serviceLogger.ts"

/** What a service tells of itself: its log, and what it exports. What exports is loaded only where something is. */
export const serviceTelemetry = (otlp: Option.Option<OtlpSettings>): Layer.Layer<never> =>
  Option.match(otlp, {
    onNone: () => serviceLogger,
    onSome: (settings) =>
      Layer.unwrap(
        Effect.map(
          Effect.promise(() => import("../otlp/Otlp.ts")),
          ({ layer }) => layer(settings)
        )
      ).pipe(Layer.provideMerge(serviceLogger))
  })
