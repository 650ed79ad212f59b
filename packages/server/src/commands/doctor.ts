/**
 * `muster doctor`: what is wrong with the service here, or with what it would be, and what to do about it.
 */
import * as NodeHttpClient from "@effect/platform-node/NodeHttpClient"
import { Cause, Console, Effect, Layer, Option } from "effect"
import { Command, Flag } from "effect/cli"
import type { HttpClient } from "effect/http"
import { parseAddress } from "../client/ServiceAddress.ts"
import { ownServiceHttpClient, serviceHttpClient } from "../client/ServiceHttpClient.ts"
import { inspectConfiguration } from "../configuration/Configuration.ts"
import { type Check, checksFor, type Situation } from "../doctor/Checks.ts"
import { type Finding, problem } from "../doctor/Finding.ts"
import { resolveTls, tlsVariables } from "../http/TlsSettings.ts"
import { canRedraw, drawLine } from "../ProgressLine.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { type ServeFlags, serviceVariables } from "../ServeSettings.ts"
import { terminalOutput } from "../TerminalOutput.ts"
import { printable, wrap } from "../TerminalText.ts"
import { read, type Variable } from "../Variables.ts"
import { serveFlags } from "./serve.ts"

const parameters = {
  ...serveFlags,
  server: Flag.String("server").pipe(
    Flag.withMetavar("URL"),
    Flag.withDescription("Asks the service at this address, and looks at nothing of this machine"),
    Flag.optional
  ),
  json: Flag.Boolean("json").pipe(Flag.withDescription("Prints one JSON object"), Flag.withDefault(false))
}

/** A value that breaks its rule has been told; its default is gone on with. */
const valueOf = <A>(flag: Option.Option<A>, variable: Variable<A>): Effect.Effect<A> =>
  Option.match(flag, {
    onSome: Effect.succeed,
    onNone: () => Effect.orElseSucceed(read(variable), () => variable.fallback)
  })

/** Where a service on this machine is asked that listens on `host`. */
const addressOf = (host: string, port: number, isEncrypted: boolean): string => {
  const reachable = host === "0.0.0.0" || host === "::" ? "127.0.0.1" : host
  return `${isEncrypted ? "https" : "http"}://${reachable.includes(":") ? `[${reachable}]` : reachable}:${port}`
}

const situationOf = Effect.fnUntraced(function* (flags: ServeFlags, server: Option.Option<string>) {
  const host = yield* valueOf(flags.host, serviceVariables.host)
  const port = yield* valueOf(flags.port, serviceVariables.port)
  const situation: Situation = {
    host,
    port,
    address: Option.isSome(server)
      ? yield* parseAddress(server.value)
      : addressOf(host, port, (yield* valueOf(Option.none(), tlsVariables.cert)) !== undefined),
    isLocal: Option.isNone(server),
    store: yield* valueOf(flags.store, serviceVariables.store),
    scheduler: yield* valueOf(flags.scheduler, serviceVariables.scheduler),
    slurmConf: Option.getOrUndefined(flags.slurmConf ?? Option.none()),
    configuration: yield* inspectConfiguration(flags, Object.keys(process.env))
  }
  return situation
})

const patience = "5 seconds"

/** What a check finds, in bounded time; one that fails is a problem as well. */
const bounded = ({ run }: Check): Effect.Effect<ReadonlyArray<Finding>, never, HttpClient.HttpClient> =>
  run.pipe(
    Effect.timeoutOrElse({
      duration: patience,
      orElse: () =>
        Effect.succeed([
          problem(`no answer within ${patience}`, "Look whether it hangs, and at the network between.")
        ])
    }),
    Effect.catchDefect((defect) =>
      Effect.succeed([
        problem(
          `it could not be looked at: ${Cause.squash(Cause.die(defect)) instanceof Error ? String(defect) : "for no known reason"}`,
          "Look whether this user may do so."
        )
      ])
    )
  )

/** Says on a terminal what is being looked at, until that has ended. */
const showing = Effect.fnUntraced(function* <A, R>(name: string, effect: Effect.Effect<A, never, R>) {
  if (!(yield* canRedraw)) return yield* effect
  return yield* Effect.scoped(
    Effect.andThen(
      drawLine(() => `Looking at the ${name} …`),
      effect
    )
  )
})

const colours = { ok: "green", warning: "yellow", problem: "red" } as const

const run = Effect.fnUntraced(function* (flags: Command.Command.Config.Infer<typeof parameters>) {
  const { json, server, ...others } = flags
  const checks = checksFor(yield* situationOf(others, server))
  const { columns = Infinity, paint } = yield* terminalOutput
  const widest = Math.max(...checks.map(({ name }) => name.length))
  const found: Array<Finding & { readonly check: string }> = []
  const severityWidth = "warning".length
  const indent = " ".repeat(severityWidth + 2 + widest + 2)
  const width = Math.max(20, columns - indent.length)
  for (const check of checks) {
    const findings = yield* showing(check.name, bounded(check))
    for (const finding of findings) {
      found.push({ check: check.name, ...finding })
      if (json) continue
      const { fix, message, severity } = finding
      const [first = "", ...more] = wrap(printable(message), width)
      const lines = [
        `${paint(colours[severity], severity.padEnd(severityWidth))}  ${check.name.padEnd(widest)}  ${first}`,
        ...[...more, ...(fix === undefined ? [] : wrap(printable(fix), width))].map((line) => indent + line)
      ]
      yield* Console.log(lines.join("\n"))
    }
  }
  const problems = found.filter(({ severity }) => severity === "problem").length
  if (json) yield* Console.log(JSON.stringify({ problems, checks: found }, undefined, 2))
  if (problems > 0) {
    return yield* new NotAllDone({ message: `${problems} ${problems === 1 ? "problem" : "problems"} found.` })
  }
})

/** Certificates that cannot be used have been told with the configuration; what needs none goes on. */
const httpClient = (server: Option.Option<string>) =>
  Layer.unwrap(
    Effect.map(resolveTls, (tls) =>
      tls === undefined || Option.isSome(server) ? serviceHttpClient : ownServiceHttpClient(tls)
    )
  ).pipe(Layer.catch(() => NodeHttpClient.layerUndici))

export const doctor = Command.make("doctor", parameters, (flags) =>
  run(flags).pipe(Effect.provide(httpClient(flags.server)))
).pipe(
  Command.withDescription(
    "Looks at the machine, the configuration, the store, the scheduler and the service that runs here, if one does, and " +
      "says how to mend what is wrong. It changes nothing, and each check takes five seconds at most. Exits with 1 when " +
      "there is a problem; a warning is none."
  ),
  Command.withShortDescription("Looks for what is wrong, and says how to mend it"),
  Command.withExamples([
    { command: "muster doctor", description: "Before a start, or when something is odd" },
    { command: "muster doctor --server http://muster.internal:7070", description: "A service elsewhere" },
    {
      command: `muster doctor --json | jq '.checks[] | select(.severity != "ok")'`,
      description: "For a script"
    }
  ])
)
