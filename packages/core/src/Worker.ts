/**
 * What a worker is: its id, what it can do, and where it belongs. Unknown input becomes a `Worker` only through
 * `Worker.decode`, so a `Worker` in hand is always within the bounds of {@link WorkerLimits}.
 */
import {
  Clock,
  DateTime,
  Duration,
  Effect,
  Option,
  Predicate,
  Schema,
  SchemaGetter,
  SchemaIssue
} from "effect"
import { InvalidWorker, type WorkerIssue } from "./RegistrationError.ts"
import { countDecodeFailure } from "./RegistrationMetrics.ts"
import { text } from "./Text.ts"
import { WorkerId, WorkerType } from "./WorkerId.ts"
import { isInOrder, isName } from "./WorkerInOrder.ts"
import { WorkerLimits } from "./WorkerLimits.ts"

export { WorkerId, WorkerLimits, WorkerType }

const nameRule = `a name of 1 to ${WorkerLimits.name} characters, other than __proto__`
const name = text(1, WorkerLimits.name).check(Schema.makeFilter(isName, { expected: nameRule }))

const record = <A>(value: Schema.Codec<A>, maximum: number) =>
  Schema.Record(Schema.String, value).check(
    Schema.isMaxProperties(maximum, { expected: `at most ${maximum} entries` }),
    // A check, because a record with a refined key drops the entries whose keys do not fit.
    Schema.isPropertyNames(name)
  )

const cpuRule = `a number of cores greater than 0 and at most ${WorkerLimits.cpuCores}`
const memoryRule = `a whole number of MiB from 1 to ${WorkerLimits.memoryMb}`
const amountRule = `a number from 0 to ${WorkerLimits.customResourceAmount}`

const cpuCores = Schema.Finite.annotate({ expected: cpuRule }).check(
  Schema.isGreaterThan(0, { expected: cpuRule }),
  Schema.isLessThanOrEqualTo(WorkerLimits.cpuCores, { expected: cpuRule })
)

const memoryMb = Schema.Int.annotate({ expected: memoryRule }).check(
  Schema.isGreaterThan(0, { expected: memoryRule }),
  Schema.isLessThanOrEqualTo(WorkerLimits.memoryMb, { expected: memoryRule })
)

const customResources = record(
  Schema.Finite.annotate({ expected: amountRule }).check(
    Schema.isBetween({ minimum: 0, maximum: WorkerLimits.customResourceAmount }, { expected: amountRule })
  ),
  WorkerLimits.customResources
)

/** What a worker can do. */
export class WorkerCapabilities extends Schema.Class<WorkerCapabilities>("@muster/core/WorkerCapabilities")({
  /** CPU cores, > 0 and at most 1,000,000; fractions allowed (`31.85`). */
  cpuCores,
  /** Memory in MiB: an integer from 1 to 2^40. */
  memoryMb,
  /** Whether the worker can run containers. Default `false`. */
  dockerEnabled: Schema.Boolean.pipe(
    Schema.withConstructorDefault(Effect.succeed(false)),
    Schema.withDecodingDefault(Effect.succeed(false))
  ),
  /** Amounts of anything else (`{ "gpu": 8 }`), each ≥ 0; at most 128. Default `{}`. */
  customResources: customResources.pipe(
    Schema.withConstructorDefault(Effect.succeed({})),
    Schema.withDecodingDefault(Effect.succeed({}))
  )
}) {}

const namespace = text(1, WorkerLimits.namespace)
const labels = record(text(0, WorkerLimits.labelValue), WorkerLimits.labels)

const Tags = Schema.Array(name).check(
  Schema.isMaxLength(WorkerLimits.tags, { expected: `at most ${WorkerLimits.tags} entries` })
)

const withoutDuplicates = (tags: ReadonlyArray<string>) => Array.from(new Set(tags))
const unique = SchemaGetter.transform(withoutDuplicates)

const timestampPattern =
  /^\d{4}-\d{2}-\d{2}[Tt](?!24)\d{2}:\d{2}:\d{2}(?:\.\d{1,9})?(?:[Zz]|[+-]\d{2}:\d{2})$/
const timestampRule = "an RFC 3339 timestamp such as 2026-01-31T12:00:00Z"

