/**
 * Calls that wait in line until they may go: in the order in which they came, looked at again whenever something may
 * have changed. Whoever is interrupted leaves the line.
 */
import { Clock, type Context, Duration, Effect, Fiber, type Scope } from "effect"

interface Waiting {
  readonly members: number
  readonly go: () => void
}

export interface LineOptions {
  /** Whether a call of so many members may go now, which it then does. */
  readonly mayGo: (members: number, now: number) => boolean
  /** How long nobody may go, in milliseconds; `undefined`: until `advance` is called. */
  readonly wait: (now: number) => number | undefined
}

class Line {
  private readonly waiting = new Set<Waiting>()
  private readonly options: LineOptions
  private readonly clock: Clock.Clock
  private readonly scope: Scope.Scope
  private readonly fork: ReturnType<typeof Effect.runForkWith<never>>
  private alarm: Fiber.Fiber<void> | undefined

  constructor(
    options: LineOptions,
    clock: Clock.Clock,
    { context, scope }: { readonly context: Context.Context<never>; readonly scope: Scope.Scope }
  ) {
    this.options = options
    this.clock = clock
    this.scope = scope
    this.fork = Effect.runForkWith(context)
  }

  get size(): number {
    return this.waiting.size
  }

  /** Waits until a call of so many members may go; `onGo` is told in that moment, whether or not the caller is left. */
  turn(members: number, onGo = () => {}): Effect.Effect<void> {
    return Effect.suspend(() => {
      if (this.waiting.size === 0 && this.options.mayGo(members, this.clock.currentTimeMillisUnsafe())) {
        onGo()
        return Effect.void
      }
      return Effect.callback<void>((resume) => {
        const go = () => {
          onGo()
          resume(Effect.void)
        }
        const waiting = { members, go }
        this.waiting.add(waiting)
        this.setAlarm()
        return Effect.sync(() => this.waiting.delete(waiting))
      })
    })
  }

  /** Lets go who may. */
  advance(): void {
    const now = this.clock.currentTimeMillisUnsafe()
    for (const waiting of this.waiting) {
      if (!this.options.mayGo(waiting.members, now)) break
      this.waiting.delete(waiting)
      waiting.go()
    }
    this.setAlarm()
  }

  private setAlarm(): void {
    if (this.alarm !== undefined || this.waiting.size === 0) return
    const wait = this.options.wait(this.clock.currentTimeMillisUnsafe())
    if (wait === undefined) return
    const ring = Effect.sync(() => {
      this.alarm = undefined
      this.advance()
    })
    this.alarm = this.fork(Effect.andThen(Effect.sleep(Duration.millis(Math.ceil(wait))), ring))
    Fiber.runIn(this.alarm, this.scope)
  }
}

/** A line that lasts as long as the scope. */
export const makeLine = Effect.fnUntraced(function* (options: LineOptions) {
  const scope = yield* Effect.scope
  return new Line(options, yield* Clock.Clock, { context: yield* Effect.context(), scope })
})
