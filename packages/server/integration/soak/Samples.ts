/**
 * What the service's process is like, second by second: from its own metrics, and from what the system says of it.
 */
import { Effect } from "effect"
import { existsSync, readdirSync, readFileSync, statSync } from "node:fs"
import { ask } from "./Http.ts"

export interface Sample {
  /** Seconds since the beginning. */
  readonly at: number
  readonly residentBytes: number
  /** What the latest full collection left; absent before the first. */
  readonly heapBytes: number | undefined
  readonly descriptors: number
  /** The file of the store and what lies beside it; absent where it is none. */
  readonly storeBytes: number | undefined
  readonly workers: Readonly<Record<string, number>>
  /** How many seconds there have been, by their longest delay of the event loop: `le` → up to it. */
  readonly delays: ReadonlyMap<number, number>
  readonly isSchedulerAway: boolean
  /** For how many seconds, so far, its main thread was ready to run and had no processor. */
  readonly starvedSeconds: number
}

/** The page of Linux on every machine that this runs on. */
const pageBytes = 4096

export const takeSample = Effect.fnUntraced(function* (options: {
  readonly url: string
  readonly pid: number
  readonly store: string | undefined
  readonly at: number
  readonly isSchedulerAway: boolean
}) {
  const { at, isSchedulerAway, pid, store, url } = options
  const { text } = yield* ask(`${url}/metrics`)
  const workers: Record<string, number> = {}
  const delays = new Map<number, number>()
  let heapBytes: number | undefined
  for (const [, name = "", labels = "", value = ""] of text.matchAll(/^(\w+)(?:\{(.*)\})? (\S+)/gm)) {
    if (name === "muster_workers") workers[/phase="(\w+)"/.exec(labels)?.[1] ?? ""] = Number(value)
    if (name === "muster_heap_after_collection_bytes") heapBytes = Number(value)
    if (name === "muster_event_loop_delay_seconds_bucket") {
      const le = /le="([^"]+)"/.exec(labels)?.[1] ?? ""
      delays.set(le === "+Inf" ? Infinity : Number(le), Number(value))
    }
  }
  const [, resident = "0"] = readFileSync(`/proc/${pid}/statm`, "utf8").split(" ")
  return {
    at,
    residentBytes: Number(resident) * pageBytes,
    heapBytes,
    descriptors: readdirSync(`/proc/${pid}/fd`).length,
    storeBytes: store === undefined ? undefined : storeBytes(store),
    workers,
    delays,
    isSchedulerAway,
    starvedSeconds: starvedSeconds(pid)
  } satisfies Sample
})

const starvedSeconds = (pid: number): number => {
  const [, nanoseconds = "0"] = readFileSync(`/proc/${pid}/schedstat`, "utf8").split(" ")
  return Number(nanoseconds) / 1e9
}

const storeBytes = (file: string): number =>
  [file, `${file}-wal`].reduce((sum, path) => sum + (existsSync(path) ? statSync(path).size : 0), 0)

/** The delay, in seconds, that so large a share of the seconds between two samples stayed under; a bucket's bound. */
export const delayQuantile = (from: Sample, to: Sample, share: number): number => {
  const bounds = Array.from(to.delays.keys()).toSorted((a, b) => a - b)
  const count = (bound: number) => (to.delays.get(bound) ?? 0) - (from.delays.get(bound) ?? 0)
  const all = count(Infinity)
  return bounds.find((bound) => count(bound) >= all * share) ?? 0
}
