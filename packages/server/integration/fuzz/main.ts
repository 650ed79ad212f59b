/**
 * `pnpm fuzz`: throws at the service, at the reference scheduler and at the readers of files whatever a seed leads to.
 * The exit status is 0 only if nothing was found.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Effect, Option } from "effect"
import { Command, Flag } from "effect/cli"
import { RunFailed, seedFlag, seedOf } from "../LongRun.ts"
import { areas, fuzz } from "./Fuzz.ts"

const flags = {
  seed: seedFlag("Decides every input"),
  requests: Flag.Int("requests").pipe(
    Flag.withDescription(
      "Inputs at the service; a tenth as many calls and files are added. 100000 if not given"
    ),
    Flag.withDefault(100_000)
  ),
  only: Flag.Literals("only", areas).pipe(
    Flag.withDescription("This alone, with as many inputs as requests"),
    Flag.optional
  ),
  rounds: Flag.Int("rounds").pipe(
    Flag.withDescription("After how many equal parts the processes are looked at; 10 if not given"),
    Flag.withDefault(10)
  ),
  failures: Flag.String("failures").pipe(
    Flag.withDescription("The folder for inputs that something was found with; fuzz-failures if not given"),
    Flag.withDefault("fuzz-failures")
  )
}

/** On a terminal, one line that is drawn again and again; elsewhere a line for each tenth. */
const drawProgress = (): ((text: string) => void) => {
  let drawn = 0
  let last = ""
  return (text) => {
    const now = performance.now()
    if (process.stderr.isTTY) {
      if (now - drawn < 100) return
      process.stderr.write(`\r\u001b[2K${text}`)
      drawn = now
      return
    }
    const tenth = text.replace(
      /(\d+) of (\d+)$/,
      (_, done, all) => `${Math.floor((Number(done) / Number(all)) * 10) * 10} %`
    )
    if (tenth !== last) process.stderr.write(`${tenth}\n`)
    last = tenth
  }
}

const clearLine = () => (process.stderr.isTTY ? process.stderr.write("\r\u001b[2K") : true)

const command = Command.make(
  "fuzz",
  flags,
  Effect.fnUntraced(function* ({ failures, only, requests, rounds, seed }) {
    const chosen = yield* seedOf(seed)
    yield* Console.log(`Seed: ${chosen}`)
    const started = performance.now()
    const { findings, summary } = yield* Effect.promise(() =>
      fuzz({
        seed: chosen,
        requests,
        only: Option.getOrUndefined(only),
        rounds,
        folder: failures,
        progress: drawProgress(),
        say: (line) => {
          clearLine()
          process.stdout.write(`${line}\n`)
        }
      })
    )
    clearLine()
    for (const line of summary) yield* Console.log(line)
    const seconds = Math.round((performance.now() - started) / 1000)
    yield* Console.log(
      findings.length === 0
        ? `Nothing was found in ${seconds} seconds. Seed: ${chosen}`
        : `${findings.length} found in ${seconds} seconds; the inputs of the first are in ${failures}. Seed: ${chosen}`
    )
    if (findings.length > 0) return yield* new RunFailed()
  })
).pipe(Command.withDescription("Throws hostile input at Muster and looks whether it stays what it is."))

Command.runWith(command, { version: "0.0.0" })(process.argv.slice(2)).pipe(
  Effect.provide(NodeServices.layer),
  NodeRuntime.runMain
)
