import { assert, describe, it } from "@effect/vitest"
import { workerArbitrary } from "@muster/testing"
import { DateTime, Effect, Metric, Predicate, Result, Schema } from "effect"
import * as Arbitrary from "effect/Arbitrary"
import { TestClock } from "effect/testing"
import { Worker, WorkerCapabilities, WorkerId, WorkerLimits, WorkerMetadata } from "./Worker.ts"

const minimal = { id: "ci-7f3a", capabilities: { cpuCores: 8, memoryMb: 16384 } }

/** A field that is set to something that may fit there or not; `undefined` takes it away. */
const Mutation = Schema.Struct({
  section: Schema.Literals(["", "capabilities", "metadata"]),
  field: Schema.Literals([
    "id",
    "capabilities",
    "metadata",
    "cpuCores",
    "memoryMb",
    "dockerEnabled",
    "customResources",
    "workerType",
    "namespace",
    "labels",
    "tags",
    "provisionedAt"
  ]),
  value: Schema.Literals([
    "undefined",
    "null",
    "true",
    "0",
    "-1",
    "1.5",
    "1e400",
    '""',
    '"x"',
    '"static"',
    '"2026-02-31T00:00:00Z"',
    '"2026-01-31T14:00:00+02:00"',
    "{}",
    "[]",
    '["a", "a"]',
    '{ "a": 1 }',
    '{ "a": "b" }',
    '{ "": "b" }',
    '{ "__proto__": "b" }'
  ])
})

const mutate = (input: unknown, { field, section, value }: typeof Mutation.Type): unknown => {
  const target: unknown =
    section === "" ? input : Predicate.hasProperty(input, section) ? input[section] : undefined
  if (!Predicate.isObject(target)) return input
  if (value === "undefined") Reflect.deleteProperty(target, field)
  else Reflect.set(target, field, JSON.parse(value))
  return input
}

/** The issues of invalid input, by path. */
const problemsOf = (input: unknown) =>
  Worker.decode(input).pipe(
    Effect.flip,
    Effect.map((error) => new Map(error.issues.map((issue) => [issue.path, issue])))
  )