// JavaScript reads 31 February as 3 March, so the last days of a month are looked at more closely.
const hasRealDate = (timestamp: string): boolean => {
  if (Number.isNaN(Date.parse(timestamp))) return false
  const day = Number(timestamp.slice(8, 10))
  if (day <= 28) return true
  const lastOfMonth = Date.UTC(Number(timestamp.slice(0, 4)), Number(timestamp.slice(5, 7)), 0)
  return day <= new Date(lastOfMonth).getUTCDate()
}

const hasFourDigitYear = (dateTime: DateTime.Utc): boolean => {
  const year = DateTime.getPartUtc(dateTime, "year")
  return year >= 0 && year <= 9999
}

/** An RFC 3339 timestamp (RFC 3339, section 5.6), kept in UTC; written with milliseconds and `Z`. */
export const Timestamp = Schema.String.annotate({ expected: timestampRule, format: "date-time" })
  .check(
    Schema.isPattern(timestampPattern, { expected: timestampRule }),
    Schema.makeFilter(hasRealDate, { expected: "a date that exists, in " + timestampRule })
  )
  .pipe(
    Schema.decodeTo(
      Schema.DateTimeUtcFromString.annotate({ expected: timestampRule }).check(
        Schema.makeFilter(hasFourDigitYear, { expected: "a year from 0000 to 9999" })
      )
    )
  )

/** Where a worker belongs and how it came to be. Every field has a default. */
export class WorkerMetadata extends Schema.Class<WorkerMetadata>("@muster/core/WorkerMetadata")({
  /** Default `"dynamic"`. */
  workerType: WorkerType.annotate({ expected: `"static" or "dynamic"` }).pipe(
    Schema.withConstructorDefault(Effect.succeed("dynamic" as const)),
    Schema.withDecodingDefault(Effect.succeed("dynamic" as const))
  ),
  /** 1–253 characters. Default `"default"`. */
  namespace: namespace.pipe(
    Schema.withConstructorDefault(Effect.succeed("default")),
    Schema.withDecodingDefault(Effect.succeed("default"))
  ),
  /** At most 256, values of at most 1,024 characters. Default `{}`. */
  labels: labels.pipe(
    Schema.withConstructorDefault(Effect.succeed({})),
    Schema.withDecodingDefault(Effect.succeed({}))
  ),
  /** A set: at most 256, duplicates are dropped on decoding. Default `[]`. */
  tags: Tags.pipe(
    Schema.decodeTo(Schema.toType(Tags), { decode: unique, encode: unique }),
    Schema.withConstructorDefault(Effect.succeed([])),
    Schema.withDecodingDefault(Effect.succeed([]))
  ),
  /** RFC 3339, UTC. Default: the time of intake. */
  provisionedAt: Timestamp.pipe(
    Schema.withConstructorDefault(DateTime.now),
    Schema.withDecodingDefault(Effect.map(DateTime.now, DateTime.formatIso))
  )
}) {}

/**
 * A worker that was provisioned and must be known to its scheduler. JSON is what this schema encodes to.
 *
 * @example
 * ```ts
 * import { Effect } from "effect"
 * import { Worker } from "@muster/core"
 *
 * const worker = Worker.decode({ id: "ci-7f3a", capabilities: { cpuCores: 8, memoryMb: 16384 } })
 * Effect.runSync(worker).metadata.namespace // "default"
 * ```
 */
export class Worker extends Schema.Class<Worker>("@muster/core/Worker")({
  id: WorkerId,
  capabilities: WorkerCapabilities,
  metadata: WorkerMetadata.pipe(
    Schema.withConstructorDefault(Effect.sync(() => new WorkerMetadata())),
    Schema.withDecodingDefault(Effect.succeed({}))
  )
}) {
  /**
   * The only way from unknown input to a `Worker`. Never throws. Fails with `InvalidWorker`, which has one issue
   * for each field that is wrong (at most 100); unknown fields are ignored. A failure counts in
   * `worker_registration_failures_total`.
   */
  static readonly decode = (input: unknown): Effect.Effect<Worker, InvalidWorker> =>
    Effect.withFiber((fiber) => {
      const worker = decodeSafely(input, fiber.getRef(Clock.Clock))
      if (worker !== undefined) return Effect.succeed(worker)
      return decodeThoroughly(input).pipe(
        Effect.catchDefect(() => {
          const issue = { path: "", rule: "plain JSON data", received: "an object that cannot be read" }
          return Effect.fail(invalid(undefined, [issue]))
        }),
        Effect.tapError((error) =>
          Effect.sync(() => countDecodeFailure(error.workerType ?? "unknown", fiber.context))
        )
      )
    })

  /**
   * A worker from what somebody else keeps, such as a scheduler that lists its workers; none where it is not one
   * within its bounds. Counts nowhere.
   */
  static readonly decodeOption = (input: unknown): Option.Option<Worker> =>
    Option.orElse(Option.fromUndefinedOr(decodeQuickly(input, Date.now)), () => decodeOption(input))
}

