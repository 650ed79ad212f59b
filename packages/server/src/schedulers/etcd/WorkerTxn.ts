/**
 * One worker's change as a transaction: it is made unless etcd holds a newer generation of that worker, and then the
 * answer says which.
 *
 * `generations/{id}` greater than the one given? etcd says no where there is no such key, so one comparison tells both
 * "the same or older" and "never heard of".
 */
import {
  type BatchMember,
  type CallOptions,
  type SchedulerError,
  SchedulerFault,
  SchedulerRejected,
  type WorkerId
} from "@muster/core"
import { Result } from "effect"
import {
  Compare_Result,
  Compare_Target,
  type RangeRequest,
  type RequestOp,
  type TxnRequest,
  type TxnResponse
} from "../generated/etcd/etcd.ts"
import { type EtcdLayout, generationOf, generationValue, workerValue } from "./EtcdLayout.ts"

/** How many operations a worker's transaction counts as by itself, for etcd's limit. */
export const opsOfWorker = 2

const nothing = new Uint8Array()

export const rangeRequest = (request: Partial<RangeRequest> & Pick<RangeRequest, "key">): RangeRequest => ({
  rangeEnd: nothing,
  limit: 0,
  revision: 0,
  keysOnly: false,
  countOnly: false,
  ...request
})

const range = (request: Parameters<typeof rangeRequest>[0]): RequestOp => ({
  request: { $case: "range", value: rangeRequest(request) }
})

const put = (key: Uint8Array, value: Uint8Array, lease: number): RequestOp => ({
  request: { $case: "put", value: { key, value, lease } }
})

const unlessNewer = (
  key: Uint8Array,
  generation: number,
  change: Array<RequestOp>,
  whenNewer: ReadonlyArray<RequestOp> = []
): TxnRequest => ({
  compare: [
    { key, target: Compare_Target.VALUE, result: Compare_Result.GREATER, value: generationValue(generation) }
  ],
  success: [range({ key }), ...whenNewer],
  failure: change
})

/** A worker on its way to etcd. */
export interface Registration {
  readonly id: WorkerId
  readonly generation: number
  readonly workerKey: Uint8Array
  readonly generationKey: Uint8Array
  readonly value: Uint8Array
}

export const toRegistration = (layout: EtcdLayout, { generation, worker }: BatchMember): Registration => ({
  id: worker.id,
  generation,
  workerKey: layout.workerKey(worker.id),
  generationKey: layout.generationKey(worker.id),
  value: workerValue(worker, generation)
})

/** The bytes of a registration's transaction within another; never too few. */
export const bytesOf = ({ generationKey, value, workerKey }: Registration): number =>
  value.length + workerKey.length + 3 * generationKey.length + 128

export const registrationTxn = (
  { generation, generationKey, value, workerKey }: Registration,
  lease: number
): TxnRequest =>
  unlessNewer(generationKey, generation, [
    put(workerKey, value, lease),
    put(generationKey, generationValue(generation), lease)
  ])

export const unregistrationTxn = (
  layout: EtcdLayout,
  id: WorkerId,
  { generation }: CallOptions,
  lease: number
): TxnRequest => {
  const key = layout.workerKey(id)
  const generationKey = layout.generationKey(id)
  return unlessNewer(
    generationKey,
    generation,
    [
      { request: { $case: "deleteRange", value: { key } } },
      put(generationKey, generationValue(generation), lease)
    ],
    [range({ key, countOnly: true })]
  )
}

/**
 * Many registrations in one. etcd measures the writes of a transaction by its own lists, not by those of the ones
 * within, and would go on writing when it is full (3.4.23). So there is a write in the list that is never done.
 */
export const batchTxn = (registrations: ReadonlyArray<Registration>, lease: number): TxnRequest => ({
  compare: [],
  success: registrations.map((registration) => ({
    request: { $case: "txn", value: registrationTxn(registration, lease) }
  })),
  failure: registrations
    .slice(0, 1)
    .map(({ generation, generationKey }) => put(generationKey, generationValue(generation), 0))
})

/** Takes the worker away and writes nothing, which etcd does even when it is full. */
export const removalTxn = (layout: EtcdLayout, id: WorkerId, { generation }: CallOptions): TxnRequest =>
  unlessNewer(layout.generationKey(id), generation, [
    { request: { $case: "deleteRange", value: { key: layout.workerKey(id) } } }
  ])

/** What became of a worker's change of the generation `given`. */
export const outcomeOf = (
  { responses, succeeded }: TxnResponse,
  given: number
): Result.Result<void, SchedulerError> => {
  if (!succeeded) return Result.void
  const [newer, worker] = responses.map(({ response }) =>
    response?.$case === "range" ? response.value : undefined
  )
  // An absent worker is unregistered, whatever came before.
  if (worker?.count === 0) return Result.void
  const value = newer?.kvs[0]?.value
  const held = value === undefined ? undefined : generationOf(value)
  return Result.fail(
    held === undefined
      ? new SchedulerFault({
          message: "the generation that etcd holds of this worker is none: somebody else has written it",
          retryable: false
        })
      : SchedulerRejected.olderGeneration({ given, held })
  )
}
