import { assert, describe, it } from "@effect/vitest"
import { EmbeddedScheduler, MetricFamily, Worker, WorkerRegistration } from "@muster/core"
import { Effect, Layer, Metric } from "effect"
import { metricFamilies } from "./MetricCatalogue.ts"
import { Telemetry } from "./Telemetry.ts"

/** A registry of its own for each test. */
const layer = Layer.mergeAll(
  WorkerRegistration.layer.pipe(Layer.provide(EmbeddedScheduler.layer)),
  Telemetry.layer
).pipe(Layer.provideMerge(Layer.sync(Metric.MetricRegistry, () => new Map())))

const scrape = Effect.flatMap(Telemetry, ({ prometheus }) => prometheus)

const types = (text: string) =>
  Object.fromEntries(
    Array.from(text.matchAll(/^# TYPE (\S+) (\S+)$/gm), ([, name = "", type]) => [name, type])
  )

const samples = (text: string) => {
  const all = Array.from(text.matchAll(/^([a-z_]+)(?:\{(.*)\})? (\S+)$/gm))
  return all.map(([, name = "", labels = "", value]) => ({
    name,
    labels: Object.fromEntries(
      Array.from(labels.matchAll(/(\w+)="([^"]*)"/g), ([, name = "", value = ""]) => [name, value])
    ),
    value: Number(value)
  }))
}

const labelsOf = (text: string, family: string) =>
  new Set(
    samples(text)
      .filter(({ name }) => name === family)
      .map(({ labels }) => Object.keys(labels).toSorted().join())
  )

const edges = (text: string, family: string) => [
  ...new Set(
    samples(text)
      .filter(({ name }) => name === `${family}_bucket`)
      .map(({ labels }) => labels.le)
  )
]

const valueOf = (text: string, family: string, labels: Readonly<Record<string, string>>) =>
  samples(text).filter(
    ({ labels: found, name }) =>
      name === family && Object.entries(labels).every(([label, value]) => found[label] === value)
  )

const expectedTypes = {
  worker_registration_operations_total: "counter",
  worker_registration_duration_seconds: "histogram",
  worker_registration_retry_count: "histogram",
  worker_registration_failures_total: "counter",
  worker_registration_attempts_total: "counter",
  worker_registration_in_flight: "gauge",
  worker_unregistration_operations_total: "counter"
}

describe("case 13: the Prometheus text", () => {
  const assertFamilies = (text: string) => {
    assert.deepInclude(types(text), expectedTypes)
    assert.deepStrictEqual(
      labelsOf(text, "worker_registration_operations_total"),
      new Set(["result,worker_type"])
    )
    assert.deepStrictEqual(
      labelsOf(text, "worker_registration_attempts_total"),
      new Set(["result,worker_type"])
    )
    assert.deepStrictEqual(
      labelsOf(text, "worker_unregistration_operations_total"),
      new Set(["result,worker_type"])
    )
    assert.deepStrictEqual(
      labelsOf(text, "worker_registration_failures_total"),
      new Set(["error_type,worker_type"])
    )
    assert.deepStrictEqual(labelsOf(text, "worker_registration_in_flight"), new Set([""]))
    for (const family of ["worker_registration_duration_seconds", "worker_registration_retry_count"]) {
      assert.deepStrictEqual(labelsOf(text, `${family}_bucket`), new Set(["le,worker_type"]))
      assert.deepStrictEqual(labelsOf(text, `${family}_count`), new Set(["worker_type"]))
      assert.deepStrictEqual(labelsOf(text, `${family}_sum`), new Set(["worker_type"]))
    }
    assert.deepStrictEqual(edges(text, "worker_registration_duration_seconds"), [
      "0.1",
      "0.5",
      "1",
      "2.5",
      "5",
      "10",
      "+Inf"
    ])
    assert.deepStrictEqual(edges(text, "worker_registration_retry_count"), ["0", "1", "2", "3", "5", "+Inf"])
    assert.notMatch(text, /target_info|otel_scope|# UNIT|NaN|undefined/)
    const series = samples(text).map(({ labels, name }) => JSON.stringify([name, labels]))
    assert.strictEqual(new Set(series).size, series.length)
  }

  it.effect("has every series at zero before anything has happened", () =>
    Effect.gen(function* () {
      const text = yield* scrape
      assertFamilies(text)
      assert.isTrue(samples(text).every(({ value }) => value === 0))
      for (const family of metricFamilies.filter(({ type }) => type !== "gauge")) {
        const suffix = family.type === "histogram" ? "_(bucket|sum|count)" : ""
        const series = samples(text).filter(({ name }) => new RegExp(`^${family.name}${suffix}$`).test(name))
        assert.lengthOf(series, MetricFamily.seriesCount(family), family.name)
      }
      assert.lengthOf(valueOf(text, "worker_registration_failures_total", {}), 15)
    }).pipe(Effect.provide(layer))
  )

  it.effect("keeps names, labels and edges, and counts what happens", () =>
    Effect.gen(function* () {
      const registration = yield* WorkerRegistration
      const capabilities = { cpuCores: 1, memoryMb: 1 }
      const worker = yield* Worker.decode({ id: "a", capabilities, metadata: { workerType: "static" } })
      yield* registration.register(worker)
      yield* registration.register(worker)
      yield* registration.unregister(worker.id)
      yield* Effect.flip(Worker.decode({ id: "b" }))
      const text = yield* scrape
      assertFamilies(text)
      const counted = { result: "success", worker_type: "static" }
      assert.strictEqual(valueOf(text, "worker_registration_operations_total", counted)[0]?.value, 2)
      assert.strictEqual(
        valueOf(text, "worker_registration_retry_count_count", { worker_type: "static" })[0]?.value,
        2
      )
      const invalid = { error_type: "invalid_worker", worker_type: "unknown" }
      assert.strictEqual(valueOf(text, "worker_registration_failures_total", invalid)[0]?.value, 1)
    }).pipe(Effect.provide(layer))
  )
})
