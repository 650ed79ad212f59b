/** One call at a time for each worker, in call order: the usual chain of promises by key. */
const tails = new Map<string, Promise<unknown>>()

export const inOrder = async (workerId: string, run: () => Promise<void>): Promise<void> => {
  const previous = tails.get(workerId)
  const current = previous === undefined ? run() : previous.then(run, run)
  tails.set(workerId, current)
  try {
    await current
  } finally {
    if (tails.get(workerId) === current) tails.delete(workerId)
  }
}
