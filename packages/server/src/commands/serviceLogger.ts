import { Layer, Logger } from "effect"
import { GatheredLines } from "../GatheredLines.ts"
import { jsonLine, terminalLine } from "../LogLines.ts"

/** What a service logs on standard output: for people on a terminal, one JSON object per line for programs. */
export const serviceLogger: Layer.Layer<never> = Layer.suspend(() => {
  // The console does not mind a pipe that nobody reads any more.
  // oxlint-disable-next-line no-console -- this is where the log goes
  const lines = new GatheredLines((text) => console.log(text))
  const line = process.stdout.isTTY ? terminalLine(process.stdout.hasColors()) : jsonLine
  return Logger.layer([Logger.map(line, (text) => lines.add(text))])
})
