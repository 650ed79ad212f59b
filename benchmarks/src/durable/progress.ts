/** Tells how far a run is. */

const startedAt = performance.now()

export const progress = (text: string): void => {
  console.log(`[${((performance.now() - startedAt) / 1000).toFixed(0).padStart(3)} s] ${text}`)
}
