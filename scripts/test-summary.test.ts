import { spawnSync } from "node:child_process"
import { mkdtempSync, rmSync, symlinkSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join, resolve } from "node:path"
import { afterEach, beforeEach, describe, expect, it } from "vitest"

const root = resolve(import.meta.dirname, "..")
const vitest = join(root, "node_modules/vitest/vitest.mjs")
const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith("VITEST")))

describe("the last line of CI", () => {
  let folder = ""

  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), "muster-summary-"))
    symlinkSync(join(root, "node_modules"), join(folder, "node_modules"))
  })

  afterEach(() => rmSync(folder, { recursive: true, force: true }))

  const summarize = (report: string) => {
    writeFileSync(join(folder, "report.json"), report)
    return summaryOf(join(folder, "report.json"))
  }

  const summaryOf = (report: string) => {
    const { status, stdout } = spawnSync(
      process.execPath,
      [join(import.meta.dirname, "test-summary.ts"), report],
      {
        encoding: "utf8"
      }
    )
    return { status, last: stdout.trimEnd().split("\n").at(-1), stdout }
  }

  /** What the real vitest reports of some test files. */
  const ran = (files: Readonly<Record<string, string>>) => {
    for (const [name, body] of Object.entries(files)) {
      writeFileSync(join(folder, name), `import { expect, it } from "vitest"\n${body}\n`)
    }
    const report = join(folder, "report.json")
    const args = [
      vitest,
      "run",
      "--root",
      folder,
      "--reporter=json",
      `--outputFile=${report}`,
      "--passWithNoTests"
    ]
    spawnSync(process.execPath, args, { cwd: folder, env, encoding: "utf8" })
    return summaryOf(report)
  }

  it("counts what passed", () => {
    expect(
      ran({ "a.test.ts": `it.each([1, 2])("%d", () => {})`, "b.test.ts": `it("b", () => {})` })
    ).toMatchObject({
      status: 0,
      last: "3 passed, 0 failed"
    })
  })

  it("names what failed and what was skipped, also a file that cannot be loaded", () => {
    const { status, last, stdout } = ran({
      "a.test.ts": `it("a", () => {})\nit("b", () => expect(1).toBe(2))\nit.skip("c", () => {})\nit.todo("d")`,
      "e.test.ts": `import "./gone.ts"`
    })
    expect({ status, last }).toEqual({ status: 1, last: "1 passed, 2 failed" })
    expect(stdout).toMatch(/failed: .*a\.test\.ts: b$/m)
    expect(stdout).toMatch(/failed: .*e\.test\.ts$/m)
    expect(stdout).toMatch(/skipped, .*a\.test\.ts: c$/m)
    expect(stdout).toMatch(/skipped, .*a\.test\.ts: d$/m)
    expect(stdout).toMatch(/^2 skipped\.$/m)
  })

  it("says why a test failed at first that passed at last", () => {
    const { last, stdout } = ran({
      "a.test.ts": `let tries = 0\nit("a", { retry: 1 }, () => expect(++tries).toBe(2))\nit("b", () => {})`
    })
    expect(last).toBe("2 passed, 0 failed")
    expect(stdout).toMatch(
      /^passed at the second try: .*a\.test\.ts: a\n  AssertionError: expected 1 to be 2/m
    )
    expect(stdout).not.toMatch(/second try: .*: b/)
  })

  it("fails for a skipped test alone", () => {
    expect(ran({ "a.test.ts": `it("a", () => {})\nit.skip("b", () => {})` })).toMatchObject({
      status: 1,
      last: "1 passed, 0 failed"
    })
  })

  it("accepts, and names, a test without its data beside the repository", () => {
    const { status, last, stdout } = ran({
      "a.test.ts": `it("a", () => {})\nit.skip("b (skipped: there is no /some where/shared/data/b.csv)", () => {})`
    })
    expect({ status, last }).toEqual({ status: 0, last: "1 passed, 0 failed" })
    expect(stdout).toMatch(/^not run: .*there is no \/some where\/shared\/data\/b\.csv\)$/m)
  })

  it("fails when there are no tests", () => {
    expect(ran({})).toMatchObject({ status: 1, last: "0 passed, 0 failed" })
  })

  it("claims nothing about a report that is missing or broken", () => {
    expect(summaryOf(join(folder, "gone.json"))).toMatchObject({ status: 1, stdout: "" })
    expect(summarize(`{"success":true,`)).toMatchObject({ status: 1, stdout: "" })
    expect(summarize(`{}`)).toMatchObject({ status: 1, stdout: "" })
  })
})
