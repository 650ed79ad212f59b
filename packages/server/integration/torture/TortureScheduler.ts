/**
 * The scheduler of the torture test, as the test has it in hand: its process, what it can be told, and its journal.
 */
import { Duration, Effect, Layer, Schedule } from "effect"
import { RpcClient } from "effect/rpc"
import { judgeCalls, readCalls } from "./CallOrder.ts"
import { freePort } from "./FreePort.ts"
import { readGivenUp } from "./GivenUp.ts"
import { type Life, makeManagedProcess, nodeProgram } from "./ManagedProcess.ts"
import { protocol } from "./RemoteScheduler.ts"
import { type Memory, SchedulerControls } from "./SchedulerProtocol.ts"

/** How long it may take to say how things are. */
export const patience = Duration.seconds(10)
/** The scheduler has an old copy of its memory then, whenever it was started last. */
const timeForCopies = Duration.seconds(5)
const retryInterval = Duration.millis(250)

/** Starts it; its files are in `directory`, and it lives until the scope is closed. */
export const startTortureScheduler = Effect.fnUntraced(function* (seed: string, directory: string) {
  const journal = `${directory}/journal.ndjson`
  const givenUp = `${directory}/given-up.ndjson`
  const port = yield* freePort
  const url = `http://127.0.0.1:${port}`
  const process = yield* makeManagedProcess(nodeProgram("schedulerProcess.ts", [String(port), seed, journal]))
  yield* process.start
  const connection = yield* Layer.build(protocol(url, 4))
  const controls = yield* RpcClient.make(SchedulerControls).pipe(Effect.provideContext(connection))
  return {
    process,
    journal,
    /** What a process of the service is told: where the scheduler is, and where to note what it gives up. */
    serviceArguments: [url, givenUp],
    held: controls.held,
    lateCalls: Effect.timeout(Effect.suspend(controls.lateCalls), patience),
    restart: (memory: Memory) => Effect.ignore(controls.restart({ memory })),
    /** Nothing goes wrong any more with it, once this has ended. */
    calm: Effect.retry(Effect.timeout(controls.calm(), patience), Schedule.spaced(retryInterval)),
    /**
     * The last misfortune, always: workers that are gone since the scheduler's copy was made become ghosts, and nobody
     * goes on with them. `before` is done when it has a copy.
     */
    restoreAfter: (before: Effect.Effect<void>) =>
      Effect.sleep(timeForCopies).pipe(
        Effect.andThen(before),
        Effect.andThen(
          Effect.retry(Effect.timeout(controls.restart({ memory: "backup" }), patience), {
            times: 10,
            schedule: Schedule.spaced(retryInterval)
          })
        ),
        Effect.ignore
      ),
    /** Judges its journal; see `CallOrder.ts`. */
    judgeCalls: (lives: ReadonlyArray<Life>, harmlessStop: number) =>
      Effect.map(
        Effect.flatMap(readGivenUp(givenUp), (givenUp) => readCalls(journal, givenUp)),
        (calls) => judgeCalls(calls, { lives, harmlessStop })
      )
  }
})

export type TortureScheduler = Effect.Success<ReturnType<typeof startTortureScheduler>>
