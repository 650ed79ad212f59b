/**
 * What is kept besides the records: timelines, and what is remembered under keys.
 */
import { assert } from "@effect/vitest"
import { Effect, Fiber } from "effect"
import type { TimelineItem } from "@muster/core/fleet"
import {
  change,
  decision,
  type DeclareTest,
  type FleetStoreTrial,
  id,
  ids,
  segment,
  withoutSequence
} from "./FleetStoreTrial.ts"

export const testTimelines = (test: DeclareTest) => {
  test(
    "gives the segments of one worker, oldest first",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.tell(segment("a", 1), segment("b", 1))
      yield* trial.tell(segment("b", 3), segment("a", 4))
      yield* trial.tell(segment("a", 10))
      assert.deepStrictEqual(withoutSequence(yield* trial.store.timeline(id("a"))), [
        segment("a", 1),
        segment("a", 4),
        segment("a", 10)
      ])
      assert.deepStrictEqual(yield* trial.store.timeline(id("c")), [])
    })
  )

  test(
    "keeps every kind of item",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const at = 1_800_000_000_000.5
      const items: ReadonlyArray<TimelineItem> = [
        change(1),
        {
          type: "change",
          at,
          generation: 2,
          change: "terminated",
          source: "s",
          reason: '"\\ \0 👩‍🔧 \ud800 漢'
        },
        { type: "call", at, generation: Number.MAX_SAFE_INTEGER, call: "register", attempt: 3 },
        { type: "call", at, generation: 3, call: "verify", held: false },
        {
          type: "call",
          at,
          generation: 4,
          call: "unregister",
          error: { type: "timeout", message: "x".repeat(10_000), retryable: true }
        },
        { type: "phase", at, generation: 5, phase: "failed", nextAttemptAt: at }
      ]
      const told = segment("a", 6, { at, items })
      yield* trial.tell(told)
      assert.deepStrictEqual(withoutSequence(yield* trial.store.timeline(id("a"))), [told])
      assert.deepStrictEqual(withoutSequence(yield* trial.store.segments(0, 1)), [told])
    })
  )

  test(
    "drops the beginning of a timeline that is trimmed, and of no other",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.tell(...[1, 2, 3, 5].flatMap((last) => [segment("a", last), segment("b", last)]))
      yield* trial.commit({
        segments: [segment("a", 6)],
        trims: [
          { workerId: id("a"), upTo: 3 },
          { workerId: id("unknown"), upTo: 3 }
        ]
      })
      const lasts = (workerId: string) =>
        Effect.map(trial.store.timeline(id(workerId)), (segments) => segments.map(({ last }) => last))
      assert.deepStrictEqual(yield* lasts("a"), [5, 6])
      assert.deepStrictEqual(yield* lasts("b"), [1, 2, 3, 5])
      yield* trial.commit({ trims: [{ workerId: id("a"), upTo: 4 }] })
      assert.deepStrictEqual(yield* lasts("a"), [5, 6])
      yield* trial.commit({ segments: [segment("a", 7)], trims: [{ workerId: id("a"), upTo: 7 }] })
      assert.deepStrictEqual(yield* lasts("a"), [])
    })
  )

  test(
    "gives the segments of all workers in the order of their commits, from any place on",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      assert.deepStrictEqual(yield* trial.store.segments(0, 10), [])
      const names = ["b", "a", "c", "a", "b"]
      for (const [index, name] of names.entries())
        yield* trial.tell(segment(name, index + 1, { at: 9 - index }))
      yield* trial.tell(segment("z", 6), segment("y", 7), segment("x", 8))

      const all = yield* trial.store.segments(0, 100)
      assert.deepStrictEqual(
        all.map(({ last, workerId }) => `${workerId}${last}`),
        ["b1", "a2", "c3", "a4", "b5", "z6", "y7", "x8"]
      )
      const sequences = all.map(({ sequence }) => sequence)
      assert.deepStrictEqual(
        sequences,
        Array.from(new Set(sequences)).toSorted((left, right) => left - right)
      )
      assert.isAbove(sequences[0] ?? 0, 0)
      for (const [index, sequence] of sequences.entries()) {
        assert.deepStrictEqual(yield* trial.store.segments(sequence, 3), all.slice(index + 1, index + 4))
      }
      assert.isAtLeast((yield* trial.store.overview).sequence, sequences.at(-1) ?? Infinity)
    })
  )

  test(
    "shows readers no segment before all that come earlier",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const names = ids(40)
      const writing = yield* Effect.forkChild(
        Effect.forEach(names, (name) => trial.tell(segment(name, 1), segment(name, 2)), {
          concurrency: "unbounded"
        })
      )
      const seen: Array<number> = []
      while (seen.length < 80) {
        const more = yield* trial.store.segments(seen.at(-1) ?? 0, 7)
        seen.push(...more.map(({ sequence }) => sequence))
        yield* Effect.yieldNow
      }
      yield* Fiber.join(writing)
      const all = (yield* trial.store.segments(0, 1000)).map(({ sequence }) => sequence)
      assert.deepStrictEqual(seen, all)
    })
  )
}

export const testNotes = (test: DeclareTest) => {
  test(
    "keeps the latest value of a key",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      yield* trial.commit({ notes: [{ key: "k", value: "first", at: 1 }] })
      yield* trial.commit({
        notes: [
          { key: "k", value: "second", at: 5 },
          { key: "other", value: "", at: 1 }
        ]
      })
      assert.deepStrictEqual((yield* trial.found([], ["k", "other"])).notes, [
        ["k", "second"],
        ["other", ""]
      ])
      yield* trial.store.forgetHistory({ notesBefore: 5, segmentsBefore: 0, limit: 10 })
      assert.deepStrictEqual((yield* trial.found([], ["k", "other"])).notes, [["k", "second"]])
    })
  )

  test(
    "tells keys apart to the letter",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const spaced = ["k", "K", "k ", " k", "", "k\0", "k\0k", "\n"]
      const accented = ["ß", "ss", "é", "e\u0301", "\ud800", "\udfff", "\ufffd", "漢".repeat(512)]
      const keys = [...spaced, ...accented, "%", "_", "'", '"', "\\", "x".repeat(512)]
      yield* trial.commit({ notes: keys.map((key, at) => ({ key, value: `${at}\0\ud800"`, at })) })
      const answer = yield* trial.store.modify({ workerIds: [], keys }, ({ notes }) =>
        decision({ value: keys.map((key) => notes.get(key)) })
      )
      assert.deepStrictEqual(
        answer,
        keys.map((_, at) => `${at}\0\ud800"`)
      )
    })
  )

  test(
    "keeps long values",
    Effect.fnUntraced(function* (trial: FleetStoreTrial) {
      const value = "漢 ".repeat(50_000)
      yield* trial.commit({ notes: [{ key: "k", value, at: 1 }] })
      assert.deepStrictEqual((yield* trial.found([], ["k"])).notes, [["k", value]])
    })
  )
}
