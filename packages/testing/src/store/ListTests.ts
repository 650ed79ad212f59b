/**
 * Listings.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { ListFilter } from "@muster/core/fleet"
import {
  type DeclareTest,
  type FleetStoreTrial,
  ids,
  idsOf,
  record,
  storedWorker
} from "./FleetStoreTrial.ts"

export const testList = (test: DeclareTest) => {
  test(
    "gives workers in the order in which they became known, page by page",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      assert.deepStrictEqual(yield* trial.store.list({}, 10, 0), { records: [], next: undefined, total: 0 })
      yield* trial.put(record("c"), record("a"))
      yield* trial.put(record("e"))
      yield* trial.put(record("b", { phase: "ready" }), record("d"), record("a", { attempts: 1 }))
      const order = ["c", "a", "e", "b", "d"]
      for (const limit of [1, 2, 3, 5, 100]) {
        const { ids, pages, totals } = yield* trial.pages({}, limit)
        assert.deepStrictEqual(ids, order)
        assert.lengthOf(pages, Math.ceil(5 / limit))
        assert.deepStrictEqual(totals, [5])
      }
      const { records } = yield* trial.store.list({}, 10, 0)
      assert.strictEqual(records[1]?.attempts, 1)
    })
  )

  test(
    "goes on at the same place, whatever comes and goes in between",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(...["a", "b", "c", "d"].map((name) => record(name)))
      const { next = 0 } = yield* trial.store.list({}, 2, 0)
      yield* trial.put(
        record("b", { phase: "terminated" }),
        record("c", { phase: "terminated" }),
        record("e"),
        record("d", { attempts: 1 })
      )
      yield* trial.store.forget({ before: Number.MAX_SAFE_INTEGER, keep: 0, limit: 10 })
      yield* trial.put(record("b"))
      const page = yield* trial.store.list({}, 10, next)
      assert.deepStrictEqual(idsOf(page.records), ["d", "e", "b"])
      assert.strictEqual(page.total, 4)
    })
  )

  test(
    "narrows by phase, namespace, type and labels, and all of them together",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const labels = { zone: "eu", "a.b/c": "quoted \" \\ ' 漢", empty: "", number: "1" }
      yield* trial.put(
        record("bare", { phase: "terminated" }),
        record("plain", { stored: storedWorker("plain"), phase: "ready" }),
        record("eu", { stored: storedWorker("eu", { labels }), phase: "failed" }),
        record("us", {
          stored: storedWorker("us", { labels: { zone: "us" }, namespace: "ci" }),
          phase: "ready"
        }),
        record("all", {
          stored: storedWorker("all", { labels, namespace: "ci", workerType: "static" }),
          phase: "ready"
        })
      )
      const expectations: ReadonlyArray<readonly [Parameters<typeof trial.pages>[0], ReadonlyArray<string>]> =
        [
          [{}, ["bare", "plain", "eu", "us", "all"]],
          [{ phases: [], labels: [] }, ["bare", "plain", "eu", "us", "all"]],
          [{ phases: ["ready"] }, ["plain", "us", "all"]],
          [{ phases: ["failed", "terminated"] }, ["bare", "eu"]],
          [{ phases: ["pending"] }, []],
          [{ namespace: "default" }, ["plain", "eu"]],
          [{ namespace: "Default" }, []],
          [{ workerType: "static" }, ["all"]],
          [{ workerType: "neither" }, []],
          [{ labels: [["zone", "eu"]] }, ["eu", "all"]],
          [{ labels: [["zone", "e"]] }, []],
          [{ labels: [["zon", "eu"]] }, []],
          [{ labels: [["number", "1"]] }, ["eu", "all"]],
          [{ labels: [["empty", ""]] }, ["eu", "all"]],
          [{ labels: [["toString", ""]] }, []],
          [{ labels: [["a.b/c", "quoted \" \\ ' 漢"]] }, ["eu", "all"]],
          [
            {
              labels: [
                ["zone", "eu"],
                ["a.b/c", "other"]
              ]
            },
            []
          ],
          [{ phases: ["ready"], namespace: "ci" }, ["us", "all"]],
          [{ phases: ["ready", "failed"], workerType: "dynamic" }, ["plain", "eu", "us"]],
          [
            {
              phases: ["ready"],
              namespace: "ci",
              workerType: "static",
              labels: [
                ["zone", "eu"],
                ["empty", ""]
              ]
            },
            ["all"]
          ]
        ]
      for (const [filter, expected] of expectations) {
        for (const limit of [1, 2, 100]) {
          const { ids, pages, totals } = yield* trial.pages(filter, limit)
          assert.deepStrictEqual(ids, expected, JSON.stringify(filter))
          assert.deepStrictEqual(totals, [expected.length], JSON.stringify(filter))
          assert.lengthOf(pages, Math.max(1, Math.ceil(expected.length / limit)))
        }
      }
    })
  )

  test(
    "finds ids by a part of them, in capitals or not, and nothing else by what stands in SQL for anything",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(
        record("gpu-A1", { phase: "ready", stored: storedWorker("gpu-A1", { labels: { zone: "eu" } }) }),
        record("cpu-a1"),
        record("gpu_b2", { phase: "ready" })
      )
      const expectations: ReadonlyArray<readonly [search: string, ids: Array<string>]> = [
        ["a1", ["gpu-A1", "cpu-a1"]],
        ["GPU", ["gpu-A1", "gpu_b2"]],
        ["u-", ["gpu-A1", "cpu-a1"]],
        ["%", []],
        ["_", ["gpu_b2"]],
        ["'", []],
        ["gpu-a1 ", []],
        ["", ["gpu-A1", "cpu-a1", "gpu_b2"]]
      ]
      for (const [search, expected] of expectations) {
        const { ids, totals } = yield* trial.pages({ search }, 1)
        assert.deepStrictEqual(ids, expected, search)
        assert.deepStrictEqual(totals, [expected.length], search)
      }
      for (const filter of [
        { phases: ["ready"], search: "A" },
        { labels: [["zone", "eu"]], search: "gpu" }
      ] satisfies ReadonlyArray<ListFilter>) {
        assert.deepStrictEqual((yield* trial.pages(filter, 10)).ids, ["gpu-A1"])
      }
    })
  )

  test(
    "takes what it looks for as text, whatever that means to a database",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const labels = { zone: "100%_\\" }
      yield* trial.put(
        record("a", { stored: storedWorker("a", { labels, namespace: "%_\\" }) }),
        record("b", { stored: storedWorker("b", { labels: { zone: "100 per cent" }, namespace: "other" }) })
      )
      const hostile = [
        "%",
        "_",
        "\\",
        "a%",
        "'",
        "' OR 1=1 --",
        "'; DELETE FROM muster_worker; --",
        '"',
        "$1",
        "?",
        ":a",
        "\0",
        "a\0",
        "\ud800",
        "\u{1f600}"
      ]
      for (const text of hostile) {
        const filters: ReadonlyArray<ListFilter> = [
          { search: `${text}x` },
          { namespace: `${text}x` },
          { labels: [["zone", `${text}x`]] },
          { labels: [[text, "100%_\\"]] }
        ]
        for (const filter of filters) {
          assert.deepStrictEqual((yield* trial.pages(filter, 10)).ids, [], JSON.stringify(filter))
          const browsed = yield* trial.store.browse(filter, {
            order: { by: "id", descending: false },
            skip: 0,
            limit: 10
          })
          assert.strictEqual(browsed.total, 0, JSON.stringify(filter))
        }
      }
      const exact: ReadonlyArray<ListFilter> = [{ namespace: "%_\\" }, { labels: [["zone", "100%_\\"]] }]
      for (const filter of exact) assert.deepStrictEqual((yield* trial.pages(filter, 10)).ids, ["a"])
      assert.strictEqual((yield* trial.pages({}, 10)).totals[0], 2)
    })
  )

  test(
    "is counted by kind",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      assert.deepStrictEqual(yield* trial.store.kinds, [])
      const ci = storedWorker("a", { namespace: "ci", workerType: "static" })
      yield* trial.put(
        record("a", { phase: "ready", stored: ci }),
        record("b", { phase: "ready", stored: ci, priority: "low" }),
        record("c", { phase: "pending", stored: storedWorker("c") }),
        record("gone", { phase: "terminated" })
      )
      yield* trial.put(record("c", { phase: "ready", stored: storedWorker("c") }))
      const kinds = (yield* trial.store.kinds).toSorted((left, right) => right.workers - left.workers)
      assert.sameDeepMembers(
        [...kinds],
        [
          { phase: "ready", namespace: "ci", workerType: "static", workers: 2 },
          { phase: "ready", namespace: "default", workerType: "dynamic", workers: 1 },
          { phase: "terminated", namespace: undefined, workerType: undefined, workers: 1 }
        ]
      )
    })
  )

  test(
    "is looked through from any place, in any order",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const labels = { pool: "a" }
      yield* trial.put(
        record("c", { updatedAt: 30, stored: storedWorker("c", { labels }) }),
        record("B", { updatedAt: 10, stored: storedWorker("B", { labels }) }),
        record("a", { updatedAt: 20, phase: "ready", stored: storedWorker("a", { labels }) }),
        record("d", { updatedAt: 10, stored: storedWorker("d", { labels }) })
      )
      const orders = { known: "cBad", id: "Bacd", updatedAt: "Bdac" } as const
      for (const filter of [
        {},
        { labels: [["pool", "a"]] },
        { namespace: "default" }
      ] satisfies ReadonlyArray<ListFilter>) {
        for (const by of ["known", "id", "updatedAt"] as const) {
          for (const descending of [false, true]) {
            const expected = descending ? Array.from(orders[by]).toReversed() : Array.from(orders[by])
            for (const [skip, limit] of [
              [0, 10],
              [0, 2],
              [1, 2],
              [3, 2],
              [4, 2],
              [1000, 1]
            ] as const) {
              const { records, total } = yield* trial.store.browse(filter, {
                order: { by, descending },
                skip,
                limit
              })
              assert.deepStrictEqual(
                idsOf(records),
                expected.slice(skip, skip + limit),
                `${by} ${skip} ${limit}`
              )
              assert.strictEqual(total, 4)
            }
          }
        }
      }
      const order = { by: "id", descending: true } as const
      const narrowed = yield* trial.store.browse(
        { phases: ["pending"], search: "b" },
        { order, skip: 0, limit: 5 }
      )
      assert.deepStrictEqual(idsOf(narrowed.records), ["B"])
      assert.strictEqual(narrowed.total, 1)
    })
  )

  test(
    "finds labels whatever their names and values are",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const names = [
        '"',
        "\\",
        "\\n",
        "\n",
        "$",
        "$.a",
        "[0]",
        "a\"b'c",
        "漢",
        "👩‍🔧",
        "\u2028",
        "?",
        "$1",
        "constructor"
      ]
      for (const [index, name] of names.entries()) {
        const stored = storedWorker(`w${index}`, { labels: { [name]: name } })
        yield* trial.put(record(`w${index}`, { stored }))
      }
      for (const [index, name] of names.entries()) {
        const { records, total } = yield* trial.store.list({ labels: [[name, name]] }, 10, 0)
        assert.deepStrictEqual(idsOf(records), [`w${index}`], name)
        assert.strictEqual(total, 1)
      }
    })
  )

  test(
    "puts fewer on a page when they are very large, and at least one",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const many = Array.from({ length: 250 }, (_, index) => [`label-${index}`, "x".repeat(1000)] as const)
      const all = ids(40)
      for (const name of all) {
        const stored = storedWorker(name, { labels: Object.fromEntries(many) })
        yield* trial.put(record(name, { stored }))
      }
      const filters = [{}, { namespace: "default" }, { labels: [["label-1", "x".repeat(1000)]] }] as const
      for (const filter of filters) {
        const { ids, pages, totals } = yield* trial.pages(filter, 1000)
        assert.deepStrictEqual(ids, Array.from(all))
        assert.isAbove(pages.length, 1)
        assert.deepStrictEqual(totals, [40])
      }
    })
  )
}
