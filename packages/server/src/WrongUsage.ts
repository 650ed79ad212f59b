/**
 * What a person typed or configured makes no sense: the command line shows the message alone, without a stack, and
 * exits with 2.
 */
import { Runtime, Schema } from "effect"

export class WrongUsage extends Schema.TaggedError<WrongUsage>("@muster/server/WrongUsage")("WrongUsage", {
  message: Schema.String
}) {
  override readonly [Runtime.errorExitCode] = 2
  override readonly [Runtime.errorReported] = false

  /** From a variable that cannot be read, or a registration configuration that is refused. */
  static fromConfig({ message }: { readonly message: string }): WrongUsage {
    const [, expected, name] = /^SchemaError\(Expected (.*?)\s+at \["(\w+)"\]\)$/s.exec(message) ?? []
    return new WrongUsage({ message: name === undefined ? message : `${name} must be ${expected}` })
  }
}
