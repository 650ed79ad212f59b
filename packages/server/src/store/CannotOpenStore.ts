/**
 * A store that cannot be opened, with what a person can do about it: the command line shows the message alone.
 */
import { Runtime, Schema } from "effect"

export class CannotOpenStore extends Schema.TaggedError<CannotOpenStore>("@muster/server/CannotOpenStore")(
  "CannotOpenStore",
  { message: Schema.String, cause: Schema.optional(Schema.Defect()) }
) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false

  static because(name: string, reason: string, cause?: unknown): CannotOpenStore {
    return new CannotOpenStore({ message: `cannot open ${name}: ${reason}`, cause })
  }
}
