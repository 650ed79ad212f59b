/**
 * `muster export`: what is wanted of every worker, as NDJSON that `muster import` takes.
 */
import { FleetStore } from "@muster/core/fleet"
import { Console, Effect, FileSystem, Option, Stdio, Stream } from "effect"
import { Command, Flag } from "effect/cli"
import type { HttpClient } from "effect/http"
import type { ServiceUnavailable } from "../client/ServiceAnswer.ts"
import { serviceAddress } from "../client/ServiceAddress.ts"
import { serviceHttpClient } from "../client/ServiceHttpClient.ts"
import { getExport } from "../export/ExportClient.ts"
import { ExportFrame } from "../export/ExportFrame.ts"
import { exportFleet, storeSource } from "../export/FleetExport.ts"
import { HttpLimits } from "../http/HttpLimits.ts"
import { lines } from "../http/NdjsonLines.ts"
import * as OutputFile from "../OutputFile.ts"
import * as ProgressBar from "../register/ProgressBar.ts"
import { canRedraw } from "../ProgressLine.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { CannotOpenStore } from "../store/CannotOpenStore.ts"
import { serviceVariables } from "../ServeSettings.ts"
import { checkStoreFlag, shownStore, storeKind, storeLayer } from "../store/Stores.ts"
import { read } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { serverFlag } from "./service.ts"

const parameters = {
  server: serverFlag,
  store: Flag.String("store").pipe(
    Flag.withMetavar("STORE"),
    Flag.withDescription(
      "Reads this store itself instead of asking a service, for when none runs: a file, postgres://… without a password, " +
        "or MUSTER_STORE for the one that this variable, or MUSTER_STORE_FILE, names"
    ),
    Flag.optional
  ),
  output: Flag.String("output").pipe(
    Flag.withAlias("o"),
    Flag.withMetavar("FILE"),
    Flag.withDescription(
      "Writes to FILE, which is there as a whole or not at all; standard output if not given"
    ),
    Flag.optional
  )
}

type Flags = Command.Command.Config.Infer<typeof parameters>

const broken = (reason: string) => new NotAllDone({ message: `The export is not complete: ${reason}.` })

/** Where the bytes come from. */
const open = Effect.fnUntraced(function* ({
  server,
  store: flag
}: Flags): Effect.fn.Return<
  Stream.Stream<
    Uint8Array,
    ServiceUnavailable | CannotOpenStore | WrongUsage | NotAllDone,
    HttpClient.HttpClient
  >,
  CannotOpenStore | WrongUsage,
  FileSystem.FileSystem
> {
  const spec = Option.getOrUndefined(yield* checkStoreFlag(flag))
  if (spec === undefined) return getExport(yield* serviceAddress(server))
  if (Option.isSome(server))
    return yield* new WrongUsage({ message: "--store and --server exclude each other" })
  const store = spec === serviceVariables.store.name ? yield* read(serviceVariables.store) : spec
  const kind = yield* storeKind(store)
  if (kind === "memory") {
    return yield* new WrongUsage({
      message: "a store in memory can only be exported by the service that has it: leave --store out"
    })
  }
  // Opening it would make one.
  if (
    kind === "file" &&
    !(yield* (yield* FileSystem.FileSystem).exists(store).pipe(Effect.orElseSucceed(() => true)))
  ) {
    return yield* CannotOpenStore.because(`the store ${store}`, "there is no such file")
  }
  const name = yield* shownStore(store)
  return Effect.map(FleetStore, (opened) =>
    Stream.encodeText(exportFleet(storeSource(opened))).pipe(
      Stream.mapError(({ message }) => broken(`${name}: ${message}`))
    )
  ).pipe(Stream.unwrap, Stream.provide(storeLayer(store)))
})

const run = Effect.fnUntraced(function* (flags: Flags) {
  const bytes = yield* open(flags)
  const path = Option.getOrUndefined(flags.output)
  const stdio = yield* Stdio.Stdio
  const frame = new ExportFrame()
  const isSeen = path === undefined && (yield* stdio.stdoutIsTerminal)
  const failedToWrite = Effect.mapError(
    ({ reason }: OutputFile.OutputError) =>
      new NotAllDone({ message: `Cannot write the export ${path ?? "to standard output"}: ${reason}.` })
  )
  const file = path === undefined ? undefined : yield* failedToWrite(OutputFile.open(path))
  const write = (chunk: Uint8Array) =>
    file === undefined
      ? Effect.orDie(Stream.run(Stream.succeed(chunk), stdio.stdout()))
      : failedToWrite(file.write(chunk))
  const encoder = new TextEncoder()
  const decoder = new TextDecoder()

  const copy = lines(bytes, HttpLimits.exportLineBytes).pipe(
    Stream.mapArrayEffect((received) =>
      Effect.gen(function* () {
        let text = ""
        for (const { bytes, line } of received) {
          if (bytes === undefined) return yield* broken(`line ${line} is too long`)
          const content = decoder.decode(bytes)
          const wrong = frame.feed(content)
          if (wrong !== undefined) return yield* broken(wrong)
          text += `${content}\n`
        }
        yield* write(encoder.encode(text))
        return [frame.lines] as const
      })
    ),
    Stream.runDrain
  )
  yield* Effect.scoped(
    Effect.gen(function* () {
      if (!isSeen && (yield* canRedraw)) {
        yield* ProgressBar.show(() => ({
          settled: frame.lines,
          failed: 0,
          total: frame.expected,
          isEstimate: false
        }))
      }
      yield* copy
    })
  )
  if (frame.missing !== undefined) return yield* broken(frame.missing)
  if (file === undefined) return
  yield* failedToWrite(file.complete)
  yield* Console.error(`${ProgressBar.count(frame.lines)} workers exported to ${path}`)
})

export const exportCommand = Command.make("export", parameters, (flags) =>
  Effect.scoped(run(flags)).pipe(Effect.provide(serviceHttpClient))
).pipe(
  Command.withDescription(
    "Writes what is wanted of every worker as NDJSON, for a backup or to move: muster import takes it. The last line says " +
      "how many workers there are; an export without it is not complete. Exits with 1 when it could not be completed."
  ),
  Command.withShortDescription("Writes the fleet as NDJSON, for a backup or to move"),
  Command.withExamples([
    { command: "muster export --output fleet.ndjson", description: "Back up the service on this machine" },
    {
      command: "muster export --server http://muster.internal:7070 | gzip > fleet.ndjson.gz",
      description: "In a pipe"
    },
    {
      command: "muster export --store /var/lib/muster/fleet.db",
      description: "A store whose service is stopped"
    }
  ])
)
