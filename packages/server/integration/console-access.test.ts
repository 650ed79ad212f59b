/**
 * Who may do what in the console: a real browser in front of a service that asks for tokens.
 */
import type { Page } from "playwright-core"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { ConsoleBrowser, hasBrowser, whyNoBrowser } from "./ConsoleBrowser.ts"
import { Service, worker } from "./ServiceProcess.ts"

const operatorToken = `operator-${"x".repeat(40)}`
const asOperator = { authorization: `Bearer ${operatorToken}` }

describe.skipIf(!hasBrowser)(`signing in to the console${whyNoBrowser}`, () => {
  let browser: ConsoleBrowser
  let service: Service
  let page: Page

  const open = (hash: string) => page.goto(`${service.url}/${hash}`)
  const heading = (name: string) => page.getByRole("heading", { name, level: 1 }).waitFor()
  const button = (name: string) => page.getByRole("button", { name })
  const signIn = async (token: string, on: Page = page) => {
    await on.getByLabel("Token", { exact: true }).fill(token)
    await on.keyboard.press("Enter")
  }
  const signOut = async () => {
    await page.locator("summary").click()
    await button("Sign out").click()
    await heading("Sign in")
  }
  const create = async (body: Readonly<Record<string, unknown>>) =>
    (await service.send("POST", "/v1/tokens", body, asOperator)).json
  const cookie = async () => (await page.context().cookies()).find(({ name }) => name === "muster_session")
  /** What the page asks for in a minute that goes by at once. */
  const requestsOfAMinute = async () => {
    const seen: Array<string> = []
    const see = (request: { url: () => string }) => seen.push(new URL(request.url()).pathname)
    page.on("request", see)
    await page.clock.fastForward(60_000)
    await page.waitForTimeout(100)
    page.off("request", see)
    return seen
  }
  const secretOf = (name: string) => page.getByRole("textbox", { name: `The secret of ${name}` }).inputValue()

  beforeAll(async () => {
    browser = await ConsoleBrowser.open()
    service = await Service.start({
      env: { MUSTER_AUTH: "on", MUSTER_OPERATOR_TOKEN: operatorToken }
    })
    await service.send("POST", "/v1/workers", worker("first", { namespace: "ci" }), asOperator)
    page = await browser.page()
    await page.clock.install()
  })
  afterAll(async () => {
    await browser[Symbol.asyncDispose]()
    await service[Symbol.asyncDispose]()
  })

  it("asks for a token, and for nothing else of the service meanwhile", async () => {
    await open("#/workers/first")
    await heading("Sign in")
    assert.strictEqual(await page.title(), "Sign in – Muster")
    const field = page.getByLabel("Token", { exact: true })
    assert.strictEqual(await field.getAttribute("type"), "password")
    assert.strictEqual(await field.getAttribute("autocomplete"), "current-password")
    await page.locator("#token:focus").waitFor()
    assert.deepStrictEqual(await requestsOfAMinute(), [])
    assert.notInclude(await page.content(), "Live")
  })

  it("says aloud that a token is wrong or missing, and is ready for another", async () => {
    const alert = page.getByRole("alert")
    await page.getByLabel("Token", { exact: true }).press("Enter")
    await alert.getByText("Enter a token.").waitFor()
    await signIn("muster_0123456789abcdef_wrong")
    await alert.getByText("That token does not let you in. The token is not known here").waitFor()
    await page.locator("#token:focus").waitFor()
    assert.strictEqual(await page.locator("#token").getAttribute("aria-invalid"), "true")
  })

  it("goes on where the address points, and says who is signed in", async () => {
    await signIn(operatorToken)
    await heading("first")
    await page.locator("h1:focus").waitFor()
    await page.getByText("live", { exact: true }).waitFor()
    assert.strictEqual(new URL(page.url()).hash, "#/workers/first")
    await page.locator("summary").getByText("operator").first().waitFor()
    await page.locator("summary").press("Enter")
    await page.getByText("ends in 12 h").waitFor()
    await page.keyboard.press("Escape")
    await page.getByText("ends in 12 h").waitFor({ state: "hidden" })
    for (const name of ["Retry now", "Check with the scheduler", "Terminate"]) await button(name).waitFor()
  })

  it("keeps the token nowhere, and the session where no script can read it", async () => {
    const { httpOnly, sameSite, value } = (await cookie()) ?? {}
    assert.deepStrictEqual([httpOnly, sameSite], [true, "Strict"])
    assert.notStrictEqual(value, operatorToken)
    const kept: string = await page.evaluate(
      "JSON.stringify([{ ...localStorage }, { ...sessionStorage }, document.cookie, document.documentElement.outerHTML])"
    )
    assert.notInclude(kept, operatorToken)
    assert.notInclude(kept, String(value))
    await page.reload()
    await heading("first")
  })

  it("creates a token, shows its secret once, and revokes it when that is confirmed", async () => {
    await page.getByRole("link", { name: "Tokens" }).click()
    await page.getByLabel("Name", { exact: true }).fill("dashboard")
    await button("Create token").click()
    const secret = await secretOf("dashboard")
    assert.match(secret, /^muster_[0-9a-f]{16}_/)
    const asDashboard = { authorization: `Bearer ${secret}` }
    assert.strictEqual((await service.fetch("/v1/overview", { headers: asDashboard })).status, 200)
    await button("Done").click()
    assert.notInclude(await page.content(), secret)
    await button("Rotate dashboard").click()
    await page.getByRole("dialog").getByRole("button", { name: "Rotate" }).click()
    assert.notStrictEqual(await secretOf("dashboard"), secret)
    await button("Revoke dashboard").click()
    await page.getByRole("dialog").getByRole("button", { name: "Cancel" }).click()
    await button("Revoke dashboard").click()
    await page.getByRole("dialog").getByRole("button", { name: "Revoke" }).click()
    await page.getByText("dashboard is revoked.").waitFor()
    await page
      .getByRole("row")
      .filter({ hasText: "dashboard" })
      .getByText(/^revoked/)
      .waitFor()
    assert.strictEqual((await service.fetch("/v1/overview", { headers: asDashboard })).status, 401)
  })

  it("creates a join token for a machine, and says why when it is refused", async () => {
    await page.getByLabel("Kind").first().selectOption("join")
    await page.getByLabel("Name", { exact: true }).fill("rack-7")
    await page.getByLabel("Worker", { exact: true }).fill("not an id!")
    await button("Create join token").click()
    await page.locator("form").getByRole("alert").getByText("workerId").waitFor()
    await page.getByLabel("Worker", { exact: true }).fill("machine-7")
    await button("Create join token").click()
    assert.match(await secretOf("rack-7"), /^muster_/)
    await page.getByRole("row").filter({ hasText: "rack-7" }).getByText("machine-7").waitFor()
  })

  it("shows who did what, and finds a part of it", async () => {
    await page.getByRole("link", { name: "Audit log" }).click()
    await page.getByRole("row").filter({ hasText: "rack-7" }).first().waitFor()
    await page.getByLabel(/^Filter/).fill("operator first")
    await page.getByRole("row").filter({ hasText: "first" }).first().waitFor()
    await page.getByRole("row").filter({ hasText: "rack-7" }).first().waitFor({ state: "hidden" })
    await page.getByLabel(/^Filter/).fill("nobody at all")
    await page.getByText("No entry matches").waitFor()
  })

  it("signs out: the session is over, not only its cookie", async () => {
    const session = (await cookie())?.value ?? ""
    await signOut()
    await page.getByText("You have signed out.").waitFor()
    assert.isUndefined(await cookie())
    const headers = { cookie: `muster_session=${session}` }
    assert.strictEqual((await service.fetch("/v1/overview", { headers })).status, 401)
    assert.deepStrictEqual(await requestsOfAMinute(), [])
  })

  it("offers a viewer nothing that only others may do", async () => {
    const { token } = await create({ name: "screen", role: "viewer" })
    await open("#/workers/first")
    await signIn(token)
    await page.getByText("The role viewer looks, and changes nothing.").waitFor()
    for (const name of ["Retry now", "Check with the scheduler", "Terminate"]) {
      assert.strictEqual(await button(name).count(), 0, name)
    }
    assert.deepStrictEqual(await page.getByRole("navigation").getByRole("link").allTextContents(), [
      "Overview",
      "Workers",
      "Dead letters",
      "Scheduler",
      "Cluster"
    ])
    await open("#/tokens")
    await page.getByText("This view is not for your role").waitFor()
  })

  it("asks again when the session is revoked while it is open, and goes on there", async () => {
    await open("#/workers/first")
    await heading("first")
    await page.getByText("live", { exact: true }).waitFor()
    const { json } = await service.fetch("/v1/tokens", { headers: asOperator })
    const { id } = json.items.find(({ name }: { readonly name: string }) => name === "screen")
    await service.fetch(`/v1/tokens/${id}`, { method: "DELETE", headers: asOperator })
    await page.clock.fastForward(60_000)
    await heading("Sign in")
    await page.getByText("Your session has ended.").waitFor()
    assert.notInclude(await page.content(), "first")
    assert.deepStrictEqual(await requestsOfAMinute(), [])
    await signIn(operatorToken)
    await heading("first")
    await page.getByText("live", { exact: true }).waitFor()
  })

  it("says in words that something is refused all the same", async () => {
    await page.route("**/v1/workers/first", (route) =>
      route.request().method() === "DELETE"
        ? route.fulfill({
            status: 403,
            contentType: "application/problem+json",
            body: '{"title":"The credential does not allow this","detail":"It is not for that namespace."}'
          })
        : route.continue()
    )
    await button("Terminate").click()
    await page.getByRole("dialog").getByRole("button", { name: "Terminate" }).click()
    await page.getByText("The credential does not allow this. It is not for that namespace.").waitFor()
    await page.unroute("**/v1/workers/first")
    await signOut()
    assert.notInclude(await page.content(), "The credential does not allow this")
  })

  it("tells a provisioner of one namespace what it does not see, and shows it its own worker", async () => {
    const { token } = await create({ name: "ci-autoscaler", role: "provisioner", namespaces: ["ci"] })
    await open("#/")
    await signIn(token)
    await page.getByText("a provisioner for all workers of ci").waitFor()
    assert.deepStrictEqual(await requestsOfAMinute(), ["/v1/session"])
    await page.getByLabel("Id of a worker of yours").fill("first")
    await page.keyboard.press("Enter")
    await heading("first")
    await button("Terminate").waitFor()
    assert.strictEqual(await button("Retry now").count(), 0)
  })

  it("writes no error to the browser's console", () => {
    // What the browser says of a refusal, whatever the page makes of it.
    assert.deepStrictEqual(browser.errorsExcept(/status of 40[0123]/), [])
  })
})
