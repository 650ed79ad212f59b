import { assert, describe, it } from "@effect/vitest"
import type { ClusterView } from "../cluster/Cluster.ts"
import { lost, silent, takenOver, well } from "../cluster/TestCluster.ts"
import { toClusterResponse } from "../http/ClusterSchemas.ts"
import { findingsOf } from "./ClusterServers.ts"

const found = (view: ClusterView) =>
  findingsOf(toClusterResponse(view)).map(({ message, severity }) => `${severity}: ${message}`)

describe("what a doctor finds in a cluster", () => {
  it("is nothing where a server is alone, and good where all is well", () => {
    assert.deepStrictEqual(found({ ...well, clustered: false }), [])
    assert.deepStrictEqual(found(well), ["ok: 3 servers look after all 32 partitions"])
  })

  it("is a warning where a server is silent or lost, and a problem where a partition has none", () => {
    assert.match(found(silent).join(), /^warning: 10\.0\.0\.3:34431 is silent\. If it stays so, .*: 22-31$/)
    assert.match(found(takenOver).join(), /^warning: 10\.0\.0\.3:34431 is lost: [^.]*$/)
    assert.match(found(lost).join("\n"), /^problem: partitions 23, 25-31 have no server.*\nwarning: /)
  })

  it("is a warning where servers are of different versions, other than those that are gone", () => {
    const [third, ...others] = well.servers
    const upgraded = (state: "up" | "lost") => ({
      ...well,
      servers: third === undefined ? [] : [{ ...third, version: "0.9.0", state, partitions: [] }, ...others]
    })
    assert.deepStrictEqual(found(upgraded("up")), [
      "warning: its servers are of different versions: 0.9.0, 1.0.0"
    ])
    assert.notInclude(found(upgraded("lost")).join(), "different versions")
  })
})
