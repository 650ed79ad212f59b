import { assert, describe, it } from "@effect/vitest"
import { Effect, Redacted, type Scope } from "effect"
import { openAccess } from "../access/AccessServices.ts"
import { ChainVerifier, chainBegin } from "../access/AuditChain.ts"
import { permissions } from "../access/Permission.ts"
import { Api } from "./Api.ts"
import { problem, start, type TestRoutes, type TestRoutesOptions, worker } from "./TestRoutes.ts"

const operatorToken = "an-operator-of-this-very-test-and-no-other"
const guarded = { ...openAccess, isOn: true, operatorToken: Redacted.make(operatorToken) }

const bearer = (token: string) => ({ authorization: `Bearer ${token}` })
const operator = bearer(operatorToken)

const withRoutes = (
  behaviour: string,
  body: (routes: TestRoutes) => Effect.Effect<void, unknown, Scope.Scope>,
  options: TestRoutesOptions = {}
) => it.live(behaviour, () => Effect.scoped(Effect.flatMap(start({ access: guarded, ...options }), body)))

const inNamespace = (id: string, namespace: string) => ({ ...worker(id), metadata: { namespace } })

/** A token that the operator makes, as the header that shows it. */
const create = ({ send }: TestRoutes, input: object) =>
  Effect.map(send("POST", "/v1/tokens", { name: "test", ...input }, operator), ({ json, status }) => {
    assert.strictEqual(status, 201, JSON.stringify(json))
    return { id: String(json.id), secret: String(json.token), header: bearer(json.token) }
  })

const joinToken = ({ send }: TestRoutes, input: object = {}) =>
  Effect.map(send("POST", "/v1/join-tokens", input, operator), ({ json }) => ({
    id: String(json.id),
    header: bearer(json.token)
  }))

const audit = ({ send }: TestRoutes) =>
  Effect.map(send("GET", "/v1/audit?limit=1000", undefined, operator), ({ json }) => json)

