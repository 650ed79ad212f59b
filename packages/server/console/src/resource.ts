/**
 * Something that the service knows, asked for again when it may have changed.
 */
import { useEffect, useState } from "preact/hooks"
import { type Problem, toProblem } from "./api.ts"
import { type EventBatch, follow } from "./live.ts"

export interface Resource<A> {
  /** What was answered last; it stays while it is asked for again, and when that fails. */
  readonly data: A | undefined
  /** Why the latest question was not answered. */
  readonly problem: Problem | undefined
  readonly refresh: () => void
}

export interface ResourceOptions {
  /** Asks again after so many milliseconds. */
  readonly every?: number
  /** Whether these events make it old. */
  readonly isTouchedBy?: (events: EventBatch) => boolean
}

/** The least time between two questions, in milliseconds, however much happens. */
const distance = 500

/** Asks `load` for what `key` stands for; another key begins anew. */
export function useResource<A>(
  key: string,
  load: (signal: AbortSignal, known: A | undefined) => Promise<A>,
  { every, isTouchedBy }: ResourceOptions = {}
): Resource<A> {
  const [state, setState] = useState<{ key: string } & Resource<A>>(() => ({ key, ...nothing }))
  useEffect(() => {
    const controller = new AbortController()
    const { signal } = controller
    let known: A | undefined
    let isAsking = false
    let isOld = false
    let timer: ReturnType<typeof setTimeout> | undefined
    let askedAt = -Infinity

    const ask = async () => {
      timer = undefined
      isAsking = true
      isOld = false
      askedAt = performance.now()
      let problem: Problem | undefined
      try {
        known = await load(signal, known)
      } catch (error) {
        problem = toProblem(error)
      }
      isAsking = false
      if (signal.aborted) return
      setState({ key, data: known, problem, refresh })
      if (isOld) refresh()
    }
    const refresh = () => {
      if (isAsking) isOld = true
      else timer ??= setTimeout(() => void ask(), Math.max(0, askedAt + distance - performance.now()))
    }

    setState({ key, ...nothing, refresh })
    void ask()
    const clock = every === undefined ? undefined : setInterval(refresh, every)
    const unfollow = follow({
      onEvents: (events) => {
        if (isTouchedBy?.(events) === true) refresh()
      },
      onLive: refresh
    })
    return () => {
      controller.abort()
      clearTimeout(timer)
      clearInterval(clock)
      unfollow()
    }
  }, [key])
  return state.key === key ? state : nothing
}

const nothing = { data: undefined, problem: undefined, refresh: () => {} }
