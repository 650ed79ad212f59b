/**
 * `muster tokens`: makes, lists, rotates and revokes the credentials of a running service.
 */
import { WorkerId } from "@muster/core"
import { Clock, Console, Duration, Effect, Option, Redacted, Schema, Stream } from "effect"
import { Argument, Command, Flag } from "effect/cli"
import { newSecret, Role, TokenKind } from "../access/Token.ts"
import { cursorPages } from "../client/CursorPages.ts"
import { ask } from "../client/MusterClient.ts"
import { durationText } from "../DurationText.ts"
import type { NewTokenView, TokenView } from "../http/AccessSchemas.ts"
import { NotAllDone } from "../NotAllDone.ts"
import { terminalOutput } from "../TerminalOutput.ts"
import { textTable } from "../TextTable.ts"
import { plural, relative } from "../TimeText.ts"
import { serverFlag, serviceLayer } from "./service.ts"

const jsonFlag = Flag.Boolean("json").pipe(
  Flag.withDescription("Prints one JSON document"),
  Flag.withDefault(false)
)

const durationFlag = (name: string, description: string) =>
  Flag.String(name).pipe(
    Flag.withSchema(Schema.DurationFromString),
    Flag.withMetavar("DURATION"),
    Flag.withDescription(description),
    Flag.optional
  )

const namespaceFlag = Flag.String("namespace").pipe(
  Flag.withMetavar("NAMESPACE"),
  Flag.withDescription("A namespace that it is for; repeatable; all if not given"),
  Flag.between(0, 100)
)

type Token = typeof TokenView.Type

/** The secret alone on standard output, so that it can be redirected into a file; the rest is for people. */
const tell = Effect.fnUntraced(function* (created: typeof NewTokenView.Type, json: boolean, hint: string) {
  if (json) return yield* Console.log(JSON.stringify(created, undefined, 2))
  yield* Console.log(created.token)
  const end = created.expiresAt === null ? "for ever" : `until ${created.expiresAt}`
  yield* Console.error(`Token ${created.id} is good ${end}. ${hint} It is not shown again.`)
})

const keepIt = "Keep it in a file that only its user can read, and name that with MUSTER_TOKEN_FILE."

const createParameters = {
  name: Argument.String("name").pipe(
    Argument.withMetavar("NAME"),
    Argument.withDescription("What it is for, such as the program that uses it")
  ),
  role: Flag.Literals("role", Role.literals).pipe(
    Flag.withDescription(
      "viewer: reads; provisioner: registers, terminates, heartbeats; operator: all of it, tokens too"
    )
  ),
  namespace: namespaceFlag,
  ownWorkers: Flag.Boolean("own-workers").pipe(
    Flag.withDescription("Of a provisioner: only the workers that it registered itself"),
    Flag.withDefault(false)
  ),
  expires: durationFlag("expires", 'How long it is good, such as "90 days"; for ever if not given'),
  server: serverFlag,
  json: jsonFlag
}

const create = Command.make("create", createParameters, (flags) =>
  ask((api) =>
    api.access.createToken({
      payload: {
        name: flags.name,
        role: flags.role,
        ownWorkers: flags.ownWorkers,
        ...(flags.namespace.length === 0 ? undefined : { namespaces: flags.namespace }),
        ...(Option.isNone(flags.expires) ? undefined : { expiresIn: flags.expires.value })
      }
    })
  ).pipe(
    Effect.flatMap((created) => tell(created, flags.json, keepIt)),
    Effect.provide(serviceLayer(flags.server))
  )
).pipe(
  Command.withDescription("Makes a token, and prints its secret, this once, alone on standard output."),
  Command.withShortDescription("Makes a token"),
  Command.withExamples([
    {
      command: "muster tokens create autoscaler --role provisioner --namespace ci > autoscaler.token",
      description: "One that registers workers of one namespace"
    },
    {
      command: 'muster tokens create grafana --role viewer --expires "365 days"',
      description: "One that reads"
    }
  ])
)

