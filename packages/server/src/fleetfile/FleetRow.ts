/**
 * One entry of a fleet file: where it stands, and what a worker is to be decoded from. A reader never stops at an
 * entry that it cannot make sense of; it says so in `issues` and goes on.
 */
import { InvalidWorker, Worker, type WorkerIssue } from "@muster/core"
import { Duration, Effect, Predicate, Runtime, Schema } from "effect"
import { isKubernetesObject, workerFromObject } from "./Kubernetes.ts"

export interface FleetRow {
  /** Its number among the entries of the file, from 1. */
  readonly entry: number
  /** The line where it begins, from 1; `undefined` in a JSON document that is read whole. */
  readonly line: number | undefined
  /** What a worker is decoded from, and what a report gives back. `{ unreadable: text }` where nothing could be read. */
  readonly input: unknown
  /** What was wrong already when it was read. */
  readonly issues: ReadonlyArray<WorkerIssue>
}

export type Position = Pick<FleetRow, "entry" | "line">

/** The file as a whole cannot be read, or not to its end. */
export class FleetFileError extends Schema.TaggedError<FleetFileError>("@muster/server/FleetFileError")(
  "FleetFileError",
  { message: Schema.String }
) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

/** How much of the text of an unreadable entry is kept, in characters. */
const longestExcerpt = 4096

/** An entry that no worker can be read from; it fails when it is registered, with `rule` and `received` as the reason. */
export const unreadable = (
  { entry, line }: Position,
  text: string,
  rule: string,
  received: string
): FleetRow => ({
  entry,
  line,
  input: { unreadable: text.slice(0, longestExcerpt) },
  issues: [{ path: "", rule, received }]
})

/** Deeper is no worker, and could not be written to a report. */
const deepestNesting = 100

const isDeeperThan = (levels: number, value: unknown): boolean => {
  if (!Predicate.isObjectOrArray(value)) return false
  return levels === 0 || Object.values(value).some((member) => isDeeperThan(levels - 1, member))
}

/** The entry that a value of a JSON or YAML document is: a worker, or a Kubernetes Node. */
export const fromValue = (value: unknown, position: Position): FleetRow => {
  if (isDeeperThan(deepestNesting, value)) {
    return unreadable(
      position,
      "",
      `a value of at most ${deepestNesting} levels`,
      "one that is nested deeper"
    )
  }
  if (isKubernetesObject(value)) return { ...position, ...workerFromObject(value) }
  if (Predicate.hasProperty(value, "unreadable") && !Predicate.hasProperty(value, "id")) {
    const received = "what an earlier report kept of a row that could not be read"
    return { ...position, input: value, issues: [{ path: "", rule: "a worker", received }] }
  }
  return { ...position, input: value, issues: [] }
}

/** The worker of an entry, or every reason why it has none. */
export const decode = Effect.fnUntraced(function* (row: FleetRow): Effect.fn.Return<Worker, InvalidWorker> {
  if (row.issues.some(({ path }) => path === "")) {
    return yield* new InvalidWorker({
      workerId: "unknown",
      attempts: 0,
      elapsed: Duration.zero,
      issues: row.issues
    })
  }
  if (row.issues.length === 0) return yield* Worker.decode(row.input)
  const decoded = yield* Effect.result(Worker.decode(row.input))
  const known = new Set(row.issues.map(({ path }) => path))
  const found = decoded._tag === "Failure" ? decoded.failure : undefined
  const id = Predicate.hasProperty(row.input, "id") ? String(row.input.id) : "unknown"
  return yield* new InvalidWorker({
    workerId: found?.workerId ?? id,
    workerType: found?.workerType,
    attempts: 0,
    elapsed: Duration.zero,
    issues: [...row.issues, ...(found?.issues ?? []).filter(({ path }) => !known.has(path))]
  })
})

/** Where a row stands, in words. */
export const where = ({ entry, line }: Position): string =>
  line === undefined ? `entry ${entry}` : `line ${line}`
