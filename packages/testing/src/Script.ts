/**
 * What a {@link TestScheduler} answers: one `Answer` for one call, a `Script` for the calls that come one after
 * another.
 */
import { Duration } from "effect"
import type { SchedulerError } from "@muster/core"
import type { Operation, RecordedCall } from "./CallLog.ts"

/** How the scheduler answers one call. The constructors are statics of `TestScheduler`. */
export type Answer =
  | { readonly _tag: "Succeed" }
  | { readonly _tag: "Fail"; readonly error: SchedulerError }
  | { readonly _tag: "Delay"; readonly duration: Duration.Duration; readonly then: Answer }
  | { readonly _tag: "Hang" }
  | { readonly _tag: "Die"; readonly defect: unknown }
  | { readonly _tag: "Throw"; readonly defect: unknown }
  | { readonly _tag: "ApplyThen"; readonly then: Answer }

/** An answer to every further call; the last member of a script. */
export interface Always {
  readonly _tag: "Always"
  readonly answer: Answer
}

/**
 * The answers to a worker's calls of one operation: the first to the first call, and so on. Calls beyond the last
 * answer succeed, unless that is an `always(...)`. A function decides for each call instead; `call.attempt` counts
 * the worker's calls of this operation from 1.
 */
export type Script =
  | ReadonlyArray<Answer>
  | readonly [...ReadonlyArray<Answer>, Always]
  | ((call: RecordedCall) => Answer)

/** Does what was asked. */
export const succeed: Answer = { _tag: "Succeed" }

/** Changes nothing and fails with `error`. */
export const fail = (error: SchedulerError): Answer => ({ _tag: "Fail", error })

/** Waits, by the `Clock`, and then answers `then` (default {@link succeed}). */
export const delay = (duration: Duration.Input, then: Answer = succeed): Answer => ({
  _tag: "Delay",
  duration: Duration.fromInputUnsafe(duration),
  then
})

/** Never answers. */
export const hang: Answer = { _tag: "Hang" }

/** Dies with `defect`: an adapter with a bug. */
export const die = (defect: unknown): Answer => ({ _tag: "Die", defect })

/**
 * Throws `defect` from the call itself, before there is an `Effect`: an adapter that is not even an Effect program.
 * Where no function is called (`list`, `health`, a member of a batch), and from a function script or after a delay,
 * it is the same as {@link die}.
 */
export const throws = (defect: unknown): Answer => ({ _tag: "Throw", defect })

/**
 * Does what was asked and answers `then` all the same: `applyThen(hang)` is the answer that got lost on its way,
 * `applyThen(fail(unavailable))` the connection that broke too late.
 */
export const applyThen = (then: Answer): Answer => ({ _tag: "ApplyThen", then })

/** `answer` for this call and all further ones; only as the last of a script. */
export const always = (answer: Answer): Always => ({ _tag: "Always", answer })

interface Playback {
  readonly script: Script
  /** How many answers have been given. */
  given: number
}

/** The scripts in use and how far each worker has come in them. */
export class Scripts {
  private readonly own = new Map<string, Playback>()
  private readonly ofEvery = new Map<string, Playback>()
  private readonly every = new Map<Operation, Script>()

  /** The script of one worker. It replaces what is left of an earlier one, and the script of every worker. */
  set(operation: Operation, workerId: string, script: Script): void {
    this.own.set(keyOf(operation, workerId), { script, given: 0 })
  }

  /** The script that each worker without its own goes through, each from its beginning. */
  setEvery(operation: Operation, script: Script): void {
    this.every.set(operation, script)
    for (const key of this.ofEvery.keys()) if (key.startsWith(keyOf(operation, ""))) this.ofEvery.delete(key)
  }

  /** The answer to a call. */
  next(call: RecordedCall): Answer {
    const playback = this.playback(call.operation, call.workerId)
    if (playback === undefined) return succeed
    if (typeof playback.script === "function") return playback.script(call)
    const answer = playback.script[playback.given]
    if (answer?._tag === "Always") return answer.answer
    playback.given++
    return answer ?? succeed
  }

  /** Whether the next call is to throw. */
  throwsNext(operation: Operation, workerId: string | undefined): boolean {
    const playback = this.playback(operation, workerId)
    if (playback === undefined || typeof playback.script === "function") return false
    const next = playback.script[playback.given]
    return (next?._tag === "Always" ? next.answer : next)?._tag === "Throw"
  }

  private playback(operation: Operation, workerId = ""): Playback | undefined {
    if (this.own.size === 0 && this.every.size === 0) return undefined
    const key = keyOf(operation, workerId)
    const known = this.own.get(key) ?? this.ofEvery.get(key)
    if (known !== undefined) return known
    const script = this.every.get(operation)
    if (script === undefined) return undefined
    const playback = { script, given: 0 }
    this.ofEvery.set(key, playback)
    return playback
  }
}

const keyOf = (operation: Operation, workerId: string) => `${operation} ${workerId}`
