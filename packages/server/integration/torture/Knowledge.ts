/**
 * What the client of the torture test knows of a worker from the answers that it got: the states in which the
 * service's record of it can be. It is one state after an acknowledged change, and more after a change whose answer
 * was lost. An answer that fits none of them contradicts an earlier one.
 */

/** What of a worker's record the client can tell. */
export interface State {
  readonly desired: "unknown" | "registered" | "unregistered"
  /** Which content the worker was last wanted with. */
  readonly content: string | undefined
  /** Its generation: this one, or some above this one. */
  readonly generation: number
  readonly isExact: boolean
  /** The worker has said that it is ready since it was last provisioned. */
  readonly saidReady: boolean
}

export type Change =
  | { readonly name: "register"; readonly content: string }
  /** `always`: also where the worker is not known. */
  | { readonly name: "terminate"; readonly always: boolean }
  | { readonly name: "ready" }

/**
 * How a change was answered. `repeated`: the same request was accepted before. `none`: nobody knows whether it was
 * accepted.
 */
export type Answer =
  | { readonly name: "accepted"; readonly generation: number }
  | { readonly name: "repeated" }
  | { readonly name: "not found" }
  | { readonly name: "gone" }
  | { readonly name: "none" }

/** The states that follow from a state, a change and its answer; none where the answer cannot be. */
const after = (state: State, change: Change, answer: Answer): ReadonlyArray<State> => {
  switch (answer.name) {
    case "none":
      return [state, ...after(state, change, { name: "repeated" })]
    case "not found":
      return state.desired === "unknown" && !isAlwaysTaken(change) ? [state] : []
    case "gone":
      return state.desired === "unregistered" && change.name === "ready" ? [state] : []
    case "repeated":
      return taken(state, change)
    case "accepted":
      return taken(state, change).flatMap((next) => at(answer.generation, next))
  }
}

const isAlwaysTaken = (change: Change): boolean =>
  change.name === "register" || (change.name === "terminate" && change.always)

/** The states that follow from a change that was accepted. */
const taken = (state: State, change: Change): ReadonlyArray<State> => {
  switch (change.name) {
    case "register": {
      const { content } = change
      const changed = { ...newer(state), desired: "registered" as const, content, saidReady: false }
      const isSame = state.desired === "registered" && state.content === content
      // The same content again changes nothing, unless the worker had become a dead letter.
      return isSame ? [state, changed] : [changed]
    }
    case "terminate": {
      if (state.desired === "unknown" && !change.always) return []
      const changed = { ...newer(state), desired: "unregistered" as const, saidReady: false }
      return state.desired === "unregistered" ? [state, changed] : [changed]
    }
    case "ready":
      return state.desired === "registered" ? [{ ...state, saidReady: true }] : []
  }
}

const newer = (state: State): State => ({ ...state, isExact: false })

/** A state that turned out to have this generation, if it can have it. */
const at = (generation: number, state: State): ReadonlyArray<State> =>
  fits(state, generation) ? [{ ...state, generation, isExact: true }] : []

const fits = (state: State, generation: number): boolean =>
  state.isExact ? generation === state.generation : generation > state.generation

const nothing: State = {
  desired: "unknown",
  content: undefined,
  generation: 0,
  isExact: true,
  saidReady: false
}

export class Knowledge {
  static readonly none = new Knowledge([nothing])

  /** The states that the worker can be in; empty where the answers contradict each other. */
  readonly states: ReadonlyArray<State>

  private constructor(states: ReadonlyArray<State>) {
    this.states = states
  }

  after(change: Change, answer: Answer): Knowledge {
    const states = this.states.flatMap((state) => after(state, change, answer))
    return new Knowledge(Array.from(new Map(states.map((state) => [JSON.stringify(state), state])).values()))
  }

  /** Those of the states that a record is in; none: it is in one in which it cannot be. */
  matching(record: Pick<State, "desired" | "content" | "generation" | "saidReady">): ReadonlyArray<State> {
    return this.states.filter(
      (state) =>
        state.desired === record.desired &&
        (state.desired === "unknown" ||
          (fits(state, record.generation) &&
            (state.desired === "unregistered" ||
              (state.content === record.content && state.saidReady === record.saidReady))))
    )
  }
}
