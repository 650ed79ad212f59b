/**
 * The checks of `muster doctor`, in their order, and what each of them needs to know.
 */
import { SchedulerPort } from "@muster/core"
import { Clock, Effect, Layer } from "effect"
import type { HttpClient } from "effect/http"
import { createServer } from "node:net"
import type { Configuration } from "../configuration/Configuration.ts"
import { withoutSecrets } from "../configuration/Redaction.ts"
import { CannotListen } from "../http/CannotListen.ts"
import { defaultScheduler, schedulerLayer } from "../Schedulers.ts"
import { storeKind } from "../store/Stores.ts"
import { checkClusterOf } from "./ClusterServers.ts"
import { clockByItself } from "./ClockDifference.ts"
import { type Finding, ok, problem, warning } from "./Finding.ts"
import { checkDisk, checkFolder, checkNode, checkOpenFiles } from "./Machine.ts"
import { checkSchedulerOf, checkService, healthFinding } from "./RunningService.ts"

export interface Check {
  readonly name: string
  readonly run: Effect.Effect<ReadonlyArray<Finding>, never, HttpClient.HttpClient>
}

/** What the service here is, or would be. */
export interface Situation {
  /** The address of the service to ask. */
  readonly address: string
  /** Whether it is that of this machine; otherwise only the service is asked. */
  readonly isLocal: boolean
  readonly host: string
  readonly port: number
  readonly store: string
  readonly scheduler: string
  readonly slurmConf: string | undefined
  readonly configuration: Configuration
}

/** The first check finds out whether a service runs; those after it go by that. */
export const checksFor = (situation: Situation): ReadonlyArray<Check> => {
  const { address, isLocal } = situation
  let isRunning = false
  const service: Check = {
    name: "service",
    run: Effect.map(isLocal && situation.port === 0 ? nowhere : checkService(address), (findings) => {
      isRunning =
        (!isLocal || situation.port !== 0) &&
        findings?.some(({ severity }) => severity !== "problem") === true
      if (findings !== undefined) return findings
      const message = `no service answers at ${address}`
      return [
        isLocal
          ? ok(`${message}: start it with muster serve`)
          : problem(message, "Start it, or look at the address.")
      ]
    })
  }
  const scheduler: Check = {
    name: "scheduler",
    run: Effect.suspend(() => {
      if (isRunning) return checkSchedulerOf(address)
      return isLocal ? checkScheduler(situation) : Effect.succeed([])
    })
  }
  const cluster: Check = {
    name: "cluster",
    run: Effect.suspend(() => (isRunning ? checkClusterOf(address) : Effect.succeed([])))
  }
  if (!isLocal) return [service, cluster, scheduler]
  return [
    { name: "node", run: checkNode },
    { name: "configuration", run: Effect.succeed(checkConfiguration(situation.configuration)) },
    service,
    cluster,
    { name: "port", run: Effect.suspend(() => (isRunning ? Effect.succeed([]) : checkPort(situation))) },
    ...storeChecks(situation.store),
    scheduler,
    { name: "clock", run: Effect.map(Clock.currentTimeMillis, (now) => [clockByItself(now)]) },
    { name: "open files", run: checkOpenFiles }
  ]
}

/** Port 0 says nothing of where a service is that runs. */
const nowhere = Effect.succeed([
  ok("a service here takes any port that is free: where one runs, name it with --server")
])

const checkConfiguration = ({ problems, settings, warnings }: Configuration): ReadonlyArray<Finding> => [
  ...problems.map((message) => problem(message, "Change it; muster config shows every value.")),
  ...warnings.map((message) => warning(message, "Correct it, or unset it.")),
  ...(problems.length + warnings.length > 0
    ? []
    : [
        ok(
          `${settings.filter(({ source }) => source !== "default").length} values are set, and all are valid`
        )
      ])
]

/** Opens the port for a moment. */
const checkPort = ({ host, port }: Situation): Effect.Effect<ReadonlyArray<Finding>> =>
  port === 0
    ? Effect.succeed([ok("any port that is free is taken")])
    : Effect.callback<ReadonlyArray<Finding>>((resume) => {
        const server = createServer()
        server.once("error", (cause) => {
          const { message } = CannotListen.from(host, port, cause)
          resume(
            Effect.succeed([
              problem(message.replace(/\.$/, ""), "Stop what has it, or say another with --port.")
            ])
          )
        })
        server.listen(port, host, () =>
          server.close(() => resume(Effect.succeed([ok(`${host}:${port} is free`)])))
        )
        return Effect.sync(() => server.close())
      })

const storeChecks = (store: string): ReadonlyArray<Check> => {
  const ofKind = (checks: Readonly<Record<"file" | "postgres" | "memory", Check["run"]>>): Check["run"] =>
    Effect.matchEffect(storeKind(store), {
      onSuccess: (kind) => checks[kind],
      // The configuration's check has said so.
      onFailure: () => Effect.succeed([])
    })
  const nothing = Effect.succeed([])
  return [
    {
      name: "store",
      run: ofKind({
        memory: Effect.succeed([
          warning(
            "the store is in memory, and forgets everything with the process",
            "Name a file with --store."
          )
        ]),
        file: Effect.flatMap(
          Effect.promise(() => import("./FileStore.ts")),
          ({ checkFileStore }) => checkFileStore(store)
        ),
        postgres: Effect.flatMap(
          Effect.promise(() => import("./PostgresStore.ts")),
          ({ checkPostgresStore }) => checkPostgresStore(store)
        )
      })
    },
    { name: "folder", run: ofKind({ memory: nothing, postgres: nothing, file: checkFolder(store) }) },
    { name: "disk", run: ofKind({ memory: nothing, postgres: nothing, file: checkDisk(store) }) }
  ]
}

/** Asks the scheduler itself how it is. Nothing is registered. */
const checkScheduler = ({ scheduler: spec, slurmConf }: Situation): Effect.Effect<ReadonlyArray<Finding>> => {
  if (spec === defaultScheduler) return Effect.succeed([ok("embedded: it lives and ends with the service")])
  const name = withoutSecrets(spec)
  return Effect.gen(function* () {
    const { health } = yield* SchedulerPort
    if (health === undefined) return [ok(`${name} cannot say how it is`)]
    const began = yield* Clock.currentTimeMillis
    const found = yield* health
    return [healthFinding(name, found, (yield* Clock.currentTimeMillis) - began)]
  }).pipe(
    Effect.provide(Layer.fresh(schedulerLayer(spec, { slurmConf }))),
    Effect.catch((error) =>
      Effect.succeed([
        problem(
          `${name}: ${withoutSecrets(error.message)}`,
          "Look whether it runs, and whether its address and certificates are right."
        )
      ])
    )
  )
}
