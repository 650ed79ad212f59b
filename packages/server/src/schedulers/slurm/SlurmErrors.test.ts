import { assert, describe, it } from "vitest"
import { errorOf, kindOf } from "./SlurmErrors.ts"

// What Slurm prints, as docs/schedulers/slurm.md lists it.
const cases: ReadonlyArray<readonly [said: string, tag: string, detail: string | boolean | undefined]> = [
  [
    "slurm_load_node error: Unable to contact slurm controller (connect failure)",
    "SchedulerUnavailable",
    undefined
  ],
  ["Error creating the node(s): Zero Bytes were transmitted or received", "SchedulerUnavailable", undefined],
  ["slurm_update error: Connection reset by peer", "SchedulerUnavailable", undefined],
  ["slurm_update error: Unexpected missing socket error", "SchedulerUnavailable", undefined],
  ["Error creating the node(s): Transport endpoint is not connected", "SchedulerUnavailable", undefined],
  ["delete_node NodeName=a: Socket timed out on send/recv operation", "SchedulerUnavailable", undefined],
  ["slurm_update error: Slurm backup controller in standby mode", "SchedulerUnavailable", undefined],
  [
    'scontrol: error: If munged is up, restart with --num-threads=10\nscontrol: error: Munge encode failed: Failed to access "/run/munge/munge.socket.2": No such file or directory\nslurm_load_node error: Protocol authentication error',
    "SchedulerUnavailable",
    undefined
  ],
  ["delete_node NodeName=a,b: Requested nodes are busy", "SchedulerUnavailable", undefined],
  ["slurm_update error: Invalid node name specified", "SchedulerUnavailable", undefined],
  ["Error creating node(s): Unable to add node, node table is full", "SchedulerUnavailable", undefined],
  ["Error creating node(s): Node already exists in the node table", "SchedulerUnavailable", undefined],
  [
    "scontrol: error: Failed to parse nodeline 'NodeName=a CPUs=x'\nError creating the node(s): Unspecified error",
    "SchedulerRejected",
    "invalid_node"
  ],
  ["slurm_update error: Invalid feature specification", "SchedulerRejected", "invalid_node"],
  [
    "slurm_update error: Active features not subset of available features",
    "SchedulerRejected",
    "invalid_node"
  ],
  ["slurm_update error: Invalid generic resource (gres) specification", "SchedulerRejected", "invalid_node"],
  ["slurm_update error: Invalid user id", "SchedulerFault", true],
  ["Error creating the node(s): Access/permission denied", "SchedulerFault", true],
  ["slurm_load_node error: Protocol authentication error", "SchedulerFault", true],
  ["slurm_load_node error: Incompatible versions of client and server code", "SchedulerFault", true],
  ["scontrol: fatal: Could not establish a configuration source", "SchedulerFault", true],
  ["scontrol: error: Node creation only compatible with select/cons_tres", "SchedulerFault", true],
  ["Error creating the node(s): Slurm internal error, contact system administrator", "SchedulerFault", false],
  ["", "SchedulerFault", false]
]

describe("what Slurm says when it refuses", () => {
  it.each(cases)("%s: %s (%s)", (said, tag, detail) => {
    const error = errorOf(said)
    assert.strictEqual(error._tag, tag)
    if (error._tag === "SchedulerRejected") assert.strictEqual(error.code, String(detail))
    if (error._tag === "SchedulerFault") assert.strictEqual(error.retryable, detail)
  })

  it("is told in its own words, without the names of its functions", () => {
    const { message } = errorOf("slurm_update error: Invalid feature specification\n")
    assert.strictEqual(message, "Slurm says: Invalid feature specification")
    assert.strictEqual(
      errorOf(`scontrol: error: Failed to parse nodeline '${"x".repeat(1000)}'`).message.length,
      313
    )
  })

  it("is known for what a deletion does about it", () => {
    assert.strictEqual(kindOf("delete_node NodeName=a: Requested nodes are busy"), "busy")
    assert.strictEqual(kindOf("delete_node NodeName=a: Invalid node name specified"), "absent")
  })
})
