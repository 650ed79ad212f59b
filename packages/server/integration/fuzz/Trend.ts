/**
 * Whether a process keeps more and more: what it holds after each round, as a straight line over the inputs so far.
 */
import type { Usage } from "./Target.ts"

export interface Sample extends Usage {
  /** Inputs so far. */
  readonly inputs: number
}

/** By how much each may grow over a run, whatever is thrown at it: what is compiled, cached and fragmented once. */
const mayGrow = { heap: 24 * 2 ** 20, rss: 256 * 2 ** 20, files: 24 }

/** The growth over all inputs, as the line through the samples has it; the first rounds, which warm up, count as none. */
export const growth = (samples: ReadonlyArray<Sample>, of: keyof Usage): number => {
  const warm = samples.slice(Math.min(2, Math.max(0, samples.length - 2)))
  const mean = (values: ReadonlyArray<number>) =>
    values.reduce((sum, value) => sum + value, 0) / values.length
  const x = mean(warm.map(({ inputs }) => inputs))
  const y = mean(warm.map((sample) => sample[of]))
  const spread = warm.reduce((sum, { inputs }) => sum + (inputs - x) ** 2, 0)
  if (spread === 0) return 0
  const slope = warm.reduce((sum, sample) => sum + (sample.inputs - x) * (sample[of] - y), 0) / spread
  return slope * ((warm.at(-1)?.inputs ?? 0) - (warm[0]?.inputs ?? 0))
}

/** What grows too much, in words. */
export const tooMuch = (samples: ReadonlyArray<Sample>): ReadonlyArray<string> =>
  (["heap", "rss", "files"] as const).flatMap((of) => {
    const grown = growth(samples, of)
    const unit = of === "files" ? "" : " MiB"
    const inUnits = (value: number) => (of === "files" ? value : value / 2 ** 20).toFixed(1)
    return grown > mayGrow[of]
      ? [
          `${of} grows by ${inUnits(grown)}${unit} over the run; at most ${inUnits(mayGrow[of])}${unit} may be`
        ]
      : []
  })
