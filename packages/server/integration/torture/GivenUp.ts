/**
 * Calls to the scheduler of the torture test that were over for their sender before the scheduler had answered. Each
 * process of the service writes its own down, one JSON object on each line of a file that all of them share.
 */
import { Effect, FileSystem, Schema, Stream } from "effect"
import { openSync, writeSync } from "node:fs"
import { Sender } from "./SchedulerProtocol.ts"

export const GivenUp = Schema.Struct({
  ...Sender.fields,
  /** When its sender stopped to wait for it, in milliseconds since 1970. */
  at: Schema.Finite
})
export type GivenUp = typeof GivenUp.Type

const Line = Schema.fromJsonString(GivenUp)
const encode = Schema.encodeSync(Line)
const decode = Schema.decodeEffect(Line)

/** Writes to the end of the file, at once: the process may be killed at any moment. */
export const makeGiveUp = (path: string): ((call: GivenUp) => void) => {
  const file = openSync(path, "a")
  return (call) => {
    writeSync(file, `${encode(call)}\n`)
  }
}

/** When each of them was given up, by {@link callKey}. */
export const readGivenUp = (path: string) =>
  Stream.unwrap(Effect.map(FileSystem.FileSystem, (fs) => fs.stream(path))).pipe(
    Stream.decodeText,
    Stream.splitLines,
    Stream.mapEffect((line) => decode(line)),
    Stream.runFold(
      () => new Map<string, number>(),
      (all, call) => all.set(callKey(call), call.at)
    ),
    Effect.orDie
  )

/** Names a call among those of all processes. */
export const callKey = ({ call, pid }: Pick<Sender, "call" | "pid">): string => `${pid}/${call}`
