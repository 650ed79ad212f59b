/**
 * `muster scheduler`: the reference scheduler as a process of its own, over gRPC, with flaws to order.
 */
import { Duration, Effect, Option, Schema } from "effect"
import { Command, Flag } from "effect/cli"
import { parseAnyDuration } from "../DurationText.ts"
import { Port } from "./Port.ts"
import { schedulerStatus } from "./schedulerStatus.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { serviceLogger } from "./serviceLogger.ts"

export const defaultSchedulerPort = 7071

const durationRule = `a duration such as 20ms, 1.5s or "2 minutes"`

const shareRule = "a share from 0 to 1"
const Share = Schema.Finite.check(Schema.isBetween({ minimum: 0, maximum: 1 }, { expected: shareRule }))

const rateRule = "a whole number, 1 or more"
const Rate = Schema.Finite.check(
  Schema.isInt({ expected: rateRule }),
  Schema.isGreaterThanOrEqualTo(1, { expected: rateRule })
)

const file = (name: string, description: string) =>
  Flag.String(name).pipe(Flag.withMetavar("FILE"), Flag.withDescription(description), Flag.optional)

const flags = {
  host: Flag.String("host").pipe(
    Flag.withMetavar("HOST"),
    Flag.withDescription("The address to listen on; 127.0.0.1 if not given"),
    Flag.withDefault("127.0.0.1")
  ),
  port: Flag.Int("port").pipe(
    Flag.withSchema(Port),
    Flag.withMetavar("PORT"),
    Flag.withDescription(`The port to listen on, 0 for any free one; ${defaultSchedulerPort} if not given`),
    Flag.withDefault(defaultSchedulerPort)
  ),
  latency: Flag.String("latency").pipe(
    Flag.filterMap(parseAnyDuration, () => `Expected ${durationRule}`),
    Flag.withMetavar("DURATION"),
    Flag.withDescription("How much longer every call takes, such as 20ms"),
    Flag.withDefault(Duration.zero)
  ),
  failRate: Flag.Finite("fail-rate").pipe(
    Flag.withSchema(Share),
    Flag.withMetavar("SHARE"),
    Flag.withDescription(
      "The share of registrations and unregistrations that fail as unavailable, from 0 to 1"
    ),
    Flag.withDefault(0)
  ),
  rejectRate: Flag.Finite("reject-rate").pipe(
    Flag.withSchema(Share),
    Flag.withMetavar("SHARE"),
    Flag.withDescription("The share of registrations that are refused for good, from 0 to 1"),
    Flag.withDefault(0)
  ),
  maxRate: Flag.Int("max-rate").pipe(
    Flag.withSchema(Rate),
    Flag.withMetavar("N"),
    Flag.withDescription(
      "The most registrations and unregistrations a second, each member of a batch counted; the others are told when to come again"
    ),
    Flag.optional
  ),
  tlsCert: file("tls-cert", "TLS: a file with its certificate, in PEM; read again when it changes"),
  tlsKey: file("tls-key", "TLS: a file with the certificate's private key, in PEM"),
  tlsClientCa: file(
    "tls-client-ca",
    "Mutual TLS: a file with the CA, in PEM, that has to have signed the certificate of every client"
  ),
  state: Flag.String("state").pipe(
    Flag.withMetavar("FILE"),
    Flag.withDescription("Where its memory is kept; .muster/scheduler-PORT.ndjson if not given"),
    Flag.optional
  ),
  amnesia: Flag.Boolean("amnesia").pipe(
    Flag.withDescription("Starts empty, and forgets everything when it ends"),
    Flag.withDefault(false)
  )
}

const tlsFile = (name: string, path: Option.Option<string>) =>
  Option.getOrUndefined(Option.map(path, (path) => ({ name, path })))

export const scheduler = Command.make(
  "scheduler",
  flags,
  Effect.fnUntraced(function* (given) {
    const { amnesia, host, maxRate, port, state, tlsCert, tlsClientCa, tlsKey, ...flaws } = given
    if (Option.isSome(tlsCert) !== Option.isSome(tlsKey)) {
      return yield* new WrongUsage({ message: "--tls-cert and --tls-key go together" })
    }
    if (Option.isSome(tlsClientCa) && Option.isNone(tlsCert)) {
      return yield* new WrongUsage({ message: "--tls-client-ca needs --tls-cert and --tls-key" })
    }
    const { runReferenceScheduler } = yield* Effect.promise(() => import("../ReferenceScheduler.ts"))
    yield* runReferenceScheduler({
      host,
      port,
      state: amnesia ? undefined : Option.getOrElse(state, () => `.muster/scheduler-${port}.ndjson`),
      tls: Option.isNone(tlsCert)
        ? undefined
        : {
            cert: tlsFile("--tls-cert", tlsCert),
            key: tlsFile("--tls-key", tlsKey),
            ca: tlsFile("--tls-client-ca", tlsClientCa)
          },
      flaws: { ...flaws, maxRate: Option.getOrUndefined(maxRate) }
    }).pipe(Effect.scoped, Effect.provide(serviceLogger))
  })
).pipe(
  Command.withDescription(
    "Runs the reference scheduler, which holds workers and gives them no jobs, and serves muster.scheduler.v1 over " +
      "gRPC: to try Muster without a scheduler of one's own, and to see what Muster does with one that misbehaves."
  ),
  Command.withShortDescription("Runs the reference scheduler; status: looks at the one of a running service"),
  Command.withSubcommands([schedulerStatus]),
  Command.withExamples([
    {
      command: "muster scheduler",
      description: `A scheduler for muster serve --scheduler grpc://127.0.0.1:${defaultSchedulerPort}`
    },
    {
      command: "muster scheduler --latency 20ms --fail-rate 0.05 --max-rate 500",
      description: "A slow, flaky one with a limit"
    }
  ])
)
