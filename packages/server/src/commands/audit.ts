/**
 * `muster audit`: who did what to which workers, and whether the log of it is whole.
 */
import { Console, Effect, FileSystem, Option, Result, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { chainBegin, type ChainPlace, ChainVerifier } from "../access/AuditChain.ts"
import { ask } from "../client/MusterClient.ts"
import { reasonOf } from "../fleetfile/FleetFile.ts"
import { AuditEntryView } from "../http/AccessSchemas.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { terminalOutput, writeOut } from "../TerminalOutput.ts"
import { printable, shorten } from "../TerminalText.ts"
import { plural, utc } from "../TimeText.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { serverFlag, serviceLayer } from "./service.ts"

const atOnce = 1000

/** The pages of the log from its beginning on, each with where it begins and ends. */
const pages = (after: number) =>
  Stream.paginate(after, (from: number) =>
    Effect.map(
      ask((api) => api.access.listAudit({ query: { after: from, limit: atOnce } })),
      (page) => {
        const last = page.items.at(-1)
        return [[page], last === undefined ? Option.none() : Option.some(last.sequence)] as const
      }
    )
  )

/** Which worker, or what else, as far as a line has room. */
const subjectOf = ({ detail, workers }: AuditEntryView["entry"]): string => {
  const [first] = workers
  if (first === undefined) return detail ?? ""
  return workers.length === 1 ? first.id : `${first.id} and ${plural(workers.length - 1, "other")}`
}

const lineOf = ({ entry, sequence }: AuditEntryView): string => {
  const { actor, at, outcome } = entry
  const address = actor.address === undefined ? "" : ` from ${actor.address}`
  const refused = outcome === "refused" ? "REFUSED " : ""
  return printable(
    `${sequence}  ${utc(at)}  ${actor.name} (${actor.role})${address}  ${refused}${entry.action}  ${subjectOf(entry)}`
  )
}

const listParameters = {
  after: Flag.Int("after").pipe(
    Flag.withMetavar("NUMBER"),
    Flag.withDescription("Only entries after this one; all if not given"),
    Flag.withDefault(0)
  ),
  json: Flag.Boolean("json").pipe(
    Flag.withDescription(
      "Prints each entry as JSON on a line, with its hash: what muster audit verify reads"
    ),
    Flag.withDefault(false)
  ),
  server: serverFlag
}

const runList = Effect.fnUntraced(function* ({
  after,
  json,
  server
}: Command.Command.Config.Infer<typeof listParameters>) {
  const { columns = Infinity } = yield* terminalOutput
  const lines = pages(Math.max(0, after)).pipe(
    Stream.flatMap(({ items }) => Stream.fromIterable(items)),
    Stream.map((item) => `${json ? JSON.stringify(item) : shorten(lineOf(item), columns)}\n`)
  )
  yield* Effect.provide(writeOut(lines), serviceLayer(server))
})

const list = Command.make("list", listParameters, runList).pipe(
  Command.withDescription("Prints the audit log of a running service, oldest first."),
  Command.withShortDescription("Prints the audit log"),
  Command.withExamples([
    { command: "muster audit list --json > audit.ndjson", description: "To keep it elsewhere" }
  ])
)

const expectFlag = Flag.String("expect").pipe(
  Flag.withMetavar("NUMBER:HASH"),
  Flag.withDescription(
    "An entry that was there before, as an earlier muster audit verify printed it: without it nobody could tell a log that was written anew"
  ),
  Flag.optional
)

/** What was verified, and whether `expect` was met on the way. */
class Verification {
  entries = 0
  private verifier: ChainVerifier | undefined
  private readonly expected: ChainPlace | undefined
  private hasMet = false

  constructor(expected: ChainPlace | undefined) {
    this.expected = expected
  }

  begin(at: ChainPlace): void {
    this.verifier ??= new ChainVerifier(at)
    this.meet(at)
  }

  add(item: AuditEntryView): void {
    this.begin(chainBegin)
    this.entries++
    this.verifier?.add(item)
    this.meet(item)
  }

  private meet({ hash, sequence }: ChainPlace): void {
    if (sequence === this.expected?.sequence && hash === this.expected.hash) this.hasMet = true
  }

  get last(): ChainPlace {
    return this.verifier?.last ?? chainBegin
  }

  /** What is wrong, in words. `end`: where it has to end, where that is known. */
  trouble(end: ChainPlace | undefined): string | undefined {
    const found = this.verifier?.verdict(end ?? this.last)
    if (found !== undefined) return `entry ${found.sequence} ${words[found.problem]}`
    return this.expected === undefined || this.hasMet
      ? undefined
      : `entry ${this.expected.sequence} is not the one that was there before`
  }
}

const words = {
  changed: "is not what was written",
  missing: "is missing",
  "cut off": "and all after it are missing"
}

const parsePlace = (given: string): Effect.Effect<ChainPlace, WrongUsage> => {
  const [, sequence, hash] = /^(\d{1,15}):([0-9a-f]{64})$/.exec(given) ?? []
  return sequence === undefined || hash === undefined
    ? Effect.fail(
        new WrongUsage({ message: "--expect must be the number and the hash of an entry, as 42:9f86…" })
      )
    : Effect.succeed({ sequence: Number(sequence), hash })
}

const decodeLine = Schema.decodeUnknownResult(Schema.fromJsonString(AuditEntryView))

const verifyFile = Effect.fnUntraced(function* (path: string, verification: Verification) {
  const fs = yield* FileSystem.FileSystem
  let line = 0
  yield* fs.stream(path).pipe(
    Stream.mapError((error) => new NotAllDone({ message: `${path} cannot be read: ${reasonOf(error)}.` })),
    Stream.decodeText,
    Stream.splitLines,
    Stream.runForEach((text) => {
      line++
      const item = decodeLine(text)
      if (Result.isFailure(item)) {
        return Effect.fail(new NotAllDone({ message: `${path}: line ${line} is no entry of an audit log.` }))
      }
      const { sequence } = item.success
      // An export may begin after entries that were removed because of their age.
      if (line === 1 && sequence > 1) {
        return Effect.fail(
          new NotAllDone({ message: `${path} begins with entry ${sequence}: what came before is not in it.` })
        )
      }
      verification.add(item.success)
      return Effect.void
    })
  )
  return undefined
})

const verifyService = Effect.fnUntraced(function* (verification: Verification) {
  let end: ChainPlace | undefined
  yield* Stream.runForEach(pages(0), ({ items, latest, removed }) =>
    Effect.sync(() => {
      verification.begin(removed)
      for (const item of items) verification.add(item)
      // Entries that come while it is read are read too, so the end is that of the first look.
      end ??= latest
    })
  )
  return verification.last.sequence > (end?.sequence ?? 0) ? verification.last : end
})

const verify = Command.make(
  "verify",
  {
    file: Argument.String("file").pipe(
      Argument.withMetavar("FILE"),
      Argument.withDescription(
        "What muster audit list --json printed; the log of a running service if not given"
      ),
      Argument.optional
    ),
    expect: expectFlag,
    server: serverFlag
  },
  Effect.fnUntraced(function* ({ expect, file, server }) {
    const expected = yield* Option.match(expect, {
      onNone: () => Effect.succeed(undefined),
      onSome: parsePlace
    })
    const verification = new Verification(expected)
    const end = yield* Option.match(file, {
      onNone: () => Effect.provide(verifyService(verification), serviceLayer(server)),
      onSome: (path) => verifyFile(path, verification)
    })
    const trouble = verification.trouble(end)
    if (trouble !== undefined) {
      return yield* new NotAllDone({ message: `The audit log is not whole: ${trouble}.` })
    }
    const { last } = verification
    yield* Console.log(
      `The audit log is whole: ${plural(verification.entries, "entry", "entries")}, the last one ${last.sequence}:${last.hash}`
    )
  })
).pipe(
  Command.withDescription(
    "Follows the chain of the audit log: each entry's hash covers the one before it, so an entry that was changed, left out " +
      "or cut off shows. Exits with 1 where one was. Whoever can write to the store can write a whole new log: keep what this " +
      "prints elsewhere, and give it with --expect the next time."
  ),
  Command.withShortDescription("Checks that nothing in the audit log was changed"),
  Command.withExamples([
    { command: "muster audit verify", description: "The log of the service on this machine" },
    { command: "muster audit verify audit.ndjson", description: "What was exported" }
  ])
)

export const audit = Command.make("audit", listParameters, runList).pipe(
  Command.withDescription(
    "Prints who did what to which workers, from where, and checks that nothing of it was changed. Without a subcommand it prints."
  ),
  Command.withShortDescription("Prints and checks the log of who did what"),
  Command.withSubcommands([list, verify])
)
