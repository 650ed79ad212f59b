/**
 * `muster` with some arguments within this process, which takes a fraction of the time of starting one. What is about
 * processes themselves (signals, terminals, pipes, exit) needs one of its own: see `ServiceProcess.ts`.
 */
import * as NodeServices from "@effect/platform-node/NodeServices"
import { ConfigProvider, Console, Effect, Layer, Sink, Stdio, Stream } from "effect"
import { format } from "node:util"
import { exitCode, muster } from "../src/cli.ts"
import { Termination } from "../src/Termination.ts"

export interface Ended {
  readonly code: number
  readonly output: string
  readonly errors: string
}

export interface RunMusterOptions {
  /** Without what configures services, and what this process was told. */
  readonly env?: Readonly<Record<string, string>> | undefined
  /** What there is to read on standard input. */
  readonly input?: string | undefined
}

export const runMuster = async (
  args: ReadonlyArray<string>,
  { env = {}, input }: RunMusterOptions = {}
): Promise<Ended> => {
  let output = ""
  let errors = ""
  const print = (...values: ReadonlyArray<unknown>) => {
    output += `${format(...values)}\n`
  }
  const printError = (...values: ReadonlyArray<unknown>) => {
    errors += `${format(...values)}\n`
  }
  const decoders = [new TextDecoder(), new TextDecoder()] as const
  const sink = (decoder: TextDecoder, write: (text: string) => void) => () =>
    Sink.forEach((chunk: string | Uint8Array) =>
      Effect.sync(() => write(typeof chunk === "string" ? chunk : decoder.decode(chunk, { stream: true })))
    )
  const stdio = Stdio.make({
    args: Effect.succeed(args),
    stdin: input === undefined ? Stream.empty : Stream.succeed(new TextEncoder().encode(input)),
    stdout: sink(decoders[0], (text) => (output += text)),
    stderr: sink(decoders[1], (text) => (errors += text))
  })
  const environment = {
    ...Object.fromEntries(
      Object.entries(process.env).flatMap(([name, value]) =>
        value === undefined || /^(MUSTER|OTEL)_|COLOR/.test(name) ? [] : [[name, value]]
      )
    ),
    ...env
  }
  const exit = await Effect.runPromiseExit(
    muster(args).pipe(
      Effect.provide(
        Layer.mergeAll(
          Layer.merge(NodeServices.layer, Layer.succeed(Stdio.Stdio, stdio)),
          Layer.succeed(Termination, { requested: Effect.never }),
          Layer.succeed(Console.Console, {
            ...globalThis.console,
            log: print,
            info: print,
            debug: print,
            warn: printError,
            error: printError
          }),
          ConfigProvider.layer(ConfigProvider.fromEnv({ env: environment }))
        )
      )
    )
  )
  return { code: exitCode(exit, 130), output, errors }
}
