/**
 * `pnpm torture cluster`: the torture test of the cluster for as long as one likes.
 */
import { Console, Duration, Effect } from "effect"
import { Command, Flag } from "effect/cli"
import { RunFailed, seedFlag, seedOf } from "../LongRun.ts"
import { isFine } from "../torture/Evidence.ts"
import { misfortuneNames } from "./ClusterMisfortunes.ts"
import { report } from "./ClusterReport.ts"
import { tortureCluster } from "./ClusterTorture.ts"

const flags = {
  seed: seedFlag("Decides what is done and what goes wrong"),
  minutes: Flag.Finite("minutes").pipe(
    Flag.withDescription("For how long misfortunes come; 10 if not given"),
    Flag.withDefault(10)
  ),
  workers: Flag.Int("workers").pipe(
    Flag.withDescription("How many workers there are; 3000 if not given"),
    Flag.withDefault(3000)
  ),
  connections: Flag.Int("connections").pipe(
    Flag.withDescription("How many requests are under way at the same time; 48 if not given"),
    Flag.withDefault(48)
  ),
  expiration: Flag.Finite("expiration").pipe(
    Flag.withDescription("The lock's expiration in seconds; 3 if not given"),
    Flag.withDefault(3)
  ),
  takeOver: Flag.Finite("take-over").pipe(
    Flag.withDescription(
      "Within how many seconds after a misfortune everything has to be looked after; 20 if not given"
    ),
    Flag.withDefault(20)
  ),
  settle: Flag.Finite("settle").pipe(
    Flag.withDescription(
      "Within how many seconds all has to be well once nothing goes wrong any more; 120 if not given"
    ),
    Flag.withDefault(120)
  ),
  only: Flag.Literals("only", misfortuneNames).pipe(
    Flag.withDescription("Only this kind of misfortune; repeatable"),
    Flag.atLeast(0)
  )
}

export const clusterCommand = Command.make(
  "cluster",
  flags,
  Effect.fnUntraced(function* ({ connections, expiration, minutes, only, seed, settle, takeOver, workers }) {
    const settings = {
      seed: yield* seedOf(seed),
      misfortunes: only.length === 0 ? misfortuneNames : only,
      isEnough: (_: number, millis: number) => millis >= minutes * 60_000,
      workers,
      connections,
      pause: 40,
      lockExpiration: Duration.seconds(expiration),
      takeOverWithin: Duration.seconds(takeOver),
      settleWithin: Duration.seconds(settle)
    }
    yield* Console.log(`Seed: ${settings.seed}`)
    const outcome = yield* tortureCluster(settings, (line) => Console.log(line))
    for (const line of yield* report(outcome)) yield* Console.log(line)
    if (!isFine(outcome)) return yield* new RunFailed()
  }, Effect.scoped)
).pipe(
  Command.withDescription(
    "Kills, stops and cuts off the servers of a cluster, and looks whether anything is lost or done twice."
  )
)
