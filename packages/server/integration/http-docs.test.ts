/**
 * The page about the HTTP API says the truth: its examples work, and its problems are those of the code.
 */
import { execFile } from "node:child_process"
import { readFileSync } from "node:fs"
import { promisify } from "node:util"
import { afterAll, assert, beforeAll, describe, it } from "vitest"
import { Service } from "./ServiceProcess.ts"

/** What is answered where no declared route is. */
const undeclared = [
  "not-found 404",
  "method-not-allowed 405",
  "malformed-request 400",
  "uri-too-long 414",
  "expectation-failed 417",
  "header-fields-too-large 431",
  "transfer-coding-not-supported 501",
  "http-version-not-supported 505"
]

const page = readFileSync(new URL("../../../docs/http-api.md", import.meta.url), "utf8")

let service: Service
beforeAll(async () => {
  service = await Service.start()
})
afterAll(() => service[Symbol.asyncDispose]())

describe("docs/http-api.md", () => {
  const scripts = Array.from(page.matchAll(/^```sh\n(.*?)^```/gms), ([, script = ""]) => script)
  const examples = scripts.filter((script) => script.includes("curl"))

  it.each(examples)("has an example that works: %s", async (script) => {
    const here = script.replaceAll("http://127.0.0.1:7070", service.url)
    const { stdout } = await promisify(execFile)("sh", ["-ec", here])
    assert.isNotEmpty(stdout)
    assert.notInclude(stdout, `"status":404`)
  })

  it("has every problem in its table, with its status", async () => {
    const rows = Array.from(
      page.matchAll(/^\| `([a-z-]+)` \| (\d{3}) \|/gm),
      ([, name, status]) => `${name} ${status}`
    )
    const { schemas } = (await service.fetch("/openapi.json")).json.components
    const declared = Object.keys(schemas).flatMap((key) => {
      const { properties } = schemas[key]
      const [, name] = /^urn:muster:problem:(.*)$/.exec(properties?.type?.enum?.[0] ?? "") ?? []
      return name === undefined ? [] : [`${name} ${properties.status.enum[0]}`]
    })
    assert.sameMembers(rows, [...declared, ...undeclared])
  })
})
