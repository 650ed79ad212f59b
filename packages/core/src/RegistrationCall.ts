/**
 * One call of `register` or `unregister` from its beginning to its end: what is known of it, and what the outside
 * is told of it in logs, metrics and spans. Nothing here decides anything.
 */
import { Clock, Context, Duration, Effect, LogLevel, References } from "effect"
import type { Cause, Fiber } from "effect"
import { attemptErrorType, errorType, type RegistrationError } from "./RegistrationError.ts"
import * as Metrics from "./RegistrationMetrics.ts"
import type { SchedulerError } from "./SchedulerError.ts"
import { isTraced } from "./TraceOrigin.ts"
import type { Worker, WorkerId } from "./Worker.ts"
import type { Turn } from "./WorkerTurns.ts"

/** What a successful call tells: the attempts that it took, and the time from the call to the answer. */
export interface Receipt {
  readonly workerId: WorkerId
  readonly attempts: number
  readonly duration: Duration.Duration
}

export class Call {
  readonly turn: Turn
  readonly generation: number
  /** The worker, where more than its id is known. */
  worker: Worker | undefined
  /** Attempts begun. */
  attempts = 0
  lastError: SchedulerError | undefined
  /** Set when the deadline has cut an attempt short or leaves no time for the next wait. */
  outOfTime = false
  private clock: Clock.Clock = Clock.Clock.defaultValue()
  private context: Context.Context<never> = Context.empty()
  private startedAt = 0n

  constructor(turn: Turn, generation: number, worker: Worker | undefined) {
    this.turn = turn
    this.generation = generation
    this.worker = worker
  }

  get workerId(): WorkerId {
    return this.turn.workerId
  }

