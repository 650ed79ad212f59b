/**
 * The wait at the end of the torture test: nothing goes wrong any more, and everything has to become as it is wanted.
 */
import { Duration, Effect, Fiber, Option, Schedule } from "effect"
import type { Ledger } from "./Ledger.ts"
import { type Observation, observe, retryDeadLetters } from "./Observation.ts"
import { patience, type TortureScheduler } from "./TortureScheduler.ts"
import { type Fault, judge } from "./Verdict.ts"

const lookInterval = Duration.millis(250)

export interface Settlement {
  readonly faults: ReadonlyArray<Fault>
  readonly deadLetters: number
  /** What kept it from its end, or should not be; for people. */
  readonly trouble: ReadonlySet<string>
}

/**
 * Looks again and again, through each of the services in turn, until everything is as it is wanted as often in a row as
 * there are services, twice at least, or the time is over. `client` ends by itself.
 */
export const settle = Effect.fnUntraced(function* (
  settleWithin: Duration.Duration,
  urls: ReadonlyArray<string>,
  scheduler: TortureScheduler,
  ledger: Ledger,
  client: Fiber.Fiber<void>
) {
  const trouble = new Set<string>()
  const needed = Math.max(2, urls.length)
  let faults: ReadonlyArray<Fault> = []
  let deadLetters = 0
  let looks = 0
  let fine = 0
  const look = Effect.gen(function* () {
    const url = urls[looks++ % urls.length] ?? ""
    const late = yield* scheduler.lateCalls
    const observation = yield* Effect.timeout(observe(url, scheduler.held()), patience)
    faults = judge(ledger, observation)
    for (const line of superseded(observation)) trouble.add(line)
    deadLetters += yield* retryDeadLetters(url)
    fine = faults.length === 0 && late === 0 ? fine + 1 : 0
  })
  const all = scheduler.calm.pipe(
    Effect.andThen(Fiber.join(client)),
    // Until everything has been looked at once, nothing is known to be fine.
    Effect.andThen(Effect.retry(look, Schedule.spaced(lookInterval))),
    Effect.andThen(
      Effect.repeat(Effect.andThen(Effect.sleep(lookInterval), Effect.ignore(look)), {
        until: () => fine >= needed
      })
    )
  )
  if (Option.isNone(yield* Effect.timeoutOption(all, settleWithin))) {
    if (client.pollUnsafe() === undefined) trouble.add("requests of the client were not answered")
    trouble.add(`not settled within ${Duration.format(settleWithin)}`)
  }
  return { faults, deadLetters, trouble } satisfies Settlement
})

/** Whoever looks after a worker alone changes what is wanted: none of its calls can be older than what the scheduler has. */
const superseded = ({ records }: Observation): ReadonlyArray<string> =>
  Array.from(records.values()).flatMap(({ id, lastError, phase }) =>
    phase === "failed" && lastError?.type === "superseded" ? [`${id}: ${lastError.message}`] : []
  )
