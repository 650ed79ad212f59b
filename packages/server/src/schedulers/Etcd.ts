/**
 * etcd as the scheduler's registry: for the many schedulers that watch a prefix of etcd for the workers that there
 * are. docs/schedulers/etcd.md describes the keys and tells how to use it.
 */
import {
  type BatchMember,
  type CallOptions,
  type HeldWorker,
  RegistrationConfig,
  type SchedulerError,
  SchedulerFault,
  SchedulerPort,
  type Worker,
  type WorkerId
} from "@muster/core"
import { type Duration, Effect, Layer, Option, Result, Stream } from "effect"
import { type KeyValue, KVService, type RangeResponse, type TxnResponse } from "./generated/etcd/etcd.ts"
import { type EtcdCall, makeEtcdCall } from "./etcd/EtcdClient.ts"
import { hasTooManyOps, isFull, isTooLarge, toSchedulerError } from "./etcd/EtcdError.ts"
import { healthOf } from "./etcd/EtcdHealth.ts"
import { EtcdLayout } from "./etcd/EtcdLayout.ts"
import { makeKeptLease, makePassingLease, noLease, withLease } from "./etcd/EtcdLeases.ts"
import { type EtcdOptions, type EtcdSettings, type EtcdUser, resolveOptions } from "./etcd/EtcdOptions.ts"
import { type Chunk, planTxns, TxnLimits } from "./etcd/TxnPlan.ts"
import {
  batchTxn,
  outcomeOf,
  rangeRequest,
  type Registration,
  registrationTxn,
  removalTxn,
  toRegistration,
  unregistrationTxn
} from "./etcd/WorkerTxn.ts"
import type { Pem, TlsOptions } from "./grpc/ChannelTls.ts"
import type { GrpcStatus } from "./grpc/GrpcStatus.ts"
import { InvalidSchedulerOptions } from "./InvalidSchedulerOptions.ts"

export { type EtcdOptions, type EtcdUser, InvalidSchedulerOptions, type Pem, type TlsOptions }

/**
 * etcd as a {@link SchedulerPort} with all of its optional parts. Fails with options that make no sense; that etcd
 * is away is no failure of the layer. Without a lease nothing is connected until the first call; with one, it is
 * granted and kept alive from the beginning. A call's deadline is the `attemptTimeout` of {@link RegistrationConfig}.
 *
 * @example
 * ```ts
 * import { WorkerRegistration } from "@muster/core"
 * import * as Etcd from "@muster/server/schedulers/Etcd"
 * import { Layer } from "effect"
 *
 * const registration = WorkerRegistration.layer.pipe(
 *   Layer.provide(Etcd.layer({ addresses: ["etcd-1:2379", "etcd-2:2379"], prefix: "/ci", lease: "5 minutes" }))
 * )
 * ```
 */
export const layer = (options: EtcdOptions): Layer.Layer<SchedulerPort, InvalidSchedulerOptions> =>
  Layer.effect(
    SchedulerPort,
    Effect.gen(function* () {
      const settings = yield* resolveOptions(options)
      const { attemptTimeout: timeout } = yield* RegistrationConfig
      const { addresses, tls, user } = options
      const call = yield* makeEtcdCall({ addresses, tls, timeout }, user)
      return yield* makePort(call, settings, timeout)
    })
  )

/** How many workers a page of the list holds, unless they are very large. */
const workersOfPage = 1000

/** How many transactions of one batch are under way at the same time. */
const txnsAtOnce = 4

