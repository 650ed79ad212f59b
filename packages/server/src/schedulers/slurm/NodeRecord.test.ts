import { Option } from "effect"
import { assert, describe, it } from "vitest"
import { parseNode } from "./NodeRecord.ts"

// As Slurm 22.05.8 prints it, in one line.
const line = [
  "NodeName=a:b CoresPerSocket=1  CPUAlloc=0 CPUEfctv=8 CPUTot=8 CPULoad=N/A AvailableFeatures=muster,zone=eu-1",
  "ActiveFeatures=muster Gres=gpu:2(S:0-1) NodeAddr=10.0.0.7 NodeHostName=a:b  RealMemory=1000 AllocMem=0 FreeMem=N/A",
  "Sockets=8 Boards=1 State=MIXED+CLOUD+DRAIN+DYNAMIC_NORM ThreadsPerCore=1 TmpDisk=0 Weight=1 Owner=N/A",
  "MCS_label=N/A Partitions=all  BootTime=None SlurmdStartTime=None LastBusyTime=2026-11-24T20:34:22",
  "CfgTRES=cpu=8,mem=1000M,billing=8 AllocTRES= CapWatts=n/a CurrentWatts=0 AveWatts=0 ExtSensorsJoules=n/s",
  'ExtSensorsWatts=0 ExtSensorsTemp=n/s Comment=see Extra={"rack":7} Extra={"muster":1}',
  "Reason=muster: waits for its jobs to end [root@2026-11-24T20:49:07]"
].join(" ")
const nodeOf = (line: string) => Option.getOrThrow(parseNode(line))

describe("a line of scontrol show nodes", () => {
  it("gives the node", () => {
    assert.deepInclude(nodeOf(line), {
      name: "a:b",
      cpus: 8,
      memoryMb: 1000,
      features: ["muster", "zone=eu-1"],
      gres: "gpu:2(S:0-1)",
      address: "10.0.0.7",
      states: ["MIXED", "CLOUD", "DRAIN", "DYNAMIC_NORM"],
      reason: "muster: waits for its jobs to end [root@2026-11-24T20:49:07]",
      extras: ['{"rack":7}', '{"muster":1}']
    })
  })

  it("tells whose the node is, and what it is doing", () => {
    const node = nodeOf(line)
    assert.deepInclude(node, { isOurs: true, isBusy: true, isDraining: true })
    const idle = nodeOf(line.replace("muster,zone", "muster2,zone").replace(/State=\S*/, "State=IDLE*+CLOUD"))
    assert.deepInclude(idle, { isOurs: false, isBusy: false, isDraining: false })
    assert.deepStrictEqual(idle.states, ["IDLE", "CLOUD"])
  })

  it("gives nothing where Slurm has nothing", () => {
    const bare = nodeOf(
      line.replace(/AvailableFeatures=\S*/, "AvailableFeatures=(null)").replace(/Gres=\S*/, "Gres=(null)")
    )
    assert.deepInclude(bare, { features: [], gres: "" })
    assert.deepStrictEqual(bare.note, Option.none())
  })

  it.each(["", "Node a not found", "No nodes in the system", line.replace("CPUTot=8", "CPUTot=many")])(
    "is none: %s",
    (line) => {
      assert.deepStrictEqual(parseNode(line), Option.none())
    }
  )
})
