/**
 * What a scheduler's adapter was told makes no sense, whatever the scheduler says: an address that is none, a
 * certificate that cannot be read. Found when the layer is built.
 */
import { Schema } from "effect"

export class InvalidSchedulerOptions extends Schema.TaggedError<InvalidSchedulerOptions>(
  "@muster/server/InvalidSchedulerOptions"
)("InvalidSchedulerOptions", {
  message: Schema.String
}) {}
