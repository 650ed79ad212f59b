import { assert, describe, it } from "@effect/vitest"
import type { Sample } from "./Samples.ts"
import { judgeSamples } from "./Verdict.ts"

const mebibyte = 1024 * 1024
const minutes = 60

/** An hour in which nothing grows, with what is changed of each sample. */
const hour = (change: (minute: number) => Partial<Sample> = () => ({})): ReadonlyArray<Sample> =>
  Array.from({ length: minutes + 1 }, (_, minute) => ({
    at: minute * 60,
    residentBytes: (200 + (minute % 7)) * mebibyte,
    heapBytes: (60 + (minute % 3)) * mebibyte,
    descriptors: 40 + (minute % 5),
    storeBytes: 10 * mebibyte,
    workers: {},
    delays: new Map([
      [0.1, minute * 59],
      [1, minute * 60],
      [Infinity, minute * 60]
    ]),
    isSchedulerAway: false,
    starvedSeconds: minute,
    ...change(minute)
  }))

const bad = (samples: ReadonlyArray<Sample>) =>
  judgeSamples(samples).flatMap(({ isFine, what }) => (isFine ? [] : [what]))

describe("the verdict of the soak test", () => {
  it("finds nothing where all stays as it is, but for noise", () => {
    assert.deepStrictEqual(bad(hour()), [])
  })

  it("does not mind what is needed to warm up", () => {
    assert.deepStrictEqual(bad(hour((minute) => ({ heapBytes: Math.min(minute, 25) * 10 * mebibyte }))), [])
  })

  it.each([
    ["heap after a full collection", (minute: number) => ({ heapBytes: (60 + minute / 2) * mebibyte })],
    ["resident memory at its largest", () => ({ residentBytes: 800 * mebibyte })],
    ["resident memory", (minute: number) => ({ residentBytes: (200 + minute * 1.5) * mebibyte })],
    ["open files", (minute: number) => ({ descriptors: 40 + minute })],
    ["the store's file", (minute: number) => ({ storeBytes: (10 + minute / 2) * mebibyte })],
    ["the store's file at its largest", () => ({ storeBytes: 100 * mebibyte })],
    ["event loop's delay, 50 % of seconds", (minute: number) => ({ delays: slow(minute, 1) })],
    ["event loop's delay, 99 % of seconds", (minute: number) => ({ delays: slow(minute, 2.5) })]
  ])("finds: %s", (what, change) => {
    assert.include(bad(hour(change)), what)
  })

  it("says nothing of delays where the process had no processor", () => {
    const starving = (minute: number) => ({ delays: slow(minute, 2.5), starvedSeconds: minute * 6 })
    assert.deepStrictEqual(bad(hour(starving)), [])
  })

  it("says nothing of trends within minutes", () => {
    const growing = hour((minute) => ({ at: minute, heapBytes: 10 * minute * mebibyte }))
    assert.deepStrictEqual(bad(growing), [])
    assert.include(
      judgeSamples(growing).map(({ unjudged }) => unjudged),
      "too short for a trend"
    )
  })

  it("finds a process that was never collected", () => {
    assert.include(bad(hour(() => ({ heapBytes: undefined }))), "heap after a full collection")
  })
})

/** Every second has a delay of up to so much. */
const slow = (minute: number, bound: number): ReadonlyMap<number, number> =>
  new Map([0.1, 1, 2.5, Infinity].map((le) => [le, le >= bound ? minute * 60 : 0]))