describe("authentication", () => {
  withRoutes("answers nobody without a credential, and names the kind that it takes", ({ send }) =>
    Effect.gen(function* () {
      for (const headers of [
        {},
        bearer("wrong"),
        { authorization: "Basic YTpi" },
        { cookie: "muster_session=x" }
      ]) {
        const { headers: answered, json, status } = yield* send("GET", "/v1/workers", undefined, headers)
        assert.strictEqual(status, 401)
        assert.deepInclude(json, problem("unauthenticated", 401))
        assert.strictEqual(answered.get("www-authenticate"), 'Bearer realm="muster"')
      }
      assert.strictEqual((yield* send("GET", "/v1/workers", undefined, operator)).status, 200)
    })
  )

  withRoutes("lets whoever watches the service see whether it lives, and nothing else", ({ open }) =>
    Effect.gen(function* () {
      for (const path of ["/healthz", "/readyz", "/openapi.json"]) {
        assert.strictEqual((yield* open("GET", path)).status, 200, path)
      }
      assert.strictEqual((yield* open("GET", "/metrics")).status, 401)
    })
  )

  it("asks of every route what its table says, and has a line for each", () => {
    const endpoints = Object.values(Api.groups).flatMap((group) => Object.keys(group.endpoints))
    assert.sameMembers(endpoints, Object.keys(permissions))
    const open = Object.entries(permissions).filter(([, permission]) => permission === "public")
    assert.sameMembers(
      open.map(([name]) => name),
      ["health", "ready", "signIn", "signOut", "join"]
    )
  })

  withRoutes("lets each role do what is its own", (routes) =>
    Effect.gen(function* () {
      const { send } = routes
      yield* send("POST", "/v1/workers", worker("a"), operator)
      const requests = [
        ["GET", "/v1/workers", undefined],
        ["GET", "/v1/workers/a", undefined],
        ["GET", "/metrics", undefined],
        ["POST", "/v1/workers", worker("b")],
        ["POST", "/v1/workers/a/heartbeat", undefined],
        ["POST", "/v1/workers/a/retry", undefined],
        ["POST", "/v1/dead-letters/retry", undefined],
        ["GET", "/v1/tokens", undefined],
        ["GET", "/v1/audit", undefined]
      ] as const
      const allowed = Effect.fnUntraced(function* (input: object) {
        const { header } = yield* create(routes, input)
        const statuses: Array<boolean> = []
        for (const [method, path, body] of requests) {
          const { status } = yield* routes.open(method, path, body, header)
          assert.notStrictEqual(status, 401)
          statuses.push(status !== 403 && status !== 404)
        }
        return statuses.map((is) => (is ? "y" : "n")).join("")
      })
      assert.strictEqual(yield* allowed({ role: "viewer" }), "yyynnnnnn")
      assert.strictEqual(yield* allowed({ role: "provisioner" }), "yyyyynnnn")
      assert.strictEqual(yield* allowed({ role: "provisioner", namespaces: ["other"] }), "nnnnnnnnn")
      assert.strictEqual(yield* allowed({ role: "provisioner", namespaces: ["default"] }), "nynyynnnn")
      assert.strictEqual(yield* allowed({ role: "operator" }), "yyyyyyyyy")
    })
  )

  withRoutes("keeps a provisioner to its namespaces, also where a worker would move between them", (routes) =>
    Effect.gen(function* () {
      const { send } = routes
      const { header } = yield* create(routes, { role: "provisioner", namespaces: ["ci"] })
      yield* send("POST", "/v1/workers", inNamespace("theirs", "prod"), operator)
      assert.strictEqual((yield* send("POST", "/v1/workers", inNamespace("mine", "ci"), header)).status, 202)
      for (const [method, path, body] of [
        ["POST", "/v1/workers", inNamespace("new", "prod")],
        ["POST", "/v1/workers", worker("new")],
        ["POST", "/v1/workers", inNamespace("theirs", "ci")],
        ["POST", "/v1/workers", inNamespace("mine", "prod")],
        ["DELETE", "/v1/workers/theirs", undefined],
        ["POST", "/v1/workers/theirs/ready", undefined],
        ["POST", "/v1/workers/theirs/heartbeat", undefined]
      ] as const) {
        const { json, status } = yield* send(method, path, body, header)
        assert.deepInclude(json, problem("forbidden", 403), `${method} ${path} ${status}`)
      }
      // Whether it is there is nobody's business either.
      assert.deepInclude(
        (yield* send("GET", "/v1/workers/theirs", undefined, header)).json,
        problem("unknown-worker", 404)
      )
      const { json } = yield* send(
        "POST",
        "/v1/workers/batch",
        [inNamespace("one", "ci"), inNamespace("theirs", "ci"), inNamespace("two", "prod")],
        header
      )
      assert.deepStrictEqual(
        json.results.map(({ status }: { status: number }) => status),
        [202, 403, 403]
      )
      // The answer is a stream, which goes on when the handler has ended.
      for (const wait of [{}, { prefer: "wait=1" }]) {
        const streamed = yield* routes.open(
          "POST",
          "/v1/workers/batch",
          ["one-line", "theirs"].map((id) => `${JSON.stringify(inNamespace(id, "ci"))}\n`).join(""),
          { ...header, ...wait, "content-type": "application/x-ndjson" }
        )
        const lines = (yield* Effect.promise(() => streamed.text())).trimEnd().split("\n")
        assert.strictEqual(JSON.parse(lines[1] ?? "").status, 403, String(lines))
      }
      const { items } = yield* audit(routes)
      assert.deepInclude(items.at(-1).entry, {
        action: "worker.register",
        outcome: "refused",
        workers: [{ id: "theirs" }]
      })
      const event = { specversion: "1.0", id: "1", source: "/x", type: "dev.muster.worker.terminated" }
      const dropped = yield* send(
        "POST",
        "/v1/events",
        { ...event, subject: "theirs", data: {} },
        {
          ...header,
          "content-type": "application/cloudevents+json"
        }
      )
      assert.strictEqual(dropped.status, 403)
      assert.strictEqual(
        (yield* send("GET", "/v1/workers/theirs", undefined, operator)).json.phase,
        "registered"
      )
    })
  )

  withRoutes("keeps a provisioner to its own workers, until one is gone and its id is free", (routes) =>
    Effect.gen(function* () {
      const { send } = routes
      const one = yield* create(routes, { role: "provisioner", ownWorkers: true })
      const other = yield* create(routes, { role: "provisioner", ownWorkers: true })
      yield* send("POST", "/v1/workers", worker("a"), one.header)
      assert.strictEqual((yield* send("POST", "/v1/workers", worker("a"), other.header)).status, 403)
      assert.strictEqual((yield* send("DELETE", "/v1/workers/a", undefined, other.header)).status, 403)
      // What an operator changes about it does not take it away.
      yield* send("POST", "/v1/workers", { ...worker("a"), metadata: { labels: { x: "1" } } }, operator)
      assert.strictEqual((yield* send("DELETE", "/v1/workers/a", undefined, one.header)).status, 202)
      assert.strictEqual((yield* send("POST", "/v1/workers", worker("a"), other.header)).status, 202)
      assert.strictEqual((yield* send("DELETE", "/v1/workers/a", undefined, one.header)).status, 403)
    })
  )

  withRoutes("takes no key of a request for another's", (routes) =>
    Effect.gen(function* () {
      const { send } = routes
      const key = { "idempotency-key": "same" }
      const one = yield* create(routes, { role: "provisioner", namespaces: ["a"] })
      const other = yield* create(routes, { role: "provisioner", namespaces: ["b"] })
      const first = yield* send("POST", "/v1/workers", inNamespace("x", "a"), { ...one.header, ...key })
      const second = yield* send("POST", "/v1/workers", inNamespace("y", "b"), { ...other.header, ...key })
      assert.deepStrictEqual([first.status, second.status], [202, 202])
    })
  )
})

