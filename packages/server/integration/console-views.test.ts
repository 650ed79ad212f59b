/**
 * Every view of the console, in light on a wide screen and in the dark on a phone: no violation that axe-core finds, no
 * error in the browser's console. With SCREENSHOTS=FOLDER (`pnpm screenshots`) it takes pictures of a
 * larger fleet, of which the documentation shows some.
 */
import { join } from "node:path"
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConsoleBrowser, hasBrowser, themes, violations, whyNoBrowser } from "./ConsoleBrowser.ts"
import { Scheduler, until } from "./SchedulerProcess.ts"
import { Service } from "./ServiceProcess.ts"

/** The folder for pictures, if there shall be some. */
const pictures = process.env["SCREENSHOTS"]
const isForDocs = pictures !== undefined

const widths = { wide: { width: 1440, height: 900 }, phone: { width: 390, height: 844 } } as const

/** Each width and each theme once: no colour depends on the width, and no place on the theme. All of them for pictures. */
const looks: ReadonlyArray<readonly [keyof typeof widths, (typeof themes)[number]]> =
  pictures === undefined
    ? [
        ["wide", "light"],
        ["phone", "dark"]
      ]
    : themes.flatMap((theme) => [["wide", theme] as const, ["phone", theme] as const])

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

  /** A worker that waits for its next attempt, if there is one. */
  const waitsForAttempt = async (): Promise<string> => {
    const { json } = await service.fetch("/v1/workers?phase=pending")
    const items: ReadonlyArray<{ readonly id: string; readonly nextAttemptAt: string | null }> = json.items
    return items.find(({ nextAttemptAt }) => nextAttemptAt !== null)?.id ?? ""
  }

  const untilNone = (path: string) =>
    until(
      () => service.fetch(path),
      ({ json }) => json.total === 0
    )

  /** An hour of a fleet, in some seconds: it is registered, some of it is refused, and the scheduler goes away. */
  beforeAll(async () => {
    browser = await ConsoleBrowser.open()
    const count = isForDocs ? 1523 : 300
    // Of either so many that there are some that are refused.
    const rejectRate = isForDocs ? "0.01" : "0.05"
    scheduler = await Scheduler.start([
      "--latency",
      "20ms",
      "--reject-rate",
      rejectRate,
      "--fail-rate",
      "0.05"
    ])
    service = await Service.start({ args: ["--scheduler", scheduler.url] })
    for (let i = 0; i < count; i += 100) {
      const some = Array.from({ length: Math.min(100, count - i) }, (_, j) => fleetWorker(i + j))
      await service.send("POST", "/v1/workers/batch", some)
      if (isForDocs) await new Promise((resolve) => setTimeout(resolve, 2000))
    }
    await untilNone("/v1/workers?phase=pending&phase=registering&limit=1")
    if (isForDocs) {
      for (let i = 0; i < 8; i++)
        await service.fetch(`/v1/workers/${fleetWorker(i * 11).id}`, { method: "DELETE" })
      for (let i = 0; i < 60; i++)
        await service.fetch(`/v1/workers/${fleetWorker(i * 3 + 1).id}/ready`, { method: "POST" })
    }
    await scheduler.kill()
    const late = Array.from({ length: 14 }, (_, i) => fleetWorker(count + i))
    await service.send("POST", "/v1/workers/batch", late)
    await new Promise((resolve) => setTimeout(resolve, isForDocs ? 14_000 : 6000))
    // The circuit may have opened before the turn of some of them had come.
    waiting = await until(waitsForAttempt, (id) => id !== "")
  })
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
    await scheduler[Symbol.asyncDispose]()
    await restarted?.[Symbol.asyncDispose]()
  })

  interface Place {
    readonly of: Service
    /** Where the service asks for one. */
    readonly token?: string
    /** Nothing is live where nobody is signed in, or for whom it is not. */
    readonly isLive: boolean
  }

  const pages = new Map<string, Promise<Page>>()

  /** The page of whoever has a token; a new one takes a second, and each view is as new. */
  const pageOf = (of: Service, token?: string) => {
    const key = `${of.url} ${token}`
    const page = pages.get(key) ?? signedIn(of, token)
    pages.set(key, page)
    return page
  }

  const signedIn = async ({ url }: Service, token: string | undefined) => {
    const page = await browser.page()
    if (token !== undefined) await page.request.post(`${url}/v1/session`, { data: { token } })
    return page
  }

  const look = async (name: string, to: string, shows: string, place?: Place) => {
    const { isLive, of, token } = place ?? { of: service, isLive: true }
    const page = await pageOf(of, token)
    await page.goto(`${of.url}/${to}`)
    for (const [width, colorScheme] of looks) {
      await page.setViewportSize(widths[width])
      await page.emulateMedia({ colorScheme })
      await page.getByText(shows).first().waitFor()
      if (isLive) await page.getByText("live", { exact: true }).waitFor()
      if (pictures !== undefined) {
        await page.waitForTimeout(700)
        await page.screenshot({ path: join(pictures, `console-${name}-${colorScheme}-${width}.png`) })
      }
      assert.deepStrictEqual(await violations(page), [], `${colorScheme}, ${width}`)
      const overflow: number = await page.evaluate("document.documentElement.scrollWidth - innerWidth")
      assert.isAtMost(overflow, 0, "the page is wider than the screen")
    }
  }

  describe("while the scheduler is away", () => {
    it("overview", () => look("outage", "#/", "Needs attention"))
    it("workers", () => look("workers", "#/workers", "runner-1000"))
    it("workers that match", () =>
      look("filtered", "#/workers?phase=pending&label=zone%3Deu-1a", "Clear filters"))
    it("no workers that match", () => look("no-match", "#/workers?search=nothing", "No worker matches"))
    it("a worker that waits", () => look("worker", `#/workers/${waiting}`, "The next attempt"))
    it("dead letters", () => look("dead-letters", "#/dead-letters", "Retry group"))
    it("a worker that is not known", () =>
      look("unknown", "#/workers/nobody", "No worker of this id is known"))
  })

  describe("when it is back", () => {
    beforeAll(async () => {
      restarted = await Scheduler.start(["--port", scheduler.port, "--latency", "20ms"])
      await untilNone("/v1/workers?phase=pending&phase=registering&limit=1")
      await service.send("POST", "/v1/dead-letters/retry", undefined)
      await untilNone("/v1/dead-letters?limit=1")
      await new Promise((resolve) => setTimeout(resolve, 6000))
    })

    it("overview", () => look("overview", "#/", "All is well"))
    it("the story of an outage", () => look("story", `#/workers/${waiting}`, "registered"))
    it("scheduler", () => look("scheduler", "#/scheduler", "as wanted"))
    it("a server that is alone", () => look("alone", "#/cluster", "This server is alone"))
    it("no dead letters", () => look("no-dead-letters", "#/dead-letters", "No dead letters"))
  })

  describe("where it asks for tokens", () => {
    const token = "an operator's token, for".replaceAll(" ", "-").padEnd(64, "x")
    let guarded: Service
    const asks = () => ({ of: guarded, isLive: false })

    beforeAll(async () => {
      guarded = await Service.start({ env: { MUSTER_AUTH: "on", MUSTER_OPERATOR_TOKEN: token } })
      const headers = { authorization: `Bearer ${token}` }
      await guarded.send(
        "POST",
        "/v1/workers/batch",
        Array.from({ length: 20 }, (_, i) => fleetWorker(i)),
        headers
      )
      const given = [
        { name: "wall-screen", role: "viewer" },
        { name: "ci-autoscaler", role: "provisioner", namespaces: ["ci"], expiresIn: "90 days" },
        { name: "former-intern", role: "operator" }
      ]
      for (const one of given) {
        const { json } = await guarded.send("POST", "/v1/tokens", one, headers)
        if (one.name === "former-intern")
          await guarded.fetch(`/v1/tokens/${json.id}`, { method: "DELETE", headers })
      }
      await guarded.send("POST", "/v1/join-tokens", { name: "rack-7", workerId: "machine-7" }, headers)
    })
    afterAll(async () => {
      // Before what they follow ends.
      for (const page of pages.values()) await (await page).context().close()
      await guarded[Symbol.asyncDispose]()
    })

    it("sign in", () => look("sign-in", "#/", "Token", asks()))
    it("tokens", () => look("tokens", "#/tokens", "ci-autoscaler", { of: guarded, token, isLive: true }))
    it("the audit log", () => look("audit", "#/audit", "rack-7", { of: guarded, token, isLive: true }))
    it("a refused token, an open menu, and a view that is not for a role", async () => {
      const page = await browser.page({ viewport: widths.phone })
      await page.goto(guarded.url)
      await page.getByLabel("Token", { exact: true }).fill("wrong")
      await page.keyboard.press("Enter")
      await page.getByText("That token does not let you in").waitFor()
      assert.deepStrictEqual(await violations(page), [])
      await page.getByLabel("Token", { exact: true }).fill(token)
      await page.keyboard.press("Enter")
      await page.locator("summary").click()
      await page.getByText("ends in 12 h").waitFor()
      assert.deepStrictEqual(await violations(page), [])
      await page.getByRole("button", { name: "Sign out" }).click()
      const ofOne = { name: "one", role: "provisioner", namespaces: ["ci"] }
      const { json } = await guarded.send("POST", "/v1/tokens", ofOne, { authorization: `Bearer ${token}` })
      await page.getByLabel("Token", { exact: true }).fill(json.token)
      await page.keyboard.press("Enter")
      await page.getByText("This view is not for your role").waitFor()
      assert.deepStrictEqual(await violations(page), [])
      await page.context().close()
    })
  })

  it("writes no error to the browser's console", () =>
    assert.deepStrictEqual(browser.errorsExcept(/ 404 .*\/v1\/workers\/nobody/, / 401 .*\/v1\/session/), []))
})
