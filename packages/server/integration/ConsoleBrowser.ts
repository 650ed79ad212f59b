/**
 * A real browser in front of the console of a running service. Whatever it writes to its console as an error is
 * remembered: there must be none.
 */
import { spawnSync } from "node:child_process"
import axe from "axe-core"
import { type Browser, type BrowserContextOptions, chromium, type Page } from "playwright-core"

const found = spawnSync("which", ["chromium"], { encoding: "utf8" }).stdout.trim()

export const hasBrowser = found !== ""
export const whyNoBrowser = hasBrowser ? "" : " (skipped: chromium is not installed)"

export const themes = ["light", "dark"] as const

export class ConsoleBrowser {
  private readonly errors: Array<string> = []
  private readonly browser: Browser

  private constructor(browser: Browser) {
    this.browser = browser
  }

  static async open(): Promise<ConsoleBrowser> {
    const browser = await chromium.launch({
      executablePath: found,
      // Root may not use Chromium's sandbox, and containers may have a small /dev/shm.
      args: ["--no-sandbox", "--disable-dev-shm-usage", "--force-color-profile=srgb", "--hide-scrollbars"]
    })
    return new ConsoleBrowser(browser)
  }

  /**
   * What pages wrote as errors, each with where that is about, and exceptions that nothing caught; except for the
   * browser's own words for answers that a test brings about.
   */
  errorsExcept(...expected: ReadonlyArray<RegExp>): ReadonlyArray<string> {
    return this.errors.filter((error) => !expected.some((pattern) => pattern.test(error)))
  }

  async page(options: BrowserContextOptions = {}): Promise<Page> {
    const context = await this.browser.newContext({
      viewport: { width: 1440, height: 900 },
      locale: "en-GB",
      timezoneId: "Europe/Berlin",
      reducedMotion: "reduce",
      ...options
    })
    // Just under the time that a test has: on a machine that is busy with much else, a first page can take long.
    context.setDefaultTimeout(50_000)
    const page = await context.newPage()
    page.on("console", (message) => {
      if (message.type() === "error") this.errors.push(`${message.text()} ${message.location().url}`)
    })
    page.on("pageerror", (error) => this.errors.push(String(error)))
    return page
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.browser.close()
  }
}

/** What axe-core finds wrong with a page as it is now. */
export const violations = async (page: Page): Promise<ReadonlyArray<string>> => {
  // As an extension would bring it in: the page's own policy allows no script of others.
  if (!(await page.evaluate("'axe' in window"))) await page.evaluate(axe.source)
  const results: { violations: ReadonlyArray<{ id: string; nodes: ReadonlyArray<{ html: string }> }> } =
    await page.evaluate(
      "axe.run(document, { runOnly: ['wcag2a', 'wcag2aa', 'wcag21a', 'wcag21aa', 'wcag22aa', 'best-practice'] })"
    )
  return results.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(" ")}`)
}
