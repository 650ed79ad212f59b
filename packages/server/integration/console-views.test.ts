/**
 * Every view of the console, in light and dark, on a phone and on a wide screen: no violation that axe-core finds, no
 * error in the browser's console. With SCREENSHOTS=FOLDER (`pnpm screenshots`) it takes pictures of a
 * larger fleet, of which the documentation shows some.
 */
import { join } from "node:path"
import axe from "axe-core"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConsoleBrowser, hasBrowser, themes, whyNoBrowser } from "./ConsoleBrowser.ts"
import { Scheduler } from "./SchedulerProcess.ts"
import { Service } from "./ServiceProcess.ts"

/** The folder for pictures, if there shall be some. */
const pictures = process.env["SCREENSHOTS"]
const isForDocs = pictures !== undefined

const widths = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const

const zones = ["eu-1a", "eu-1b", "us-2a"]
const namespaces = ["default", "ci", "gpu", "render"]

const fleetWorker = (i: number) => ({
  id: `${["runner", "ci", "gpu", "render"][i % 4]}-${(4096 + i * 7919).toString(16)}`,
  capabilities: {
    cpuCores: [4, 8, 16, 64][i % 4],
    memoryMb: [8192, 16_384, 65_536, 262_144][i % 4],
    ...(i % 4 === 2 ? { customResources: { gpu: 4 } } : {})
  },
  metadata: {
    workerType: i % 3 === 0 ? "static" : "dynamic",
    namespace: namespaces[i % 4],
    labels: { zone: zones[i % 3], pool: ["small", "large"][i % 2] },
    tags: i % 5 === 0 ? ["spot"] : []
  }
})

describe.skipIf(!hasBrowser)(`the views of the console${whyNoBrowser}`, () => {
  let browser: ConsoleBrowser
  let scheduler: Scheduler
  let service: Service
  let restarted: Scheduler | undefined
  let waiting = ""

  const until = async (path: string, isSo: (json: { readonly total: number }) => boolean) => {
    while (!isSo((await service.fetch(path)).json)) await new Promise((resolve) => setTimeout(resolve, 50))
  }

  /** An hour of a fleet, in some seconds: it is registered, some of it is refused, and the scheduler goes away. */
  beforeAll(async () => {
    browser = await ConsoleBrowser.open()
    scheduler = await Scheduler.start(["--latency", "20ms", "--reject-rate", "0.01", "--fail-rate", "0.05"])
    service = await Service.start({ args: ["--scheduler", scheduler.url] })
    const count = isForDocs ? 1523 : 300
    for (let i = 0; i < count; i += 100) {
      const some = Array.from({ length: Math.min(100, count - i) }, (_, j) => fleetWorker(i + j))
      await service.send("POST", "/v1/workers/batch", some)
      if (isForDocs) await new Promise((resolve) => setTimeout(resolve, 2000))
    }
    await until("/v1/workers?phase=pending&phase=registering&limit=1", ({ total }) => total === 0)
    if (isForDocs) {
      for (let i = 0; i < 8; i++)
        await service.fetch(`/v1/workers/${fleetWorker(i * 11).id}`, { method: "DELETE" })
      for (let i = 0; i < 60; i++)
        await service.fetch(`/v1/workers/${fleetWorker(i * 3 + 1).id}/ready`, { method: "POST" })
    }
    await scheduler.kill()
    waiting = fleetWorker(count).id
    const late = Array.from({ length: 14 }, (_, i) => fleetWorker(count + i))
    await service.send("POST", "/v1/workers/batch", late)
    await new Promise((resolve) => setTimeout(resolve, isForDocs ? 14_000 : 6000))
  })
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
    await scheduler[Symbol.asyncDispose]()
    await restarted?.[Symbol.asyncDispose]()
  })

  const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
    // As an extension would bring it in: the page's own policy allows no script of others.
    await page.evaluate(axe.source)
    const results: { violations: ReadonlyArray<{ id: string; nodes: ReadonlyArray<{ html: string }> }> } =
      await page.evaluate(
        "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
      )
    return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)
  }

  const look = async (name: string, to: string, shows: string) => {
    const page = await browser.page()
    await page.goto(`${service.url}/${to}`)
    for (const [width, viewport] of Object.entries(widths)) {
      await page.setViewportSize(viewport)
      for (const colorScheme of themes) {
        await page.emulateMedia({ colorScheme })
        await page.getByText(shows).first().waitFor()
        await page.getByText("live", { exact: true }).waitFor()
        if (pictures !== undefined) {
          await page.waitForTimeout(700)
          await page.screenshot({ path: join(pictures, `console-${name}-${colorScheme}-${width}.png`) })
        }
        assert.deepStrictEqual(await violations(page), [], `${colorScheme}, ${width}`)
        const overflow: number = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
        assert.isAtMost(overflow, 0, "the page is wider than the screen")
      }
    }
    await page.context().close()
  }

  describe("while the scheduler is away", () => {
    it("overview", () => look("outage", "#/", "Needs attention"))
    it("workers", () => look("workers", "#/workers", "runner-1000"))
    it("workers that match", () =>
      look("filtered", "#/workers?phase=pending&label=zone%3Deu-1a", "Clear filters"))
    it("no workers that match", () => look("no-match", "#/workers?search=nothing", "No worker matches"))
    it("a worker that waits", () => look("worker", `#/workers/${waiting}`, "The next attempt"))
    it("dead letters", () => look("dead-letters", "#/dead-letters", "Retry group"))
    it("a worker that is not known", async () => {
      await look("unknown", "#/workers/nobody", "No worker of this id is known")
      // That is what the browser says of an answer of 404, whatever the page makes of it.
      const others = browser.errors.filter((error) => !error.includes("404 (Not Found)"))
      browser.errors.splice(0, browser.errors.length, ...others)
    })
  })

  describe("when it is back", () => {
    beforeAll(async () => {
      restarted = await Scheduler.start(["--port", scheduler.port, "--latency", "20ms"])
      await until("/v1/workers?phase=pending&phase=registering&limit=1", ({ total }) => total === 0)
      await service.send("POST", "/v1/dead-letters/retry", undefined)
      await until("/v1/dead-letters?limit=1", ({ total }) => total === 0)
      await new Promise((resolve) => setTimeout(resolve, 6000))
    })

    it("overview", () => look("overview", "#/", "All is well"))
    it("the story of an outage", () => look("story", `#/workers/${waiting}`, "registered"))
    it("scheduler", () => look("scheduler", "#/scheduler", "as wanted"))
    it("no dead letters", () => look("no-dead-letters", "#/dead-letters", "No dead letters"))
  })

  it("writes no error to the browser's console", () => assert.deepStrictEqual(browser.errors, []))
})
