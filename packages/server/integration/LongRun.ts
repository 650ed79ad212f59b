/**
 * What the tests share that are also commands, for as long as one likes: `pnpm torture`, `pnpm soak`, `pnpm fuzz`.
 */
import { Effect, Option, Random, Runtime, Schema } from "effect"
import { Flag } from "effect/cli"

/** Something was wrong, and has been told. */
export class RunFailed extends Schema.TaggedError<RunFailed>("RunFailed")("RunFailed", {}) {
  override readonly [Runtime.errorExitCode] = 1
  override readonly [Runtime.errorReported] = false
}

/** `decides`: what it decides. */
export const seedFlag = (decides: string) =>
  Flag.String("seed").pipe(Flag.withDescription(`${decides}; a random one if not given`), Flag.optional)

/** The seed that was given, or another one each time. */
export const seedOf = (given: Option.Option<string>): Effect.Effect<string> =>
  Option.match(
    Option.filter(given, (seed) => seed !== ""),
    { onNone: () => Effect.map(Random.nextIntBetween(1, 1_000_000_000), String), onSome: Effect.succeed }
  )
