/**
 * The same request twice is one: what became of it is remembered under a key, in the transaction that accepted it.
 */
import { Option, Schema } from "effect"
import { WorkerId } from "../WorkerId.ts"
import type { Draft } from "./Draft.ts"
import { Phase } from "./Phase.ts"

export interface Once {
  /** What the request is recognised by; at most 512 characters. */
  readonly key: string
  /** A digest of the request: the same key with another one is refused. At most 128 characters. */
  readonly fingerprint: string
}

const Outcome = Schema.Struct({
  id: WorkerId,
  generation: Schema.Int,
  phase: Phase,
  /** A newer event of the same source came first, and this one changed nothing. */
  outdated: Schema.Boolean
})
type Outcome = typeof Outcome.Type

/** What became of a change that was accepted. */
export interface Accepted extends Outcome {
  /** The same request came before, and this is what became of it then. */
  readonly repeated: boolean
}

/** The key of this request came before, with another request. */
export class KeyReused extends Schema.TaggedError<KeyReused>("@muster/core/KeyReused")("KeyReused", {}) {}

const Memory = Schema.fromJsonString(Schema.Struct({ fingerprint: Schema.String, outcome: Outcome }))
const encode = Schema.encodeSync(Memory)
const decode = Schema.decodeUnknownOption(Memory)

/** What became of this request when it came before, if it did. */
export const recall = (draft: Draft, { fingerprint, key }: Once): Option.Option<Accepted | KeyReused> => {
  const note = draft.note(key)
  if (note === undefined) return Option.none()
  return Option.map(decode(note), (memory) =>
    memory.fingerprint === fingerprint ? { ...memory.outcome, repeated: true } : new KeyReused()
  )
}

export const remember = (draft: Draft, { fingerprint, key }: Once, outcome: Outcome): void =>
  draft.remember(key, encode({ fingerprint, outcome }))
