/**
 * `pnpm soak`: the soak test, for an hour unless told otherwise. The exit status is 0 only if nothing was wrong.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Duration, Effect, FileSystem, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { RunFailed, seedFlag, seedOf } from "../LongRun.ts"
import { drawSoak } from "./Picture.ts"
import { isFine, progressLine, report } from "./Report.ts"
import { clientLayer, type Progress, soak } from "./Soak.ts"

const positive = Schema.Finite.check(Schema.isGreaterThan(0, { expected: "a number above 0" }))

const flags = {
  minutes: Flag.Finite("minutes").pipe(
    Flag.withSchema(positive),
    Flag.withDescription("How long the load lasts; 60 if not given"),
    Flag.withDefault(60)
  ),
  workers: Flag.Int("workers").pipe(
    Flag.withDescription("How many workers there are at most; 600 if not given"),
    Flag.withDefault(600)
  ),
  clients: Flag.Int("clients").pipe(
    Flag.withDescription("How many clients change them at the same time; 8 if not given"),
    Flag.withDefault(8)
  ),
  store: Flag.Literals("store", ["sqlite", "postgres"]).pipe(
    Flag.withDescription("The store to run over; sqlite if not given"),
    Flag.withDefault("sqlite" as const)
  ),
  seed: seedFlag("Decides what is done and what goes wrong"),
  picture: Flag.String("picture").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Draws the run into this file, as SVG"),
    Flag.optional
  )
}

/** Without a terminal, seconds between two lines. */
const lineInterval = 30

/** On a terminal one line that is drawn again; elsewhere one every half minute. */
const makeShow = () => {
  let next = 0
  let told = 0
  const isTerminal = process.stderr.isTTY
  return (progress: Progress) =>
    Effect.sync(() => {
      // At once: whoever sees one need not wait for an hour to know what it is.
      const { faults } = progress.fleet
      for (const fault of faults.slice(told))
        process.stderr.write(`${isTerminal ? "\n" : ""}fault: ${fault}\n`)
      told = faults.length
      const line = progressLine(progress)
      if (isTerminal) process.stderr.write(`\r\u001b[2K${line.slice(0, process.stderr.columns - 1)}`)
      else if (progress.seconds >= next) {
        next = progress.seconds + lineInterval
        process.stderr.write(`${line}\n`)
      }
    })
}

const command = Command.make(
  "soak",
  flags,
  Effect.fnUntraced(function* ({ clients, minutes, picture, seed, store, workers }) {
    const outcome = yield* soak(
      {
        seed: yield* seedOf(seed),
        duration: Duration.minutes(minutes),
        store,
        workers,
        lanes: clients,
        pause: 200,
        pace: 20,
        settleWithin: Duration.minutes(2)
      },
      makeShow()
    )
    if (process.stderr.isTTY) process.stderr.write("\r\u001b[2K")
    for (const line of report(outcome)) yield* Console.log(line)
    if (Option.isSome(picture)) {
      const files = yield* FileSystem.FileSystem
      yield* files.writeFileString(picture.value, drawSoak(outcome.samples))
    }
    if (!isFine(outcome)) return yield* new RunFailed()
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Runs the service under mixed load for long, and looks whether anything grows or is lost."
  )
)

Command.runWith(command, { version: "0.0.0" })(process.argv.slice(2)).pipe(
  Effect.provide([NodeServices.layer, clientLayer]),
  NodeRuntime.runMain
)
