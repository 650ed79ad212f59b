/** The nodes of a production cluster (Alibaba's openb trace), where they lie beside the clone. */
import { existsSync } from "node:fs"
import { fileURLToPath } from "node:url"

export const openb = fileURLToPath(new URL("../../../../shared/data/openb-nodes.csv", import.meta.url))

export const hasOpenb = existsSync(openb)

/** What to add to the name of tests that are skipped without it. */
export const skippedForOpenb = hasOpenb ? "" : ` (skipped: there is no ${openb})`

const columns = {
  id: "sn",
  "capabilities.cpuMillis": "cpu_milli",
  "capabilities.memoryMb": "memory_mib",
  "capabilities.customResources.gpu": "gpu",
  "metadata.labels.gpuModel": "model"
}

/** For `muster register`: which column gives what. */
export const openbFlags = Object.entries(columns).flatMap(([field, column]) => [
  "--column",
  `${field}=${column}`
])