describe("Worker.decode", () => {
  it.effect("fills in every default, and takes the time of intake from the Clock", () =>
    Effect.gen(function* () {
      yield* TestClock.setTime(Date.UTC(2026, 0, 31, 12))
      const worker = yield* Worker.decode(minimal)
      assert.strictEqual(worker.capabilities.dockerEnabled, false)
      assert.deepStrictEqual(worker.capabilities.customResources, {})
      assert.strictEqual(worker.metadata.workerType, "dynamic")
      assert.strictEqual(worker.metadata.namespace, "default")
      assert.deepStrictEqual(worker.metadata.labels, {})
      assert.deepStrictEqual(worker.metadata.tags, [])
      assert.strictEqual(DateTime.formatIso(worker.metadata.provisionedAt), "2026-01-31T12:00:00.000Z")
    })
  )

  it.effect("keeps what is given, as a set where it is one, and in UTC where it is a time", () =>
    Effect.gen(function* () {
      const worker = yield* Worker.decode({
        id: "rack1:node_2.example-3",
        capabilities: { cpuCores: 31.85, memoryMb: 1, dockerEnabled: true, customResources: { gpu: 0.5 } },
        metadata: {
          workerType: "static",
          namespace: "builds",
          labels: { "topology/zone": "a", empty: "" },
          tags: ["gpu", "fast", "gpu"],
          provisionedAt: "2026-01-31T14:00:00+02:00"
        }
      })
      assert.strictEqual(worker.capabilities.cpuCores, 31.85)
      assert.deepStrictEqual(worker.metadata.tags, ["gpu", "fast"])
      assert.deepStrictEqual(worker.metadata.labels, { "topology/zone": "a", empty: "" })
      assert.strictEqual(DateTime.formatIso(worker.metadata.provisionedAt), "2026-01-31T12:00:00.000Z")
    })
  )

  it.effect("survives JSON and back", () =>
    Effect.gen(function* () {
      const worker = yield* Worker.decode({ ...minimal, metadata: { tags: ["a"], labels: { b: "c" } } })
      const json: unknown = JSON.parse(JSON.stringify(Schema.encodeSync(Worker)(worker)))
      assert.deepStrictEqual(yield* Worker.decode(json), worker)
    })
  )

  it.effect("can be constructed from typed values, with the same defaults", () =>
    Effect.sync(() => {
      const capabilities = new WorkerCapabilities({ cpuCores: 1, memoryMb: 1 })
      const worker = new Worker({ id: WorkerId.make("a"), capabilities })
      assert.strictEqual(worker.metadata.namespace, "default")
      assert.throws(() => new WorkerCapabilities({ cpuCores: 0, memoryMb: 1 }))
    })
  )

  it.effect.each(["a", "A9", "a.b_c:d-e", "x".repeat(253)])("accepts the id %s", (id) =>
    Effect.map(Worker.decode({ ...minimal, id }), (worker) => assert.strictEqual(worker.id, id))
  )

  it.effect.each([
    "",
    "-a",
    "a-",
    ".a",
    "a b",
    "a/b",
    "ä",
    "a\n",
    "a\u0000",
    "x".repeat(254),
    "x".repeat(10_000)
  ])("refuses the id %j", (id) =>
    Effect.gen(function* () {
      const problem = (yield* problemsOf({ ...minimal, id })).get("id")
      assert.include(problem?.rule, "1 to 253 characters")
      assert.include(problem?.received, `${id.length} character`)
    })
  )

  it.effect.each([
    ["NaN", NaN],
    ["Infinity", Infinity],
    ["-Infinity", -Infinity],
    ["zero", 0],
    ["zero", -0],
    ["a negative number", -1],
    ["a whole number", 1e308],
    ["a string of 1 character", "8"],
    ["null", null],
    ["an array of 1", [8]],
    ["an object", { value: 8 }],
    ["a bigint", 8n],
    ["a boolean", true]
  ] as const)("refuses %s as a number of cores or MiB, and says so", ([received, value]) =>
    Effect.gen(function* () {
      const problems = yield* problemsOf({ id: "a", capabilities: { cpuCores: value, memoryMb: value } })
      assert.deepStrictEqual(Array.from(problems.keys()), ["capabilities.cpuCores", "capabilities.memoryMb"])
      assert.strictEqual(problems.get("capabilities.cpuCores")?.received, received)
    })
  )

  it.effect("refuses a fraction of a MiB", () =>
    Effect.gen(function* () {
      const problems = yield* problemsOf({ id: "a", capabilities: { cpuCores: 1, memoryMb: 1.5 } })
      assert.strictEqual(problems.get("capabilities.memoryMb")?.received, "a number with a fraction")
    })
  )

  it.effect("names every bad field with its path, the rule and the kind, and never the value", () =>
    Effect.gen(function* () {
      const error = yield* Effect.flip(
        Worker.decode({
          id: 7,
          capabilities: {
            cpuCores: "s3cret",
            dockerEnabled: "s3cret",
            customResources: { gpu: -1, "": 1, disk: "s3cret" }
          },
          metadata: {
            workerType: "s3cret",
            namespace: ["s3cret"],
            labels: { zone: 4, ok: "fine" },
            tags: ["fine", { s3cret: "s3cret" }],
            provisionedAt: "s3cret"
          }
        })
      )
      assert.sameMembers(
        error.issues.map((issue) => issue.path),
        [
          "id",
          "capabilities.cpuCores",
          "capabilities.memoryMb",
          "capabilities.dockerEnabled",
          "capabilities.customResources.gpu",
          "capabilities.customResources.",
          "capabilities.customResources.disk",
          "metadata.workerType",
          "metadata.namespace",
          "metadata.labels.zone",
          "metadata.tags.1",
          "metadata.provisionedAt"
        ]
      )
      assert.notInclude(error.message, "s3cret")
      assert.notInclude(JSON.stringify(error.issues), "s3cret")
      assert.strictEqual(error.workerId, "unknown")
      assert.strictEqual(error.attempts, 0)
      assert.strictEqual(error.retryable, false)
    })
  )

  it.effect.each([
    null,
    undefined,
    "x",
    1,
    NaN,
    true,
    [],
    [minimal],
    3n,
    Symbol("x"),
    () => 1,
    new Date(),
    {}
  ])("refuses %s as a whole worker without throwing", (input) =>
    Effect.map(problemsOf(input), (problems) => assert.isAbove(problems.size, 0))
  )

  it.effect("refuses objects that cannot even be read", () =>
    Effect.gen(function* () {
      const explosive = new Proxy(
        {},
        {
          get: () => assert.fail("read"),
          has: () => assert.fail("asked"),
          getOwnPropertyDescriptor: () => assert.fail("described")
        }
      )
      for (const input of [explosive, { ...minimal, metadata: explosive }]) {
        assert.strictEqual((yield* problemsOf(input)).get("")?.rule, "plain JSON data")
      }
    })
  )

  it.effect("takes __proto__ keys for what they are: data, and bad names", () =>
    Effect.gen(function* () {
      const input: unknown = JSON.parse(
        `{ "id": "a", "__proto__": { "polluted": true },
           "capabilities": { "cpuCores": 1, "memoryMb": 1, "customResources": { "__proto__": 1 } },
           "metadata": { "labels": { "__proto__": "x", "constructor": "fine" } } }`
      )
      const problems = yield* problemsOf(input)
      assert.sameMembers(Array.from(problems.keys()), [
        "capabilities.customResources.__proto__",
        "metadata.labels.__proto__"
      ])
      assert.isUndefined(Object.getOwnPropertyDescriptor(Object.prototype, "polluted"))
    })
  )

  it.effect("refuses what exceeds a bound by one, and accepts the bound", () =>
    Effect.gen(function* () {
      const entries = <A>(count: number, value: A) =>
        Object.fromEntries(Array.from({ length: count }, (_, index) => [`k${index}`, value]))
      const sized = (extra: number) => ({
        id: "a",
        capabilities: {
          cpuCores: WorkerLimits.cpuCores + extra,
          memoryMb: WorkerLimits.memoryMb + extra,
          customResources: entries(WorkerLimits.customResources + extra, 1)
        },
        metadata: {
          namespace: "n".repeat(WorkerLimits.namespace + extra),
          labels: entries(WorkerLimits.labels + extra, "v".repeat(WorkerLimits.labelValue)),
          tags: Object.keys(entries(WorkerLimits.tags + extra, 1))
        }
      })
      yield* Worker.decode(sized(0))
      assert.sameMembers(Array.from((yield* problemsOf(sized(1))).keys()), [
        "capabilities.cpuCores",
        "capabilities.memoryMb",
        "capabilities.customResources",
        "metadata.namespace",
        "metadata.labels",
        "metadata.tags"
      ])
    })
  )

  it.effect("answers a million bad labels and tags with one issue each, without looking at them all", () =>
    Effect.gen(function* () {
      const labels: Record<string, number> = {}
      for (let index = 0; index < 1_000_000; index++) labels[`k${index}`] = index
      const tags = new Array(1_000_000).fill(7)
      const problems = yield* problemsOf({ ...minimal, metadata: { labels, tags, workerType: 1 } })
      assert.sameMembers(Array.from(problems.keys()), [
        "metadata.labels",
        "metadata.tags",
        "metadata.workerType"
      ])
    })
  )

  it.effect("ignores unknown fields, however deep", () =>
    Effect.gen(function* () {
      let deep: unknown = {}
      for (let depth = 0; depth < 100_000; depth++) deep = { deep }
      assert.strictEqual((yield* Worker.decode({ ...minimal, deep, error: "from a report" })).id, "ci-7f3a")
      assert.sameMembers(Array.from((yield* problemsOf({ id: deep, capabilities: deep })).keys()), [
        "id",
        "capabilities.cpuCores",
        "capabilities.memoryMb"
      ])
    })
  )

  it.effect("refuses text that a database or a protocol could not take", () =>
    Effect.gen(function* () {
      const problems = yield* problemsOf({
        ...minimal,
        metadata: { namespace: "a\0b", labels: { half: "\ud800", whole: "\u{1f600}" }, tags: ["\udfff"] }
      })
      assert.sameMembers(Array.from(problems.keys()), [
        "metadata.namespace",
        "metadata.labels.half",
        "metadata.tags.0"
      ])
      assert.include(problems.get("metadata.labels.half")?.rule, "well-formed")
    })
  )

  it("refuses to construct a time that JSON could not carry", () => {
    assert.throws(() => new WorkerMetadata({ provisionedAt: DateTime.makeUnsafe(8e15) }))
  })

  it.effect("keeps hostile ids and keys out of terminals and logs", () =>
    Effect.gen(function* () {
      const escape = "\u001b[2J\u202e\n"
      const error = yield* Effect.flip(
        Worker.decode({
          ...minimal,
          id: `a${escape}`,
          metadata: { labels: { [escape]: 1, ["x".repeat(5000)]: 1 } }
        })
      )
      assert.notMatch(error.message, /[\u0000-\u001f\u202e]/)
      assert.isBelow(error.message.length, 1000)
    })
  )

  it.effect("makes well-formed text of ids and keys that are not, or that it cuts", () =>
    Effect.gen(function* () {
      const half = "\ud83d"
      const error = yield* Effect.flip(
        Worker.decode({
          ...minimal,
          id: "a" + "\u{1f600}".repeat(300),
          metadata: { labels: { [`${half}-zone`]: "a" } }
        })
      )
      assert.isTrue(error.workerId.isWellFormed())
      assert.isTrue(error.message.isWellFormed())
      assert.strictEqual(error.issues[0]?.path, "metadata.labels.?-zone")
    })
  )

  it.effect("does not copy unknown fields, of which there may be millions", () =>
    Effect.gen(function* () {
      let copied = 0
      const unknown = {
        enumerable: true,
        get: () => {
          copied++
        }
      }
      const labels = Object.fromEntries(Array.from({ length: 300 }, (_, index) => [`k${index}`, "v"]))
      const metadata = Object.defineProperty({ labels, workerType: "static" }, "unknown", unknown)
      const input = Object.defineProperty({ ...minimal, metadata }, "unknown", unknown)
      const error = yield* Effect.flip(Worker.decode(input))
      assert.deepStrictEqual(
        error.issues.map(({ path }) => path),
        ["metadata.labels"]
      )
      assert.strictEqual(error.workerType, "static")
      assert.strictEqual(copied, 0)
    })
  )

  it.effect.each([
    "2026-02-30T00:00:00Z",
    "2026-01-31T24:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-01-31",
    "31 Jan 2026",
    "",
    "2026-01-31T25:00:00Z"
  ])("refuses the timestamp %j", (provisionedAt) =>
    Effect.gen(function* () {
      const problem = (yield* problemsOf({ ...minimal, metadata: { provisionedAt } })).get(
        "metadata.provisionedAt"
      )
      assert.include(problem?.rule, "RFC 3339")
    })
  )

  it.effect("counts each failure once, under the worker's type where that is known", () =>
    Effect.gen(function* () {
      const decode = (metadata: unknown) => Effect.result(Worker.decode({ id: "-", metadata }))
      yield* Effect.all([decode({ workerType: "static" }), decode({ workerType: "mainframe" }), decode(null)])
      const counted = (yield* Metric.snapshot).filter(({ id }) => id === "worker_registration_failures_total")
      assert.deepStrictEqual(
        counted.map(({ attributes, state }) => [attributes, state]),
        [
          [
            { error_type: "invalid_worker", worker_type: "static" },
            { count: 1, incremental: true }
          ],
          [
            { error_type: "invalid_worker", worker_type: "unknown" },
            { count: 2, incremental: true }
          ]
        ]
      )
    }).pipe(Effect.provideService(Metric.MetricRegistry, new Map()))
  )
})

describe("Worker.decode and its schema", () => {
  it.effect.prop(
    "decode alike whatever comes, in order or not",
    [workerArbitrary, Arbitrary.schema(Schema.Array(Mutation).check(Schema.isMaxLength(3)))],
    ([worker, mutations]) =>
      Effect.gen(function* () {
        const input: unknown = mutations.reduce(mutate, JSON.parse(JSON.stringify(worker)))
        const decoded = yield* Effect.result(Worker.decode(input))
        const expected = yield* Effect.result(Schema.decodeUnknownEffect(Worker)(input))
        assert.strictEqual(Result.isSuccess(decoded), Result.isSuccess(expected))
        if (Result.isSuccess(decoded) && Result.isSuccess(expected)) {
          assert.deepStrictEqual(decoded.success, expected.success)
        }
      })
  )
})
