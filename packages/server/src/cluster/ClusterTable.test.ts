import { assert, describe, it } from "@effect/vitest"
import { toClusterResponse } from "../http/ClusterSchemas.ts"
import { clusterTable, plainLine } from "./ClusterTable.ts"
import { lost, silent, takenOver, well } from "./TestCluster.ts"

const plain = (_: unknown, text: string) => text
const table = (view: typeof well, columns = 120) => clusterTable(toClusterResponse(view), columns, plain)
const linesOf = (view: typeof well) => toClusterResponse(view).servers.map(plainLine)

describe("a table of servers", () => {
  it("tells of each what it looks after, and which one answers", () => {
    assert.deepStrictEqual(table(well).split("\n"), [
      "SERVER                    STATE  VERSION  UPTIME  HEARD   PARTITIONS",
      "10.0.0.3:34431            up     1.0.0    2m      0s ago  10: 22-31",
      "10.0.0.2:34431            up     1.0.0    1m      0s ago  11: 11-21",
      "10.0.0.1:34431 (answers)  up     1.0.0    1m      0s ago  11: 0-10",
      "3 servers up; all 32 partitions are looked after."
    ])
  })

  it("tells who is silent, and what becomes of its partitions", () => {
    assert.deepStrictEqual(table(silent).split("\n").slice(1, 2), [
      "10.0.0.3:34431            silent  1.0.0    2m      7s ago  10: 22-31"
    ])
    assert.deepStrictEqual(table(silent).split("\n").slice(-2), [
      "2 servers up; all 32 partitions are looked after.",
      "10.0.0.3:34431 is silent. If it stays so, other servers take over what it looks after: 22-31."
    ])
  })

  it("tells who is lost, and how much is looked after", () => {
    assert.match(table(lost), /^10\.0\.0\.3:34431 +lost +1\.0\.0 +2m +12s ago +none$/m)
    assert.match(table(lost), /^10\.0\.0\.2:34431 +up .* 13: 11-22, 24$/m)
    assert.match(table(lost), /^2 servers up; 24 of 32 partitions are looked after\.$/m)
    assert.match(
      table(takenOver),
      /^2 servers up; all 32 partitions are looked after\.\n10\.0\.0\.3:34431 is lost/m
    )
  })

  it("colours what is not as it should be", () => {
    const colours: Array<unknown> = []
    clusterTable(toClusterResponse(lost), 120, (format, text) => (colours.push(format), text))
    assert.deepStrictEqual(colours, ["bold", "red"])
  })

  it("is no wider than the terminal", () => {
    for (const line of table(lost, 50).split("\n")) assert.isAtMost(line.length, 50, line)
  })

  it("says of a server that is alone that it is", () => {
    const [server] = well.servers
    const alone = { clustered: false, unowned: [], servers: server === undefined ? [] : [server] }
    assert.match(table(alone), /\nThis server is alone, and looks after the whole fleet\.$/)
  })

  it("shows nothing of a server's that a terminal would obey", () => {
    const [server] = well.servers
    const hostile = { ...well, servers: server === undefined ? [] : [{ ...server, version: "1\u001b[2J\n" }] }
    assert.include(table(hostile), "1?[2J ")
    // oxlint-disable-next-line no-control-regex -- these are what must not be there
    assert.notMatch(linesOf(hostile).join(), /[\u0000-\u0008\u000a-\u001f]/)
  })
})

describe("lines for other programs", () => {
  it("have everything, separated by tabs", () => {
    assert.deepStrictEqual(linesOf(lost).slice(1), [
      "http://10.0.0.2:7070\t10.0.0.2:34431\tup\t1.0.0\t2026-01-31T11:58:00.000Z\t2026-01-31T11:59:59.900Z\t11-22,24\t",
      "http://10.0.0.1:7070\t10.0.0.1:34431\tup\t1.0.0\t2026-01-31T11:59:00.000Z\t2026-01-31T12:00:00.000Z\t0-10\tanswers"
    ])
  })
})
