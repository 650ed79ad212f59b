/**
 * What holds for every answer of the service, whatever was asked: what the OpenAPI document and `docs/http-api.md` say,
 * and nothing of the inside.
 */
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js"
import { fileURLToPath } from "node:url"
import type { OpenApi, Operation } from "./OpenApi.ts"

export interface HttpAnswer {
  readonly status: number
  readonly headers: Readonly<Record<string, string | ReadonlyArray<string> | undefined>>
  readonly body: Buffer
}

/** Statuses that any request can be answered with, before or beside a route: see "Problems" in `docs/http-api.md`. */
const anywhere = new Set([400, 401, 404, 405, 408, 413, 414, 417, 431])

/** Of requests that do not get as far as a route. */
const beforeRoutes =
  /"type":"urn:muster:problem:(?:malformed-request|header-fields-too-large|request-timeout)"/

const problemType = /^urn:muster:problem:[a-z-]+$/

const root = fileURLToPath(new URL("../../../..", import.meta.url)).replace(/\/$/, "")

/** What would tell how the service looks inside. */
const inside: ReadonlyArray<readonly [what: string, pattern: RegExp]> = [
  ["a stack trace", /(?:^|\n|\\n)\s+at .+(?::\d+:\d+|<anonymous>|\(native\))/],
  ["a path of the service's files", new RegExp(root.replaceAll(".", "\\."))],
  ["a module of Node", /node:internal|node_modules/],
  ["an error of the database", /SQLITE_|sqlite3?_|syntax error at or near|ERR_SQLITE/i]
]

/** What a text shows of the inside. */
export const leaksOf = (text: string): ReadonlyArray<string> =>
  inside.filter(([, pattern]) => pattern.test(text)).map(([what]) => `the answer shows ${what}`)

const isDecodable = (path: string): boolean => {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}

const dateTime = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?Z$/

export class AnswerCheck {
  private readonly api: OpenApi
  private readonly ajv = new Ajv2020({
    strict: false,
    allErrors: false,
    formats: { "date-time": dateTime }
  })
  private readonly compiled = new Map<string, ValidateFunction>()

  constructor(api: OpenApi) {
    this.api = api
    this.ajv.addSchema(api.document, "api")
  }

  /** Everything that is wrong with the answer; empty where nothing is. */
  wrong(method: string, target: string, answer: HttpAnswer): ReadonlyArray<string> {
    const path = target.replace(/^https?:\/\/[^/?]*/i, "").split("?", 1)[0] ?? ""
    // What cannot be decoded is no address of any route.
    const operation = isDecodable(path) ? this.api.at(method === "HEAD" ? "GET" : method, path) : undefined
    return [...this.leaks(answer), ...this.declared(method, operation, answer)]
  }

  /** Of an answer that may be to anything. */
  leaks({ body, headers, status }: HttpAnswer): ReadonlyArray<string> {
    return [
      ...leaksOf(body.toString("latin1", 0, 2 ** 20)),
      ...(status === 500 ? ["the answer is 500"] : []),
      ...(headers["x-injected"] === undefined ? [] : ["a header was put into the answer"])
    ]
  }

  private declared(
    method: string,
    operation: Operation | undefined,
    answer: HttpAnswer
  ): ReadonlyArray<string> {
    const { body, headers, status } = answer
    const type = String(headers["content-type"] ?? "")
    const types = operation?.responses.get(status)
    if (types === undefined || beforeRoutes.test(body.toString("latin1", 0, 200)))
      return this.undeclared(method, operation, answer, type)
    if (types.length === 0) return body.length === 0 ? [] : [`status ${status} has a body`]
    if (!types.includes(type))
      return [`status ${status} is of type ${type || "none"}, not ${types.join(" or ")}`]
    if (operation === undefined || method === "HEAD") return []
    const media =
      type === "application/x-ndjson" ? body.toString().split("\n").slice(0, -1) : [body.toString()]
    if (type.startsWith("text/")) return []
    const validate = this.validator(operation, status, type)
    return media.flatMap((text) => {
      const value = parsed(text)
      if (value === undefined) return [`status ${status}: the body is not JSON: ${text.slice(0, 100)}`]
      if (validate(value)) return []
      return [`status ${status}: the body breaks its schema: ${this.ajv.errorsText(validate.errors)}`]
    })
  }

  /** Where the document says nothing: addresses that there are not, and requests that are none. */
  private undeclared(
    method: string,
    operation: Operation | undefined,
    { body, headers, status }: HttpAnswer,
    type: string
  ): ReadonlyArray<string> {
    const isBeside = operation === undefined && (status === 200 || status === 204 || status === 304)
    if (isBeside) return []
    if (!anywhere.has(status)) return [`status ${status} is not declared`]
    if (method === "HEAD" || (body.length === 0 && (status === 400 || status === 417))) return []
    if (type !== "application/problem+json") return [`status ${status} is of type ${type || "none"}`]
    const problem = parsed(body.toString())
    const isProblem =
      typeof problem === "object" &&
      problem !== null &&
      "type" in problem &&
      problemType.test(String(problem.type)) &&
      "status" in problem &&
      problem.status === status
    if (!isProblem) return [`status ${status}: the body is no problem document`]
    return status === 405 && headers["allow"] === undefined ? ["status 405 without Allow"] : []
  }

  private validator({ method, path }: Operation, status: number, type: string): ValidateFunction {
    const escaped = [path, method.toLowerCase(), "responses", String(status), "content", type, "schema"]
      .map((part) => encodeURIComponent(part.replaceAll("~", "~0").replaceAll("/", "~1")))
      .join("/")
    const pointer = `api#/paths/${escaped}`
    const validate = this.compiled.get(pointer) ?? this.ajv.getSchema(pointer)
    if (validate === undefined) throw new Error(`no schema at ${pointer}`)
    this.compiled.set(pointer, validate)
    return validate
  }
}

const parsed = (text: string): unknown => {
  try {
    return JSON.parse(text)
  } catch {
    return undefined
  }
}
