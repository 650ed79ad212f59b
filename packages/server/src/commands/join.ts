/**
 * `muster join`: a new machine registers itself, once.
 */
import { Worker, WorkerId } from "@muster/core"
import { Console, Effect, Layer, Option, Redacted, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { availableParallelism, hostname, totalmem } from "node:os"
import { joinTokenVariable, withToken } from "../client/ClientToken.ts"
import { ask, MusterClient } from "../client/MusterClient.ts"
import { serviceAddress } from "../client/ServiceAddress.ts"
import { plainHttpClient } from "../client/ServiceHttpClient.ts"
import { NotAllDone } from "../NotAllDone.ts"
import * as OutputFile from "../OutputFile.ts"
import { read } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { serverFlag } from "./service.ts"

const parameters = {
  id: Flag.String("id").pipe(
    Flag.withSchema(WorkerId),
    Flag.withMetavar("ID"),
    Flag.withDescription("The worker's id; the name of this machine if not given"),
    Flag.optional
  ),
  cpuCores: Flag.Finite("cpu-cores").pipe(
    Flag.withMetavar("CORES"),
    Flag.withDescription("Cores that it offers; all of this machine's if not given"),
    Flag.optional
  ),
  memoryMb: Flag.Int("memory-mb").pipe(
    Flag.withMetavar("MIB"),
    Flag.withDescription("Memory that it offers, in MiB; all of this machine's if not given"),
    Flag.optional
  ),
  label: Flag.KeyValuePair("label").pipe(
    Flag.withDescription("A label, as name=value; repeatable"),
    Flag.optional
  ),
  lease: Flag.String("lease").pipe(
    Flag.withMetavar("DURATION"),
    Flag.withDescription(
      'The worker counts as terminated when it sends no heartbeat for so long, such as "30 seconds"'
    ),
    Flag.optional
  ),
  credential: Flag.String("credential").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Where the credential is written, readable for this user alone")
  ),
  server: serverFlag,
  json: Flag.Boolean("json").pipe(
    Flag.withDescription("Prints what became of it as JSON; the credential is in its file alone"),
    Flag.withDefault(false)
  )
}

const failedToKeep = (path: string) =>
  Effect.mapError(
    ({ reason }: OutputFile.OutputError) =>
      new NotAllDone({ message: `The credential cannot be written to ${path}: ${reason}.` })
  )

export const join = Command.make(
  "join",
  parameters,
  Effect.fnUntraced(function* (flags) {
    const token = yield* read(joinTokenVariable)
    if (token === undefined) {
      return yield* new WrongUsage({
        message:
          "MUSTER_JOIN_TOKEN_FILE or MUSTER_JOIN_TOKEN must name the join token; muster tokens join makes one"
      })
    }
    const id = Option.getOrElse(flags.id, hostname)
    if (!Schema.is(WorkerId)(id)) {
      return yield* new WrongUsage({
        message: `This machine's name, ${id}, is no id of a worker: give one with --id`
      })
    }
    const worker = {
      id,
      capabilities: {
        cpuCores: Option.getOrElse(flags.cpuCores, availableParallelism),
        memoryMb: Option.getOrElse(flags.memoryMb, () => Math.floor(totalmem() / 2 ** 20))
      },
      metadata: { labels: Option.getOrElse(flags.label, (): Record<string, string> => ({})) },
      ...(Option.isNone(flags.lease) ? undefined : { leaseTtl: flags.lease.value })
    }
    yield* Effect.mapError(Worker.decode(worker), ({ message }) => new WrongUsage({ message }))
    const client = MusterClient.layer(yield* serviceAddress(flags.server)).pipe(
      Layer.provide(withToken(Redacted.make(token))),
      Layer.provide(plainHttpClient)
    )
    const joined = yield* Effect.scoped(
      Effect.gen(function* () {
        // Opened first: where the credential cannot be kept, the token must not be used up.
        const kept = failedToKeep(flags.credential)
        const file = yield* kept(OutputFile.open(flags.credential, { mode: 0o600 }))
        const joined = yield* Effect.provide(
          ask((api) => api.access.join({ payload: worker })),
          client
        )
        const { credential, ...told } = joined
        yield* kept(file.write(new TextEncoder().encode(`${credential}\n`)))
        yield* kept(file.complete)
        return told
      })
    )
    if (flags.json) return yield* Console.log(JSON.stringify(joined, undefined, 2))
    yield* Console.log(`${id} joined, and is ${joined.phase}. Its credential is in ${flags.credential}.`)
  })
).pipe(
  Command.withDescription(
    "Registers this machine as a worker, with a join token that is used up by it, and keeps the credential with which it " +
      "sends its heartbeats and its termination."
  ),
  Command.withShortDescription("Registers this machine, with a join token"),
  Command.withExamples([
    {
      command:
        "MUSTER_JOIN_TOKEN_FILE=join.token muster join --server https://muster.internal:7070 --credential worker.token",
      description: "With all that this machine has"
    }
  ])
)
