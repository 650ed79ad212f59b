/**
 * Steps that are committed to a store one after the other, and what must be there of those that were answered.
 */
import { assert } from "@effect/vitest"
import { WorkerId } from "@muster/core"
import type { FleetStore } from "@muster/core/fleet"
import { workerRecord } from "@muster/testing"
import { Effect } from "effect"

type Store = FleetStore["Service"]

const idsOf = (step: number) =>
  Array.from({ length: (step % 7) + 1 }, (_, index) => WorkerId.make(`step-${step}-${index}`))

const counter = WorkerId.make("counter")

/** Some new workers with their first segments, and one that every step changes. */
export const commitStep = (store: Store, step: number) =>
  store.modify({ workerIds: [counter], keys: [] }, ({ records }) => {
    const ids = idsOf(step)
    const attempts = (records.get(counter)?.attempts ?? 0) + 1
    return {
      records: [
        workerRecord(counter, { attempts }),
        ...ids.map((id) => workerRecord(id, { generation: step }))
      ],
      segments: ids.map((workerId) => ({ workerId, last: 1, at: step, items: [] })),
      trims: [],
      notes: [{ key: `step-${step}`, value: String(step), at: step }],
      value: undefined
    }
  })

/** Each of the steps that were answered is there, each other one as a whole or not at all. */
export const assertSteps = Effect.fnUntraced(function* (
  store: Store,
  answered: ReadonlyArray<number>,
  tried: number
) {
  const committed: Array<number> = []
  for (let step = 1; step <= tried; step++) {
    const ids = idsOf(step)
    const key = `step-${step}`
    const found = yield* store.modify({ workerIds: ids, keys: [key] }, ({ notes, records }) => ({
      records: [],
      segments: [],
      trims: [],
      notes: [],
      value: { workers: records.size, note: notes.get(key) }
    }))
    if (found.note !== undefined) committed.push(step)
    assert.strictEqual(found.workers, found.note === undefined ? 0 : ids.length, `step ${step}`)
  }
  assert.includeMembers(committed, Array.from(answered))
  const [record] = yield* store.get([counter])
  assert.strictEqual(record?.attempts, committed.length)

  const total = committed.reduce((sum, step) => sum + idsOf(step).length, 0)
  const { phases, sequence } = yield* store.overview
  assert.strictEqual(phases.get("pending"), total + 1)
  const segments = yield* store.segments(0, total + 1)
  assert.deepStrictEqual(
    segments.map(({ workerId }) => workerId),
    committed.flatMap(idsOf)
  )
  assert.isAtLeast(sequence, segments.at(-1)?.sequence ?? Infinity)
})