describe("without authentication", () => {
  withRoutes(
    "everybody on this machine may do everything, but no page that a browser shows",
    ({ send }) =>
      Effect.gen(function* () {
        assert.strictEqual((yield* send("POST", "/v1/workers", worker("a"))).status, 202)
        for (const headers of [
          { origin: "https://evil.example" },
          { origin: "null" },
          { "sec-fetch-site": "cross-site" },
          { "sec-fetch-site": "same-site" }
        ]) {
          const { json } = yield* send("DELETE", "/v1/workers/a", undefined, headers)
          assert.deepInclude(json, problem("forbidden", 403))
        }
        // A name of somebody else's that was made to point to this machine.
        const rebound = yield* send("GET", "/v1/workers", undefined, { host: "evil.example:7070" })
        assert.deepInclude(rebound.json, problem("forbidden", 403))
        const own = { host: "localhost:7070", origin: "http://localhost:7070" }
        assert.strictEqual((yield* send("DELETE", "/v1/workers/a", undefined, own)).status, 202)
        assert.strictEqual((yield* send("GET", "/v1/session")).json.authentication, "off")
      }),
    { access: openAccess }
  )
})

describe("tokens", () => {
  withRoutes("are shown once, listed without their secrets, rotated and revoked", (routes) =>
    Effect.gen(function* () {
      const { open, send } = routes
      const { header, id, secret } = yield* create(routes, { role: "viewer", expiresIn: "90 days" })
      const listed = yield* open("GET", "/v1/tokens", undefined, operator)
      const text = yield* Effect.promise(() => listed.text())
      assert.include(text, id)
      assert.notInclude(text, secret.slice(-43))
      const works = Effect.map(open("GET", "/v1/workers", undefined, header), ({ status }) => status === 200)
      assert.isTrue(yield* works)

      const rotated = yield* send("POST", `/v1/tokens/${id}/rotate`, { grace: "1 hour" }, operator)
      assert.strictEqual(rotated.json.id, id)
      assert.isTrue(yield* works)
      assert.strictEqual(
        (yield* open("GET", "/v1/workers", undefined, bearer(rotated.json.token))).status,
        200
      )
      const again = yield* send("POST", `/v1/tokens/${id}/rotate`, {}, operator)
      assert.isFalse(yield* works)

      assert.strictEqual((yield* open("DELETE", `/v1/tokens/${id}`, undefined, operator)).status, 204)
      assert.strictEqual((yield* open("GET", "/v1/workers", undefined, bearer(again.json.token))).status, 401)
      const gone = yield* send("DELETE", `/v1/tokens/${id}`, undefined, operator)
      assert.deepInclude(gone.json, problem("unknown-token", 404))
    })
  )

  withRoutes("end when their time is over", (routes) =>
    Effect.gen(function* () {
      const { header } = yield* create(routes, { role: "viewer", expiresIn: "1 millis" })
      yield* Effect.sleep("5 millis")
      assert.strictEqual((yield* routes.open("GET", "/v1/workers", undefined, header)).status, 401)
    })
  )

  withRoutes("that make no sense are refused, with what is wrong", (routes) =>
    Effect.gen(function* () {
      for (const [input, path] of [
        [{ name: "x" }, "role"],
        [{ role: "viewer" }, "name"],
        [{ name: "a\u001b[2J", role: "viewer" }, "name"],
        [{ name: "x", role: "admin" }, "role"],
        [{ name: "x", role: "viewer", namespaces: ["ci"] }, "role"],
        [{ name: "x", role: "provisioner", namespaces: [] }, "namespaces"],
        [{ name: "x", role: "viewer", expiresIn: "0 seconds" }, "expiresIn"]
      ] as const) {
        const { json } = yield* routes.send("POST", "/v1/tokens", input, operator)
        assert.deepInclude(json, problem("invalid-request", 400))
        assert.strictEqual(json.errors[0].path, path)
      }
    })
  )
})

