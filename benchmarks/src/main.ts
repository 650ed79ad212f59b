/**
 * `pnpm bench [name …] [--together] [--draw] [--quick]` runs the benchmarks of the library, or the named ones. docs/benchmarks.md says
 * what they compare and how to read them.
 */
import { availableParallelism, cpus } from "node:os"
import { memory } from "./memory.ts"
import { overhead, policies } from "./overhead.ts"

/** The benchmarks of the library, which run unless others are named. */
const library = { overhead, memory }

const benchmarks = {
  ...library,
  policies,
  profile: async () => (await import("./profile.ts")).profile(),
  responsiveness: async () => (await import("./responsiveness/responsiveness.ts")).responsiveness(),
  // Its peers are loaded when it runs.
  durable: async () => (await import("./durable/durable.ts")).durable(),
  cluster: async (flags: ReadonlySet<string>) => (await import("./cluster/cluster.ts")).cluster(flags),
  schedulers: async () => (await import("./schedulers/schedulers.ts")).schedulers(),
  grpc: async () => (await import("./grpc/grpc.ts")).grpc(),
  scaling: async (flags: ReadonlySet<string>) => (await import("./scaling/scaling.ts")).scaling(flags),
  slo: async () => (await import("./slo/slo.ts")).slo(),
  storm: async (flags: ReadonlySet<string>) => (await import("./storm/storm.ts")).storm(flags)
}

const isBenchmark = (name: string): name is keyof typeof benchmarks => name in benchmarks

const all = process.argv.slice(2)
const flags = new Set(all.filter((argument) => argument.startsWith("--")))
const names = all.filter((argument) => !argument.startsWith("--"))
const known = new Set(["--together", "--draw", "--quick"])
const unknown = [...names, ...flags].filter((argument) => !known.has(argument) && !isBenchmark(argument))

if (unknown.length > 0) {
  console.error(
    `There is no ${unknown.join(", ")}. Usage: pnpm bench [${Object.keys(benchmarks).join("|")}] [--together] [--draw] [--quick]`
  )
  process.exitCode = 2
} else {
  console.log(
    `Node ${process.version}, ${cpus()[0]?.model.trim()}, ${availableParallelism()} cores, ` +
      new Date().toISOString().slice(0, 10)
  )
  console.log('Muster runs with its logs off (minimum level "None"), as the peers do not log.')
  for (const name of names.length > 0
    ? names.filter(isBenchmark)
    : Object.keys(library).filter(isBenchmark)) {
    await benchmarks[name](flags)
  }
}
