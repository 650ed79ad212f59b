import { assert, describe, it } from "@effect/vitest"
import { DateTime, Effect, Stream } from "effect"
import { decode, type FleetRow } from "./FleetRow.ts"
import * as JsonDocument from "./JsonDocument.ts"
import { piecesOf, workerOf } from "./TestRows.ts"
import * as Yaml from "./Yaml.ts"

const bytesOf = (text: string) => piecesOf(text, 1000)
const readYaml = (text: string) => Stream.runCollect(Yaml.read(bytesOf(text)))
const readJson = (text: string) => Stream.runCollect(JsonDocument.read(bytesOf(text), text))

const node = (name: string, resources: unknown, others: object = {}) => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name, ...others },
  status: { allocatable: resources }
})
const small = { cpu: "1", memory: "1Gi" }

const messages = (rows: ReadonlyArray<FleetRow>) =>
  Effect.forEach(rows, (row) =>
    decode(row).pipe(
      Effect.map(({ id }) => `${row.line ?? row.entry}: ${id}`),
      Effect.catch(({ message }) => Effect.succeed(`${row.line ?? row.entry}: ${message}`))
    )
  )

describe("a Kubernetes Node", () => {
  it.effect("is a worker", () =>
    Effect.gen(function* () {
      const resources = {
        cpu: "31850m",
        memory: "262144Mi",
        pods: "110",
        "ephemeral-storage": "1Gi",
        "nvidia.com/gpu": "8"
      }
      const labels = { "topology.kubernetes.io/zone": "a" }
      const [row] = yield* readJson(
        JSON.stringify(node("n1", resources, { labels, creationTimestamp: "2026-01-31T12:00:00Z" }))
      )
      const { capabilities, id, metadata } = yield* workerOf(row)
      assert.strictEqual(id, "n1")
      assert.deepStrictEqual(
        { ...capabilities },
        { cpuCores: 31.85, memoryMb: 262_144, dockerEnabled: false, customResources: { "nvidia.com/gpu": 8 } }
      )
      assert.strictEqual(metadata.namespace, "default")
      assert.deepStrictEqual(metadata.labels, labels)
      assert.strictEqual(DateTime.formatIso(metadata.provisionedAt), "2026-01-31T12:00:00.000Z")
    })
  )

  it.effect("has the capacity where nothing says what is allocatable, resource by resource", () =>
    Effect.gen(function* () {
      const status = {
        capacity: { cpu: 8, memory: "2Gi", "example.com/fpga": "2" },
        allocatable: { memory: "1Gi" },
        nodeInfo: { containerRuntimeVersion: "docker://20.10.7" }
      }
      const [row] = yield* readJson(JSON.stringify({ ...node("n", {}), status }))
      const { capabilities } = yield* workerOf(row)
      assert.deepStrictEqual(
        { ...capabilities },
        { cpuCores: 8, memoryMb: 1024, dockerEnabled: true, customResources: { "example.com/fpga": 2 } }
      )
    })
  )

  it.effect("with a quantity that is none names the resource, not the value", () =>
    Effect.gen(function* () {
      const [row] = yield* readJson(JSON.stringify(node("n", { cpu: "eight", memory: "1Gi", "a.b/c": true })))
      const { issues, workerId } = yield* Effect.flip(workerOf(row))
      assert.strictEqual(workerId, "n")
      assert.deepStrictEqual(
        issues.map(({ path, received }) => [path, received]),
        [
          ["capabilities.customResources.a.b/c", "a boolean"],
          ["capabilities.cpuCores", "a string of 5 characters"]
        ]
      )
    })
  )
})

describe("a Kubernetes list in JSON", () => {
  const pod = { apiVersion: "v1", kind: "Pod", metadata: { name: "p" } }

  it.effect("gives its Nodes, and reports what is none", () =>
    Effect.gen(function* () {
      for (const indent of [0, 4]) {
        const list = {
          apiVersion: "v1",
          items: [node("a", small), pod, node("b", small)],
          kind: "List",
          metadata: {}
        }
        const [first, second, third] = yield* messages(yield* readJson(JSON.stringify(list, null, indent)))
        assert.strictEqual(first, indent === 0 ? "1: a" : "4: a")
        assert.include(second, "expected a Kubernetes Node (v1), received a Pod (v1)")
        assert.match(third ?? "", indent === 0 ? /^1: b$/ : /^\d\d: b$/)
      }
    })
  )

  it.effect("may be a NodeList, whose items do not say what they are, with `items` wherever it stands", () =>
    Effect.gen(function* () {
      const { apiVersion: _, kind: __, ...bare } = node("a", small)
      for (const list of [
        { kind: "NodeList", apiVersion: "v1", metadata: { resourceVersion: "1" }, items: [bare] },
        { other: [1], items: [bare], apiVersion: "v1", kind: "NodeList" }
      ]) {
        assert.deepStrictEqual(yield* messages(yield* readJson(JSON.stringify(list))), ["1: a"])
      }
    })
  )

  it.effect("that breaks off gives what came before", () =>
    Effect.gen(function* () {
      const text = JSON.stringify([node("a", small), node("b", small)]).slice(0, -5)
      const seen: Array<FleetRow> = []
      const error = yield* JsonDocument.read(bytesOf(text), text).pipe(
        Stream.runForEach((row) => Effect.sync(() => seen.push(row))),
        Effect.flip
      )
      const [first, second] = yield* messages(seen)
      assert.strictEqual(first, "1: a")
      assert.include(second, "expected a JSON object, received text that is not JSON")
      assert.include(error.message, "breaks off at line 1, after entry 2")
    })
  )
})

describe("YAML", () => {
  it.effect("may have lists, Nodes and workers in several documents, each with its line", () =>
    Effect.gen(function* () {
      const rows = yield* readYaml(`# nodes
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Node
  metadata: {name: a}
  status: {allocatable: {cpu: 500m, memory: 128Gi}}
- {apiVersion: v1, kind: Node, metadata: {name: b}, status: {capacity: {cpu: 32, memory: 1Gi}}}
---
---
apiVersion: v1
kind: Node
metadata: {name: c}
status: {capacity: {cpu: 1e1, memory: 1Gi}}
---
apiVersion: v1
kind: Service
---
- id: d
  capabilities: {cpuCores: 1, memoryMb: 1}
`)
      const [a, b, c, service, d] = yield* messages(rows)
      assert.deepStrictEqual([a, b, c, d], ["5: a", "9: b", "12: c", "20: d"])
      assert.include(service, "17: ")
      assert.include(service, "a Service (v1)")
    })
  )

  it.effect("that is broken in one document gives the others", () =>
    Effect.gen(function* () {
      const good = JSON.stringify(node("good", small))
      const [bad, next] = yield* messages(yield* readYaml(`a: [1\n---\n${good}\n`))
      assert.include(bad, "expected a YAML document, received a mistake at line 2")
      assert.strictEqual(next, "3: good")
    })
  )

  it.effect("that is built to explode is refused", () =>
    Effect.gen(function* () {
      const levels = Array.from(
        { length: 9 },
        (_, level) => `l${level + 1}: &l${level + 1} [${`*l${level},`.repeat(9)}]`
      )
      const rows = yield* readYaml(`l0: &l0 x\n${levels.join("\n")}\n`)
      assert.include((yield* messages(rows))[0], "aliases that are nested too deeply")
    })
  )

  it.effect("may be empty", () =>
    Effect.map(readYaml("# nothing\n"), (rows) => assert.deepStrictEqual(rows, []))
  )
})
