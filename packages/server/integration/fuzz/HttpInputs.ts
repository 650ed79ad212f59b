/**
 * Requests: to every operation of the OpenAPI document, valid, nearly valid, and broken; and to addresses that there
 * are not. Each is made from its dice alone, so that it can be made again.
 */
import { Predicate } from "effect"
import type { Dice } from "./Dice.ts"
import { hostileText } from "./HostileValues.ts"
import { mutateBytes, mutateJson, mutateValue } from "./Mutation.ts"
import type { Json, OpenApi, Operation } from "./OpenApi.ts"
import { poolId, poolSize, SchemaValues } from "./SchemaValues.ts"

export interface HttpInput {
  readonly method: string
  /** What stands in the request's first line. */
  readonly target: string
  readonly headers: ReadonlyArray<readonly [name: string, value: string]>
  readonly body: Buffer | undefined
}

/** As it goes over the wire; `printf` and `nc` send it again. */
export const toBytes = ({ body, headers, method, target }: HttpInput): Buffer =>
  Buffer.concat([
    Buffer.from(
      `${method} ${target} HTTP/1.1\r\n${headers.map(([name, value]) => `${name}: ${value}\r\n`).join("")}` +
        `${body === undefined ? "" : `content-length: ${body.length}\r\n`}\r\n`,
      "latin1"
    ),
    body ?? Buffer.alloc(0)
  ])

const otherPaths = [
  "/",
  "/docs",
  "/openapi.json",
  "/console/x",
  "/console/..%2f..%2fpackage.json",
  "/console/%2e%2e%2f%2e%2e%2fsrc%2fbin.js",
  "/v1",
  "/v1/",
  "//v1/workers",
  "/v1/workers/",
  "/V1/workers",
  "/v1/workers/a/b/c/d",
  "/v1//workers",
  "/%",
  "/%00",
  "/v1/workers/%",
  "/v1/workers/%ff",
  "/v1/workers/%c0%ae",
  "/v1/workers/%2e%2e/ready",
  "http://example.invalid/v1/workers",
  "*"
]

const methods = ["GET", "HEAD", "POST", "PUT", "DELETE", "PATCH", "OPTIONS", "TRACE", "PROPFIND", "M-SEARCH"]

/** Characters that Node's own client would not send; those go over raw sockets. */
const sendable = (text: string): string => text.replace(/[^\x20-\x7e\x80-\xff]/g, "?")

const inHeader = (value: string): string => sendable(value).slice(0, 4000)

const inPath = (text: string): string =>
  encodeURIComponent(text.toWellFormed()).slice(0, 6000).replaceAll("'", "%27")

/** Without authentication the service has only the names of the machine. */
const hostOf = (dice: Dice): string => (dice.chance(0.05) ? "fuzz.invalid" : "localhost")

export class HttpInputs {
  private readonly api: OpenApi
  private readonly values: SchemaValues

  constructor(api: OpenApi) {
    this.api = api
    this.values = new SchemaValues(api)
  }

  make(dice: Dice): HttpInput {
    if (dice.chance(0.05)) return this.elsewhere(dice)
    const operation = dice.pick(this.api.operations)
    const isHostile = dice.chance(0.6)
    const query: Array<string> = []
    const headers: Array<readonly [string, string]> = [["host", hostOf(dice)]]
    let target = operation.path
    for (const parameter of operation.parameters) {
      const { in: place, name } = parameter
      if (place === "path") {
        target = target.replace(
          `{${name}}`,
          inPath(this.parameter(parameter.schema, name, isHostile, dice)[0] ?? "x") || "x"
        )
        continue
      }
      if (dice.chance(0.6)) continue
      for (const value of this.parameter(parameter.schema, name, isHostile, dice)) {
        if (place === "query")
          query.push(
            `${name}=${dice.chance(0.9) ? inPath(value) : inHeader(value).replaceAll(/[ #"<>]/g, "+")}`
          )
        else headers.push([name, inHeader(value)])
      }
    }
    if (isHostile && dice.chance(0.1))
      query.push(dice.pick(["limit=1&limit=2", "%", "&&=&", "phase[]=x", "label=a", "x=%00", "__proto__=1"]))
    if (query.length > 0) target += `?${query.join("&")}`
    if (isHostile && dice.chance(0.15)) headers.push(this.header(dice))
    const { body, type } = this.body(operation, isHostile, dice)
    if (type !== undefined) headers.push(["content-type", type])
    if (operation.path === "/v1/events" && dice.chance(0.5))
      headers.push(...this.binaryEvent(isHostile, dice))
    return { method: operation.method, target, headers, body }
  }

