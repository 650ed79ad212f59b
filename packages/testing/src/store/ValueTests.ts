/**
 * What is kept comes back to the letter.
 */
import { assert } from "@effect/vitest"
import { Effect } from "effect"
import type { TimelineItem } from "@muster/core/fleet"
import {
  type DeclareTest,
  type FleetStoreTrial,
  fullRecord,
  id,
  plain,
  record,
  segment,
  storedWorker
} from "./FleetStoreTrial.ts"

export const testValues = (test: DeclareTest) => {
  test(
    "keeps every field of a record",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.put(fullRecord("full"))
      assert.deepStrictEqual(yield* trial.read("full"), plain([fullRecord("full")])[0])
    })
  )

  test(
    "keeps what is absent absent, also where it was there before",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      for (const state of [record("a"), fullRecord("a"), record("a")]) {
        yield* trial.put(state)
        assert.deepStrictEqual(yield* trial.read("a"), plain([state])[0])
      }
    })
  )

  test(
    "keeps each field apart from the others",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const full = fullRecord("each")
      for (const field of Object.keys(full)) {
        if (field === "id") continue
        const state = record("each", { [field]: Reflect.get(full, field) })
        yield* trial.put(state)
        assert.deepStrictEqual(yield* trial.read("each"), plain([state])[0], field)
      }
    })
  )

  test(
    "keeps numbers as they are",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const numbers = [0, 1, 0.1, -1, 2 ** 31, 2 ** 32 + 1, 2 ** 53 - 2, Number.MAX_SAFE_INTEGER]
      for (const number of numbers) {
        const state = record("numbers", {
          generation: number,
          createdAt: number,
          updatedAt: number,
          registeredAt: number,
          dueAt: number,
          task: "call",
          leaseExpiresAt: number
        })
        yield* trial.put(state)
        assert.deepStrictEqual(yield* trial.read("numbers"), plain([state])[0])
        assert.strictEqual((yield* trial.store.due(number, 1))[0]?.dueAt, number)
        const [scanned] = yield* trial.store.scan(undefined, 1)
        assert.deepStrictEqual([scanned?.generation, scanned?.registeredAt], [number, number])
      }
    })
  )

  test(
    "keeps workers to the letter, however long and in whatever script",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const strange = [
        "\"quoted\" 'single' `back`",
        "\\ \\u0041 \n\t\u2028",
        "👩‍🔧 漢字 ß é e\u0301",
        "%s $1 ? :a",
        "null"
      ]
      const labels = Object.fromEntries(strange.map((text) => [text, text]))
      const many = Array.from({ length: 120 }, (_, index) => [`label-${index}`, "漢".repeat(1000)] as const)
      const workers = [
        storedWorker("plain"),
        storedWorker("strange", { namespace: strange.join(" "), labels, tags: strange }),
        storedWorker("long", { labels: Object.fromEntries(many) })
      ]
      yield* trial.put(...workers.map((stored) => record(stored.worker.id, { stored })))
      for (const stored of workers) {
        const [found] = yield* trial.store.get([stored.worker.id])
        assert.strictEqual(found?.stored?.json, stored.json)
        assert.deepStrictEqual(found?.stored?.worker, stored.worker)
      }
    })
  )

  test(
    "keeps what events and schedulers say to the letter, also what is no text to a database",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const hostile = [
        "a\0b",
        "\ud800",
        "'; DROP TABLE muster_worker; --",
        "\r\n\u001b[2J\u2028",
        "{}",
        "null"
      ]
      for (const said of hostile) {
        const { lastError } = fullRecord("said")
        assert(lastError !== undefined)
        const state = fullRecord("said", {
          lastEvent: { source: said, occurredAt: 1 },
          lastError: { ...lastError, message: said }
        })
        const item: TimelineItem = {
          type: "change",
          at: 1,
          generation: 1,
          change: "terminated",
          source: said,
          reason: said
        }
        yield* trial.commit({
          records: [state],
          segments: [segment("said", 1, { items: [item] })]
        })
        assert.deepStrictEqual(yield* trial.read("said"), plain([state])[0])
        const segments = yield* trial.store.timeline(id("said"))
        assert.deepStrictEqual(segments.at(-1)?.items, [item])
      }
    })
  )

  test(
    "keeps the longest id",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const longest = "x".repeat(253)
      yield* trial.commit({ records: [record(longest)], segments: [segment(longest, 1)] })
      assert.isDefined(yield* trial.read(longest))
      assert.lengthOf(yield* trial.store.timeline(id(longest)), 1)
    })
  )
}
