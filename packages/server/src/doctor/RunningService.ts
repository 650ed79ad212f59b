/**
 * What `muster doctor` asks a service that runs: how it is, which version it has, how its scheduler is, and its clock.
 */
import { Clock, Effect, Option, Result, Schema, Stream } from "effect"
import { HttpClient } from "effect/http"
import { bounded, type ServiceUnavailable, unreachable } from "../client/ServiceAnswer.ts"
import { version } from "../version.ts"
import { clockFinding } from "./ClockDifference.ts"
import { type Finding, ok, problem, warning } from "./Finding.ts"

interface Answer {
  readonly status: number
  readonly body: string
  /** The service's clock less this one's, in milliseconds. */
  readonly clockDifference: number | undefined
}

const longestAnswer = 2 ** 20

/** What a service answers at a path. */
export const get = Effect.fnUntraced(function* (
  address: string,
  path: string
): Effect.fn.Return<Answer, ServiceUnavailable, HttpClient.HttpClient> {
  const before = yield* Clock.currentTimeMillis
  const response = yield* HttpClient.get(`${address}${path}`).pipe(Effect.mapError(unreachable(address)))
  const after = yield* Clock.currentTimeMillis
  const date = Date.parse(response.headers["date"] ?? "")
  const body = yield* bounded(response.stream, longestAnswer).pipe(
    Stream.decodeText,
    Stream.mkString,
    Effect.orElseSucceed(() => "")
  )
  return {
    status: response.status,
    body,
    clockDifference: Number.isNaN(date) ? undefined : date - (before + after) / 2
  }
})

const Health = Schema.Struct({ status: Schema.Literal("ok"), version: Schema.optional(Schema.String) })
const Problem = Schema.Struct({ detail: Schema.String })
const Scheduler = Schema.Struct({
  adapter: Schema.String,
  health: Schema.NullOr(Schema.Struct({ status: Schema.String, message: Schema.optional(Schema.String) })),
  circuit: Schema.NullOr(Schema.Struct({ state: Schema.String })),
  drift: Schema.NullOr(
    Schema.Struct({
      held: Schema.Finite,
      lost: Schema.Finite,
      ghosts: Schema.Finite,
      unknown: Schema.Finite,
      error: Schema.NullOr(Schema.String)
    })
  )
})

const decode = <A, I>(schema: Schema.Codec<A, I>) => Schema.decodeUnknownOption(Schema.fromJsonString(schema))
const decodeHealth = decode(Health)
const decodeProblem = decode(Problem)
const decodeScheduler = decode(Scheduler)

/** The finding, and whether it is a service of Muster's that answers; `undefined`: nothing does. */
export const checkService = Effect.fnUntraced(function* (
  address: string
): Effect.fn.Return<ReadonlyArray<Finding> | undefined, never, HttpClient.HttpClient> {
  const answer = yield* Effect.result(get(address, "/healthz"))
  if (Result.isFailure(answer)) {
    const { message, retryable } = answer.failure
    return retryable ? undefined : [problem(message.replace(/\.$/, ""), "Look at the certificates.")]
  }
  const health = decodeHealth(answer.success.body)
  if (answer.success.status !== 200 || Option.isNone(health)) {
    return [
      problem(
        `what answers at ${address} is no Muster service`,
        "Stop it, or choose another address with --host and --port."
      )
    ]
  }
  const ready = yield* Effect.option(get(address, "/readyz"))
  const { clockDifference } = answer.success
  return [
    versionFinding(address, health.value.version),
    readyFinding(ready),
    // The header has whole seconds.
    ...(clockDifference === undefined ? [] : [clockFinding(clockDifference + 500, "the service's", 600)])
  ]
})

const versionFinding = (address: string, found: string | undefined): Finding =>
  found === version
    ? ok(`muster ${found} answers at ${address}`)
    : warning(
        `the service at ${address} is muster ${found ?? "of an earlier version"}, and this command is ${version}`,
        "Restart the service with the version that is installed, or install that of the service here."
      )

const readyFinding = (ready: Option.Option<Answer>): Finding => {
  if (Option.isSome(ready) && ready.value.status === 200) return ok("it takes changes")
  const reason = Option.flatMap(ready, ({ body }) => decodeProblem(body))
  return problem(
    Option.match(reason, {
      onNone: () => "it does not say whether it takes changes",
      onSome: ({ detail }) => `it takes no changes: ${detail.replace(/\.$/, "")}`
    }),
    "Look at its log; it goes on by itself when the reason is gone."
  )
}

/** How the scheduler is, as the service sees it. */
export const checkSchedulerOf = Effect.fnUntraced(function* (
  address: string
): Effect.fn.Return<ReadonlyArray<Finding>, never, HttpClient.HttpClient> {
  const began = yield* Clock.currentTimeMillis
  const answer = yield* Effect.option(get(address, "/v1/scheduler"))
  const took = (yield* Clock.currentTimeMillis) - began
  const scheduler = Option.flatMap(answer, ({ body }) => decodeScheduler(body))
  if (Option.isNone(scheduler)) {
    return [problem("the service does not say how its scheduler is", "Look at the service's log.")]
  }
  const { adapter, circuit, drift, health } = scheduler.value
  const findings = [healthFinding(adapter, health, took)]
  if (circuit !== null && circuit.state !== "closed") {
    findings.push(
      warning(
        `too many calls to it failed: the circuit is ${circuit.state.replace("_", " ")}`,
        "muster scheduler status says more; calls are made again when it is back."
      )
    )
  }
  if (drift === null) return findings
  if (drift.error !== null) {
    findings.push(
      warning(
        `it could not be compared with the fleet: ${drift.error}`,
        "Look at the scheduler; it is tried again."
      )
    )
  } else if (drift.unknown > 0) {
    findings.push(
      warning(
        `it has ${drift.unknown} workers that the fleet does not know`,
        "If nobody else registers workers there, set MUSTER_UNKNOWN_WORKERS to adopt or remove."
      )
    )
  } else {
    findings.push(
      ok(`it held ${drift.held} workers; ${drift.lost} were lost and ${drift.ghosts} were ghosts`)
    )
  }
  return findings
})

/** A scheduler's health in words; `took`: how long it took to say so. */
export const healthFinding = (
  name: string,
  health: { readonly status: string; readonly message?: string | undefined } | null,
  took: number
): Finding => {
  if (health === null) return ok(`${name} does not say how it is`)
  const words = health.message === undefined ? "" : `: ${health.message}`
  const message = `${name} is ${health.status}${words} (${Math.round(took)} ms)`
  if (health.status === "healthy") return ok(message)
  const fix = "Look whether it runs, and whether its address and certificates are right."
  return health.status === "degraded" ? warning(message, fix) : problem(message, fix)
}