  /** Milliseconds since the call began; monotonic. */
  get elapsedMillis(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe() - this.startedAt) / 1_000_000
  }

  /** What every error of this call carries. */
  get errorContext() {
    return {
      workerId: this.workerId,
      workerType: this.worker?.metadata.workerType,
      attempts: this.attempts,
      elapsed: Duration.millis(this.elapsedMillis)
    }
  }

  begin(fiber: Fiber.Fiber<unknown, unknown>): void {
    this.clock = fiber.getRef(Clock.Clock)
    this.context = fiber.context
    this.startedAt = this.clock.monotonicTimeNanosUnsafe()
    if (this.turn.kind === "register") Metrics.inFlight.modifyUnsafe(1, this.context)
  }

  countAttempt(result: "success" | "failure"): void {
    if (this.turn.kind !== "register") return
    Metrics.attempts[result][this.typeLabel].updateUnsafe(1, this.context)
  }

  logAttempt(): Effect.Effect<void> {
    return this.log("Debug", "Calling the scheduler", () => ({ attempt: this.attempts }))
  }

  logRetry(error: SchedulerError, backoff: Duration.Duration): Effect.Effect<void> {
    return this.log("Warn", `${words[this.turn.kind].retry}: ${error.message}`, () => ({
      attempt: this.attempts,
      errorType: attemptErrorType(error),
      backoffMs: Duration.toMillis(backoff)
    }))
  }

  /** Tells that the call has succeeded, and gives its receipt. */
  succeed(): Effect.Effect<Receipt> {
    this.leave()
    const duration = Duration.millis(this.elapsedMillis)
    const { attempts, workerId } = this
    this.count("success", duration)
    const log = this.log("Info", words[this.turn.kind].done, () => ({
      attempts,
      durationMs: Duration.toMillis(duration)
    }))
    const receipt = { workerId, attempts, duration }
    return log === Effect.void ? Effect.succeed(receipt) : Effect.as(log, receipt)
  }

  /** Tells that the call has failed, and fails. */
  fail(error: RegistrationError): Effect.Effect<never, RegistrationError> {
    this.leave()
    this.count("failure", error.elapsed)
    const isSuperseded = error._tag === "Unexpected" && error.superseded
    if (this.turn.kind === "register") {
      const counter = isSuperseded ? Metrics.superseded : Metrics.failures[errorType(error)]
      counter[this.typeLabel].updateUnsafe(1, this.context)
    }
    return Effect.andThen(
      this.log(isSuperseded ? "Info" : levels[error._tag], error.message, () => ({
        attempts: this.attempts,
        errorType: isSuperseded ? "superseded" : errorType(error),
        durationMs: Duration.toMillis(error.elapsed)
      })),
      Effect.fail(error)
    )
  }

  /** A call whose caller was interrupted has no outcome to tell. */
  interrupt(cause: Cause.Cause<never>): Effect.Effect<never> {
    this.leave()
    return Effect.failCause(cause)
  }

  /** The span of the whole call, or nothing where no tracer would read it. */
  withSpan<A, E, R>(effect: Effect.Effect<A, E, R>, fiber: Fiber.Fiber<unknown, unknown>) {
    return isTraced(fiber)
      ? Effect.withSpan(effect, words[this.turn.kind].span, { attributes: this.spanAttributes() })
      : effect
  }

  /** The span of one attempt, a child of the call's. */
  withAttemptSpan<A, R>(effect: Effect.Effect<A, SchedulerError, R>, fiber: Fiber.Fiber<unknown, unknown>) {
    if (!isTraced(fiber)) return effect
    return effect.pipe(
      Effect.tapError((error) => Effect.annotateCurrentSpan("error.type", attemptErrorType(error))),
      Effect.withSpan(`${words[this.turn.kind].span}.attempt`, {
        kind: "client",
        attributes: { ...this.spanAttributes(), "muster.attempt": this.attempts }
      })
    )
  }

  private leave(): void {
    if (this.turn.kind === "register") Metrics.inFlight.modifyUnsafe(-1, this.context)
  }

  private get typeLabel(): Metrics.WorkerTypeLabel {
    return this.worker?.metadata.workerType ?? "unknown"
  }

  private count(result: "success" | "failure", duration: Duration.Duration): void {
    const { context, typeLabel } = this
    switch (this.turn.kind) {
      case "register":
        Metrics.operations[result][typeLabel].updateUnsafe(1, context)
        Metrics.durations[typeLabel].updateUnsafe(Duration.toSeconds(duration), context)
        Metrics.retries[typeLabel].updateUnsafe(Math.max(0, this.attempts - 1), context)
        return
      case "unregister":
        return Metrics.unregistrations[result][typeLabel].updateUnsafe(1, context)
    }
  }

  private spanAttributes() {
    return {
      "muster.worker.id": this.workerId,
      "muster.worker.type": this.typeLabel,
      "muster.generation": this.generation
    }
  }

  private log(
    level: LogLevel.Severity,
    message: string,
    annotations: () => Record<string, unknown>
  ): Effect.Effect<void> {
    if (LogLevel.isGreaterThan(Context.get(this.context, References.MinimumLogLevel), level)) {
      return Effect.void
    }
    return Effect.logWithLevel(level)(message).pipe(
      Effect.annotateLogs({
        workerId: this.workerId,
        workerType: this.typeLabel,
        ...(this.worker === undefined ? undefined : { namespace: this.worker.metadata.namespace }),
        ...annotations()
      })
    )
  }
}

const words = {
  register: {
    done: "Worker registered",
    retry: "Registration attempt failed, will retry",
    span: "WorkerRegistration.register"
  },
  unregister: {
    done: "Worker unregistered",
    retry: "Unregistration attempt failed, will retry",
    span: "WorkerRegistration.unregister"
  },
  verify: {
    done: "Worker looked up in the scheduler",
    retry: "Looking up the worker failed, will retry",
    span: "WorkerRegistration.verify"
  }
} as const

const levels = {
  InvalidWorker: "Error",
  SchedulerUnavailable: "Warn",
  RegistrationTimeout: "Error",
  MaxRetriesExceeded: "Error",
  Unexpected: "Error"
} as const satisfies { readonly [Tag in RegistrationError["_tag"]]: LogLevel.Severity }
