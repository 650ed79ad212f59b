/**
 * From the value of `--scheduler` to the scheduler it names. Every command that drives a scheduler itself goes
 * through here, so that all of them know the same ones. An adapter is loaded when it is named.
 */
import { EmbeddedScheduler, SchedulerPort } from "@muster/core"
import { Effect, Layer, Option, Redacted, Schema } from "effect"
import type { EtcdUser } from "./schedulers/Etcd.ts"
import type { TlsOptions } from "./schedulers/Grpc.ts"
import type { InvalidSchedulerOptions } from "./schedulers/InvalidSchedulerOptions.ts"
import { schedulerVariables } from "./SchedulerVariables.ts"
import type { TlsFile } from "./tls/TlsFiles.ts"
import { originOf, read, textOf } from "./Variables.ts"
import { WrongUsage } from "./WrongUsage.ts"

/** The scheduler that is used where none is named. */
export const defaultScheduler = "embedded"

/** What can be said of a scheduler beside its name. */
export interface SchedulerSettings {
  /** Of `slurm`: the path of slurm.conf. Default: `SLURM_CONF`, then where Slurm's own clients look for it. */
  readonly slurmConf?: string | undefined
}

/** What `--slurm-conf` is for, as the commands' help says it. */
export const slurmConfDescription =
  "With --scheduler slurm: the cluster's slurm.conf (SLURM_CONF); where Slurm looks for it if not given"

/**
 * The scheduler that `spec` names: `embedded`, which lives in this process and forgets with it, `slurm`,
 * `grpc://HOST:PORT[,HOST:PORT…]`, `etcd://HOST:PORT[,HOST:PORT…][/PREFIX][?lease=…]`, `hodei://…` or `hodei+hwp://…`,
 * with an `s` before `://` (`grpcs`) or the `+` (`hodeis+hwp`) for TLS. Building the layer fails with
 * {@link WrongUsage} for anything else, and for settings that make no sense.
 *
 * @example
 * ```ts
 * import { WorkerRegistration } from "@muster/core"
 * import { Layer } from "effect"
 * import { schedulerLayer } from "./Schedulers.ts"
 *
 * const registration = WorkerRegistration.layer.pipe(Layer.provide(schedulerLayer("grpc://127.0.0.1:7071")))
 * ```
 */
export const schedulerLayer = (
  spec: string,
  { slurmConf }: SchedulerSettings = {}
): Layer.Layer<SchedulerPort, WrongUsage> => Layer.unwrap(resolveScheduler(spec, { slurmConf }))

/** The same, as far as it can be said without building it: whether `spec` and its variables make sense. */
export const resolveScheduler = (
  spec: string,
  { slurmConf }: SchedulerSettings = {}
): Effect.Effect<Layer.Layer<SchedulerPort, WrongUsage>, WrongUsage> => {
  if (spec === "slurm") return slurm(slurmConf)
  if (slurmConf !== undefined) return refuse("--slurm-conf is for --scheduler slurm")
  if (spec === defaultScheduler) return Effect.succeed(EmbeddedScheduler.layer)
  const [, scheme = "", rest = ""] = /^([a-z+]+):\/\/(.*)$/.exec(spec) ?? []
  const adapter = adapters.get(scheme)
  return adapter === undefined
    ? refuse(
        `--scheduler (MUSTER_SCHEDULER) ${quoted(spec)} is not supported: this version of muster has ${known}`
      )
    : adapter(rest, spec)
}

/** From what stands after the `//` to the scheduler. */
type Adapter = (
  rest: string,
  spec: string
) => Effect.Effect<Layer.Layer<SchedulerPort, WrongUsage>, WrongUsage>

/** Where a scheduler on the network is, and how it is spoken to. */
interface Endpoint {
  readonly addresses: ReadonlyArray<string>
  readonly tls: TlsOptions | undefined
}

