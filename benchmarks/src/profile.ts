/**
 * `pnpm bench profile`: where the time of one registration goes, behind all policies and without: V8's sampling
 * profiler, by the module whose code was running.
 */
import { Session } from "node:inspector/promises"
import { contestants, type ContestantName } from "./contestants.ts"
import { printTable } from "./table.ts"
import { makeWorkers } from "./workers.ts"

const profiled: ReadonlyArray<ContestantName> = ["Muster register", "Muster register, all policies"]
const concurrency = 100
const registrations = 10_000
const warmUps = 10
const rounds = 50
const samplingMicros = 100
/** Modules of less than this share stand together. */
const leastShare = 0.01

export const profile = async (): Promise<void> => {
  for (const name of profiled) {
    const contestant = contestants[name]({ concurrency, callScheduler: async () => {} })
    const workers = makeWorkers(registrations)
    for (let round = 0; round < warmUps; round++) await contestant.registerAll(workers)
    const session = new Session()
    session.connect()
    await session.post("Profiler.enable")
    await session.post("Profiler.setSamplingInterval", { interval: samplingMicros })
    await session.post("Profiler.start")
    const startedAt = performance.now()
    for (let round = 0; round < rounds; round++) await contestant.registerAll(workers)
    const micros = ((performance.now() - startedAt) * 1000) / (rounds * registrations)
    const { profile } = await session.post("Profiler.stop")
    session.disconnect()

    const samples = new Map<string, number>()
    let all = 0
    for (const { callFrame, hitCount = 0 } of profile.nodes) {
      const module = moduleOf(callFrame)
      samples.set(module, (samples.get(module) ?? 0) + hitCount)
      all += hitCount
    }
    const rows = Array.from(samples).toSorted(([, left], [, right]) => right - left)
    const shown = rows.filter(([, hits]) => hits / all >= leastShare)
    const rest = all - shown.reduce((sum, [, hits]) => sum + hits, 0)
    console.log(`\n${name}: ${micros.toFixed(2)} µs each under the profiler, ${concurrency} in flight\n`)
    printTable(
      ["share", "µs", "whose code was running"],
      [...shown, ["everything else", rest] as const].map(([module, hits]) => [
        `${((hits / all) * 100).toFixed(1)} %`,
        ((hits / all) * micros).toFixed(2),
        module
      ])
    )
  }
}

/** The module as its package names it. */
const moduleOf = ({ functionName, url }: { readonly functionName: string; readonly url: string }): string => {
  if (functionName === "(garbage collector)") return "garbage collection"
  if (functionName.startsWith("(")) return "V8 and Node, idle included"
  if (url === "" || url.startsWith("node:")) return "V8 and Node, idle included"
  const path = decodeURIComponent(url)
  const inPackage = /node_modules\/(?!\.pnpm)((?:@[^/]+\/)?[^/]+)\/(?:dist|src)\/(.+)\.[jt]s$/.exec(path)
  if (inPackage !== null) return `${inPackage[1]}: ${inPackage[2]}`
  const inMuster = /packages\/([^/]+)\/src\/(.+)\.ts$/.exec(path)
  if (inMuster !== null) return `@muster/${inMuster[1]}: ${inMuster[2]}`
  return "the benchmark itself"
}
