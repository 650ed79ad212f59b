/**
 * One worker as a line of a table shows it.
 */
import type { WorkerId } from "@muster/core"
import type { Phase } from "@muster/core/fleet"
import { Order } from "effect"
import type { WorkerView } from "../http/Schemas.ts"

/** Times are milliseconds since 1970. */
export interface WorkerRow {
  readonly id: WorkerId
  readonly phase: Phase
  /** Type and namespace are empty where all that is known is that the worker has to go. */
  readonly type: string
  readonly namespace: string
  readonly attempts: number
  readonly createdAt: number
  readonly updatedAt: number
  readonly error: string
}

export const toRow = (view: WorkerView): WorkerRow => ({
  id: view.id,
  phase: view.phase,
  type: view.worker?.metadata.workerType ?? "",
  namespace: view.worker?.metadata.namespace ?? "",
  attempts: view.attempts,
  createdAt: Date.parse(view.createdAt),
  updatedAt: Date.parse(view.updatedAt),
  error: view.lastError?.message ?? ""
})

/** As a life goes, what needs somebody first. */
const phaseOrder: ReadonlyArray<Phase> = [
  "failed",
  "pending",
  "registering",
  "unregistering",
  "registered",
  "ready",
  "terminated"
]

const by = <A>(order: Order.Order<A>, value: (row: WorkerRow) => A): Order.Order<WorkerRow> =>
  Order.mapInput(order, value)

const newestFirst = Order.flip(Order.Number)
const byId = by(Order.String, ({ id }) => id)

const orders = {
  id: byId,
  phase: by(Order.Number, ({ phase }) => phaseOrder.indexOf(phase)),
  type: by(Order.String, ({ type }) => type),
  namespace: by(Order.String, ({ namespace }) => namespace),
  attempts: by(newestFirst, ({ attempts }) => attempts),
  created: by(newestFirst, ({ createdAt }) => createdAt),
  updated: by(newestFirst, ({ updatedAt }) => updatedAt)
}

export type SortKey = keyof typeof orders

export const sortKeys = ["id", "phase", "type", "namespace", "attempts", "created", "updated"] as const

/** Equal ones by id, so that the order is the same each time. Most attempts and latest times come first. */
export const orderBy = (key: SortKey): Order.Order<WorkerRow> => Order.combine(orders[key], byId)
