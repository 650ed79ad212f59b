/**
 * What the scheduler of the torture test did, one JSON object on each line of a file, so that it outlives the
 * scheduler's own death.
 */
import { Clock, Effect, FileSystem, Schema, Stream } from "effect"

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
  /** A call came in, and this happened to it. */
  Schema.Struct({
    at,
    entry: Schema.tag("call"),
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
  /** The scheduler no longer knows a worker. */
  Schema.Struct({ at, entry: Schema.tag("forgot"), id: Schema.String, generation: Schema.Int }),
  /** It began anew, in a new process or not, with what it had written down of so many workers. */
  Schema.Struct({ at, entry: Schema.tag("restarted"), workers: Schema.Int })
])
export type JournalEntry = typeof JournalEntry.Type

type Untimed<A> = A extends unknown ? Omit<A, "at"> : never

const Line = Schema.fromJsonString(JournalEntry)
const encode = Schema.encodeSync(Line)
const decode = Schema.decodeEffect(Line)

export type Write = (entry: Untimed<JournalEntry>) => Effect.Effect<void>

/** Opens the file for lines that are added to its end. */
export const openJournal = Effect.fnUntraced(function* (path: string) {
  const fs = yield* FileSystem.FileSystem
  const file = yield* fs.open(path, { flag: "a" })
  const encoder = new TextEncoder()
  const write: Write = (entry) =>
    Effect.flatMap(Clock.currentTimeMillis, (at) =>
      Effect.orDie(file.writeAll(encoder.encode(`${encode({ ...entry, at })}\n`)))
    )
  return write
})

/** Every line, oldest first. */
export const readJournal = (path: string) =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.stream(path))).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.mapEffect((line) => decode(line)),
    Stream.orDie
  )