describe("a session", () => {
  const cookieOf = (headers: Headers) => (headers.get("set-cookie") ?? "").split(";", 1)[0] ?? ""

  withRoutes("stands for a token behind a cookie that scripts do not see, and ends with it", (routes) =>
    Effect.gen(function* () {
      const { open, send } = routes
      const { id, secret } = yield* create(routes, { role: "operator" })
      const signedIn = yield* send("POST", "/v1/session", { token: secret })
      assert.strictEqual(signedIn.status, 200)
      assert.deepInclude(signedIn.json, { authentication: "on", name: "test", role: "operator" })
      const set = signedIn.headers.get("set-cookie") ?? ""
      assert.match(set, /^muster_session=muster_[^;]+;.*HttpOnly/i)
      assert.match(set, /SameSite=Strict/i)
      assert.notInclude(set, secret)

      const cookie = { cookie: cookieOf(signedIn.headers) }
      assert.strictEqual((yield* open("GET", "/v1/workers", undefined, cookie)).status, 200)
      const same = { ...cookie, "sec-fetch-site": "same-origin" }
      assert.strictEqual((yield* send("POST", "/v1/workers", worker("a"), same)).status, 202)
      for (const elsewhere of [
        { "sec-fetch-site": "cross-site" },
        { "sec-fetch-site": "same-site" },
        { origin: "https://evil.example" }
      ]) {
        const { json } = yield* send("DELETE", "/v1/workers/a", undefined, { ...cookie, ...elsewhere })
        assert.deepInclude(json, problem("forbidden", 403))
      }
      yield* open("DELETE", `/v1/tokens/${id}`, undefined, operator)
      assert.strictEqual((yield* open("GET", "/v1/workers", undefined, cookie)).status, 401)
    })
  )

  withRoutes("that is over does not go on following the fleet", (routes) =>
    Effect.gen(function* () {
      const { header, id } = yield* create(routes, { role: "viewer" })
      const { body, status } = yield* routes.open("GET", "/v1/events", undefined, header)
      assert.strictEqual(status, 200)
      yield* routes.open("DELETE", `/v1/tokens/${id}`, undefined, operator)
      const text = yield* Effect.promise(() => new Response(body).text())
      assert.match(text, /^id: \d+\n/)
    })
  )

  withRoutes("is ended by signing out", ({ open, send }) =>
    Effect.gen(function* () {
      const { headers } = yield* send("POST", "/v1/session", { token: operatorToken })
      const cookie = { cookie: cookieOf(headers) }
      assert.strictEqual((yield* send("GET", "/v1/session", undefined, cookie)).json.role, "operator")
      const out = yield* open("DELETE", "/v1/session", undefined, cookie)
      assert.strictEqual(out.status, 204)
      assert.match(out.headers.get("set-cookie") ?? "", /^muster_session=;.*Max-Age=0/i)
      assert.strictEqual((yield* open("GET", "/v1/session", undefined, cookie)).status, 401)
    })
  )

  withRoutes("does not begin with a wrong token, nor with one that is not for people", (routes) =>
    Effect.gen(function* () {
      const { header } = yield* joinToken(routes)
      const { json } = yield* routes.send("POST", "/v1/join", worker("a"), header)
      for (const token of ["wrong", json.credential, header.authorization.slice(7)]) {
        const refused = yield* routes.send("POST", "/v1/session", { token })
        assert.deepInclude(refused.json, problem("unauthenticated", 401))
      }
    })
  )
})