/** A scheduler of which nothing but addresses stands after the `//`. */
const at =
  (
    make: (
      endpoint: Endpoint,
      spec: string
    ) => Effect.Effect<Layer.Layer<SchedulerPort, InvalidSchedulerOptions>, WrongUsage>
  ) =>
  (isEncrypted: boolean): Adapter =>
  (rest, spec) =>
    Effect.gen(function* () {
      const addresses = yield* parseAddresses(rest, spec)
      const tls = isEncrypted ? yield* tlsFromVariables : undefined
      return invalidOptionsAreUsage(yield* make({ addresses, tls }, spec))
    })

const grpc = at((endpoint) =>
  Effect.map(
    Effect.promise(() => import("./schedulers/Grpc.ts")),
    ({ layer }) => layer(endpoint)
  )
)

const hodei = at(
  Effect.fnUntraced(function* (endpoint) {
    const token = yield* tokenFromVariables
    const { layer } = yield* Effect.promise(() => import("./schedulers/Hodei.ts"))
    return layer({ ...endpoint, token })
  })
)

const hwp = at(
  Effect.fnUntraced(function* (endpoint, spec) {
    if ((yield* tokenFromVariables) !== undefined) {
      return yield* new WrongUsage({
        message: `--scheduler (MUSTER_SCHEDULER) ${quoted(spec)} takes no tokens: MUSTER_HODEI_TOKEN_FILE and MUSTER_HODEI_TOKEN_COMMAND are for hodei://`
      })
    }
    const unregister = yield* read(schedulerVariables.hwpUnregister)
    const { layerHwp } = yield* Effect.promise(() => import("./schedulers/Hodei.ts"))
    return layerHwp({ ...endpoint, unregister })
  })
)

const etcd =
  (isEncrypted: boolean): Adapter =>
  (rest, spec) =>
    Effect.gen(function* () {
      const { parseEtcdAddress } = yield* Effect.promise(() => import("./schedulers/etcd/EtcdAddress.ts"))
      const { layer } = yield* Effect.promise(() => import("./schedulers/Etcd.ts"))
      const { hosts, ...options } = yield* Effect.mapError(
        Effect.fromResult(parseEtcdAddress(rest)),
        (rule) => new WrongUsage({ message: `--scheduler (MUSTER_SCHEDULER) ${quoted(spec)}: ${rule}` })
      )
      const addresses = yield* parseAddresses(hosts, spec)
      const tls = isEncrypted ? yield* tlsFromVariables : undefined
      const user = yield* userFromVariables
      return invalidOptionsAreUsage(layer({ addresses, tls, user, ...options }))
    })

const slurm = (conf: string | undefined) =>
  Effect.gen(function* () {
    const inherited = yield* read(schedulerVariables.slurmConf)
    const { layer } = yield* Effect.promise(() => import("./schedulers/Slurm.ts"))
    return layer({ conf: conf ?? inherited }).pipe(
      Layer.catchTag("InvalidSlurmOptions", ({ message, option }) =>
        Layer.effect(
          SchedulerPort,
          refuse(`${option === "conf" ? "--slurm-conf (SLURM_CONF)" : "--scheduler slurm:"} ${message}`)
        )
      )
    )
  })

const adapters: ReadonlyMap<string, Adapter> = new Map([
  ["grpc", grpc(false)],
  ["grpcs", grpc(true)],
  ["etcd", etcd(false)],
  ["etcds", etcd(true)],
  ["hodei", hodei(false)],
  ["hodeis", hodei(true)],
  ["hodei+hwp", hwp(false)],
  ["hodeis+hwp", hwp(true)]
])

const known = `"${defaultScheduler}", "slurm", grpc://HOST:PORT, etcd://HOST:PORT, hodei://HOST:PORT and hodei+hwp://HOST:PORT (with TLS: grpcs, etcds, hodeis and hodeis+hwp)`

/** A user and a password have no place in it; where they were given all the same, they are not repeated. */
const quoted = (spec: string) => JSON.stringify(spec.replace(/\/\/.*@/, "//…@").slice(0, 100))

const refuse = (message: string) => Effect.fail(new WrongUsage({ message }))

const invalidOptionsAreUsage = <A>(
  layer: Layer.Layer<A, InvalidSchedulerOptions>
): Layer.Layer<A, WrongUsage> =>
  Layer.catchTag(layer, "InvalidSchedulerOptions", ({ message }) =>
    Layer.unwrap(Effect.fail(new WrongUsage({ message: `--scheduler (MUSTER_SCHEDULER): ${message}` })))
  )

