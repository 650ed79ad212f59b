/**
 * Generations for those who keep no store: a hybrid logical clock (Kulkarni et al., 2014), that is, the wall
 * clock's milliseconds × 4096 plus a counter. It grows with every call, never goes back within a process even
 * when the wall clock does, and a process started later continues above an earlier one. It stays a safe integer
 * until the year 2039.
 */
export const ticksPerMilli = 4096

let last = 0

/** The next generation at wall-clock time `millis`. */
export const nextGeneration = (millis: number): number => {
  last = Math.max(last + 1, Math.floor(millis) * ticksPerMilli)
  return last
}
