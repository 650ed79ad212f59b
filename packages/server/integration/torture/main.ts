/**
 * `pnpm torture`: the torture test of one service for as long as one likes; `pnpm torture cluster`: that of three. The exit status is 0 only if nothing was wrong.
 */
import * as NodeRuntime from "@effect/platform-node/NodeRuntime"
import * as NodeServices from "@effect/platform-node/NodeServices"
import { Console, Duration, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { clusterCommand } from "../cluster/ClusterCommand.ts"
import { RunFailed, seedFlag, seedOf } from "../LongRun.ts"
import { isFine } from "./Evidence.ts"
import { report } from "./Report.ts"
import { clientLayer, torture } from "./Torture.ts"
import { storeKinds } from "./TortureStore.ts"

const flags = {
  seed: seedFlag("Decides what is done and what goes wrong"),
  kills: Flag.Int("kills").pipe(
    Flag.withDescription("How often the service is killed; 200 if not given"),
    Flag.withDefault(200)
  ),
  workers: Flag.Int("workers").pipe(
    Flag.withDescription("How many workers there are; 4000 if not given"),
    Flag.withDefault(4000)
  ),
  connections: Flag.Int("connections").pipe(
    Flag.withDescription("How many requests are under way at the same time; 48 if not given"),
    Flag.withDefault(48)
  ),
  settle: Flag.Int("settle").pipe(
    Flag.withDescription(
      "Within how many seconds all has to be well once nothing goes wrong any more; 120 if not given"
    ),
    Flag.withDefault(120)
  ),
  store: Flag.Literals("store", storeKinds).pipe(
    Flag.withDescription("The store to run over; sqlite if not given"),
    Flag.withDefault("sqlite" as const)
  )
}

const command = Command.make(
  "torture",
  flags,
  Effect.fnUntraced(function* ({ connections, kills, seed, settle, store, workers }) {
    const settings = {
      seed: yield* seedOf(seed),
      kills,
      workers,
      connections,
      store,
      pause: 40,
      settleWithin: Duration.seconds(settle)
    }
    yield* Console.log(`Seed: ${settings.seed}`)
    const outcome = yield* torture(settings, (line) => Console.log(line))
    for (const line of yield* report(outcome)) yield* Console.log(line)
    if (!isFine(outcome)) return yield* new RunFailed()
  }, Effect.scoped)
).pipe(
  Command.withDescription("Kills, pauses and deceives the service, and looks whether anything is lost."),
  Command.withSubcommands([clusterCommand])
)

Command.runWith(command, { version: "0.0.0" })(process.argv.slice(2)).pipe(
  Effect.provide([NodeServices.layer, clientLayer]),
  NodeRuntime.runMain
)
