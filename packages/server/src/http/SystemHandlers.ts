/**
 * What those who run the service ask it: whether it lives, whether it takes work, and its metrics.
 */
import { Fleet } from "@muster/core/fleet"
import { Effect, Option, Stream } from "effect"
import { HttpServerResponse } from "effect/http"
import { HttpApiBuilder } from "effect/http-api"
import { exportFleet, fleetSource } from "../export/FleetExport.ts"
import { Lifecycle } from "../Lifecycle.ts"
import { Telemetry } from "../Telemetry.ts"
import { version } from "../version.ts"
import { Api } from "./Api.ts"
import { receiveImport } from "./ImportHandler.ts"
import { NotReady } from "./Problems.ts"

const ok = { status: "ok", version } as const

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
      .handleRaw("exportFleet", () =>
        Effect.succeed(
          HttpServerResponse.stream(Stream.encodeText(exportFleet(fleetSource(fleet))), {
            contentType: "application/x-ndjson"
          })
        )
      )
      .handleRaw("importFleet", ({ query, request }) =>
        receiveImport(request, query.dryRun ?? false).pipe(Effect.provideService(Fleet, fleet))
      )
  })
)
