/**
 * A line of an export as what it says, or everything that is wrong with it. Whoever sends one may have changed it:
 * nothing is taken for true, and no value is repeated.
 */
import { describeIssue, Timestamp, Worker, WorkerId } from "@muster/core"
import {
  Desired,
  FailureType,
  furthestGeneration,
  Phase,
  Priority,
  type RestoredState,
  type RestoredWorker
} from "@muster/core/fleet"
import { DateTime, Duration, Effect, Option, Predicate, Result, Schema } from "effect"
import type { ProblemError } from "../http/Problems.ts"
import { leaseTtlRule, toLeaseTtl } from "../http/WorkerInput.ts"
import { formatVersion } from "./ExportFormat.ts"

export type ReadLine =
  | { readonly _tag: "Worker"; readonly worker: RestoredWorker }
  /** The first line, or the last one: all that they say to the fleet. */
  | { readonly _tag: "Forgotten"; readonly generation: number }

export interface WrongLine {
  readonly workerId?: string
  readonly errors: ReadonlyArray<ProblemError>
}

export const readLine = Effect.fnUntraced(function* (
  input: unknown,
  now: number
): Effect.fn.Return<ReadLine, WrongLine> {
  if (!Predicate.isObject(input)) return yield* Effect.fail(wrong("", "expected an object"))
  if (Predicate.hasProperty(input, "muster")) return yield* Effect.fromResult(readFrame({ ...input }, now))
  return yield* readWorker({ ...input }, now)
})

type Fields = Readonly<Record<string, unknown>>

const wrong = (path: string, message: string): WrongLine => ({ errors: [{ path, message }] })

/** Reads fields one after another and keeps what is wrong with them. */
class FieldReader {
  readonly errors: Array<ProblemError> = []
  private readonly fields: Fields

  constructor(fields: Fields) {
    this.fields = fields
  }

  read<A>(name: string, rule: string, decode: (value: unknown) => Option.Option<A>): A | undefined {
    const found = decode(this.fields[name])
    if (Option.isNone(found)) this.errors.push({ path: name, message: `expected ${rule}` })
    return Option.getOrUndefined(found)
  }

  /** `null`, or a field that is not there, is none. */
  optional<A>(name: string, rule: string, decode: (value: unknown) => Option.Option<A>): A | undefined {
    return this.fields[name] === undefined || this.fields[name] === null
      ? undefined
      : this.read(name, `${rule}, or null`, decode)
  }
}

const decodeOption = <A, I>(schema: Schema.Codec<A, I>) => Schema.decodeUnknownOption(schema)

const oneOf = (literals: ReadonlyArray<string>) => `one of ${literals.join(", ")}`

const time = (value: unknown) => Option.map(decodeTimestamp(value), DateTime.toEpochMillis)
const decodeTimestamp = decodeOption(Timestamp)
const timeRule = "an RFC 3339 timestamp"

const generationReader = (now: number, minimum: number) => {
  const maximum = furthestGeneration(now)
  return {
    rule: `a whole number from ${minimum} to ${maximum}, which is that of a year from now`,
    decode: decodeOption(Schema.Int.check(Schema.isBetween({ minimum, maximum })))
  }
}

const readFrame = (fields: Fields, now: number): Result.Result<ReadLine, WrongLine> => {
  const { muster, version } = fields
  if (muster !== "export" && muster !== "end") return Result.fail(wrong("muster", "expected export or end"))
  if (muster === "export" && version !== formatVersion) {
    return Result.fail(
      wrong("version", `expected ${formatVersion}: a newer version of Muster may have written this`)
    )
  }
  const reader = new FieldReader(fields)
  const { decode, rule } = generationReader(now, 0)
  const generation = reader.read("forgottenGeneration", rule, decode)
  return generation === undefined
    ? Result.fail({ errors: reader.errors })
    : Result.succeed({ _tag: "Forgotten", generation })
}

/** Longer ones are cut: they are for people. */
const longestMessage = 16_384

const LastError = Schema.Struct({
  type: FailureType,
  message: Schema.String,
  retryable: Schema.Boolean,
  at: Timestamp
})

