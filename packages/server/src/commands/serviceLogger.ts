import { Layer, Logger } from "effect"

/** What a service logs on standard output: for people on a terminal, one JSON object per line for programs. */
export const serviceLogger: Layer.Layer<never> = Layer.suspend(() =>
  Logger.layer([process.stdout.isTTY ? Logger.consolePretty() : Logger.consoleJson])
)