describe("a join token", () => {
  withRoutes("registers one machine, whose credential is good for that machine alone", (routes) =>
    Effect.gen(function* () {
      const { open, send } = routes
      const { header } = yield* joinToken(routes, { namespace: "ci" })
      const { json, status } = yield* send("POST", "/v1/join", worker("a"), header)
      assert.strictEqual(status, 202)
      assert.strictEqual(
        (yield* send("GET", "/v1/workers/a", undefined, operator)).json.worker.metadata.namespace,
        "ci"
      )
      yield* send("POST", "/v1/workers", inNamespace("b", "ci"), operator)

      const machine = bearer(json.credential)
      assert.strictEqual((yield* open("POST", "/v1/workers/a/heartbeat", undefined, machine)).status, 200)
      for (const [method, path, body] of [
        ["POST", "/v1/workers/b/heartbeat", undefined],
        ["DELETE", "/v1/workers/b", undefined],
        ["GET", "/v1/workers/a", undefined],
        ["GET", "/v1/workers", undefined],
        ["POST", "/v1/workers", inNamespace("a", "ci")],
        ["POST", "/v1/workers/a/ready", undefined],
        ["POST", "/v1/join-tokens", {}]
      ] as const) {
        assert.strictEqual((yield* open(method, path, body, machine)).status, 403, `${method} ${path}`)
      }
      assert.strictEqual((yield* open("DELETE", "/v1/workers/a", undefined, machine)).status, 202)
      // A worker of the same name that somebody else provisions later is not this machine's.
      yield* send("POST", "/v1/workers", inNamespace("a", "ci"), operator)
      assert.strictEqual((yield* open("DELETE", "/v1/workers/a", undefined, machine)).status, 403)
    })
  )

  withRoutes("is good once, whoever is fastest", (routes) =>
    Effect.gen(function* () {
      const { header } = yield* joinToken(routes)
      const answers = yield* Effect.forEach(
        Array.from({ length: 20 }, (_, i) => `m${i}`),
        (id) => routes.send("POST", "/v1/join", worker(id), header),
        { concurrency: "unbounded" }
      )
      assert.strictEqual(answers.filter(({ status }) => status === 202).length, 1)
      assert.strictEqual(answers.filter(({ status }) => status === 401).length, 19)
      const { json } = yield* routes.send("GET", "/v1/workers", undefined, operator)
      assert.strictEqual(json.total, 1)
      const again = yield* routes.send("POST", "/v1/join", worker("late"), header)
      assert.deepInclude(again.json, problem("unauthenticated", 401))
    })
  )

  withRoutes("takes no worker from somebody else, unless it is for that worker", (routes) =>
    Effect.gen(function* () {
      const { send } = routes
      yield* send("POST", "/v1/workers", inNamespace("a", "ci"), operator)
      const any = yield* joinToken(routes, { namespace: "ci" })
      assert.strictEqual((yield* send("POST", "/v1/join", worker("a"), any.header)).status, 403)
      // Nothing came of it, so it is still good.
      assert.strictEqual((yield* send("POST", "/v1/join", worker("b"), any.header)).status, 202)

      const bound = yield* joinToken(routes, { namespace: "ci", workerId: "a" })
      assert.strictEqual((yield* send("POST", "/v1/join", worker("c"), bound.header)).status, 403)
      assert.strictEqual(
        (yield* send("POST", "/v1/join", inNamespace("a", "prod"), bound.header)).status,
        403
      )
      const { json, status } = yield* send("POST", "/v1/join", worker("a"), bound.header)
      assert.strictEqual(status, 202)
      const machine = bearer(json.credential)
      assert.strictEqual((yield* send("POST", "/v1/workers/a/heartbeat", undefined, machine)).status, 200)
    })
  )

  withRoutes("is still good when the worker could not be taken in", (routes) =>
    Effect.gen(function* () {
      const { header } = yield* joinToken(routes)
      assert.deepInclude(
        (yield* routes.send("POST", "/v1/join", { id: "a" }, header)).json,
        problem("invalid-worker", 400)
      )
      assert.strictEqual((yield* routes.send("POST", "/v1/join", worker("a"), header)).status, 202)
    })
  )

  withRoutes("is over after its time, and can be revoked", (routes) =>
    Effect.gen(function* () {
      const short = yield* joinToken(routes, { expiresIn: "1 millis" })
      const revoked = yield* joinToken(routes)
      yield* routes.open("DELETE", `/v1/tokens/${revoked.id}`, undefined, operator)
      yield* Effect.sleep("5 millis")
      for (const { header } of [
        short,
        revoked,
        { header: bearer("muster_0123456789abcdef_") },
        { header: {} }
      ]) {
        assert.strictEqual((yield* routes.send("POST", "/v1/join", worker("a"), header)).status, 401)
      }
      assert.strictEqual(
        (yield* routes.send("POST", "/v1/join-tokens", { expiresIn: "8 days" }, operator)).status,
        400
      )
    })
  )
})