const addressPattern = /^(?:\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+):(\d{1,5})$/

/** `HOST:PORT`, or several of them with commas between. */
const parseAddresses = (rest: string, spec: string): Effect.Effect<ReadonlyArray<string>, WrongUsage> => {
  const addresses = rest.split(",")
  const isAddress = (address: string) => {
    const port = Number(addressPattern.exec(address)?.[1] ?? 0)
    return port >= 1 && port <= 65_535
  }
  return addresses.every(isAddress)
    ? Effect.succeed(addresses)
    : Effect.fail(
        new WrongUsage({
          message: `--scheduler (MUSTER_SCHEDULER) ${quoted(spec)}: after :// comes HOST:PORT, or several with commas between`
        })
      )
}

/** `MUSTER_SCHEDULER_CA`, `_CERT` and `_KEY` name files, PEM; `_SERVER_NAME` is the name in the certificate. */
const tlsFromVariables = Effect.gen(function* (): Effect.fn.Return<TlsOptions, WrongUsage> {
  const { tlsFilesFrom } = yield* Effect.promise(() => import("./tls/TlsVariables.ts"))
  const { files } = yield* tlsFilesFrom(schedulerVariables)
  const pem = (file: TlsFile | undefined) => file && { file: file.path, name: file.name }
  return {
    ca: pem(files.ca),
    cert: pem(files.cert),
    key: pem(files.key),
    serverName: yield* read(schedulerVariables.serverName)
  }
})

/**
 * Where Hodei's tokens come from: `MUSTER_HODEI_TOKEN_FILE` names a file; `MUSTER_HODEI_TOKEN_COMMAND` is a program and
 * its arguments, with spaces between, or as an array in JSON.
 */
const tokenFromVariables = Effect.gen(function* () {
  const file = yield* read(schedulerVariables.tokenFile)
  const command = yield* read(schedulerVariables.tokenCommand)
  if (file !== undefined && command !== undefined) {
    return yield* new WrongUsage({
      message: "MUSTER_HODEI_TOKEN_FILE and MUSTER_HODEI_TOKEN_COMMAND exclude each other"
    })
  }
  if (file !== undefined) return { file }
  return command === undefined ? undefined : { command: yield* parseCommand(command) }
})

const parseCommand = (text: string) =>
  (text.startsWith("[") ? decodeCommand(text) : Option.some(text.trim().split(/\s+/))).pipe(
    Option.flatMap(([program = "", ...args]) =>
      program === "" ? Option.none() : Option.some([program, ...args] as const)
    ),
    Effect.fromOption,
    Effect.mapError(
      () =>
        new WrongUsage({
          message: `MUSTER_HODEI_TOKEN_COMMAND must be a program and its arguments, with spaces between or as ["an", "array", "in JSON"]`
        })
    )
  )

const decodeCommand = Schema.decodeUnknownOption(Schema.fromJsonString(Schema.Array(Schema.String)))

/**
 * `MUSTER_SCHEDULER_USER`, and its password in `_PASSWORD` or in the file that `_PASSWORD_FILE` names. That file is
 * read when Muster signs in, so that a new password needs no restart.
 */
const userFromVariables = Effect.gen(function* (): Effect.fn.Return<EtcdUser | undefined, WrongUsage> {
  const name = yield* read(schedulerVariables.user)
  const password = yield* originOf(schedulerVariables.password)
  if (name === undefined && password === undefined) return undefined
  if (name === undefined || password === undefined) {
    return yield* new WrongUsage({
      message:
        "MUSTER_SCHEDULER_USER goes together with MUSTER_SCHEDULER_PASSWORD or MUSTER_SCHEDULER_PASSWORD_FILE"
    })
  }
  if (password._tag === "Environment") return { name, password: Redacted.make(password.text) }
  // Whether it can be read is better known now than later.
  yield* textOf(schedulerVariables.password)
  return { name, password: { file: password.path } }
})
