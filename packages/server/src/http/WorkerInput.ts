/**
 * Workers from requests into the fleet, and what became of them as the answer, or as the problem that stands in its
 * place.
 */
import { describeIssue, type InvalidWorker, Worker, WorkerId } from "@muster/core"
import { Duration, Effect, Option, Predicate, Schema } from "effect"
import { type Accepted, type Fleet, type Once, Priority, type WorkerRecord } from "@muster/core/fleet"
import { type FleetProblem, notAccepted } from "./FleetProblems.ts"
import {
  InvalidWorkerProblem,
  type ProblemError,
  SchedulerFailure,
  Superseded,
  WorkerRejected
} from "./Problems.ts"

export interface WorkerInput {
  readonly worker: Worker
  readonly saidWhenProvisioned: boolean
  readonly priority: Priority | undefined
  readonly leaseTtl: Duration.Duration | undefined
}

export const isWorkerId = Schema.is(WorkerId)

/** A worker from parsed JSON, with what is said beside it of how it shall be treated. */
export const decodeWorker = (input: unknown): Effect.Effect<WorkerInput, InvalidWorkerProblem> => {
  const priority = priorityOf(input)
  const leaseTtl = leaseTtlOf(input)
  const wrong = (): ReadonlyArray<ProblemError> => [
    ...(priority === invalid ? [{ path: "priority", message: priorityRule }] : []),
    ...(leaseTtl === invalid ? [{ path: "leaseTtl", message: leaseTtlRule }] : [])
  ]
  return Effect.matchEffect(Worker.decode(input), {
    onSuccess: (worker) =>
      priority === invalid || leaseTtl === invalid
        ? Effect.fail(new InvalidWorkerProblem({ workerId: worker.id, errors: wrong() }))
        : Effect.succeed({ worker, saidWhenProvisioned: saysWhenProvisioned(input), priority, leaseTtl }),
    onFailure: (error) => Effect.fail(invalidWorker(error, wrong()))
  })
}

const invalid = Symbol("invalid")

export const priorityRule = `expected one of ${Priority.literals.join(", ")}`
export const isPriority = Schema.is(Priority)

/** What is said of the priority in an object: in a worker's, or in an event's. */
const priorityOf = (input: unknown): Priority | undefined | typeof invalid => {
  const given = Predicate.hasProperty(input, "priority") ? (input.priority ?? undefined) : undefined
  return given === undefined || isPriority(given) ? given : invalid
}

const longestLease = Duration.days(365)
export const leaseTtlRule = `expected a duration above zero and at most ${Duration.toDays(longestLease)} days, such as "30 seconds"`
const decodeDuration = Schema.decodeUnknownOption(Schema.DurationFromString)

const leaseTtlOf = (input: unknown): Duration.Duration | undefined | typeof invalid => {
  const given = Predicate.hasProperty(input, "leaseTtl") ? (input.leaseTtl ?? undefined) : undefined
  return given === undefined ? undefined : Option.getOrElse(toLeaseTtl(given), () => invalid)
}

/** The fleet's times are whole milliseconds. */
export const toLeaseTtl = (given: unknown): Option.Option<Duration.Duration> =>
  decodeDuration(given).pipe(
    Option.filter(
      (duration) =>
        Duration.isGreaterThan(duration, Duration.zero) &&
        Duration.isLessThanOrEqualTo(duration, longestLease)
    ),
    Option.map((duration) => Duration.millis(Math.ceil(Duration.toMillis(duration))))
  )

const saysWhenProvisioned = (input: unknown): boolean =>
  Predicate.hasProperty(input, "metadata") &&
  Predicate.hasProperty(input.metadata, "provisionedAt") &&
  input.metadata.provisionedAt !== undefined

const invalidWorker = ({ issues, workerId }: InvalidWorker, others: ReadonlyArray<ProblemError>) =>
  new InvalidWorkerProblem({
    workerId,
    errors: [...issues.map((issue) => ({ path: issue.path, message: describeIssue(issue) })), ...others]
  })

/** What a worker that was waited for has come to. */
export type OutcomeProblem = WorkerRejected | Superseded | SchedulerFailure

export interface IntakeOptions {
  /** In seconds. */
  readonly wait?: number | undefined
  /** Where the worker does not say one itself. */
  readonly priority?: Priority | undefined
  readonly once?: Once | undefined
}

/**
 * Takes a worker into the fleet. With `wait`, in seconds, waits as long for the outcome: the answer is then the
 * worker's state at the end of the wait, or the problem that it met for good.
 */
export const intake = Effect.fnUntraced(function* (
  fleet: Fleet["Service"],
  { worker, ...said }: WorkerInput,
  { once, priority, wait }: IntakeOptions
): Effect.fn.Return<Accepted, FleetProblem | OutcomeProblem> {
  const accepted = yield* fleet
    .want(worker, { ...said, priority: said.priority ?? priority, once })
    .pipe(Effect.mapError(notAccepted))
  if (wait === undefined) return accepted
  const settled = fleet.settled(worker.id, accepted.generation)
  const record = yield* Effect.timeoutOption(settled, Duration.seconds(wait)).pipe(
    Effect.flatMap(Option.match({ onNone: () => fleet.get(worker.id), onSome: Effect.succeed })),
    // The worker is accepted all the same; what becomes of it can be asked for later.
    Effect.orElseSucceed(() => Option.none())
  )
  if (Option.isNone(record)) return accepted
  const problem = problemOf(record.value)
  const { generation, phase } = record.value
  return problem === undefined ? { ...accepted, generation, phase } : yield* problem
})

/** Whether the scheduler has the worker. */
export const isRegistered = ({ phase }: Accepted): boolean => phase === "registered" || phase === "ready"

const problemOf = ({ attempts, id, lastError, phase }: WorkerRecord): OutcomeProblem | undefined => {
  if (phase === "unregistering" || phase === "terminated") {
    return new Superseded({ workerId: id, detail: "The worker was terminated before it was registered." })
  }
  if (phase !== "failed") return undefined
  const detail = lastError?.message ?? "The scheduler gave no reason."
  switch (lastError?.type) {
    case "invalid_worker":
      return new WorkerRejected({ workerId: id, attempts, detail })
    case "superseded":
      return new Superseded({ workerId: id, detail })
    default:
      return new SchedulerFailure({ detail })
  }
}