describe("the audit log", () => {
  withRoutes("tells who did what to which worker, in a chain, and no secret", (routes) =>
    Effect.gen(function* () {
      const { send } = routes
      const { header, secret } = yield* create(routes, { role: "provisioner", namespaces: ["ci"] })
      yield* send("POST", "/v1/workers/batch", [inNamespace("a", "ci"), inNamespace("b", "ci")], header)
      yield* send("POST", "/v1/workers", inNamespace("a", "ci"), header)
      yield* send("POST", "/v1/workers", inNamespace("c", "prod"), header)
      yield* send("DELETE", "/v1/workers/a", undefined, header)
      yield* send("POST", "/v1/dead-letters/retry", undefined, header)
      yield* send("POST", "/v1/workers/b/heartbeat", undefined, header)
      const { items, latest, removed } = yield* audit(routes)
      const told = items.map(
        ({
          entry
        }: {
          entry: { actor: { name: string }; action: string; outcome: string; workers: Array<{ id: string }> }
        }) =>
          [entry.actor.name, entry.action, entry.outcome, entry.workers.map(({ id }) => id).join()].join(" ")
      )
      assert.deepStrictEqual(told, [
        "operator token.create done ",
        "test worker.register done a,b",
        "test worker.register refused c",
        "test worker.unregister done a",
        "test retryDeadLetters refused "
      ])
      assert.notInclude(JSON.stringify(items), secret.slice(-43))

      const verdictOf = (entries: typeof items) => {
        const verifier = new ChainVerifier(removed)
        for (const item of entries) verifier.add(item)
        return verifier.verdict(latest)
      }
      assert.deepStrictEqual(removed, chainBegin)
      assert.isUndefined(verdictOf(items))
      assert.deepStrictEqual(verdictOf(items.slice(0, -1)), { sequence: 5, problem: "cut off" })
      assert.deepStrictEqual(verdictOf([items[0], ...items.slice(2)]), { sequence: 2, problem: "missing" })
      const forged = structuredClone(items)
      forged[1].entry.workers[0].id = "z"
      assert.deepStrictEqual(verdictOf(forged), { sequence: 2, problem: "changed" })
    })
  )
})
