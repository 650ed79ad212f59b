import { assert, describe, it } from "@effect/vitest"
import { TestScheduler } from "@muster/testing"
import { Effect, Redacted } from "effect"
import { openAccess } from "../access/AccessServices.ts"
import { start, type TestRoutes, type TestRoutesOptions, worker } from "./TestRoutes.ts"

/** What sends a request by the route that is declared, without asking for anything that is not the default. */
const declared = { "muster-priority": "normal" }

const unchanged = { "content-type": "application/json" }

/** The whole answer, of which only the id of the worker may differ. */
const answerTo = (
  { open }: TestRoutes,
  id: string,
  body: unknown,
  headers: Readonly<Record<string, string>>
) =>
  Effect.gen(function* () {
    const response = yield* open("POST", "/v1/workers", body, headers)
    const text = yield* Effect.promise(() => response.text())
    return {
      status: response.status,
      headers: Object.fromEntries(
        Array.from(response.headers, ([name, value]) => [name, value.replaceAll(id, "ID")])
      ),
      body: text.replaceAll(id, "ID").replace(/"generation":\d+/, "")
    }
  })

interface Case {
  readonly what: string
  readonly status: number
  readonly body: (id: string) => unknown
  readonly headers?: Readonly<Record<string, string>>
  readonly options?: TestRoutesOptions
}

const token = "an-operator-of-this-very-test-and-no-other"
const guarded = { access: { ...openAccess, isOn: true, operatorToken: Redacted.make(token) } }

const cases: ReadonlyArray<Case> = [
  { what: "a worker", status: 202, body: worker },
  { what: "a worker with a priority", status: 202, body: (id) => ({ ...worker(id), priority: "high" }) },
  {
    what: "a worker of an operator",
    status: 202,
    body: worker,
    headers: { authorization: `Bearer ${token}` },
    options: guarded
  },
  { what: "a worker of nobody", status: 401, body: worker, options: guarded },
  {
    what: "a worker from another site's page",
    status: 403,
    body: worker,
    headers: { "sec-fetch-site": "cross-site" }
  },
  {
    what: "an invalid worker",
    status: 400,
    body: (id) => ({ ...worker(id), capabilities: { cpuCores: -1, memoryMb: 0 } })
  },
  { what: "no worker", status: 400, body: () => [] },
  { what: "no JSON", status: 400, body: () => "{" },
  { what: "nothing", status: 400, body: () => "" },
  { what: "another media type", status: 415, body: worker, headers: { "content-type": "text/plain" } },
  {
    what: "too much",
    status: 413,
    body: (id) => ({ ...worker(id), metadata: { labels: { a: "x".repeat(2 ** 20) } } })
  },
  {
    what: "more than the fleet takes",
    status: 503,
    body: worker,
    options: {
      fleet: { maxUnfinished: 1 },
      prepare: (scheduler) => scheduler.onRegister("first", [TestScheduler.hang])
    }
  }
]

describe("POST /v1/workers", () => {
  for (const { body, headers = unchanged, options = {}, status, what } of cases) {
    it.live(`answers ${what} alike by the short cut and by the route that is declared`, () =>
      Effect.gen(function* () {
        const routes = yield* start(options)
        if (status === 503) yield* routes.send("POST", "/v1/workers", worker("first"))
        const short = yield* answerTo(routes, "zq-1", body("zq-1"), headers)
        const long = yield* answerTo(routes, "zq-2", body("zq-2"), { ...headers, ...declared })
        assert.strictEqual(short.status, status, short.body)
        assert.deepStrictEqual(short, long)
      }).pipe(Effect.scoped)
    )
  }
})