const joinParameters = {
  namespace: Flag.String("namespace").pipe(
    Flag.withMetavar("NAMESPACE"),
    Flag.withDescription("The namespace that the machine joins; default if not given"),
    Flag.optional
  ),
  worker: Flag.String("worker").pipe(
    Flag.withSchema(WorkerId),
    Flag.withMetavar("ID"),
    Flag.withDescription("The one worker that may join, be it there already; any new one if not given"),
    Flag.optional
  ),
  name: Flag.String("name").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("What it is for"),
    Flag.optional
  ),
  expires: durationFlag("expires", `How long it is good, at most 7 days; 1 hour if not given`),
  server: serverFlag,
  json: jsonFlag
}

const join = Command.make("join", joinParameters, (flags) =>
  ask((api) =>
    api.access.createJoinToken({
      payload: {
        ...(Option.isNone(flags.name) ? undefined : { name: flags.name.value }),
        ...(Option.isNone(flags.namespace) ? undefined : { namespace: flags.namespace.value }),
        ...(Option.isNone(flags.worker) ? undefined : { workerId: flags.worker.value }),
        ...(Option.isNone(flags.expires) ? undefined : { expiresIn: flags.expires.value })
      }
    })
  ).pipe(
    Effect.flatMap((created) => tell(created, flags.json, "One machine joins with it, once: muster join.")),
    Effect.provide(serviceLayer(flags.server))
  )
).pipe(
  Command.withDescription(
    "Makes a join token: with it one new machine registers itself, once, and gets a credential that is good for its own " +
      "heartbeats and its termination alone. See muster join."
  ),
  Command.withShortDescription("Makes a token with which one machine joins"),
  Command.withExamples([
    {
      command: 'muster tokens join --namespace ci --worker ci-7f3a --expires "10 minutes"',
      description: "For one worker"
    }
  ])
)

const listParameters = {
  kind: Flag.Literals("kind", TokenKind.literals).pipe(
    Flag.withDescription("Only these; repeatable; token and join if not given"),
    Flag.between(0, TokenKind.literals.length)
  ),
  server: serverFlag,
  json: jsonFlag
}

const readTokens = (kinds: ReadonlyArray<TokenKind>) =>
  cursorPages((place) =>
    ask((api) =>
      api.access.listTokens({ query: { ...place, ...(kinds.length === 0 ? undefined : { kind: kinds }) } })
    )
  ).pipe(
    Stream.runCollect,
    Effect.map((pages) => Array.from(pages).flatMap(({ items }) => items))
  )

const stateOf = ({ expiresAt, revokedAt, usedAt }: Token, now: number): string => {
  if (revokedAt !== null) return `revoked ${relative(Date.parse(revokedAt), now)}`
  if (usedAt !== null) return `used ${relative(Date.parse(usedAt), now)}`
  if (expiresAt === null) return "good for ever"
  const end = Date.parse(expiresAt)
  return end <= now ? `over ${relative(end, now)}` : `ends ${relative(end, now)}`
}

const scopeOf = ({ kind, namespaces, ownWorkers, workerId }: Token): string => {
  if (workerId !== null) return `worker ${workerId}`
  const parts = [...(namespaces ?? []), ...(ownWorkers && kind === "token" ? ["own workers"] : [])]
  return parts.length === 0 ? "all" : parts.join(", ")
}

const list = Command.make(
  "list",
  listParameters,
  Effect.fnUntraced(function* ({ json, kind, server }) {
    const tokens = yield* Effect.provide(readTokens(kind), serviceLayer(server))
    if (json) return yield* Console.log(JSON.stringify({ items: tokens }, undefined, 2))
    if (tokens.length === 0) return yield* Console.log("There is no token.")
    const { columns = Infinity, paint } = yield* terminalOutput
    const now = yield* Clock.currentTimeMillis
    yield* Console.log(
      textTable(
        ["ID", "KIND", "ROLE", "FOR", "LAST USED", "STATE", "NAME"],
        tokens.map((token) => [
          token.id,
          token.kind,
          token.kind === "join" || token.kind === "machine" ? "-" : token.role,
          scopeOf(token),
          token.lastUsedAt === null ? "never" : relative(Date.parse(token.lastUsedAt), now),
          stateOf(token, now),
          token.name
        ]),
        columns,
        paint
      )
    )
  })
).pipe(
  Command.withDescription("Lists tokens: what they are good for, until when, and when they were last used."),
  Command.withShortDescription("Lists tokens")
)

