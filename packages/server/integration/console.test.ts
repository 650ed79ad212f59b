/**
 * What an operator does with the console, in a real browser in front of a real service.
 */
import { mkdtempSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConsoleBrowser, hasBrowser, whyNoBrowser } from "./ConsoleBrowser.ts"
import { Scheduler } from "./SchedulerProcess.ts"
import { Service, worker } from "./ServiceProcess.ts"

const folder = mkdtempSync(join(tmpdir(), "muster-console-"))

describe.skipIf(!hasBrowser)(`the console${whyNoBrowser}`, () => {
  let browser: ConsoleBrowser
  let scheduler: Scheduler
  let service: Service
  let page: Page

  /** A cell of the row of a worker in the list. */
  const row = (id: string) => page.getByRole("row").filter({ hasText: id })
  /** A step of the story of the worker that is shown. */
  const story = (text: string | RegExp) => page.getByRole("listitem").getByText(text).first()
  const open = (hash: string) => page.goto(`${service.url}/${hash}`)
  const register = (...ids: ReadonlyArray<string>) =>
    service.send(
      "POST",
      "/v1/workers/batch",
      ids.map((id) => worker(id))
    )
  const store = join(folder, "fleet.db")
  const args = () => ["--scheduler", scheduler.url, "--store", store]

  beforeAll(async () => {
    browser = await ConsoleBrowser.open()
    scheduler = await Scheduler.start([])
    service = await Service.start({ args: args() })
    page = await browser.page()
  })
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
    await scheduler[Symbol.asyncDispose]()
    rmSync(folder, { recursive: true })
  })

  it("shows an empty fleet as one, and workers as they come, without a reload", async () => {
    await open("#/workers")
    await page.getByText("No workers yet").waitFor()
    await register("first", "second")
    await row("first").getByText("registered").waitFor()
    await service.fetch("/v1/workers/second", { method: "DELETE" })
    await row("second").getByText("terminated").waitFor()
    await page.getByRole("link", { name: "Overview" }).click()
    await page.getByRole("paragraph").getByText("1 worker registered; scheduler healthy").waitFor()
  })

  it("shows in the end how a worker is, when that changed before an answer about it arrived", async () => {
    await open("#/workers")
    await register("fleeting")
    await row("fleeting").getByText("registered").waitFor()
    const gone = Promise.withResolvers<undefined>()
    await page.route(
      "**/v1/workers?*",
      async (route) => {
        const response = await route.fetch()
        await service.fetch("/v1/workers/fleeting", { method: "DELETE" })
        await row("fleeting").getByText("terminated").waitFor()
        await route.fulfill({ response })
        gone.resolve(undefined)
      },
      { times: 1 }
    )
    await register("another")
    await gone.promise
    await row("fleeting").getByText("registered").waitFor({ state: "detached" })
    await row("fleeting").getByText("terminated").waitFor()
  })

  it("shows in the end what happened before it began to follow", async () => {
    const began = Promise.withResolvers<undefined>()
    await page.route(
      "**/v1/events",
      async (route) => {
        await began.promise
        await route.continue()
      },
      { times: 1 }
    )
    await page.goto("about:blank")
    await open("#/workers")
    await row("another").waitFor()
    await register("early")
    while ((await service.fetch("/v1/workers/early")).json.phase !== "registered");
    began.resolve(undefined)
    await row("early").getByText("registered").waitFor()
  })

  it("shows nothing of tokens where the service asks for none", async () => {
    await page.getByText("live", { exact: true }).waitFor()
    assert.strictEqual(await page.getByText("Sign out").count(), 0)
    const views = await page.getByRole("navigation").getByRole("link").allTextContents()
    assert.deepStrictEqual(views, ["Overview", "Workers", "Dead letters", "Scheduler", "Cluster"])
  })

  it("leads from the first page to the story of a worker in two clicks", async () => {
    await open("#/")
    await page.getByRole("link", { name: "registered", exact: true }).click()
    await page.getByRole("link", { name: "first" }).click()
    await story("Registration, attempt 1: succeeded").waitFor()
    await page.getByRole("img", { name: /steps from/ }).waitFor()
    assert.strictEqual(await page.title(), "first – Muster")
  })

  it("shows an outage as it begins and ends, and what a worker waits for", async () => {
    await open("#/")
    await scheduler.kill()
    await register("waiting")
    await page.getByText("Needs attention").waitFor()
    await page.getByText("scheduler unavailable").first().waitFor()
    await open("#/workers/waiting")
    await page.getByRole("heading", { name: /Scheduler unavailable/ }).waitFor()
    await page.getByText("The next attempt").waitFor()
    await page.getByRole("button", { name: "Retry now" }).click()
    await page.getByText("waiting is tried again now.").waitFor()
    const again = await Scheduler.start(["--port", scheduler.port])
    await scheduler[Symbol.asyncDispose]()
    scheduler = again
    await story(/attempt \d+: succeeded/).waitFor()
    await page.getByRole("link", { name: "Overview" }).click()
    await page.getByText("All is well").waitFor()
  })

  it("checks a worker with the scheduler, and terminates one when that is confirmed", async () => {
    await open("#/workers/waiting")
    await page.getByRole("button", { name: "Check with the scheduler" }).click()
    await story(/^Check with the scheduler: the scheduler has it/).waitFor()
    await page.getByRole("button", { name: "Terminate" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click()
    assert.strictEqual((await service.fetch("/v1/workers/waiting")).json.phase, "registered")
    await page.getByRole("button", { name: "Terminate" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Terminate" }).click()
    await page.getByText("waiting is being unregistered.").waitFor()
    await page.locator(".big").getByText("terminated").waitFor()
  })

  it("says of a worker that waits that it has not been tried yet", async () => {
    const api = "**/v1/workers/first"
    await page.route(api, async (route) => {
      const response = await route.fetch()
      const untried = { phase: "pending", attempts: 0, nextAttemptAt: null, lastError: null }
      await route.fulfill({ response, json: { ...(await response.json()), ...untried } })
    })
    await open("#/workers/first")
    await page.getByText("No attempt has been made yet").waitFor()
    await page.unroute(api)
    await page.reload()
    await page.locator(".big").getByText("registered").waitFor()
    assert.strictEqual(await page.getByText("No attempt has been made yet").count(), 0)
  })

  it("keeps filters in the address, and finds with them again what they found", async () => {
    await register("gpu-1", "gpu-2")
    await open("#/workers")
    await page.getByLabel("Search by id").fill("gpu")
    await page.getByRole("button", { name: "registered", exact: true }).click()
    await page.getByText("2 matches", { exact: true }).waitFor()
    assert.strictEqual(new URL(page.url()).hash, "#/workers?phase=registered&search=gpu")
    await page.reload()
    await page.getByText("2 matches", { exact: true }).waitFor()
    await page.getByRole("textbox", { name: "Label" }).fill("zone=a")
    await page.keyboard.press("Enter")
    await page.getByText("No worker matches").waitFor()
    await page.getByRole("button", { name: "Show all workers" }).click()
    await row("first").waitFor()
  })

  it("is used with the keyboard alone", async () => {
    await page.goto("about:blank")
    await open("#/")
    await page.getByText("All is well").waitFor()
    await page.keyboard.press("Tab")
    assert.strictEqual(await page.evaluate("document.activeElement.textContent"), "Skip to the content")
    await page.keyboard.press("Control+k")
    await page.getByRole("grid").waitFor()
    await page.locator("#search:focus").waitFor()
    await page.keyboard.type("gpu-2")
    await page.getByText("1 match", { exact: true }).waitFor()
    for (let i = 0; i < 40; i++) {
      await page.keyboard.press("Tab")
      if (await page.evaluate("document.activeElement.getAttribute('role') === 'grid'")) break
    }
    await page.keyboard.press("End")
    await page.keyboard.press("Enter")
    await page.getByRole("heading", { name: "gpu-2" }).waitFor()
    await page.locator("h1:focus").waitFor()
  })

  it("says when the connection is lost, and shows without a gap what happened meanwhile", async () => {
    await open("#/workers")
    await row("first").waitFor()
    const { port } = service
    service.signal("SIGKILL")
    await service.exit()
    await page.getByText("Disconnected from the service").waitFor()
    service = await Service.start({ args: [...args(), "--port", String(port)] })
    await register("meanwhile")
    await page.getByText("live", { exact: true }).waitFor()
    await row("meanwhile").getByText("registered").waitFor()
    await register("afterwards")
    await row("afterwards").getByText("registered").waitFor()
  })

  it("retries and drops dead letters, one or a group, and says what came of it", async () => {
    await scheduler.kill()
    await scheduler[Symbol.asyncDispose]()
    scheduler = await Scheduler.start(["--port", scheduler.port, "--reject-rate", "1"])
    await register("dead-1", "dead-2", "dead-3", "dead-4")
    await page.getByRole("link", { name: "Dead letters" }).first().click()
    await page.getByText("4 dead letters, 1 cause").waitFor()
    await scheduler.kill()
    await scheduler[Symbol.asyncDispose]()
    scheduler = await Scheduler.start(["--port", scheduler.port])
    await page.getByRole("button", { name: "Retry dead-1" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click()
    await page.getByText("1 dead letter is tried again").waitFor()
    await page.getByText("3 dead letters, 1 cause").waitFor()
    await page.getByRole("button", { name: "Drop dead-2" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Drop" }).click()
    await page.getByText("2 dead letters, 1 cause").waitFor()
    await page.getByRole("button", { name: /^Retry group/ }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Retry" }).click()
    await page.getByText("2 dead letters are tried again").waitFor()
    await page.getByText("No dead letters").waitFor()
    while ((await service.fetch("/v1/workers/dead-4")).json.phase !== "registered");
  })

  it("drops all dead letters", async () => {
    await scheduler.kill()
    await scheduler[Symbol.asyncDispose]()
    scheduler = await Scheduler.start(["--port", scheduler.port, "--reject-rate", "1"])
    await register("dead-5", "dead-6")
    await page.getByText("2 dead letters, 1 cause").waitFor()
    await page.getByRole("button", { name: "Drop all" }).click()
    await page.getByRole("dialog").getByRole("button", { name: "Drop" }).click()
    await page.getByText("2 dead letters are dropped").waitFor()
    await page.getByText("No dead letters").waitFor()
  })

  it("shows what the scheduler holds beside what is wanted", async () => {
    await open("#/scheduler")
    await page.getByRole("row").filter({ hasText: "dead-4" }).getByText("as wanted").waitFor()
  })

  it("keeps the chosen colours", async () => {
    await page.getByLabel("Colours").selectOption("dark")
    await page.reload()
    assert.strictEqual(await page.evaluate("getComputedStyle(document.documentElement).colorScheme"), "dark")
  })

  it("shows markup of others as the text that it is", async () => {
    const markup = `<img src=x onerror="document.title='owned'"><script>document.title="owned"</script>`
    await service.send(
      "POST",
      "/v1/workers",
      worker("markup", { labels: { [markup]: markup }, tags: [markup], namespace: markup })
    )
    const reason = {
      specversion: "1.0",
      id: "markup",
      source: markup,
      type: "dev.muster.worker.terminated",
      data: { workerId: "markup", reason: markup }
    }
    await service.send("POST", "/v1/events", reason, { "content-type": "application/cloudevents+json" })
    await open("#/workers/markup")
    await story(markup).waitFor()
    await page.locator("body").getByText(markup).first().waitFor()
    for (const view of [
      "#/",
      "#/workers",
      "#/scheduler",
      `#/workers?search=${encodeURIComponent(markup)}`,
      `#/workers/${encodeURIComponent(markup)}`
    ]) {
      await open(view)
      await page.getByRole("navigation").first().waitFor()
      assert.strictEqual(
        await page.evaluate("document.querySelectorAll('img[src=x], body script').length"),
        0
      )
      assert.notStrictEqual(await page.title(), "owned")
    }
  })

  it("has beside it a page about the API that is guarded alike, and works", async () => {
    const { headers } = await service.fetch("/docs")
    const policy = headers.get("content-security-policy") ?? ""
    assert.match(
      policy,
      /^default-src 'none'; script-src(?: 'sha256-[\w+/]+=*')+; style-src 'unsafe-inline';/
    )
    assert.match(policy, /frame-ancestors 'none'/)
    await page.goto(`${service.url}/docs`)
    await page.getByText("Register a worker").first().waitFor()
  })

  it("writes no error to the browser's console", () => {
    // The browser's own words for the service that was killed, and for the worker named by markup, which there is not.
    const gone = /ERR_CONNECTION|ERR_INCOMPLETE|ERR_EMPTY/
    assert.isAbove(browser.errorsExcept().length, browser.errorsExcept(gone).length)
    assert.deepStrictEqual(browser.errorsExcept(gone, / 404 .*\/v1\/workers\/%3Cimg/), [])
  })
})
