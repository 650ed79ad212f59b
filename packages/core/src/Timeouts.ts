/**
 * The time-outs of attempts that are under way. Nearly every attempt is answered long before it is late, so what
 * costs is not the time-outs that pass but all those that are set and cleared again. Those of one clock therefore
 * share one sleeping fiber: a timer and a fiber for each attempt took a fifth of the whole registration.
 */
import { Clock, Context, Duration, Effect, Fiber } from "effect"

/** A time-out that is set: its place among the others of its clock. */
export interface Timeout {
  /** From now on it will not pass. Does nothing once it has passed or was cleared. */
  readonly clear: () => void
}

export class Timeouts {
  private readonly queues = new WeakMap<Clock.Clock, TimeoutQueue>()

  /** Calls `onPassed` when `duration` has passed by this clock, unless the time-out is cleared before. */
  set(clock: Clock.Clock, duration: Duration.Duration, onPassed: () => void): Timeout {
    let queue = this.queues.get(clock)
    if (queue === undefined) {
      queue = new TimeoutQueue(clock)
      this.queues.set(clock, queue)
    }
    return queue.add(Duration.toMillis(duration), onPassed)
  }

  /**
   * `Effect.timeoutOrElse` with two differences. An answer that is there at once costs one fiber and no timer. And
   * an attempt that is late is interrupted but not waited for, so that an adapter with a slow or missing reaction
   * to interruption cannot hold up the time-out; only an interruption of the caller waits for it.
   *
   * Built on the fibers themselves, because a time-out made of combinators took four of them for one attempt, and
   * half of the whole registration.
   */
  readonly abandonAfter =
    <E2>(duration: Duration.Duration, orElse: () => Effect.Effect<never, E2>) =>
    <A, E>(self: Effect.Effect<A, E>): Effect.Effect<A, E | E2> =>
      Effect.contextWith((context: Context.Context<never>) =>
        Effect.callback((resume) => {
          const attempt = Effect.runForkWith(context)(self)
          const answer = attempt.pollUnsafe()
          if (answer !== undefined) return resume(answer)

          const timeout = this.set(Context.get(context, Clock.Clock), duration, () => {
            stopListening()
            attempt.interruptUnsafe()
            resume(orElse())
          })
          const stopListening = attempt.addObserver((exit) => {
            timeout.clear()
            resume(exit)
          })
          return Effect.suspend(() => {
            stopListening()
            timeout.clear()
            return Fiber.interrupt(attempt)
          })
        })
      )
}

class QueuedTimeout implements Timeout {
  /** By the monotonic clock, in milliseconds. */
  readonly at: number
  readonly onPassed: () => void
  previous: QueuedTimeout | undefined = undefined
  next: QueuedTimeout | undefined = undefined
  /** Absent once it is no longer set. */
  queue: TimeoutQueue | undefined

  constructor(queue: TimeoutQueue, at: number, onPassed: () => void) {
    this.queue = queue
    this.at = at
    this.onPassed = onPassed
  }

  clear(): void {
    this.queue?.remove(this)
  }
}

/**
 * The time-outs of one clock, the earliest first. While there is any, a fiber sleeps, and no longer than until the
 * first one. With none there is no fiber, so that it never keeps a process from ending; but it is not woken for that in
 * the middle of a tick, since whoever calls one after the other sets the next one in the same.
 */
class TimeoutQueue {
  private first: QueuedTimeout | undefined
  private last: QueuedTimeout | undefined
  private sleeper: Fiber.Fiber<void> | undefined
  /** By the monotonic clock, in milliseconds; infinite while there is none. */
  private sleepsUntil = Infinity
  private willLook = false
  private readonly clock: Clock.Clock

  constructor(clock: Clock.Clock) {
    this.clock = clock
  }

  add(millis: number, onPassed: () => void): Timeout {
    const timeout = new QueuedTimeout(this, this.now() + millis, onPassed)
    // Its place is looked for from the end, where it nearly always is: most time-outs are equally long.
    let previous = this.last
    while (previous !== undefined && previous.at > timeout.at) previous = previous.previous
    const next = previous === undefined ? this.first : previous.next
    this.join(previous, timeout)
    this.join(timeout, next)
    if (previous === undefined && timeout.at < this.sleepsUntil) this.sleep()
    return timeout
  }

  remove(timeout: QueuedTimeout): void {
    timeout.queue = undefined
    this.join(timeout.previous, timeout.next)
    if (this.first === undefined) this.lookSoon()
  }

  private lookSoon(): void {
    if (this.willLook) return
    this.willLook = true
    queueMicrotask(() => {
      this.willLook = false
      if (this.first === undefined) this.wake()
    })
  }

  private join(previous: QueuedTimeout | undefined, next: QueuedTimeout | undefined): void {
    if (previous === undefined) this.first = next
    else previous.next = next
    if (next === undefined) this.last = previous
    else next.previous = previous
  }

  /** Sleeps until the first time-out, if there is one, instead of until whatever was first before. */
  private sleep(): void {
    this.wake()
    if (this.first === undefined) return
    this.sleepsUntil = this.first.at
    // Never for a part of a millisecond: what is left of one after rounding would be slept for again and again.
    const duration = Duration.millis(Math.ceil(this.first.at - this.now()))
    this.sleeper = Effect.runFork(Effect.map(this.clock.sleep(duration), () => this.pass()))
  }

  private wake(): void {
    this.sleeper?.interruptUnsafe()
    this.sleeper = undefined
    this.sleepsUntil = Infinity
  }

  private pass(): void {
    this.sleeper = undefined
    this.sleepsUntil = Infinity
    const now = this.now()
    while (this.first !== undefined && this.first.at <= now) {
      const { first } = this
      this.remove(first)
      first.onPassed()
    }
    this.sleep()
  }

  private now(): number {
    return Number(this.clock.monotonicTimeNanosUnsafe()) / 1_000_000
  }
}