const idArgument = Argument.String("id").pipe(
  Argument.withMetavar("ID"),
  Argument.withDescription("The token's id, as muster tokens list shows it")
)

const rotate = Command.make(
  "rotate",
  {
    id: idArgument,
    grace: durationFlag("grace", "How long the secret before stays good; not at all if not given"),
    server: serverFlag,
    json: jsonFlag
  },
  ({ grace, id, json, server }) =>
    ask((api) =>
      api.access.rotateToken({
        params: { id },
        payload: Option.isNone(grace) ? {} : { grace: grace.value }
      })
    ).pipe(
      Effect.flatMap((created) =>
        tell(
          created,
          json,
          Option.match(grace, {
            onNone: () => "The secret before is no good any more.",
            onSome: (grace) =>
              `The secret before stays good for ${durationText(Duration.fromInputUnsafe(grace))}.`
          })
        )
      ),
      Effect.provide(serviceLayer(server))
    )
).pipe(
  Command.withDescription(
    "Gives a token another secret, under the same id: what was registered with it stays its own."
  ),
  Command.withShortDescription("Gives a token another secret"),
  Command.withExamples([
    {
      command: 'muster tokens rotate 8f14e45fceea167a --grace "1 hour" > autoscaler.token',
      description: "With time to tell its user"
    }
  ])
)

const revoke = Command.make(
  "revoke",
  {
    ids: idArgument.pipe(Argument.variadic({ min: 1 })),
    server: serverFlag
  },
  Effect.fnUntraced(function* ({ ids, server }) {
    const failed: Array<string> = []
    yield* Effect.forEach(
      ids,
      (id) =>
        ask((api) => api.access.revokeToken({ params: { id } })).pipe(
          Effect.matchEffect({
            onSuccess: () => Console.log(`${id} is revoked.`),
            onFailure: ({ message }) =>
              Effect.andThen(
                Effect.sync(() => failed.push(id)),
                Console.error(message)
              )
          })
        ),
      { discard: true }
    ).pipe(Effect.provide(serviceLayer(server)))
    if (failed.length > 0) {
      return yield* new NotAllDone({
        message: `${plural(failed.length, "token was", "tokens were")} not revoked.`
      })
    }
  })
).pipe(
  Command.withDescription(
    "Revokes tokens, at once: whoever has one cannot use it any more, and sessions of the console that began with it end."
  ),
  Command.withShortDescription("Revokes tokens")
)

const generate = Command.make("generate", {}, () =>
  Effect.suspend(() => Console.log(Redacted.value(newSecret().secret)))
).pipe(
  Command.withDescription(
    "Prints a new secret that no service knows yet, for MUSTER_OPERATOR_TOKEN_FILE. It asks nobody."
  ),
  Command.withShortDescription("Prints a secret for the first operator"),
  Command.withExamples([
    { command: "muster tokens generate > operator.token", description: "Before the first start" }
  ])
)

export const tokens = Command.make("tokens").pipe(
  Command.withDescription(
    "Makes, lists, rotates and revokes the tokens of a running service. It shows the service the operator's token that " +
      "MUSTER_TOKEN_FILE or MUSTER_TOKEN names; secrets are never given as arguments, which others on the machine can read."
  ),
  Command.withShortDescription("Makes, lists, rotates and revokes tokens"),
  Command.withSubcommands([list, create, join, rotate, revoke, generate])
)
