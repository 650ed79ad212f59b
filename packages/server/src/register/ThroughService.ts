/**
 * Registration through a running service: rows go out in requests of some hundred workers, one after the other, so
 * that two rows of one worker arrive in the order of the file. A request that breaks is sent again without the
 * workers that were answered; the service takes the same worker twice without harm.
 */
import { RegistrationConfig, type RegistrationSettings } from "@muster/core"
import { Clock, Duration, Effect, Predicate, Schedule, Stream } from "effect"
import type { HttpClient } from "effect/http"
import type { FleetRow } from "../fleetfile/FleetRow.ts"
import type { Admitted, Ledger } from "./Ledger.ts"
import { describe, isRetryable, ServiceUnavailable } from "../client/ServiceAnswer.ts"
import { type BatchResult, postBatch } from "./MusterService.ts"
import type { ReportError } from "./Report.ts"
import type { Outcome } from "./Tally.ts"

/** Workers in one request. */
const batchSize = 500
/** How long a slow source is waited for before a smaller batch goes out. */
const batchDelay = "200 millis"
/** The longest wait that a service grants in one request, in seconds. */
const longestWait = 60
/** The pause before accepted workers are asked about again, should the service answer sooner than it was asked to. */
const pauseBetweenWaits = "500 millis"

export interface ServiceOptions {
  readonly address: string
  /** How long each worker is waited for to be registered; `undefined`: being accepted is enough. */
  readonly wait: Duration.Duration | undefined
}

/** Sends every row of a stream to the service and settles it in the ledger. */
export const registerThroughService = (options: ServiceOptions) =>
  Effect.fnUntraced(function* <E>(
    rows: Stream.Stream<FleetRow, E>,
    ledger: Ledger
  ): Effect.fn.Return<void, E | ReportError, HttpClient.HttpClient> {
    const submission = new Submission(options, ledger, yield* RegistrationConfig)
    yield* rows.pipe(
      Stream.mapEffect((row) => ledger.admit(row)),
      Stream.filter(Predicate.isNotUndefined),
      Stream.groupedWithin(batchSize, batchDelay),
      Stream.runForEach((batch) => submission.submit(batch))
    )
  })

type Retry = ReturnType<typeof retrySchedule>

const retrySchedule = (config: RegistrationSettings) =>
  Schedule.exponential(config.baseBackoff).pipe(
    Schedule.setInputType<ServiceUnavailable | ReportError>(),
    Schedule.while(({ input }) => input._tag === "ServiceUnavailable" && input.retryable),
    Schedule.upTo({ times: config.maxRetries }),
    Schedule.modifyDelay(({ duration, input }) => {
      const asked =
        input._tag === "ServiceUnavailable" ? Duration.seconds(input.retryAfter ?? 0) : Duration.zero
      return Effect.succeed(Duration.max(Duration.min(duration, config.maxBackoff), asked))
    })
  )

/** How far a worker is that has no outcome yet. */
type Progress = "unsent" | "accepted"

class Submission {
  private readonly options: ServiceOptions
  private readonly ledger: Ledger
  private readonly retry: Retry
  private readonly attemptTimeout: Duration.Duration
  /** Set when the service has stayed away for all retries: nothing more is sent. */
  private gone: ServiceUnavailable | undefined
  /** Set when nothing of a whole batch was registered in time: waiting for the next one would only add up. */
  private isStalled = false

  constructor(options: ServiceOptions, ledger: Ledger, config: RegistrationSettings) {
    this.options = options
    this.ledger = ledger
    this.retry = retrySchedule(config)
    this.attemptTimeout = config.attemptTimeout
  }

