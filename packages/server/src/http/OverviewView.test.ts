import { assert, describe, it } from "@effect/vitest"
import { type OverviewView, summarize } from "./OverviewView.ts"

type Facts = Parameters<typeof summarize>[0]

const well: Facts = {
  at: "2026-01-31T12:00:00.000Z",
  workers: {
    total: 1525,
    kinds: [
      { phase: "registered", workerType: "dynamic", count: 1500 },
      { phase: "ready", workerType: "static", count: 23 },
      { phase: "terminated", workerType: "dynamic", count: 2 }
    ],
    namespaces: []
  },
  unfinished: 0,
  oldestUnfinished: null,
  deadLetters: 0,
  scheduler: { adapter: "embedded", health: { status: "healthy" }, circuit: "closed" },
  cluster: null,
  store: { trouble: null }
}

const waitingSince = (since: string) => ({
  unfinished: 12,
  oldestUnfinished: { priority: "normal" as const, since }
})

describe("the sentence of an overview", () => {
  it.each<[Partial<Facts>, OverviewView["state"], string]>([
    [{}, "well", "1,523 workers registered; scheduler healthy"],
    [{ deadLetters: 3 }, "trouble", "1,523 workers registered; scheduler healthy; 3 dead letters"],
    [{ deadLetters: 1 }, "trouble", "1,523 workers registered; scheduler healthy; 1 dead letter"],
    [
      waitingSince("2026-01-31T11:59:59.000Z"),
      "busy",
      "1,523 workers registered; 12 changes under way; scheduler healthy"
    ],
    [
      waitingSince("2026-01-31T11:56:00.000Z"),
      "busy",
      "1,523 workers registered; 12 changes under way, the oldest for 4 minutes; scheduler healthy"
    ],
    [
      waitingSince("2026-01-31T07:00:00.000Z"),
      "trouble",
      "1,523 workers registered; 12 changes under way, the oldest for 5 hours; scheduler healthy"
    ],
    [
      { scheduler: { adapter: "etcd", health: { status: "degraded", message: "no quorum" }, circuit: null } },
      "busy",
      "1,523 workers registered; scheduler degraded: no quorum"
    ],
    [
      { scheduler: { adapter: "grpc", health: { status: "healthy" }, circuit: "open" } },
      "trouble",
      "1,523 workers registered; scheduler unavailable: the circuit is open"
    ],
    [
      { scheduler: { adapter: "hodei", health: null, circuit: "closed" } },
      "well",
      "1,523 workers registered; scheduler cannot be asked how it is"
    ],
    [{ cluster: { up: 3, lost: 0, unattended: 0 } }, "well", "1,523 workers registered; scheduler healthy"],
    [
      // So it is for a moment whenever servers come or go; that changes wait for it is told as ever.
      { cluster: { up: 3, lost: 0, unattended: 1 } },
      "busy",
      "1 partition without a server; 1,523 workers registered; scheduler healthy"
    ],
    [
      { cluster: { up: 2, lost: 1, unattended: 0 } },
      "trouble",
      "1 server lost; 1,523 workers registered; scheduler healthy"
    ],
    [
      { cluster: { up: 1, lost: 2, unattended: 21 } },
      "trouble",
      "21 partitions without a server; 2 servers lost; 1,523 workers registered; scheduler healthy"
    ],
    [
      { store: { trouble: "the disk is full" } },
      "trouble",
      "no changes are accepted: the disk is full; 1,523 workers registered; scheduler healthy"
    ]
  ])("for %j says that it is %s: %s", (facts, state, summary) => {
    assert.deepStrictEqual(summarize({ ...well, ...facts }), { state, summary })
  })
})