const maximumIssues = 100

// The sizes are looked at before anything is decoded: a million labels cost a count, not a million checks.
const collections = [
  { section: "capabilities", field: "customResources", maximum: WorkerLimits.customResources },
  { section: "metadata", field: "labels", maximum: WorkerLimits.labels },
  { section: "metadata", field: "tags", maximum: WorkerLimits.tags }
] as const

const sections = { capabilities: WorkerCapabilities, metadata: WorkerMetadata }

const decodeSchema: (input: unknown) => Effect.Effect<Worker, Schema.SchemaError> =
  Schema.decodeUnknownEffect(Worker, { errors: "all" })

// What a schema calls the type that it expects, in words; a rule of our own is in words already.
const typeNames: Record<string, string> = {
  object: "a JSON object",
  array: "an array",
  string: "a string",
  number: "a number",
  boolean: "true or false"
}

const inWords = (message: string): string => {
  const expected = message.replace(/^Expected /, "").replace(/ \| undefined$/, "")
  return typeNames[expected] ?? expected
}

const toIssues = SchemaIssue.makeFormatterStandardSchemaV1({
  leafHook: (issue) => (issue._tag === "MissingKey" ? "a value" : SchemaIssue.defaultLeafHook(issue))
})

/** The time that {@link Timestamp} would make of a string, if it would make one. */
const timeOf = (timestamp: string): DateTime.Utc | undefined => {
  if (!timestampPattern.test(timestamp) || !hasRealDate(timestamp)) return undefined
  const time = DateTime.makeUnsafe(Date.parse(timestamp))
  return hasFourDigitYear(time) ? time : undefined
}

/** An instance of a class of fields that are known to be in order: its constructor would look at them once more. */
const instance = <A extends object>(prototype: A, fields: A): A =>
  Object.assign(Object.create(prototype), fields)

/**
 * The worker that the schema would make of input that is in order, several times as fast; `undefined` where the schema
 * has to say what is wrong, or whether anything is.
 */
const decodeQuickly = (input: unknown, now: () => number): Worker | undefined => {
  if (!isInOrder(input)) return undefined
  const { capabilities, id, metadata = {} } = input
  const provisionedAt =
    metadata.provisionedAt === undefined ? DateTime.makeUnsafe(now()) : timeOf(metadata.provisionedAt)
  if (provisionedAt === undefined) return undefined
  return instance(Worker.prototype, {
    id,
    capabilities: instance(WorkerCapabilities.prototype, {
      cpuCores: capabilities.cpuCores,
      memoryMb: capabilities.memoryMb,
      dockerEnabled: capabilities.dockerEnabled ?? false,
      customResources: { ...capabilities.customResources }
    }),
    metadata: instance(WorkerMetadata.prototype, {
      workerType: metadata.workerType ?? "dynamic",
      namespace: metadata.namespace ?? "default",
      labels: { ...metadata.labels },
      tags: withoutDuplicates(metadata.tags ?? []),
      provisionedAt
    })
  })
}

/** What cannot even be looked at is left to whoever says so. */
const decodeSafely = (input: unknown, clock: Clock.Clock): Worker | undefined => {
  try {
    return decodeQuickly(input, () => clock.currentTimeMillisUnsafe())
  } catch {
    return undefined
  }
}

const decodeStrictly = Schema.decodeUnknownSync(Worker)
const decodeOption = Schema.decodeUnknownOption(Worker)

/** A worker from JSON that was written as `Worker` encodes it. Anything else is a defect. */
export const workerFromJson = (json: string): Worker => {
  const input: unknown = JSON.parse(json)
  return decodeQuickly(input, Date.now) ?? decodeStrictly(input)
}

