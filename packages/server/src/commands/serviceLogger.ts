import { Layer, Logger } from "effect"
import { jsonLine, terminalLine } from "../LogLines.ts"

/** What a service logs on standard output: for people on a terminal, one JSON object per line for programs. */
export const serviceLogger: Layer.Layer<never> = Layer.suspend(() =>
  Logger.layer([
    Logger.withConsoleLog(process.stdout.isTTY ? terminalLine(process.stdout.hasColors()) : jsonLine)
  ])
)
