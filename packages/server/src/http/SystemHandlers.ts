/**
 * What those who run the service ask it: whether it lives, whether it takes work, and its metrics.
 */
import { Effect } from "effect"
import { HttpApiBuilder } from "effect/http-api"
import { Lifecycle } from "../Lifecycle.ts"
import { Telemetry } from "../Telemetry.ts"
import { Api } from "./Api.ts"
import { NotReady } from "./Problems.ts"

const ok = { status: "ok" } as const

export const SystemHandlers = HttpApiBuilder.group(
  Api,
  "system",
  Effect.fnUntraced(function* (handlers) {
    const lifecycle = yield* Lifecycle
    const telemetry = yield* Telemetry
    return handlers
      .handle("health", () => Effect.succeed(ok))
      .handle("ready", () =>
        lifecycle.isStopping()
          ? Effect.fail(new NotReady({ detail: "The service is stopping." }))
          : Effect.succeed(ok)
      )
      .handle("metrics", () => telemetry.prometheus)
  })
)
