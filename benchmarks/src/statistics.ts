/** Median and range of some rounds. */
export interface Summary {
  readonly median: number
  readonly minimum: number
  readonly maximum: number
}

export const summarize = (values: ReadonlyArray<number>): Summary => {
  const sorted = values.toSorted((left, right) => left - right)
  const at = (index: number) => sorted[index] ?? NaN
  return {
    median: (at(Math.floor((sorted.length - 1) / 2)) + at(Math.ceil((sorted.length - 1) / 2))) / 2,
    minimum: at(0),
    maximum: at(sorted.length - 1)
  }
}

/** The smallest of some sorted values that so large a part of them does not exceed. */
export const quantile = (sorted: ReadonlyArray<number>, part: number): number =>
  sorted[Math.max(0, Math.ceil(sorted.length * part) - 1)] ?? NaN
