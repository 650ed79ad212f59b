/**
 * The end of the soak test: the scheduler does nothing wrong any more, and within a while everything has to be as it
 * was acknowledged last, in the service and in the scheduler's own record.
 */
import type { WorkerId } from "@muster/core"
import type { WorkerView } from "../../src/http/Schemas.ts"
import { revisionOf } from "../torture/Content.ts"
import type { Observation } from "../torture/Observation.ts"
import type { Fleet, Wanted } from "./Fleet.ts"

export interface Difference {
  readonly name: "lost" | "ghost" | "unfinished"
  readonly id: WorkerId
  /** For people. */
  readonly what: string
}

export const differences = (fleet: Fleet, { held, records }: Observation): ReadonlyArray<Difference> => {
  const found: Array<Difference> = []
  const tell = (name: Difference["name"], id: WorkerId, what: string) => found.push({ name, id, what })
  for (const [id, wanted] of fleet.wanted) {
    const record = records.get(id)
    const inService = compare(wanted, record)
    if (inService !== undefined) tell(record === undefined ? "lost" : "unfinished", id, inService)
    const there = held.get(id)
    if (there === undefined) tell("lost", id, "acknowledged, and not in the scheduler")
    else if (there.generation !== wanted.generation || revisionOf(there.worker) !== wanted.revision) {
      tell(
        "lost",
        id,
        `generation ${wanted.generation} was acknowledged, the scheduler has ${there.generation}`
      )
    }
  }
  for (const id of held.keys()) {
    if (!fleet.wanted.has(id)) tell("ghost", id, "not wanted, and in the scheduler")
  }
  for (const [id, { phase }] of records) {
    if (!fleet.wanted.has(id) && phase !== "terminated") {
      tell(
        phase === "unregistering" || fleet.silent.has(id) ? "unfinished" : "ghost",
        id,
        `not wanted, and ${phase}`
      )
    }
  }
  return found
}

const compare = (wanted: Wanted, record: WorkerView | undefined): string | undefined => {
  if (record === undefined) return "acknowledged, and not known to the service"
  const { generation, phase, worker } = record
  if (generation !== wanted.generation)
    return `generation ${wanted.generation} was acknowledged, it is ${generation}`
  if (phase !== (wanted.saidReady ? "ready" : "registered")) return `it is ${phase}`
  if (worker === null || revisionOf(worker) !== wanted.revision) return "it has another content"
  return undefined
}
