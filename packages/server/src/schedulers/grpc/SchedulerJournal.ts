/**
 * What keeps the reference scheduler's memory over its restarts: a file with a line for each change, read at the start
 * and then written anew with what still counts. A change is in the file before it is answered; it is not flushed to
 * the disk, so it outlives the process, not a power cut.
 */
import { type SchedulerError, type SchedulerPort, SchedulerUnavailable, Worker, WorkerId } from "@muster/core"
import {
  Deferred,
  Effect,
  FileSystem,
  Option,
  Path,
  type PlatformError,
  Result,
  Schema,
  type Scope,
  Semaphore,
  Stream
} from "effect"

type CompletePort = Required<SchedulerPort["Service"]>

const Entry = Schema.fromJsonString(
  Schema.Union([
    Schema.Struct({ generation: Schema.Int, registered: Worker }),
    Schema.Struct({ generation: Schema.Int, unregistered: WorkerId })
  ])
)
type Entry = typeof Entry.Type

const encode = Schema.encodeSync(Entry)
const decode = Schema.decodeUnknownOption(Entry)

const idOf = (entry: Entry): WorkerId => ("registered" in entry ? entry.registered.id : entry.unregistered)

export interface SchedulerJournal {
  /** The scheduler with the memory that the file has. Its changes wait until the journal has begun. */
  readonly port: CompletePort
  /**
   * Writes the file anew and goes on in it until the scope ends. Not before the scheduler has its port: that is what
   * keeps a second process away from the file.
   */
  readonly begin: Effect.Effect<void, PlatformError.PlatformError, Scope.Scope>
}

/**
 * Gives a scheduler the memory that the file has. A line that makes no sense, such as the last one of a process that
 * was killed, is left out.
 */
export const openJournal = Effect.fnUntraced(function* (
  port: CompletePort,
  path: string
): Effect.fn.Return<SchedulerJournal, PlatformError.PlatformError, FileSystem.FileSystem | Path.Path> {
  const files = yield* FileSystem.FileSystem
  const paths = yield* Path.Path
  yield* files.makeDirectory(paths.dirname(path), { recursive: true })
  const entries = yield* readEntries(path)
  for (const entry of entries) yield* Effect.ignore(apply(port, entry))

  const begun = yield* Deferred.make<FileSystem.File>()
  const begin = Effect.gen(function* () {
    const next = `${path}.new`
    const lines = Stream.map(Stream.fromIterable(entries), (entry) => `${encode(entry)}\n`)
    yield* Stream.run(Stream.encodeText(lines), files.sink(next))
    yield* files.rename(next, path)
    yield* Deferred.succeed(begun, yield* files.open(path, { flag: "a" }))
  })

  const oneWriter = Semaphore.makeUnsafe(1)
  let waiting = ""
  /** Whoever comes while another one writes is written together with all that have come by then. */
  const write = (changes: ReadonlyArray<Entry>): Effect.Effect<void, SchedulerError> =>
    Effect.suspend(() => {
      for (const change of changes) waiting += `${encode(change)}\n`
      return oneWriter.withPermit(
        Effect.suspend(() => {
          if (waiting === "") return Effect.void
          const bytes = new TextEncoder().encode(waiting)
          waiting = ""
          return Effect.mapError(
            Effect.flatMap(Deferred.await(begun), (file) => file.writeAll(bytes)),
            ({ message }) =>
              new SchedulerUnavailable({ message: `the scheduler cannot write its state: ${message}` })
          )
        })
      )
    })

  const written = <A>(call: Effect.Effect<A, SchedulerError>, changes: (answer: A) => ReadonlyArray<Entry>) =>
    Effect.uninterruptible(Effect.tap(call, (answer) => write(changes(answer))))

  const remembering: CompletePort = {
    ...port,
    register: (worker, options) =>
      written(port.register(worker, options), () => [{ generation: options.generation, registered: worker }]),
    unregister: (id, options) =>
      written(port.unregister(id, options), () => [{ generation: options.generation, unregistered: id }]),
    registerBatch: (members) =>
      written(port.registerBatch(members), (results) =>
        members
          .filter((_, index) => results[index] !== undefined && Result.isSuccess(results[index]))
          .map(({ generation, worker }) => ({ generation, registered: worker }))
      )
  }
  return { port: remembering, begin }
})

/** The newest entry of each worker. */
const readEntries = Effect.fnUntraced(function* (path: string) {
  const files = yield* FileSystem.FileSystem
  const newest = new Map<WorkerId, Entry>()
  if (!(yield* files.exists(path))) return []
  yield* files.stream(path).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((line) =>
      Effect.sync(() => {
        const entry = Option.getOrUndefined(decode(line))
        if (entry === undefined || entry.generation < (newest.get(idOf(entry))?.generation ?? 0)) return
        newest.set(idOf(entry), entry)
      })
    )
  )
  return Array.from(newest.values())
})

const apply = (port: CompletePort, entry: Entry) =>
  "registered" in entry
    ? port.register(entry.registered, { generation: entry.generation })
    : port.unregister(entry.unregistered, { generation: entry.generation })
