/**
 * Who asks for a change, as far as the fleet has to know: what they may change, what becomes theirs, and what is
 * written down about them. Without one, a change is the application's own: all of it may be done, and none of it is
 * audited.
 */
import { Context, Schema } from "effect"
import type { Worker } from "../Worker.ts"
import type { WorkerRecord } from "./WorkerRecord.ts"

/** The one who asks may not change this worker, or not in this way. Nothing was changed. */
export class NotPermitted extends Schema.TaggedError<NotPermitted>("@muster/core/NotPermitted")(
  "NotPermitted",
  { workerId: Schema.String }
) {}

export interface Actor {
  /** What it is known by for ever: workers that it provisions bear it as their owner. At most 128 characters. */
  readonly id: string
  /** For people; at most 128 characters. */
  readonly name: string
  readonly role: string
  /** Where the request came from, where that is known. */
  readonly address: string | undefined
  /** Whether it may change a worker as it is known, to what it wants of it where it provisions one. */
  readonly mayChange: (known: WorkerRecord | undefined, wanted: Worker | undefined) => boolean
  /** What it provisions becomes its own even where it was another's, and alive. */
  readonly takesOver: boolean
}

/** The actor of a fiber's changes. */
export const CurrentActor = Context.Reference<Actor | undefined>("@muster/core/CurrentActor", {
  defaultValue: () => undefined
})
