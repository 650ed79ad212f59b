/**
 * What the scheduler of the torture test did, one JSON object on each line of a file, so that it outlives the
 * scheduler's own death. The order of the lines is the order in which it happened.
 */
import { Effect, FileSystem, Schema, type Scope, Stream } from "effect"
import { closeSync, openSync, writeSync } from "node:fs"
import { Sender } from "./SchedulerProtocol.ts"

/** What can go wrong with a call; see `MisbehavingScheduler.ts`. */
export const Mishap = Schema.Literals([
  "refused",
  "overloaded",
  "fault",
  "permanent fault",
  "hangs",
  "late",
  "error afterwards"
])
export type Mishap = typeof Mishap.Type

const Call = Schema.Literals(["register", "unregister", "get", "list", "health"])
export type Call = typeof Call.Type

const at = Schema.Finite

export const JournalEntry = Schema.Union([
  /** A call came in, and this happened to it. Its number is another one for each call of one process. */
  Schema.Struct({
    at,
    entry: Schema.tag("call"),
    number: Schema.Int,
    from: Schema.optionalKey(Sender),
    call: Call,
    id: Schema.optionalKey(Schema.String),
    generation: Schema.optionalKey(Schema.Int),
    mishap: Schema.optionalKey(Mishap)
  }),
  /** A call was carried out; `refused`: by the scheduler's own rules. */
  Schema.Struct({
    at,
    entry: Schema.tag("done"),
    call: Call,
    id: Schema.optionalKey(Schema.String),
    generation: Schema.optionalKey(Schema.Int),
    refused: Schema.optionalKey(Schema.String)
  }),
  /** The call is no longer under way: it was answered, or whoever had made it went away. */
  Schema.Struct({
    at,
    entry: Schema.tag("end"),
    number: Schema.Int,
    how: Schema.Literals(["answered", "left"])
  }),
  /** The scheduler no longer knows a worker. */
  Schema.Struct({ at, entry: Schema.tag("forgot"), id: Schema.String, generation: Schema.Int }),
  /** It began anew, with what it had written down of so many workers. */
  Schema.Struct({ at, entry: Schema.tag("restarted"), workers: Schema.Int }),
  /** A new process began, with nothing: every call of the one before it is over. */
  Schema.Struct({ at, entry: Schema.tag("started") })
])
export type JournalEntry = typeof JournalEntry.Type

type Untimed<A> = A extends unknown ? Omit<A, "at"> : never

const Line = Schema.fromJsonString(JournalEntry)
const encode = Schema.encodeSync(Line)
const decode = Schema.decodeEffect(Line)

export type Write = (entry: Untimed<JournalEntry>) => Effect.Effect<void>

/** Opens the file for lines that are added to its end. */
export const openJournal = (path: string): Effect.Effect<Write, never, Scope.Scope> =>
  Effect.map(
    Effect.acquireRelease(
      Effect.sync(() => openSync(path, "a")),
      (file) => Effect.sync(() => closeSync(file))
    ),
    (file): Write =>
      (entry) =>
        // At once: of two that wait for the disk, the second might come first.
        Effect.sync(() => writeSync(file, `${encode({ ...entry, at: Date.now() })}\n`))
  )

/** Every line, oldest first. */
export const readJournal = (path: string) =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.stream(path))).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.mapEffect((line) => decode(line)),
    Stream.orDie
  )
