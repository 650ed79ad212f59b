/**
 * `muster serve`: runs the service. What it needs is loaded when it runs, so that other commands start faster.
 */
import { Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { slurmConfDescription } from "../Schedulers.ts"
import { resolveSettings } from "../ServeSettings.ts"
import { defaultStore } from "../store/Stores.ts"
import { Port } from "./Port.ts"
import { resolveOtlp } from "../otlp/OtlpSettings.ts"
import { serviceTelemetry } from "./serviceTelemetry.ts"

/** What `muster serve` is told, and what `muster config` and `muster doctor` look at in its place. */
export const serveFlags = {
  host: Flag.String("host").pipe(
    Flag.withMetavar("HOST"),
    Flag.withDescription("The address to listen on (MUSTER_HOST); 127.0.0.1 if not given"),
    Flag.optional
  ),
  port: Flag.Int("port").pipe(
    Flag.withSchema(Port),
    Flag.withMetavar("PORT"),
    Flag.withDescription("The port to listen on, 0 for any free one (MUSTER_PORT); 7070 if not given"),
    Flag.optional
  ),
  scheduler: Flag.String("scheduler").pipe(
    Flag.withMetavar("SCHEDULER"),
    Flag.withDescription(
      "The scheduler to register workers with (MUSTER_SCHEDULER), such as grpc://HOST:PORT; embedded if not given"
    ),
    Flag.optional
  ),
  slurmConf: Flag.String("slurm-conf").pipe(
    Flag.withMetavar("PATH"),
    Flag.withDescription(slurmConfDescription),
    Flag.optional
  ),
  store: Flag.String("store").pipe(
    Flag.withMetavar("STORE"),
    Flag.withDescription(
      `Where the fleet is kept (MUSTER_STORE): a file, postgres://…, or memory, which forgets it; ${defaultStore} if not given`
    ),
    Flag.optional
  ),
  cluster: Flag.Boolean("cluster").pipe(
    Flag.withDescription(
      "Share the store with other servers, each of which looks after its part of the fleet (MUSTER_CLUSTER); needs postgres://…"
    ),
    Flag.withDefault(false)
  )
}

export const serve = Command.make(
  "serve",
  serveFlags,
  Effect.fnUntraced(function* (flags) {
    const settings = yield* resolveSettings(flags)
    const otlp = yield* resolveOtlp
    const { runService } = yield* Effect.promise(() => import("../Service.ts"))
    yield* Effect.provide(runService(settings), serviceTelemetry(otlp))
  })
).pipe(
  Command.withDescription(
    "Runs the service: an HTTP API that takes workers in and keeps the scheduler in step with them. " +
      "What was accepted is carried out whatever happens to the process. There are some thirty more variables, " +
      "from MUSTER_ATTEMPT_TIMEOUT to MUSTER_UNKNOWN_WORKERS: muster config lists them."
  ),
  Command.withExamples([
    { command: "muster serve", description: "Listen on http://127.0.0.1:7070 with the embedded scheduler" },
    {
      command: "MUSTER_AUTH=on MUSTER_OPERATOR_TOKEN_FILE=operator.token muster serve --host 0.0.0.0",
      description: "Listen on all addresses, for those who show a token"
    }
  ])
)
