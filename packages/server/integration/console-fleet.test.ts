/**
 * The console over 100,000 workers: it scrolls, searches and filters, and stays itself while thousands of them change.
 * How long each answer takes is printed; whether that is fast enough is for people to say.
 */
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConsoleBrowser, hasBrowser, whyNoBrowser } from "./ConsoleBrowser.ts"
import { Service, worker } from "./ServiceProcess.ts"

const count = 100_000
const nameOf = (i: number) => `w-${String(i).padStart(6, "0")}`

describe.skipIf(!hasBrowser)(`the console over 100,000 workers${whyNoBrowser}`, () => {
  let browser: ConsoleBrowser
  let service: Service
  let page: Page

  const registerFrom = async (from: number, to: number, cpuCores = 8) => {
    const lines = Array.from({ length: to - from }, (_, i) => {
      const { capabilities, id } = worker(nameOf(from + i))
      const metadata = { namespace: (from + i) % 1000 === 0 ? "rare" : "default" }
      return JSON.stringify({ id, capabilities: { ...capabilities, cpuCores }, metadata })
    })
    await service.send("POST", "/v1/workers/batch", lines.join("\n"), {
      "content-type": "application/x-ndjson"
    })
  }

  const timed = async (what: string, act: () => Promise<unknown>) => {
    const begun = performance.now()
    await act()
    console.log(`${what}: ${Math.round(performance.now() - begun)} ms`)
  }

  const shown = (i: number) => page.getByRole("link", { name: nameOf(i), exact: true }).waitFor()

  beforeAll(async () => {
    browser = await ConsoleBrowser.open()
    service = await Service.start()
    for (let from = 0; from < count; from += 20_000) await registerFrom(from, from + 20_000)
    page = await browser.page()
  }, 240_000)
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  it("lists them", async () => {
    await timed("the list, from nothing", async () => {
      await page.goto(`${service.url}/#/workers`)
      await shown(0)
    })
    await page.getByText("100,000 workers").first().waitFor()
    assert.strictEqual(await page.getByRole("grid").getAttribute("aria-rowcount"), String(count + 1))
  })

  it("draws the rows that are in sight, wherever that is", async () => {
    for (const index of [50_000, 12_345, 99_000]) {
      await timed(`row ${index}, after a jump`, async () => {
        await page.getByRole("grid").evaluate((grid, top) => grid.scrollTo(0, top), index * 36)
        await shown(index)
      })
    }
    assert.isBelow(await page.getByRole("row").count(), 100)
    await page.getByRole("grid").focus()
    await timed("the last row, with a key", async () => {
      await page.keyboard.press("End")
      await shown(count - 1)
    })
  })

  it("asks for what is looked at, and not for all that passes by", async () => {
    let asked = 0
    page.on("request", (request) => (asked += request.url().includes("/v1/workers?") ? 1 : 0))
    await page.getByRole("grid").evaluate(async (grid) => {
      for (let i = 0; i < 60; i++) {
        grid.scrollTo(0, i * 50_000)
        await new Promise((resolve) => requestAnimationFrame(resolve))
      }
    })
    await shown(Math.floor((59 * 50_000) / 36) + 3)
    console.log(`60 frames of scrolling through 80,000 rows: ${asked} questions`)
    assert.isBelow(asked, 60)
  })

  it("finds one, and some", async () => {
    await timed("a search for one", async () => {
      await page.getByLabel("Search by id").fill(nameOf(77_777))
      await page.getByText("1 match", { exact: true }).waitFor()
      await shown(77_777)
    })
    await page.getByRole("button", { name: "Clear filters" }).click()
    await timed("a filter by namespace", async () => {
      await page.getByLabel("Namespace").fill("rare")
      await page.getByText("100 matches", { exact: true }).waitFor()
    })
    await timed("the same, sorted the other way round", async () => {
      await page.getByRole("button", { name: "Worker" }).click()
      await page.getByRole("button", { name: "Worker" }).click()
      await shown(99_000)
    })
  })

  it("stays where it is while 10,000 change, and shows it", { timeout: 180_000 }, async () => {
    await page.goto(`${service.url}/#/workers`)
    await page.reload()
    await shown(0)
    await page.getByRole("grid").evaluate((grid) => grid.scrollTo(0, 3600))
    await shown(104)
    await page.evaluate(`
      window.longest = 0
      let last = performance.now()
      const frame = (now) => { window.longest = Math.max(window.longest, now - last); last = now; requestAnimationFrame(frame) }
      requestAnimationFrame(frame)
    `)
    await timed("10,000 changes", async () => {
      await registerFrom(0, 10_000, 16)
      const isDone = async () =>
        (await service.fetch("/v1/workers?phase=pending&phase=registering&limit=1")).json.total === 0
      while (!(await isDone())) await page.waitForTimeout(200)
    })
    await page.waitForTimeout(1500)
    const longest: number = await page.evaluate("window.longest")
    console.log(`the longest time between two frames meanwhile: ${Math.round(longest)} ms`)
    assert.strictEqual(await page.getByRole("grid").evaluate((grid) => grid.scrollTop), 3600)
    const { json } = await service.fetch(`/v1/workers/${nameOf(104)}`)
    await page
      .getByRole("row")
      .filter({ hasText: nameOf(104) })
      .getByText(json.phase)
      .waitFor()
  })

  it("writes no error to the browser's console", () => assert.deepStrictEqual(browser.errorsExcept(), []))
})
