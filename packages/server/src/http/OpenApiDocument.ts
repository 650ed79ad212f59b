/**
 * What the generated OpenAPI document leaves to be said: names without the package's path, query parameters by
 * their meaning, and examples to try.
 */
import { Predicate } from "effect"
import { HttpLimits } from "./HttpLimits.ts"
import { isWatching } from "./RequestPath.ts"

type Json = Readonly<Record<string, unknown>>

const rename = (name: string): string => name.replace(/^_muster_core_/, "").replace(/Encoded(?=_\d+$|$)/, "")

/** For the whole document. */
export const polish = (document: Json): Json => ({
  ...JSON.parse(JSON.stringify(document), revive),
  // Nothing is asked for where authentication is off.
  security: [{ token: [] }, { session: [] }, {}]
})

const securitySchemes = {
  token: { type: "http", scheme: "bearer", description: "A token of Muster's, or of its identity provider" },
  session: { type: "apiKey", in: "cookie", name: "muster_session", description: "Of the console" }
}

/** Operations that everybody may ask for, or that take a credential of another kind. */
const withoutCredential = new Set([
  "system.health",
  "system.ready",
  "access.signIn",
  "access.signOut",
  "access.join"
])

const revive = (key: string, value: unknown): unknown => {
  if (key === "$ref" && Predicate.isString(value)) {
    const parts = value.split("/")
    return [...parts.slice(0, -1), rename(parts.at(-1) ?? "")].join("/")
  }
  if (!Predicate.isObject(value)) return value
  if (key === "schemas") {
    return Object.fromEntries(Object.entries(value).map(([name, schema]) => [rename(name), schema]))
  }
  if (key === "components") {
    return { ...value, headers: rateLimitHeaders, securitySchemes }
  }
  if (key === "paths") {
    return Object.fromEntries(
      Object.entries(value).map(([path, operations]) => [path, withRateLimits(path, operations)])
    )
  }
  if (Predicate.isString(value.operationId)) {
    const { security: _, ...operation } = value
    return withoutCredential.has(value.operationId) ? { ...operation, security: [] } : operation
  }
  if (value.in === "query" && value.name === "limit") return { ...value, ...limitParameter }
  if (value.additionalProperties !== false) return value
  // Fields that are not known are ignored, not refused.
  const { additionalProperties: _, ...rest } = value
  return rest
}

const rateLimitHeaders = {
  "RateLimit-Policy": {
    description:
      "The quota of each client: q requests (a worker or event counting as one) in w seconds. Absent where none is set, and for clients on the machine itself.",
    schema: { type: "string", examples: ['"client";q=100000;w=100'] }
  },
  RateLimit: {
    description: "What is left to this client: r requests, and more in t seconds.",
    schema: { type: "string", examples: ['"client";r=99999;t=1'] }
  }
}

/** Every answer has the headers, but of whoever watches the service: what they ask for is never refused. */
const withRateLimits = (path: string, operations: unknown): unknown => {
  if (!Predicate.isObject(operations)) return operations
  const headers = Object.fromEntries(
    Object.keys(rateLimitHeaders).map((name) => [name, { $ref: `#/components/headers/${name}` }])
  )
  return Object.fromEntries(
    Object.entries(operations).map(([method, operation]) => {
      if (!Predicate.hasProperty(operation, "responses") || !Predicate.isObject(operation.responses))
        return [method, operation]
      const responses = Object.entries(operation.responses).flatMap(([status, response]) => {
        if (isWatching(path)) return status === "429" ? [] : [[status, response]]
        if (!Predicate.isObject(response)) return [[status, response]]
        const own = Predicate.isObject(response.headers) ? response.headers : {}
        return [[status, { ...response, headers: { ...own, ...headers } }]]
      })
      return [method, { ...operation, responses: Object.fromEntries(responses) }]
    })
  )
}

const limitParameter = {
  description: `Most items on the page, which has fewer where they are very large; default ${HttpLimits.pageDefault}`,
  schema: { type: "integer", minimum: 1, maximum: HttpLimits.pageMaximum, default: HttpLimits.pageDefault }
}

/** For one operation: an example of its body, for each media type. */
export const withExamples =
  (examples: Json) =>
  (operation: Json): Json => {
    const { requestBody } = operation
    if (!Predicate.hasProperty(requestBody, "content") || !Predicate.isObject(requestBody.content))
      return operation
    const content = Object.entries(requestBody.content).map(([type, media]) => [
      type,
      type in examples && Predicate.isObject(media) ? { ...media, example: examples[type] } : media
    ])
    return { ...operation, requestBody: { ...requestBody, content: Object.fromEntries(content) } }
  }

const worker = {
  id: "ci-7f3a",
  capabilities: { cpuCores: 8, memoryMb: 16_384, dockerEnabled: true, customResources: { gpu: 1 } },
  metadata: { workerType: "dynamic", namespace: "ci", labels: { zone: "a" }, tags: ["spot"] }
}

const event = {
  specversion: "1.0",
  id: "1",
  source: "/autoscaler",
  type: "dev.muster.worker.provisioned",
  time: "2026-01-31T12:00:00Z",
  data: worker
}

export const workerExamples = { "application/json": worker }

export const batchExamples = {
  "application/json": [worker, { ...worker, id: "ci-7f3b" }],
  "application/x-ndjson": worker
}

export const eventExamples = {
  "application/cloudevents+json": event,
  "application/cloudevents-batch+json": [event],
  "application/json": worker
}
