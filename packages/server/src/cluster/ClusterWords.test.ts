import { assert, describe, it } from "@effect/vitest"
import { absenceTexts, lostServers, nameOf, ranges, unattended, unattendedText } from "./ClusterWords.ts"
import { lost, silent, takenOver, well } from "./TestCluster.ts"

describe("partitions", () => {
  it.each([
    [[], ""],
    [[15], "15"],
    [[0, 1, 2], "0-2"],
    [[0, 1, 2, 15, 30, 31], "0-2, 15, 30-31"]
  ])("%j are named %j", (partitions, text) => assert.strictEqual(ranges(partitions), text))

  it("are unattended without a server, and while they are still that of one that is lost", () => {
    assert.deepStrictEqual(unattended(well), [])
    assert.deepStrictEqual(unattended(silent), [])
    assert.strictEqual(ranges(unattended(lost)), "23, 25-31")
    const [third, ...others] = lost.servers
    const withTwo = third === undefined ? [] : [{ ...third, partitions: [22, 24] }]
    assert.strictEqual(ranges(unattended({ ...lost, servers: [...withTwo, ...others] })), "22-31")
  })

  it("that are unattended are told with what that means", () => {
    assert.isUndefined(unattendedText([]))
    assert.match(unattendedText([3]) ?? "", /^Partition 3 has no server: changes .* are accepted/)
    assert.match(unattendedText(unattended(lost)) ?? "", /^Partitions 23, 25-31 have no server: /)
  })
})

describe("servers", () => {
  it("are called by their address, and by their URL where they are alone", () => {
    assert.deepStrictEqual(well.servers.map(nameOf), ["10.0.0.3:34431", "10.0.0.2:34431", "10.0.0.1:34431"])
    assert.strictEqual(nameOf({ address: null, url: "http://127.0.0.1:7070" }), "http://127.0.0.1:7070")
  })

  it("that are silent or lost are told", () => {
    assert.deepStrictEqual(absenceTexts(well.servers), [])
    assert.deepStrictEqual(absenceTexts(silent.servers), [
      "10.0.0.3:34431 is silent. If it stays so, other servers take over what it looks after: 22-31."
    ])
    assert.deepStrictEqual(absenceTexts(takenOver.servers), [
      "10.0.0.3:34431 is lost: it ended without a word, or cannot reach the store."
    ])
    assert.deepStrictEqual(absenceTexts(well.servers.map((server) => ({ ...server, state: "lost" }))), [
      "10.0.0.3:34431, 10.0.0.2:34431 and 10.0.0.1:34431 are lost: they ended without a word, or cannot reach the store."
    ])
  })

  it("are not missed once another one is up at their address", () => {
    assert.lengthOf(lostServers(takenOver.servers), 1)
    const again = well.servers.filter(({ address }) => address === "10.0.0.3:34431")
    assert.deepStrictEqual(lostServers([...takenOver.servers, ...again]), [])
  })
})