  private elsewhere(dice: Dice): HttpInput {
    const { path } = dice.pick(this.api.operations)
    const target = dice.chance(0.5)
      ? dice.pick(otherPaths)
      : path.replace(/\{[^}]+\}/, () => poolId(dice.below(poolSize)))
    const method = dice.pick(methods)
    return {
      method,
      target: dice.chance(0.2) ? `${target}${inPath(hostileText(dice))}` : target,
      headers: [["host", hostOf(dice)], ...(dice.chance(0.5) ? [this.header(dice)] : [])],
      body:
        method === "POST" || method === "PUT" || method === "PATCH" ? dice.bytes(dice.below(60)) : undefined
    }
  }

  /** The values of one parameter; several where it may be repeated. */
  private parameter(schema: Json, name: string, isHostile: boolean, dice: Dice): ReadonlyArray<string> {
    if (isHostile && dice.chance(0.3)) return [hostileText(dice)]
    const value =
      name === "label"
        ? [`t${dice.below(20)}=t${dice.below(20)}`, "a="].slice(0, dice.between(1, 2))
        : this.values.valid(schema, dice, name)
    return (Array.isArray(value) ? value : [value]).map(String)
  }

  private header(dice: Dice): readonly [string, string] {
    const value = inHeader(hostileText(dice))
    const headers: ReadonlyArray<readonly [string, string]> = [
      [
        "traceparent",
        dice.pick([
          "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
          "00-00000000000000000000000000000000-0000000000000000-00",
          value
        ])
      ],
      ["b3", value],
      ["tracestate", value],
      ["baggage", value],
      ["content-encoding", dice.pick(["gzip", "identity", "br, gzip", value])],
      ["accept", value],
      ["if-none-match", value],
      ["origin", value],
      ["cookie", value],
      ["authorization", dice.pick(["Bearer x", "Basic eDp5", "Bearer ", value])],
      ["range", "bytes=0-1,5-"],
      ["expect", dice.pick(["100-continue", "200-ok"])],
      ["x-forwarded-for", value],
      ["via", value]
    ]
    return dice.pick(headers)
  }

  private binaryEvent(isHostile: boolean, dice: Dice): ReadonlyArray<readonly [string, string]> {
    const text = (valid: string) => (isHostile && dice.chance(0.2) ? inHeader(hostileText(dice)) : valid)
    return [
      ["ce-specversion", text("1.0")],
      ["ce-id", text(`e${dice.below(50)}`)],
      ["ce-source", text(`/fuzz/${dice.below(20)}`)],
      ["ce-type", text(`dev.muster.worker.${dice.pick(["provisioned", "ready", "terminated"])}`)],
      ["ce-subject", text(poolId(dice.below(poolSize)))],
      ...(dice.chance(0.3) ? [["ce-time", text("2026-01-31T12:00:00Z")] as const] : []),
      ...(dice.chance(0.2) ? [["ce-priority", text("high")] as const] : [])
    ]
  }

  private body(
    operation: Operation,
    isHostile: boolean,
    dice: Dice
  ): { readonly body: Buffer | undefined; readonly type: string | undefined } {
    if (operation.bodies.length === 0) {
      const isUnasked = isHostile && operation.method !== "GET" && dice.chance(0.1)
      return isUnasked
        ? { body: dice.bytes(dice.below(2000)), type: "application/json" }
        : { body: undefined, type: undefined }
    }
    const [declared, schema] = dice.pick(operation.bodies)
    const type =
      isHostile && dice.chance(0.1)
        ? inHeader(
            dice.pick([
              hostileText(dice),
              "application/json; charset=utf-16",
              "text/plain",
              "application/JSON;charset=UTF-8",
              ...operation.bodies.map(([type]) => type)
            ])
          )
        : declared
    const isLines = declared.endsWith("ndjson")
    const count = isLines ? dice.pick([1, 1, 2, 5, 20]) : 1
    const lines = Array.from({ length: count }, () => this.json(schema, isHostile, dice))
    let body: Buffer = Buffer.from(lines.join("\n") + (isLines && dice.chance(0.8) ? "\n" : ""))
    if (isHostile && dice.chance(0.15)) body = mutateBytes(body, dice)
    if (isHostile && dice.chance(0.02)) body = Buffer.alloc(dice.pick([0, 1024 * 1024 + 1]), "[")
    return { body, type }
  }

  private json(schema: Json, isHostile: boolean, dice: Dice): string {
    let value = this.values.valid(schema, dice)
    if (isHostile) for (let times = dice.below(3); times > 0; times--) value = mutateValue(value, dice)
    const json = JSON.stringify(Predicate.isUndefined(value) ? null : value)
    return isHostile && dice.chance(0.25) ? mutateJson(json, dice) : json
  }
}
