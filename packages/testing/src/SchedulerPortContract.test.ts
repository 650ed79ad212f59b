import { Layer } from "effect"
import { EmbeddedScheduler, SchedulerPort, Worker, WorkerCapabilities } from "@muster/core"
import { schedulerPortContract } from "./SchedulerPortContract.ts"
import { TestScheduler } from "./TestScheduler.ts"

schedulerPortContract("EmbeddedScheduler", EmbeddedScheduler.layer)

schedulerPortContract("EmbeddedScheduler on the live clock", EmbeddedScheduler.layer, { clock: "live" })

schedulerPortContract("TestScheduler", TestScheduler.layer)

schedulerPortContract(
  "TestScheduler that compares no generations and can only list",
  TestScheduler.layerWith({ comparesGenerations: false, capabilities: ["list"] }),
  { comparesGenerations: false, capabilities: ["list"] }
)

schedulerPortContract(
  "TestScheduler with the required calls alone",
  TestScheduler.layerWith({ capabilities: [] }),
  { capabilities: [] }
)

/** Keeps nothing of a worker but its id, cores and memory, and no generations. */
const forgetful = Layer.sync(SchedulerPort, () => {
  const { get, register, unregister } = EmbeddedScheduler.make({ comparesGenerations: false }).port
  return SchedulerPort.make({
    register: ({ capabilities: { cpuCores, memoryMb }, id }, options) =>
      register(Worker.make({ id, capabilities: WorkerCapabilities.make({ cpuCores, memoryMb }) }), options),
    unregister,
    get
  })
})

schedulerPortContract("A scheduler that keeps little", forgetful, {
  capabilities: ["get"],
  comparesGenerations: false,
  keeps: ({ capabilities: { cpuCores, memoryMb }, id }) => ({ id, cpuCores, memoryMb })
})
