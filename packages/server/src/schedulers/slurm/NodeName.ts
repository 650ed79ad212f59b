/**
 * Worker ids as names of Slurm's nodes, and back. Nearly every id is a node name as it is, since Slurm takes all of
 * its characters and tells upper case from lower. The others get a `+` at their end, which no id has.
 */
import { WorkerId } from "@muster/core"
import { Option, Schema } from "effect"

/** What a worker is called in Slurm. */
export const toNodeName = (workerId: WorkerId): string =>
  isReserved(workerId) || hasLongNumber(workerId) ? `${workerId}+` : workerId

/** Which worker a node is; none for a name that {@link toNodeName} does not give. */
export const toWorkerId = (nodeName: string): Option.Option<WorkerId> =>
  Option.filter(
    decodeId(nodeName.endsWith("+") ? nodeName.slice(0, -1) : nodeName),
    (id) => toNodeName(id) === nodeName
  )

const decodeId = Schema.decodeOption(WorkerId)

/**
 * A node called `ALL`, in any case, ends `slurmctld` with a fatal error; `DEFAULT` sets the defaults of other nodes;
 * `localhost` is the machine that is asked.
 */
const isReserved = (id: string): boolean => /^(?:all|default|localhost)$/i.test(id)

/** Slurm takes the digits at the end for a number of 64 bits, and of a larger one makes the largest. */
const hasLongNumber = (id: string): boolean => /\d{19}$/.test(id)
