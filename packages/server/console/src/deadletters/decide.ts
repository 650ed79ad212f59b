/**
 * Deciding about many dead letters, one after the other or all that there are.
 */
import { call, Problem, toProblem } from "../api.ts"

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

/** All that there are, in one request. */
export const decideAll = async (decision: Decision): Promise<Outcome> => {
  try {
    const { decided, left } =
      decision === "retry"
        ? await call("POST", "/v1/dead-letters/retry", {}).then(({ left, retried }) => ({
            decided: retried,
            left
          }))
        : await call("POST", "/v1/dead-letters/drop", {}).then(({ dropped, left }) => ({
            decided: dropped,
            left
          }))
    const problem = left === 0 ? undefined : new Problem(503, "Too many changes are unfinished")
    return { done: decided, gone: 0, failed: left, problem }
  } catch (error) {
    return { done: 0, gone: 0, failed: 0, problem: toProblem(error) }
  }
}

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
          // Nobody is signed in any more.
          if (met.status === 401) return
        }
      }
      onProgress(done + gone + failed)
    }
  }
  await Promise.all(Array.from({ length: atOnce }, work))
  return { done, gone, failed, problem }
}
