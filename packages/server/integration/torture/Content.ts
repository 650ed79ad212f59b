/**
 * What the client of the torture test sends as a worker. The number of a revision decides all of it, so that what
 * the service and the scheduler hold can be compared with what was sent, to the last character.
 */
import { Worker, type WorkerId } from "@muster/core"
import { Priority } from "@muster/core/fleet"
import { Schema } from "effect"
import { isDeepStrictEqual } from "node:util"

const namespaces = ["default", "ci", "Größe/ß"]
const strange = ["", "plain", 'quoted "\\', "two\nlines", "日本語 🚀", "\u0001\u2028", "'; DROP TABLE --"]

const pick = <A>(from: ReadonlyArray<A>, revision: number, fallback: A): A =>
  from[revision % from.length] ?? fallback

const contentOf = (revision: number) => ({
  capabilities: {
    cpuCores: 0.5 + (revision % 64),
    memoryMb: 1024 + revision,
    dockerEnabled: revision % 2 === 0,
    customResources: { gpu: revision % 8, "example.com/ports": revision }
  },
  metadata: {
    workerType: revision % 3 === 0 ? "static" : "dynamic",
    namespace: pick(namespaces, revision, "default"),
    labels: { revision: String(revision), strange: pick(strange, revision, "") },
    tags: Array.from({ length: revision % 4 }, (_, index) => `tag-${index}`)
  }
})

/** The worker as it is sent, with a priority, which is no part of it. */
export const workerOf = (id: WorkerId, revision: number) => ({
  id,
  ...contentOf(revision),
  priority: pick(Priority.literals, revision, "normal")
})

const encode = Schema.encodeSync(Worker)

/** The revision of a worker that was sent; `damaged` where it is not what was sent. */
export const revisionOf = (worker: Worker): string => {
  const { capabilities, metadata } = encode(worker)
  const { provisionedAt: _, ...others } = metadata ?? {}
  const revision = metadata?.labels?.["revision"] ?? ""
  return isDeepStrictEqual(
    { capabilities: { ...capabilities }, metadata: { ...others } },
    contentOf(Number(revision))
  )
    ? revision
    : `damaged: ${JSON.stringify(encode(worker))}`
}
