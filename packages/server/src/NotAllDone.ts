/**
 * Something that was asked for failed: the command line shows the message alone, without a stack, and exits with 1.
 */
import { Runtime, Schema } from "effect"

export class NotAllDone extends Schema.TaggedError<NotAllDone>("@muster/server/NotAllDone")("NotAllDone", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}
