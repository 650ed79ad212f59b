/**
 * The console's view of a cluster, in a real browser. The service is one; what it says of its cluster is what the test
 * says. With SCREENSHOTS=FOLDER (`pnpm screenshots`) it takes pictures.
 */
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { lost, silent, takenOver, well } from "../src/cluster/TestCluster.ts"
import { toClusterResponse } from "../src/http/ClusterSchemas.ts"
import { ConsoleBrowser, hasBrowser, violations, whyNoBrowser } from "./ConsoleBrowser.ts"
import { Service } from "./ServiceProcess.ts"

/** The folder for pictures, if there shall be some. */
const pictures = process.env["SCREENSHOTS"]

describe.skipIf(!hasBrowser)(`the console of a cluster${whyNoBrowser}`, () => {
  let browser: ConsoleBrowser
  let service: Service
  let page: Page
  let view = well

  beforeAll(async () => {
    browser = await ConsoleBrowser.open()
    service = await Service.start()
    page = await browser.page()
    await page.route("**/v1/cluster", (route) => route.fulfill({ json: toClusterResponse(view) }))
  })
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })
  const open = (hash: string) => page.goto(`${service.url}/${hash}`)
  const row = (name: string) => page.getByRole("row").filter({ hasText: name })
  const says = (text: string) => page.getByRole("paragraph").getByText(text).waitFor()

  it("shows each server with its state and its partitions, and which one answers", async () => {
    await open("#/cluster")
    await says("3 servers up; all 32 partitions are looked after.")
    await page.getByText("All is well").waitFor()
    assert.strictEqual(await page.title(), "Cluster – Muster")
    for (const [name, partitions] of [
      ["10.0.0.3:34431", "10: 22-31"],
      ["10.0.0.2:34431", "11: 11-21"],
      ["10.0.0.1:34431 (answers)", "11: 0-10"]
    ] as const) {
      await row(name).getByText("up", { exact: true }).waitFor()
      await row(name).getByText(partitions, { exact: true }).waitFor()
    }
    assert.lengthOf(await row("10.0.0.2").locator("rect").all(), 32)
    assert.lengthOf(await row("10.0.0.2").locator("rect.has").all(), 11)
  })

  it("follows a server that falls silent, is lost, and whose partitions others take over", async () => {
    view = silent
    await says(
      "10.0.0.3:34431 is silent. If it stays so, other servers take over what it looks after: 22-31."
    )
    await row("10.0.0.3").getByText("silent", { exact: true }).waitFor()
    await row("10.0.0.3").getByText("7.0 s ago").waitFor()
    view = lost
    await page.getByText("Needs attention").waitFor()
    await says("Partitions 23, 25-31 have no server: changes of their workers are accepted")
    await row("No server").getByText("8: 23, 25-31").waitFor()
    // Until somebody has claimed them, the store still has them as those of the one that is lost.
    const [third, ...others] = lost.servers
    const withTwo = third === undefined ? [] : [{ ...third, partitions: [22, 24] }]
    view = { ...lost, servers: [...withTwo, ...others] }
    await row("No server").getByText("10: 22-31").waitFor()
    view = takenOver
    await says("2 servers up; all 32 partitions are looked after.")
    await says("10.0.0.3:34431 is lost: it ended without a word, or cannot reach the store.")
    assert.strictEqual(await row("No server").count(), 0)
  })

  it("says in the overview that a server is lost, with a way to the servers", async () => {
    view = takenOver
    await page.route("**/v1/overview", async (route) => {
      const response = await route.fetch()
      const cluster = { up: 2, lost: 1, unattended: 0 }
      await route.fulfill({ json: { ...(await response.json()), cluster } })
    })
    await open("#/")
    await page.getByText("2 up, 1 lost").waitFor()
    await page.getByRole("link", { name: "Servers" }).click()
    await row("10.0.0.3").getByText("lost", { exact: true }).waitFor()
  })

  it.each([
    ["wide", "light", { width: 1440, height: 520 }],
    ["phone", "dark", { width: 390, height: 844 }]
  ] as const)("can be used by everybody: %s and %s", async (width, colorScheme, size) => {
    view = lost
    await page.setViewportSize(size)
    await page.emulateMedia({ colorScheme })
    await row("No server").getByText("8: 23, 25-31").waitFor()
    if (pictures !== undefined)
      await page.screenshot({ path: join(pictures, `console-cluster-${colorScheme}-${width}.png`) })
    assert.deepStrictEqual(await violations(page), [])
    const overflow: number = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
    assert.isAtMost(overflow, 0, "the page is wider than the screen")
  })

  it("writes no error to the browser's console", () => assert.deepStrictEqual(browser.errorsExcept(), []))
})
