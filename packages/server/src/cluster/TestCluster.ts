/**
 * What the tests share that look at a cluster: three servers, which are well unless the test says otherwise.
 */
import type { ClusterServer, ClusterView } from "./Cluster.ts"

const now = Date.parse("2026-01-31T12:00:00.000Z")

const from = (first: number, last: number): ReadonlyArray<number> =>
  Array.from({ length: last - first + 1 }, (_, index) => first + index)

/** The server at 10.0.0.`n`. */
const serverAt = (n: number, partitions: ReadonlyArray<number>): ClusterServer => ({
  id: `00000000-0000-4000-8000-00000000000${n}`,
  address: `10.0.0.${n}:34431`,
  url: `http://10.0.0.${n}:7070`,
  version: "1.0.0",
  startedAt: now - n * 60_000,
  seenAt: now - (n - 1) * 100,
  state: "up",
  isThis: n === 1,
  partitions
})

const [one, two, three] = [serverAt(1, from(0, 10)), serverAt(2, from(11, 21)), serverAt(3, from(22, 31))]

export const well: ClusterView = { clustered: true, servers: [three, two, one], unowned: [] }

/** The third one has been silent for 7 seconds. */
export const silent: ClusterView = {
  ...well,
  servers: [{ ...three, state: "silent", seenAt: now - 7000 }, two, one]
}

/** The third one is lost, and most of its partitions are still nobody's. */
export const lost: ClusterView = {
  ...well,
  servers: [
    { ...three, state: "lost", seenAt: now - 12_000, partitions: [] },
    { ...two, partitions: [...two.partitions, 22, 24] },
    one
  ],
  unowned: [23, ...from(25, 31)]
}

/** The third one is lost, and the others have all that it had. */
export const takenOver: ClusterView = {
  ...lost,
  servers: [
    { ...three, state: "lost", seenAt: now - 80_000, partitions: [] },
    { ...two, partitions: from(11, 26) },
    { ...one, partitions: [...one.partitions, ...from(27, 31)] }
  ],
  unowned: []
}
