/** The scheduler that all engines call: `muster scheduler` in a process of its own. */
import { freePort } from "../durable/processes.ts"
import { ReferenceScheduler } from "../storm/referenceScheduler.ts"

export const startScheduler = async () => {
  const port = await freePort()
  return { scheduler: await ReferenceScheduler.start(port), address: `127.0.0.1:${port}` }
}
