/**
 * Reads the file of vitest's JSON reporter and says in one last line what came of it: `12 passed, 0 failed`.
 * Fails unless at least one test passed, none failed and none was skipped, but for data that a clone need not have.
 * The report does not mention errors outside of the tests, which only vitest's own exit status tells.
 */
import { readFileSync } from "node:fs"

interface Report {
  readonly success: boolean
  readonly testResults: ReadonlyArray<{
    readonly name: string
    readonly status: string
    readonly assertionResults: ReadonlyArray<{
      readonly fullName: string
      readonly status: string
      /** Of every try. */
      readonly failureMessages: ReadonlyArray<string>
    }>
  }>
}

const { success, testResults }: Report = JSON.parse(readFileSync(process.argv[2] ?? "", "utf8"))

/** The end of a test's name that says which file beside the repository, in its `shared/data`, is not there. */
const lacksData = / \(skipped: there is no .*\/shared\/data\/[^/]+\)$/

const passed: Array<string> = []
const failed: Array<string> = []
const skipped: Array<string> = []
const withoutData: Array<string> = []
const passedAtLast: Array<string> = []
for (const { name, status, assertionResults } of testResults) {
  for (const { failureMessages, fullName, status } of assertionResults) {
    const notRun = lacksData.test(fullName) ? withoutData : skipped
    const list = status === "passed" ? passed : status === "failed" ? failed : notRun
    list.push(`${name}: ${fullName}`)
    if (status === "passed" && failureMessages.length > 0)
      passedAtLast.push(`${name}: ${fullName}\n  ${failureMessages.join("\n").split("\n", 12).join("\n  ")}`)
  }
  // A file that could not be loaded has failed without a test.
  if (status === "failed" && assertionResults.every((test) => test.status !== "failed")) failed.push(name)
}

for (const name of passedAtLast) console.log(`passed at the second try: ${name}`)
for (const name of failed) console.log(`failed: ${name}`)
for (const name of withoutData) console.log(`not run: ${name}`)
for (const name of skipped) console.log(`skipped, which CI does not accept: ${name}`)
if (passed.length === 0) console.log("No test passed.")
if (skipped.length > 0) console.log(`${skipped.length} skipped.`)
console.log(`${passed.length} passed, ${failed.length} failed`)
process.exitCode = success && passed.length > 0 && failed.length + skipped.length === 0 ? 0 : 1