const decodeThoroughly = Effect.fnUntraced(function* (
  input: unknown
): Effect.fn.Return<Worker, InvalidWorker> {
  const issues = new Map<string, WorkerIssue>()
  let bounded = input
  for (const { field, maximum, section } of collections) {
    const parent = at(bounded, section)
    const collection = at(parent, field)
    const path = `${section}.${field}`
    if (exceeds(collection, maximum)) {
      issues.set(path, { path, rule: `at most ${maximum} entries`, received: "more" })
      const trimmed = { ...pick(parent, sections[section].fields), [field]: undefined }
      bounded = { ...pick(bounded, Worker.fields), [section]: trimmed }
    } else if (Predicate.isObject(collection)) {
      for (const key of Object.keys(collection).filter((key) => !isName(key))) {
        const named = `${path}.${abbreviate(key)}`
        issues.set(named, { path: named, rule: nameRule, received: `a name of ${key.length} characters` })
      }
    }
  }
  const decoded = yield* Effect.result(decodeSchema(bounded))
  if (decoded._tag === "Failure") collectIssues(decoded.failure.issue, bounded, issues)
  else if (issues.size === 0) return decoded.success
  return yield* invalid(input, Array.from(issues.values()).slice(0, maximumIssues))
})

/** Adds the issues that decoding found to those that are there; the first one for a path stays. */
const collectIssues = (issue: SchemaIssue.Issue, input: unknown, issues: Map<string, WorkerIssue>) => {
  for (const { message, path: segments = [] } of toIssues(issue).issues) {
    const keys = segments.map((segment) => (typeof segment === "object" ? segment.key : segment))
    const path = keys.map((key) => abbreviate(String(key))).join(".")
    if (issues.has(path)) continue
    issues.set(path, { path, rule: inWords(message), received: kindOf(keys.reduce<unknown>(at, input)) })
  }
}

const invalid = (input: unknown, issues: ReadonlyArray<WorkerIssue>): InvalidWorker => {
  const id = at(input, "id")
  const workerType = at(at(input, "metadata"), "workerType")
  return new InvalidWorker({
    workerId: Predicate.isString(id) && id !== "" ? abbreviate(id) : "unknown",
    workerType: isWorkerType(workerType) ? workerType : undefined,
    attempts: 0,
    elapsed: Duration.zero,
    issues
  })
}

const isWorkerType = Schema.is(WorkerType)

const at = (value: unknown, key: PropertyKey): unknown =>
  (Predicate.isObject(value) || Array.isArray(value)) && Object.hasOwn(value, key)
    ? Reflect.get(value, key)
    : undefined

/** A copy with these fields alone: of unknown ones there may be millions. */
const pick = (value: unknown, fields: object): Record<string, unknown> =>
  Object.fromEntries(
    Object.keys(fields)
      .map((field) => [field, at(value, field)] as const)
      .filter(([, found]) => found !== undefined)
  )

const exceeds = (collection: unknown, maximum: number): boolean => {
  if (Array.isArray(collection)) return collection.length > maximum
  if (!Predicate.isObject(collection)) return false
  let count = 0
  for (const _ in collection) if (++count > maximum) return true
  return false
}

// Ids and keys are shown to people and written to logs and JSON: control characters and halves of surrogate pairs,
// such as the cut itself leaves, would break them.
const abbreviate = (text: string): string => {
  const isLong = text.length > 253
  const printable = text.slice(0, isLong ? 64 : 253).replace(/[\p{Cc}\p{Cf}\p{Cs}\u2028\u2029]/gu, "?")
  return isLong ? `${printable}…` : printable
}

const kindOf = (value: unknown): string => {
  if (value === undefined) return "missing"
  if (value === null) return "null"
  if (Array.isArray(value)) return `an array of ${value.length}`
  switch (typeof value) {
    case "string":
      return `a string of ${value.length} ${value.length === 1 ? "character" : "characters"}`
    case "number":
      if (!Number.isFinite(value)) return String(value)
      if (value === 0) return "zero"
      if (value < 0) return "a negative number"
      return Number.isInteger(value) ? "a whole number" : "a number with a fraction"
    default:
      return `${typeof value === "object" ? "an" : "a"} ${typeof value}`
  }
}
