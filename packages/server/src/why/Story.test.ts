import { assert, describe, it } from "@effect/vitest"
import {
  callItem,
  changeItem,
  now,
  phaseItem,
  schedulerOf,
  secondsAgo,
  timelineOf,
  viewOf
} from "../workers/TestViews.ts"
import { tellStory } from "./Story.ts"

const address = "http://127.0.0.1:7070"
const refused = "UNAVAILABLE: connect ECONNREFUSED 10.0.0.7:7071"
const failure = (type: string, message: string, retryable: boolean) => ({
  type,
  message,
  retryable,
  at: secondsAgo(4)
})

const tell = (
  view: ReturnType<typeof viewOf>,
  timeline: ReturnType<typeof timelineOf>,
  scheduler: Readonly<Record<string, unknown>> = {}
) => tellStory({ view, timeline, scheduler: schedulerOf(scheduler), now, address })

const textsOf = (story: ReturnType<typeof tellStory>) => story.history.map(({ text }) => text)

describe("the story of a worker", () => {
  it("that is well: who asked, that it was done, and that nothing has to be", () => {
    const story = tell(
      viewOf("ci-1"),
      timelineOf(
        changeItem(120, "provisioned", { source: "/autoscaler" }),
        phaseItem(120, "pending"),
        phaseItem(119, "registering"),
        callItem(119, "register", 1),
        phaseItem(119, "registered")
      )
    )
    assert.strictEqual(story.headline, "ci-1 is registered: the scheduler has it.")
    assert.deepStrictEqual(story.asked[0], [
      "wanted",
      "that the scheduler has it, 2026-01-31 11:58:00Z (2 minutes ago), by /autoscaler"
    ])
    assert.deepStrictEqual(textsOf(story), [
      "It was reported as provisioned, so it is to be registered (told by /autoscaler), 2 minutes ago.",
      "The scheduler took it, 1 minute 59 seconds ago."
    ])
    assert.match(story.next.join(" "), /^Nothing has to\./)
    assert.deepStrictEqual(
      story.actions.map(({ command }) => command),
      ["muster unregister ci-1 --server http://127.0.0.1:7070"]
    )
  })

  it("that is retried: attempts alike in one sentence, when the next one is, and what stands in its way", () => {
    const story = tell(
      viewOf("ci-1", {
        phase: "pending",
        attempts: 5,
        lastError: failure("scheduler_unavailable", "not sent: the circuit is open", true),
        nextAttemptAt: new Date(now + 40_000).toISOString()
      }),
      timelineOf(
        changeItem(60, "provisioned"),
        callItem(60, "register", 1, refused),
        callItem(59, "register", 2, refused),
        phaseItem(59, "pending"),
        phaseItem(30, "registering"),
        callItem(30, "register", 3, refused),
        callItem(4, "register", 4, "no answer in time"),
        phaseItem(4, "pending")
      ),
      { circuit: { state: "open" }, health: { status: "unavailable", message: refused } }
    )
    assert.strictEqual(
      story.headline,
      "ci-1 is pending: it could not be registered so far, and is tried again."
    )
    assert.deepStrictEqual(textsOf(story).slice(1), [
      `Attempts 1 to 3 to register it failed, the last 30 seconds ago: ${refused}.`,
      "Attempt 4 to register it failed, 4 seconds ago: no answer in time."
    ])
    assert.match(story.next[0] ?? "", /again at 2026-01-31 12:00:40Z, in 40 seconds\./)
    assert.match(
      story.next[1] ?? "",
      /^The scheduler \(grpc:\/\/10\.0\.0\.7:7071\) is unavailable: UNAVAILABLE/
    )
    assert.match(story.next[2] ?? "", /^The circuit is open/)
    assert.strictEqual(story.actions[0]?.command, "muster scheduler status")
  })

  it("that waits for its turn: at what rate the scheduler takes workers, and how many wait", () => {
    const story = tell(
      viewOf("ci-1", { phase: "pending", attempts: 0 }),
      timelineOf(changeItem(5, "provisioned")),
      {
        rate: { limit: 12.345, waiting: 7 },
        calls: { limit: 4, inFlight: 4, waiting: 2 },
        concurrency: { limit: 64, inFlight: 64 }
      }
    )
    assert.strictEqual(
      story.headline,
      "ci-1 is pending: it is wanted, and waits for its call to the scheduler."
    )
    assert.include(story.next.join(" "), "no more than 12.3 workers a second now; 7 calls wait")
    assert.include(story.next.join(" "), "2 calls wait because 4 are under way")
    assert.include(story.next.join(" "), "64 workers are under way, which is as many as may be")
  })

  it("that is a dead letter: what the scheduler objects to, and the three ways out", () => {
    const story = tell(
      viewOf("ci-1", {
        phase: "failed",
        lastError: failure("invalid_worker", "no such pool", false)
      }),
      timelineOf(
        changeItem(60, "provisioned"),
        callItem(60, "register", 1, "INVALID_ARGUMENT: no such pool"),
        phaseItem(60, "failed")
      )
    )
    assert.strictEqual(story.headline, "ci-1 is a dead letter: the scheduler would not register it.")
    assert.strictEqual(
      textsOf(story)[1],
      "Attempt 1 to register it failed, 1 minute ago: INVALID_ARGUMENT: no such pool. Trying again would not mend that, so it is a dead letter."
    )
    assert.deepStrictEqual(story.next, ["Nothing, until somebody decides."])
    assert.deepStrictEqual(
      story.actions.map(({ command }) => command),
      [null, "muster dead-letters retry ci-1", "muster dead-letters drop ci-1"]
    )
  })

  it("that is a dead letter because newer state has won", () => {
    const story = tell(
      viewOf("ci-1", { phase: "failed", lastError: failure("superseded", "older generation", false) }),
      timelineOf(callItem(60, "register", 1, "older generation"))
    )
    assert.include(story.headline, "newer state of it from elsewhere")
    assert.include(story.actions[0]?.text ?? "", "another Muster")
  })

  it("that is a ghost: gone, with a scheduler that does not know it yet", () => {
    const story = tell(
      viewOf("ci-1", {
        phase: "unregistering",
        lastError: failure("scheduler_unavailable", refused, true),
        nextAttemptAt: secondsAgo(1)
      }),
      timelineOf(
        changeItem(600, "provisioned"),
        callItem(600, "register", 1),
        changeItem(60, "terminated", { source: "/autoscaler", reason: "scaled in" }),
        callItem(60, "unregister", 1, refused)
      ),
      { health: null, circuit: null, rate: null, calls: null }
    )
    assert.include(story.headline, "Until it is, the worker is a ghost there.")
    assert.deepStrictEqual(story.asked[0], [
      "wanted",
      "that the scheduler does not have it, 2026-01-31 11:59:00Z (1 minute ago), by /autoscaler"
    ])
    assert.strictEqual(
      textsOf(story)[2],
      "It was reported as gone, so it is to be unregistered (told by /autoscaler) (“scaled in”), 1 minute ago."
    )
    assert.match(
      story.next[0] ?? "",
      /has been due since 2026-01-31 11:59:59Z, 1 second ago, and waits for its turn/
    )
    assert.include(story.actions[1]?.text ?? "", "may give the worker jobs that nobody does")
  })

  it("that would not be unregistered: a dead letter of the other kind", () => {
    const story = tell(
      viewOf("ci-1", { phase: "failed", lastError: failure("unexpected", "no such user", false) }),
      timelineOf(changeItem(60, "terminated"), callItem(60, "unregister", 1, "no such user"))
    )
    assert.strictEqual(
      story.headline,
      "ci-1 is a dead letter: it is gone, but the scheduler would not be told."
    )
    assert.strictEqual(story.asked[0]?.[1].startsWith("that the scheduler does not have it"), true)
  })

  it("whose lease has ended, or is about to", () => {
    const expired = tell(
      viewOf("ci-1", { phase: "terminated" }),
      timelineOf(
        changeItem(60, "expired", { reason: "silent for 90 seconds" }),
        callItem(59, "unregister", 1)
      )
    )
    assert.match(textsOf(expired)[0] ?? "", /no heartbeat for longer than its lease.*“silent for 90 seconds”/)
    const leased = tell(
      viewOf("ci-1", {
        phase: "ready",
        leaseTtl: "30 seconds",
        leaseExpiresAt: new Date(now + 12_000).toISOString()
      }),
      timelineOf()
    )
    assert.include(
      leased.next[1] ?? "",
      "Without a heartbeat until 2026-01-31 12:00:12Z, in 12 seconds, it counts as gone"
    )
  })

  it("that the scheduler lost, kept too long, or brought along", () => {
    const texts = textsOf(
      tell(
        viewOf("ci-1"),
        timelineOf(
          changeItem(60, "adopted"),
          changeItem(50, "lost"),
          { ...callItem(50, "verify", null), held: false },
          changeItem(40, "ghost"),
          changeItem(30, "retried"),
          changeItem(20, "dropped"),
          phaseItem(20, "failed")
        )
      )
    )
    assert.match(texts[0] ?? "", /^Only the scheduler knew it/)
    assert.match(texts[1] ?? "", /not to have it any more/)
    assert.match(texts[2] ?? "", /does not have it/)
    assert.match(texts[3] ?? "", /to have it still/)
    assert.match(texts[4] ?? "", /tried again/)
    assert.match(texts[5] ?? "", /gave the dead letter up/)
    assert.match(texts[6] ?? "", /became a dead letter/)
  })
})
