/** What takes part: a way to hand over a worker, or many, and for some to have them worked on. */
export interface Peer {
  /** Makes ready for a round, which is not measured. */
  readonly prepare?: () => Promise<void>
  /**
   * Hands one worker over, and resolves when it is acknowledged. `caller` counts from 0: one that has a connection of
   * its own keeps it.
   */
  readonly accept: (sequence: number, caller: number) => Promise<void>
  /** Hands many workers over, in the way that suits it best. */
  readonly acceptMany?: (first: number, count: number) => Promise<void>
  /** Does nothing for each of so many jobs that wait: seconds from the first one until all are recorded as done. */
  readonly workOff?: (count: number) => Promise<number>
}

/** As many callers as there are at most. */
export const mostCallers = 64

/** Hands over `count` workers in slices of `size`, `concurrency` of them at the same time. */
export const inSlices = async (
  { concurrency, count, first, size }: Record<"concurrency" | "count" | "first" | "size", number>,
  handOver: (first: number, count: number) => Promise<unknown>
): Promise<void> => {
  const slices = Array.from({ length: Math.ceil(count / size) }, (_, slice) => slice * size).values()
  const loop = async () => {
    for (const from of slices) await handOver(first + from, Math.min(size, count - from))
  }
  await Promise.all(Array.from({ length: concurrency }, loop))
}