const LastEvent = Schema.Struct({
  source: Schema.String.check(Schema.isMinLength(1), Schema.isMaxLength(1024)),
  occurredAt: Timestamp
})

const decode = {
  id: decodeOption(WorkerId),
  desired: decodeOption(Desired),
  phase: decodeOption(Phase),
  priority: decodeOption(Priority),
  boolean: decodeOption(Schema.Boolean),
  lastError: decodeOption(LastError),
  lastEvent: decodeOption(LastEvent)
}

const readWorker = Effect.fnUntraced(function* (
  fields: Fields,
  now: number
): Effect.fn.Return<ReadLine, WrongLine> {
  const reader = new FieldReader(fields)
  const id = reader.read("id", "the id of a worker", decode.id)
  const desired = reader.read("desired", oneOf(Desired.literals), decode.desired)
  const phase = reader.read("phase", oneOf(Phase.literals), decode.phase)
  const { decode: decodeGeneration, rule } = generationReader(now, 1)
  const generation = reader.read("generation", rule, decodeGeneration)
  const priority = reader.optional("priority", oneOf(Priority.literals), decode.priority)
  const leaseTtl = reader.optional("leaseTtl", leaseTtlRule, toLeaseTtl)
  const saidReady = reader.optional("saidReady", "true or false", decode.boolean)
  const createdAt = reader.optional("createdAt", timeRule, time)
  const updatedAt = reader.optional("updatedAt", timeRule, time)
  const lastError = reader.optional("lastError", "a failure: type, message, retryable, at", decode.lastError)
  const lastEvent = reader.optional("lastEvent", "an event: source, occurredAt", decode.lastEvent)
  const { errors } = reader

  let worker: Worker | undefined
  if (fields["worker"] !== undefined && fields["worker"] !== null) {
    const decoded = yield* Effect.result(Worker.decode(fields["worker"]))
    if (Result.isSuccess(decoded)) worker = decoded.success
    else {
      for (const issue of decoded.failure.issues) {
        const path = issue.path === "" ? "worker" : `worker.${issue.path}`
        errors.push({ path, message: describeIssue(issue) })
      }
    }
    if (worker !== undefined && id !== undefined && worker.id !== id) {
      errors.push({ path: "worker.id", message: "expected the same as id" })
    }
  } else if (desired === "registered") {
    errors.push({ path: "worker", message: "expected a worker, since it is to be registered" })
  }
  if (desired !== undefined && phase !== undefined && !isPhaseOf(desired, phase)) {
    errors.push({ path: "phase", message: `expected a phase of a worker that is to be ${desired}` })
  }
  if (
    errors.length > 0 ||
    id === undefined ||
    desired === undefined ||
    phase === undefined ||
    generation === undefined
  ) {
    return yield* Effect.fail({ ...(id === undefined ? undefined : { workerId: id }), errors })
  }
  return {
    _tag: "Worker",
    worker: {
      id,
      worker,
      desired,
      state: stateOf(phase),
      generation,
      priority: priority ?? "normal",
      leaseTtl: leaseTtl === undefined ? undefined : Duration.toMillis(leaseTtl),
      saidReady: saidReady ?? phase === "ready",
      createdAt: createdAt ?? now,
      updatedAt: updatedAt ?? now,
      lastError:
        lastError === undefined
          ? undefined
          : {
              ...lastError,
              message: lastError.message.slice(0, longestMessage),
              at: DateTime.toEpochMillis(lastError.at)
            },
      lastEvent:
        lastEvent === undefined
          ? undefined
          : { source: lastEvent.source, occurredAt: DateTime.toEpochMillis(lastEvent.occurredAt) }
    }
  }
})

const isPhaseOf = (desired: Desired, phase: Phase): boolean => {
  if (phase === "failed") return true
  return (phase === "unregistering" || phase === "terminated") === (desired === "unregistered")
}

const stateOf = (phase: Phase): RestoredState => {
  if (phase === "failed") return "failed"
  return phase === "terminated" ? "gone" : "call"
}
