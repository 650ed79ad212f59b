/**
 * `muster cluster`, piped and on a terminal: of a real service, and of one that answers what the test says.
 */
import { assert, describe, it } from "@effect/vitest"
import { lost, takenOver, well } from "../src/cluster/TestCluster.ts"
import { toClusterResponse } from "../src/http/ClusterSchemas.ts"
import { version } from "../src/version.ts"
import { answering } from "./ClusterAnswer.ts"
import { hasScript, PseudoTerminal } from "./PseudoTerminal.ts"
import { runMuster } from "./RunMuster.ts"
import { Muster, Service } from "./ServiceProcess.ts"

const onTerminal = hasScript ? it : it.skip

const unattended =
  "Partitions 23, 25-31 have no server: changes of their workers are accepted, and carried out once a server looks after them.\n"

describe("muster cluster", () => {
  it("tells of a server that is alone where it listens, and that it has all partitions", async () => {
    await using service = await Service.start()
    const { code, errors, output } = await runMuster(["cluster", "--server", service.url])
    assert.strictEqual(code, 0)
    assert.strictEqual(errors, "")
    const [url, address, state, itsVersion, startedAt = "", seenAt = "", ...rest] = output.trim().split("\t")
    assert.deepStrictEqual(
      [url, address, state, itsVersion, ...rest],
      [service.url, "", "up", version, "0-31", "answers"]
    )
    assert.isAtMost(Date.parse(startedAt), Date.parse(seenAt))
    const { json } = await service.fetch("/v1/cluster")
    const asJson = JSON.parse((await runMuster(["cluster", "--json", "--server", service.url])).output)
    assert.deepStrictEqual(
      { ...asJson, servers: asJson.servers.length },
      { clustered: false, partitions: 32, servers: 1, unowned: [] }
    )
    assert.strictEqual(asJson.servers[0].id, json.servers[0].id)
  })

  it("ends with 1 where nobody looks after a partition, and says what that means", async () => {
    await using service = await answering(lost)
    const { code, errors, output } = await runMuster(["cluster", "--server", service.url])
    assert.strictEqual(code, 1)
    assert.strictEqual(errors, unattended)
    assert.lengthOf(output.trim().split("\n"), 3)
    const asJson = await runMuster(["cluster", "--json", "--server", service.url])
    assert.strictEqual(asJson.code, 1)
    assert.deepStrictEqual(JSON.parse(asJson.output), toClusterResponse(lost))
  })

  it.each([
    ["all is well", well],
    ["a server is lost, and others have what it had", takenOver]
  ])("ends with 0 where %s", async (_, view) => {
    await using service = await answering(view)
    const { code, errors } = await runMuster(["cluster", "--server", service.url])
    assert.deepStrictEqual([code, errors], [0, ""])
  })

  onTerminal("is a table on a terminal, with what is wrong below", async () => {
    await using service = await answering(lost)
    await using terminal = new PseudoTerminal(["cluster", "--server", service.url], {
      env: { NO_COLOR: "1" },
      columns: 140
    })
    assert.strictEqual(await terminal.exit(), 1)
    assert.deepStrictEqual(terminal.output.split("\r\n"), [
      "SERVER                    STATE  VERSION  UPTIME  HEARD    PARTITIONS",
      "10.0.0.3:34431            lost   1.0.0    2m      12s ago  none",
      "10.0.0.2:34431            up     1.0.0    1m      0s ago   13: 11-22, 24",
      "10.0.0.1:34431 (answers)  up     1.0.0    1m      0s ago   11: 0-10",
      "2 servers up; 24 of 32 partitions are looked after.",
      "10.0.0.3:34431 is lost: it ended without a word, or cannot reach the store.",
      unattended.trim(),
      ""
    ])
  })
})

describe("muster cluster --watch", () => {
  it("prints a line for each server that comes, changes or goes", async () => {
    await using service = await answering(well)
    await using watch = new Muster(["cluster", "--watch", "--server", service.url])
    await using json = new Muster(["cluster", "--watch", "--json", "--server", service.url])
    await watch.printed(/^(?:.*\tup\t.*\n){3}/)
    await json.printed(/\n/)
    service.cluster.view = takenOver
    await watch.printed(/^2026-01-31T12:00:00\.000Z\thttp:\/\/10\.0\.0\.3:7070\t10\.0\.0\.3:34431\tlost\t/m)
    await watch.printed(/\t10\.0\.0\.2:34431\tup\t.*\t11-26\t\n/)
    const [, first = "", second = ""] = await json.printed(/^(.*)\n(.*)\n/)
    assert.deepStrictEqual(JSON.parse(first), toClusterResponse(well))
    assert.deepStrictEqual(JSON.parse(second), toClusterResponse(takenOver))
    service.cluster.view = { ...takenOver, servers: takenOver.servers.slice(1) }
    await watch.printed(/\t10\.0\.0\.3:34431\tgone\t/)
    assert.lengthOf(watch.output.trim().split("\n"), 7)
    watch.signal("SIGINT")
    assert.strictEqual(await watch.exit(), 130)
  })

  it("waits for a service that it has seen, and not for one that never was there", async () => {
    const service = await answering(well)
    await using watch = new Muster(["cluster", "--watch", "--server", service.url])
    await watch.printed(/\tup\t/)
    await service[Symbol.asyncDispose]()
    while (!watch.errors.includes("Disconnected, trying again: "))
      await new Promise((resolve) => setTimeout(resolve, 50))
    const { code, errors } = await runMuster(["cluster", "--watch", "--server", service.url])
    assert.strictEqual(code, 1)
    assert.match(errors, /^No Muster service answers/)
  })

  onTerminal("draws the table in its place, and gives the screen back", async () => {
    await using service = await answering(well)
    await using terminal = new PseudoTerminal(["cluster", "--watch", "--server", service.url])
    await terminal.until(({ screen }) => screen.includes("all 32 partitions are looked after"))
    assert.match(terminal.screen, /^live\n\nSERVER /)
    service.cluster.view = lost
    await terminal.until(({ screen }) => screen.includes("Partitions 23, 25-31 have no server"))
    assert.match(terminal.screen, /10\.0\.0\.3:34431 +lost/)
    terminal.type("\u0003")
    assert.strictEqual(await terminal.exit(), 130)
    assert.include(terminal.output, "\u001b[?1049l")
  })
})
