/**
 * What a person typed or configured makes no sense: the command line shows the message alone, without a stack, and
 * exits with 2.
 */
import type { InvalidRegistrationConfig } from "@muster/core"
import { type Config, Effect, Layer, Runtime, Schema } from "effect"

export class WrongUsage extends Schema.TaggedError<WrongUsage>("@muster/server/WrongUsage")("WrongUsage", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override readonly [Runtime.errorReported] = false
}

/** A variable that makes no sense is wrong usage, told as such. */
export const wrongConfigurationIsUsage = <A, R>(
  layer: Layer.Layer<A, InvalidRegistrationConfig | Config.ConfigError | WrongUsage, R>
): Layer.Layer<A, WrongUsage, R> =>
  Layer.catchTag(layer, ["InvalidRegistrationConfig", "ConfigError"], ({ message }) =>
    Layer.unwrap(Effect.fail(new WrongUsage({ message })))
  )
