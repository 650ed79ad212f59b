/**
 * The judgement: whether the service and the scheduler are as the acknowledged changes say.
 */
import type { WorkerId } from "@muster/core"
import type { WorkerView } from "../../src/http/Schemas.ts"
import { revisionOf } from "./Content.ts"
import type { State } from "./Knowledge.ts"
import type { Ledger } from "./Ledger.ts"
import type { Observation } from "./Observation.ts"
import type { Held } from "./SchedulerProtocol.ts"

/**
 * `lost`: an acknowledged change is not in the service, or a worker that is wanted is not in the scheduler as it was
 * wanted last. `ghost`: the scheduler has a worker that is not wanted. `unfinished`: the service has not ended its
 * work on it. `contradiction`: the service's answers did not fit each other, or its record does not fit the scheduler.
 */
export type FaultName = "lost" | "ghost" | "unfinished" | "contradiction"

export interface Fault {
  readonly name: FaultName
  readonly id: WorkerId
  /** For people. */
  readonly what: string
}

export const judge = (ledger: Ledger, { held, records }: Observation): ReadonlyArray<Fault> => {
  const ids = new Set([...ledger.workers, ...records.keys(), ...held.keys()])
  return Array.from(ids).flatMap((id) => {
    const faults = judgeWorker(ledger, id, records.get(id), held.get(id))
    return faults.map(([name, what]) => ({ name, id, what }))
  })
}

type Finding = readonly [FaultName, string]

const judgeWorker = (
  ledger: Ledger,
  id: WorkerId,
  record: WorkerView | undefined,
  held: Held | undefined
): ReadonlyArray<Finding> => {
  if (ledger.contradictions.has(id)) {
    return [["contradiction", "the answers to the client's requests contradict each other"]]
  }
  const known = ledger.knowledge(id)
  const isSurelyWanted = known.states.every(({ desired }) => desired === "registered")
  const isSurelyUnwanted = known.states.every(({ desired }) => desired !== "registered")
  if (isSurelyWanted && held === undefined) return [["lost", "wanted, and not in the scheduler"]]
  if (isSurelyUnwanted && held !== undefined) return [["ghost", "not wanted, and in the scheduler"]]

  const desired = desiredBy(record)
  if (desired === "unfinished") return [["unfinished", `still ${record?.phase}`]]
  const content = record?.worker == null ? undefined : revisionOf(record.worker)
  const kept = { desired, content, generation: record?.generation ?? 0, saidReady: record?.phase === "ready" }
  if (known.matching(kept).length === 0) {
    return [["lost", "the service's record is none that the acknowledged changes lead to"]]
  }
  if (desired !== "registered") {
    return held === undefined ? [] : [["ghost", `${record?.phase} in the service, and in the scheduler`]]
  }
  if (held === undefined) return [["lost", `${record?.phase} in the service, and not in the scheduler`]]
  if (held.generation !== kept.generation) {
    return [["lost", `generation ${kept.generation} in the service, ${held.generation} in the scheduler`]]
  }
  if (revisionOf(held.worker) !== content) return [["lost", "another content in the scheduler"]]
  return []
}

const desiredBy = (record: WorkerView | undefined): State["desired"] | "unfinished" => {
  switch (record?.phase) {
    case undefined:
      return "unknown"
    case "registered":
    case "ready":
      return "registered"
    case "terminated":
      return "unregistered"
    default:
      return "unfinished"
  }
}

export const countFaults = (faults: ReadonlyArray<Fault>, name: FaultName): number =>
  faults.filter((fault) => fault.name === name).length