const makePort = Effect.fnUntraced(function* (
  call: EtcdCall,
  { lease, maxRequestBytes, maxTxnOps, prefix, tombstones }: EtcdSettings,
  timeout: Duration.Duration
) {
  const layout = new EtcdLayout(prefix)
  const limits = new TxnLimits(maxTxnOps, maxRequestBytes)
  const workerLease = lease === undefined ? noLease : yield* makeKeptLease(call, prefix, lease)
  const tombstoneLease = yield* makePassingLease(call, tombstones)

  const fail = (status: GrpcStatus): Effect.Effect<never, SchedulerError> =>
    Effect.fail(toSchedulerError(status, timeout))

  /** The answer to a change of one worker, by itself. */
  const settle = (
    answer: Effect.Effect<TxnResponse, GrpcStatus>,
    generation: number
  ): Effect.Effect<void, SchedulerError> =>
    answer.pipe(
      Effect.catch(fail),
      Effect.flatMap((answer) => Effect.fromResult(outcomeOf(answer, generation)))
    )

  const register = (worker: Worker, { generation }: CallOptions) =>
    Effect.suspend(() => {
      const registration = toRegistration(layout, { worker, generation })
      const answer = withLease(workerLease, (lease) =>
        call(KVService.txn, registrationTxn(registration, lease))
      )
      return settle(answer, generation)
    })

  const unregister = (workerId: WorkerId, options: CallOptions) => {
    const answer = withLease(tombstoneLease, (lease) =>
      call(KVService.txn, unregistrationTxn(layout, workerId, options, lease))
    )
    // What cannot be written down when etcd is full is done all the same; the call still fails, and is made again.
    const removal = call(KVService.txn, removalTxn(layout, workerId, options))
    return settle(
      Effect.tapError(answer, (status) => (isFull(status) ? Effect.ignore(removal) : Effect.void)),
      options.generation
    )
  }

  const sendTogether = (chunk: Chunk): Effect.Effect<ReadonlyArray<Outcome>, GrpcStatus> =>
    withLease(workerLease, (lease) => call(KVService.txn, batchTxn(chunk, lease))).pipe(
      Effect.map(({ responses }) =>
        chunk.map(({ generation }, index) => {
          const response = responses[index]?.response
          return response?.$case === "txn" ? outcomeOf(response.value, generation) : noOutcome
        })
      )
    )

  /** The outcomes of a chunk, in its order. One that is too much for etcd, or refused for one of many, is halved. */
  const send = (chunk: Chunk): Effect.Effect<ReadonlyArray<Outcome>> =>
    Effect.catch(sendTogether(chunk), (status) => {
      if (hasTooManyOps(status)) limits.tooMany(chunk.length)
      const error = toSchedulerError(status, timeout)
      if (error._tag === "SchedulerRejected" && chunk.length > 1) {
        const half = Math.ceil(chunk.length / 2)
        const halves = [chunk.slice(0, half), chunk.slice(half)]
        return Effect.map(Effect.forEach(halves, send), (outcomes) => outcomes.flat())
      }
      return Effect.succeed(chunk.map(() => Result.fail(error)))
    })

  const registerBatch = Effect.fnUntraced(function* (members: ReadonlyArray<BatchMember>) {
    const registrations = members.map((member) => toRegistration(layout, member))
    const outcomes = new Map<Registration, Outcome>()
    for (const wave of planTxns(registrations, limits)) {
      yield* Effect.forEach(
        wave,
        (chunk) =>
          Effect.map(send(chunk), (sent) => {
            for (const [index, outcome] of sent.entries()) {
              const registration = chunk[index]
              if (registration !== undefined) outcomes.set(registration, outcome)
            }
          }),
        { concurrency: txnsAtOnce, discard: true }
      )
    }
    return registrations.map((registration) => outcomes.get(registration) ?? noOutcome)
  })

  const get = (workerId: WorkerId): Effect.Effect<Option.Option<HeldWorker>, SchedulerError> =>
    call(KVService.range, rangeRequest({ key: layout.workerKey(workerId) })).pipe(
      Effect.catch(fail),
      Effect.flatMap(({ kvs: [found] }): Effect.Effect<Option.Option<HeldWorker>, SchedulerError> => {
        if (found === undefined) return Effect.succeedNone
        const held = layout.heldWorker(found)
        return Option.isSome(held)
          ? Effect.succeed(held)
          : Effect.fail(new SchedulerFault({ message: notAWorker(workerId), retryable: false }))
      })
    )

  /** The next page, of at most `limit` workers; of fewer where those are too large for one answer. */
  const readPage = (page: Page): Effect.Effect<{ page: Page; answer: RangeResponse }, GrpcStatus> =>
    call(
      KVService.range,
      rangeRequest({
        key: page.from,
        rangeEnd: layout.workersEnd,
        limit: page.limit,
        revision: page.revision
      })
    ).pipe(
      Effect.map((answer) => ({ page, answer })),
      Effect.catch((status) =>
        isTooLarge(status) && page.limit > 1
          ? readPage({ ...page, limit: Math.ceil(page.limit / 2) })
          : Effect.fail(status)
      )
    )

  const list = Stream.suspend(() =>
    Stream.paginate<Page, HeldWorker, SchedulerError>(
      { from: layout.firstWorkerKey, limit: workersOfPage, revision: 0 },
      (asked) =>
        Effect.gen(function* () {
          const { answer, page } = yield* Effect.catch(readPage(asked), fail)
          const last = answer.kvs.at(-1)
          // Every further page is of the same moment as the first.
          const revision = page.revision === 0 ? (answer.header?.revision ?? 0) : page.revision
          const next =
            answer.more && last !== undefined
              ? Option.some({ ...page, from: after(last.key), revision })
              : Option.none()
          return [yield* readable(layout, answer.kvs), next] as const
        })
    )
  )

  return SchedulerPort.make({
    register,
    unregister,
    registerBatch,
    get,
    list,
    health: healthOf(call, layout).pipe(Effect.catch(fail))
  })
})

type Outcome = Result.Result<void, SchedulerError>

interface Page {
  readonly from: Uint8Array
  readonly limit: number
  /** 0: the latest. */
  readonly revision: number
}

/** The first key behind this one. */
const after = (key: Uint8Array): Uint8Array => Buffer.concat([key, new Uint8Array(1)])

/** What is not a worker cannot be one that Muster registered; it is left out of a list, and said so. */
const readable = (
  layout: EtcdLayout,
  kvs: ReadonlyArray<KeyValue>
): Effect.Effect<ReadonlyArray<HeldWorker>> => {
  const workers = kvs.flatMap((kv) => Option.toArray(layout.heldWorker(kv)))
  const others = kvs.length - workers.length
  if (others === 0) return Effect.succeed(workers)
  return Effect.as(
    Effect.logWarning(
      others === 1
        ? "1 key among the workers in etcd holds no worker; left out"
        : `${others} keys among the workers in etcd hold no worker; left out`
    ),
    workers
  )
}

const notAWorker = (workerId: WorkerId) => `what etcd holds as ${workerId} is not a worker`

const noOutcome: Outcome = Result.fail(
  new SchedulerFault({
    message: "etcd answered a transaction without a result for this worker",
    retryable: true
  })
)
