/**
 * What happens to a worker next, when, and what it waits for.
 */
import { plural, relative, utc } from "../TimeText.ts"
import { isToBeGone, type WorkerFacts } from "./WorkerFacts.ts"

export const tellNext = (facts: WorkerFacts): ReadonlyArray<string> => {
  const { phase } = facts.view
  switch (phase) {
    case "pending":
      return [...nextCall(facts, "register"), ...obstacles(facts), ...endOfLease(facts)]
    case "registering":
      return [underWay(facts, "register"), ...obstacles(facts), ...endOfLease(facts)]
    case "unregistering":
      return [...nextCall(facts, "unregister"), ...obstacles(facts)]
    case "registered":
    case "ready":
      return [
        "Nothing has to. Muster compares with the scheduler now and then; should the scheduler lose the worker, it is registered again.",
        ...endOfLease(facts)
      ]
    case "terminated":
      return [
        "Nothing. Should the scheduler turn out to have it still, it is unregistered again. The service forgets the worker after a while."
      ]
    case "failed":
      return ["Nothing, until somebody decides."]
  }
}

const nextCall = ({ now, view }: WorkerFacts, call: "register" | "unregister"): ReadonlyArray<string> => {
  if (view.nextAttemptAt === null) {
    return [`Muster is about to ${call} it with the scheduler: it is under way, or waits for its turn.`]
  }
  const at = Date.parse(view.nextAttemptAt)
  return [
    at > now
      ? `Muster tries to ${call} it again at ${utc(at)}, ${relative(at, now)}. It goes on by itself until it succeeds or is refused.`
      : `The next attempt to ${call} it has been due since ${utc(at)}, ${relative(at, now)}, and waits for its turn.`
  ]
}

const underWay = ({ scheduler, view }: WorkerFacts, call: string): string =>
  view.attempts === 0
    ? `The first attempt to ${call} it is under way.`
    : `Muster is trying to ${call} it: up to ${plural(scheduler.configuration.maxRetries + 1, "attempt")} in a row, then a longer pause.`

/** Why it is not its turn, as far as can be seen from outside. */
const obstacles = ({ scheduler }: WorkerFacts): ReadonlyArray<string> => {
  const { calls, circuit, concurrency, health, rate, unfinished } = scheduler
  const found: Array<string> = []
  if (health !== null && health.status !== "healthy") {
    found.push(
      `The scheduler (${scheduler.adapter}) is ${health.status}${health.message === undefined ? "" : `: ${health.message}`}.`
    )
  }
  if (circuit?.state === "open") {
    found.push(
      "The circuit is open: so many calls failed that none are made. Within ten seconds or so a single one finds out whether the scheduler is back; waiting for that costs the worker no attempt."
    )
  } else if (circuit?.state === "half_open") {
    found.push("The circuit is half open: a single call is finding out whether the scheduler is back.")
  }
  if (rate !== null && rate.limit !== null) {
    found.push(
      `The scheduler takes no more than ${Number(rate.limit.toPrecision(3))} workers a second now; ${rate.waiting} calls wait for their turn.`
    )
  } else if (rate !== null && rate.waiting > 0) {
    found.push(`${rate.waiting} calls wait for their turn to go to the scheduler.`)
  }
  if (calls !== null && calls.waiting > 0) {
    found.push(
      `${calls.waiting} calls wait because ${calls.inFlight} are under way, which is as many as may be.`
    )
  }
  if (concurrency.inFlight >= concurrency.limit) {
    found.push(
      `${concurrency.inFlight} workers are under way, which is as many as may be; ${unfinished.count} changes are unfinished. Urgent ones go first.`
    )
  }
  return found
}

const endOfLease = (facts: WorkerFacts): ReadonlyArray<string> => {
  const { leaseExpiresAt, leaseTtl } = facts.view
  if (leaseExpiresAt === null || leaseTtl === null || isToBeGone(facts)) return []
  const at = Date.parse(leaseExpiresAt)
  return [
    at > facts.now
      ? `Without a heartbeat until ${utc(at)}, ${relative(at, facts.now)}, it counts as gone: its lease is ${leaseTtl}.`
      : `Its lease of ${leaseTtl} ended at ${utc(at)}, ${relative(at, facts.now)}. Without a heartbeat very soon it counts as gone.`
  ]
}
