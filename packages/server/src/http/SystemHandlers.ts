/**
 * What those who run the service ask it: whether it lives, whether it takes work, and its metrics.
 */
import { Fleet } from "@muster/core/fleet"
import { Effect, Option } from "effect"
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
    const fleet = yield* Fleet
    const telemetry = yield* Telemetry
    return handlers
      .handle("health", () => Effect.succeed(ok))
      .handle(
        "ready",
        Effect.fnUntraced(function* () {
          if (lifecycle.isStopping()) return yield* new NotReady({ detail: "The service is stopping." })
          const trouble = yield* fleet.storeTrouble
          if (Option.isSome(trouble)) return yield* new NotReady({ detail: `${trouble.value.message}.` })
          return ok
        })
      )
      .handle("metrics", () => telemetry.prometheus)
  })
)
