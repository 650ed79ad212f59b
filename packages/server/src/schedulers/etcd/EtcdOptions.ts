/**
 * How etcd is spoken to, and the rules for it.
 */
import { Duration, Effect, type Redacted } from "effect"
import { InvalidSchedulerOptions } from "../InvalidSchedulerOptions.ts"
import type { TlsOptions } from "../grpc/ChannelTls.ts"

/** Who Muster is to an etcd that asks. */
export interface EtcdUser {
  readonly name: string
  /** Itself, or the file that it stands in, which is read whenever Muster signs in. */
  readonly password: Redacted.Redacted | { readonly file: string }
}

export interface EtcdOptions {
  /**
   * Where etcd is: `HOST:PORT`, `[IPv6]:PORT`. Several are members of one cluster: one is spoken to until it cannot be
   * reached, then the next.
   */
  readonly addresses: ReadonlyArray<string>
  /** What all keys begin with, taken as it is; it must not end with a slash. 1–500 characters. Default `"/muster"`. */
  readonly prefix?: string | undefined
  /** Encrypts; default: not at all. */
  readonly tls?: TlsOptions | undefined
  /** Default: nobody, which an etcd without authentication takes. */
  readonly user?: EtcdUser | undefined
  /**
   * For how long workers stay in etcd when Muster is away; from 5 seconds to 365 days, in whole seconds, rounded up.
   * Default: for ever.
   */
  readonly lease?: Duration.Input | undefined
  /**
   * For how long the generation of an unregistered worker is remembered, at least, and at most twice as long; from 1
   * minute to 365 days. Default 1 hour.
   */
  readonly tombstones?: Duration.Input | undefined
  /** The server's `--max-txn-ops`, an integer ≥ 3. Default 128. One that is lower than this is found out. */
  readonly maxTxnOps?: number | undefined
  /** The server's `--max-request-bytes`, an integer ≥ 4096. Default 1.5 MiB. One that is lower is found out. */
  readonly maxRequestBytes?: number | undefined
}

export interface EtcdSettings {
  readonly prefix: string
  /** In seconds. */
  readonly lease: number | undefined
  /** In seconds. */
  readonly tombstones: number
  readonly maxTxnOps: number
  readonly maxRequestBytes: number
}

const longest = Duration.days(365)

/** The options with their defaults, or what is wrong with them. */
export const resolveOptions = (options: EtcdOptions): Effect.Effect<EtcdSettings, InvalidSchedulerOptions> =>
  Effect.gen(function* () {
    const { maxRequestBytes = 1.5 * 2 ** 20, maxTxnOps = 128, prefix = "/muster" } = options
    if (options.addresses.length === 0) return yield* invalid("etcd needs at least one address")
    if (prefix === "" || prefix.length > 500 || prefix.endsWith("/")) {
      return yield* invalid("the prefix of etcd's keys has 1 to 500 characters, and no slash at its end")
    }
    return {
      prefix,
      lease: options.lease === undefined ? undefined : yield* seconds("lease", options.lease, "5 seconds"),
      tombstones: yield* seconds("tombstones", options.tombstones ?? "1 hour", "1 minute"),
      maxTxnOps: yield* atLeast("maxTxnOps", maxTxnOps, 3),
      maxRequestBytes: yield* atLeast("maxRequestBytes", maxRequestBytes, 4096)
    }
  })

const seconds = (name: string, input: Duration.Input, shortest: `${number} ${"seconds" | "minute"}`) => {
  const duration = Duration.fromInputUnsafe(input)
  return Duration.between(duration, { minimum: Duration.fromInputUnsafe(shortest), maximum: longest })
    ? Effect.succeed(Math.ceil(Duration.toSeconds(duration)))
    : invalid(`${name} of etcd must be from ${shortest} to ${Duration.toDays(longest)} days`)
}

const atLeast = (name: string, value: number, minimum: number) =>
  Number.isSafeInteger(value) && value >= minimum
    ? Effect.succeed(value)
    : invalid(`${name} of etcd must be a whole number, ${minimum} or more`)

const invalid = (message: string) => Effect.fail(new InvalidSchedulerOptions({ message }))