  readonly submit = Effect.fnUntraced(
    { self: this },
    function* (
      this: Submission,
      batch: ReadonlyArray<Admitted>
    ): Effect.fn.Return<void, ReportError, HttpClient.HttpClient> {
      const { wait } = this.options
      const isWaiting = wait !== undefined && !this.isStalled
      const registeredBefore = this.ledger.tally.registered
      const startedAt = yield* Clock.currentTimeMillis
      const end = isWaiting ? startedAt + Duration.toMillis(wait) : startedAt
      // What is neither registered nor refused: not answered yet, or accepted.
      const open = new Map<Admitted, Progress>(batch.map((admitted) => [admitted, "unsent"]))
      const sent = new Set<Admitted>()
      let secondsLeft = isWaiting ? seconds(end - startedAt) : undefined
      while (this.gone === undefined) {
        const attempt = Effect.suspend(() => this.post(open, sent, startedAt, secondsLeft))
        const result = yield* Effect.result(Effect.retry(attempt, this.retry))
        if (result._tag === "Failure") {
          if (result.failure._tag === "ReportError") return yield* result.failure
          this.gone = result.failure
        }
        const left = end - (yield* Clock.currentTimeMillis)
        if (open.size === 0 || left <= 0) break
        yield* Effect.sleep(pauseBetweenWaits)
        secondsLeft = seconds(left)
      }
      if (isWaiting) this.isStalled = this.ledger.tally.registered === registeredBefore && open.size > 0
      yield* Effect.forEach(
        open,
        ([{ row, worker }, state]) =>
          this.ledger.settle(
            row,
            state === "accepted" ? { _tag: "Accepted" } : notSent(worker.id, this.gone)
          ),
        { discard: true }
      )
    }
  )

  /** One request for everything that is open. Succeeds when each has an answer. */
  private post(
    open: Map<Admitted, Progress>,
    sent: Set<Admitted>,
    startedAt: number,
    waitSeconds: number | undefined
  ): Effect.Effect<void, ServiceUnavailable | ReportError, HttpClient.HttpClient> {
    const members = Array.from(open.keys())
    const body = members.map(({ row }) => `${JSON.stringify(row.input)}\n`).join("")
    const answered = new Set<Admitted>()
    for (const [admitted, state] of open) {
      if (state === "unsent" && sent.has(admitted)) this.ledger.tally.retries++
      sent.add(admitted)
    }
    const patience = Duration.sum(this.attemptTimeout, Duration.seconds(waitSeconds ?? 0))
    return postBatch(this.options.address, body, waitSeconds).pipe(
      // Every answer restarts the clock: a batch may take long, silence may not.
      Stream.timeoutOrElse({ duration: patience, orElse: () => Stream.fail(this.silent(patience)) }),
      Stream.runForEach((result) => {
        const admitted = members[result.line - 1]
        if (admitted === undefined || answered.has(admitted)) return Effect.void
        answered.add(admitted)
        if (result.status === 202) {
          open.set(admitted, "accepted")
          return Effect.void
        }
        open.delete(admitted)
        return Effect.flatMap(Clock.currentTimeMillis, (now) =>
          this.ledger.settle(admitted.row, outcomeOf(admitted, result, Duration.millis(now - startedAt)))
        )
      }),
      Effect.andThen(
        Effect.suspend(() =>
          answered.size === members.length ? Effect.void : Effect.fail(this.endedEarly())
        )
      )
    )
  }

  private silent(patience: Duration.Duration) {
    return new ServiceUnavailable({
      message: `The service at ${this.options.address} has not answered for ${Duration.format(patience)} (MUSTER_ATTEMPT_TIMEOUT). Check that the address is right and look at its log.`,
      retryable: true
    })
  }

  private endedEarly() {
    return new ServiceUnavailable({
      message: `The service at ${this.options.address} ended its answer before it was complete.`,
      retryable: true
    })
  }
}

const seconds = (millis: number): number => Math.min(longestWait, Math.max(1, Math.ceil(millis / 1000)))

const outcomeOf = (
  { worker }: Admitted,
  { problem, status }: BatchResult,
  duration: Duration.Duration
): Outcome => {
  if (status >= 200 && status < 300) return { _tag: "Registered", attempts: 1, duration }
  const kind = problem?.type?.split(":").at(-1) ?? `status-${status}`
  if (kind === "superseded") return { _tag: "Superseded" }
  return {
    _tag: "Failed",
    attempts: 1,
    failure: {
      workerId: worker.id,
      type: kind.replace(/(?:^|-)(\w)/g, (_, letter: string) => letter.toUpperCase()),
      message: problem === undefined ? `the service answered with status ${status}` : describe(problem),
      retryable: isRetryable(status)
    }
  }
}

const notSent = (workerId: string, reason: ServiceUnavailable | undefined): Outcome => ({
  _tag: "Failed",
  attempts: 0,
  failure: {
    workerId,
    type: "ServiceUnavailable",
    message: reason?.message ?? "The service gave no answer for this worker.",
    retryable: true
  }
})
