/**
 * Deciding about many dead letters, one after the other or all that there are.
 */
import { call, type Problem, toProblem } from "../api.ts"

export type Decision = "retry" | "drop"

export interface Outcome {
  readonly done: number
  /** Those that were no dead letters any more: somebody else was quicker. */
  readonly gone: number
  readonly failed: number
  /** Why some failed. */
  readonly problem: Problem | undefined
}

/** Requests at the same time: browsers have few connections, and one of them follows the events. */
const atOnce = 4

const one = (decision: Decision, id: string) =>
  decision === "retry"
    ? call("POST", "/v1/dead-letters/:id/retry", { params: { id } })
    : call("DELETE", "/v1/dead-letters/:id", { params: { id } })

export const decide = async (
  decision: Decision,
  ids: ReadonlyArray<string>,
  onProgress: (done: number) => void
): Promise<Outcome> => {
  const left = ids.values()
  let done = 0
  let gone = 0
  let failed = 0
  let problem: Problem | undefined
  const work = async () => {
    for (const id of left) {
      try {
        await one(decision, id)
        done++
      } catch (error) {
        const met = toProblem(error)
        if (met.status === 404) gone++
        else {
          failed++
          problem = met
        }
      }
      onProgress(done + gone + failed)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { done, gone, failed, problem }
}
