/**
 * Order among the calls for one worker: each takes a turn when it is called, and runs when the turns before it
 * have ended. Workers do not see each other, and a worker with no open turn leaves nothing behind.
 *
 * A turn is taken synchronously, so turns are in call order, whichever fiber runs first afterwards. Turns of one
 * batch are taken together before the first of them begins; since every batch begins its turns in the order in
 * which it took them, the oldest open turn of all can always run, and two batches never wait for each other.
 */
import { Effect, Schema } from "effect"
import type { Duration } from "effect"
import type { WorkerId } from "./WorkerId.ts"

/** Why a call ended without success or failure: the newer state of its worker has won. */
export class Superseded extends Schema.TaggedError<Superseded>("@muster/core/Superseded")("Superseded", {
  message: Schema.String
}) {}

/** What a turn is for. Only a registration can be superseded. */
export type TurnKind = "register" | "unregister" | "verify"

/** One call's place among the calls for its worker. */
export class Turn {
  readonly workerId: WorkerId
  readonly kind: TurnKind
  previous: Turn | undefined = undefined
  next: Turn | undefined = undefined
  state: "taken" | "begun" | "ended" = "taken"
  superseded = false
  /** Resumes whatever this turn waits for: its beginning, or the end of a pause. */
  wake: (() => void) | undefined = undefined

  constructor(workerId: WorkerId, kind: TurnKind) {
    this.workerId = workerId
    this.kind = kind
  }
}

const superseded = Effect.fail(
  new Superseded({ message: "the worker was unregistered before this registration was done" })
)

export class WorkerTurns {
  /** The last open turn of each worker that has one; the others hang on it by `previous`. */
  private readonly last = new Map<WorkerId, Turn>()

  /** Workers with an open turn. */
  get size(): number {
    return this.last.size
  }

  /**
   * Takes a worker's next turn. An `unregister` supersedes the registrations before it: one that waits for a
   * retry, or that its batch has not begun, ends at once; one whose attempt is under way makes no further one (the
   * attempt itself is left to end, because an interrupted call may still arrive); one whose turn has not come
   * makes its attempt, in order, and no retry.
   */
  take(workerId: WorkerId, kind: TurnKind): Turn {
    const turn = new Turn(workerId, kind)
    const previous = this.last.get(workerId)
    this.last.set(workerId, turn)
    if (previous !== undefined) {
      turn.previous = previous
      previous.next = turn
      if (kind === "unregister") this.supersedeBefore(turn)
    }
    return turn
  }

  /** Waits until the turns before this one have ended. Fails when it was superseded before it began. */
  begin(turn: Turn): Effect.Effect<void, Superseded> {
    if (turn.state === "ended") return superseded
    turn.state = "begun"
    const own = () => (turn.previous === undefined ? Effect.void : undefined)
    return own() ?? wait(turn, own)
  }

  /** A wait that ends early, with `Superseded`, when a later call has superseded this turn. */
  pause(turn: Turn, duration: Duration.Duration): Effect.Effect<void, Superseded> {
    const unlessSuperseded = Effect.suspend(() => (turn.superseded ? superseded : Effect.void))
    return Effect.raceFirst(
      Effect.sleep(duration),
      wait(turn, () => (turn.superseded ? superseded : undefined))
      // Both may end in the same moment.
    ).pipe(Effect.andThen(unlessSuperseded))
  }

  /** Ends a turn, whatever its state, and lets the next one run. Ending it twice does nothing. */
  end(turn: Turn): void {
    if (turn.state === "ended") return
    turn.state = "ended"
    const { next, previous } = turn
    if (previous !== undefined) previous.next = next
    if (next !== undefined) next.previous = previous
    else if (previous !== undefined) this.last.set(turn.workerId, previous)
    else this.last.delete(turn.workerId)
    if (previous === undefined) next?.wake?.()
  }

  // Walks back to the previous unregistration, which has superseded what stands before it: each turn is walked
  // over once, however many unregistrations follow each other.
  private supersedeBefore(turn: Turn): void {
    let older = turn.previous
    while (older !== undefined && older.kind !== "unregister") {
      const { previous } = older
      if (older.kind === "register") {
        older.superseded = true
        if (older.state === "taken") this.end(older)
        else older.wake?.()
      }
      older = previous
    }
  }
}

// Ends with what `over` gives: now, or when the turn is woken. The resumed fiber yields first, since turns that end
// one after another would otherwise run on one another's stack.
const wait = <E>(turn: Turn, over: () => Effect.Effect<void, E> | undefined): Effect.Effect<void, E> =>
  Effect.callback<void, E>((resume) => {
    const ready = over()
    if (ready !== undefined) return resume(ready)
    turn.wake = () => {
      const ready = over()
      if (ready === undefined) return
      turn.wake = undefined
      resume(Effect.andThen(Effect.yieldNow, ready))
    }
    return Effect.sync(() => {
      turn.wake = undefined
    })
  })
