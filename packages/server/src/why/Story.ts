/**
 * The story of a worker: where it is, what was asked, what was tried, what happens next, and what a person can do. Told
 * from what the service says of the worker, of its timeline and of its scheduler.
 */
import type { Fact } from "../TerminalFacts.ts"
import { moment } from "../TimeText.ts"
import { capabilitiesText } from "../workers/OneWorker.ts"
import { type Advice, adviseOn } from "./Advice.ts"
import { tellHistory, type Told } from "./History.ts"
import { tellNext } from "./Outlook.ts"
import { isToBeGone, type WorkerFacts } from "./WorkerFacts.ts"

export interface Story {
  /** Where the worker is, in one sentence. */
  readonly headline: string
  readonly asked: ReadonlyArray<Fact>
  readonly history: ReadonlyArray<Told>
  /** How many older things have happened that are not kept any more. */
  readonly forgotten: number
  readonly next: ReadonlyArray<string>
  readonly actions: ReadonlyArray<Advice>
}

export const tellStory = (facts: WorkerFacts): Story => ({
  headline: headline(facts),
  asked: asked(facts),
  history: tellHistory(facts.timeline.items, facts.now),
  forgotten: facts.timeline.forgotten,
  next: tellNext(facts),
  actions: adviseOn(facts)
})

const headline = (facts: WorkerFacts): string => {
  const { id, lastError, phase } = facts.view
  switch (phase) {
    case "ready":
      return `${id} is ready: the scheduler has it, and it has said that it can take jobs.`
    case "registered":
      return `${id} is registered: the scheduler has it.`
    case "pending":
      return lastError === null
        ? `${id} is pending: it is wanted, and waits for its call to the scheduler.`
        : `${id} is pending: it could not be registered so far, and is tried again.`
    case "registering":
      return lastError === null
        ? `${id} is registering: it is on its way to the scheduler.`
        : `${id} is registering: it could not be registered so far, and is being tried again.`
    case "unregistering":
      return lastError === null
        ? `${id} is unregistering: it is gone, and the scheduler is being told.`
        : `${id} is unregistering: it is gone, but the scheduler could not be told so far. Until it is, the worker is a ghost there.`
    case "terminated":
      return `${id} is terminated: it is gone, and Muster wants nothing more of the scheduler.`
    case "failed":
      return isToBeGone(facts)
        ? `${id} is a dead letter: it is gone, but the scheduler would not be told.`
        : lastError?.type === "superseded"
          ? `${id} is a dead letter: the scheduler has newer state of it from elsewhere.`
          : `${id} is a dead letter: the scheduler would not register it.`
  }
}

const asked = (facts: WorkerFacts): ReadonlyArray<Fact> => {
  const { now, view } = facts
  const { worker } = view
  const { latest, wanted } = lastAsked(facts)
  const source = latest?.source ?? null
  return [
    [
      "wanted",
      `${wanted}${latest === undefined ? "" : `, ${moment(latest.at, now)}`}${source === null ? "" : `, by ${source}`}`
    ],
    ...(worker === null
      ? []
      : [
          [
            "worker",
            `${capabilitiesText(worker.capabilities)}; ${worker.metadata.workerType}, namespace ${worker.metadata.namespace}`
          ] as const
        ]),
    ...(view.priority === "normal" ? [] : [["priority", view.priority] as const]),
    ...(view.lastError === null ? [] : [["last error", view.lastError.message] as const])
  ]
}

const goneBy: ReadonlySet<string> = new Set(["terminated", "expired", "ghost", "dropped"])
const wantedBy: ReadonlySet<string> = new Set(["provisioned", "adopted", "lost"])

/** What is wanted, and the change that asked for it where the timeline has it still. */
const lastAsked = (facts: WorkerFacts) => {
  const isGone = isToBeGone(facts)
  const names = isGone ? goneBy : wantedBy
  const latest = facts.timeline.items.findLast((item) => item.type === "change" && names.has(item.change))
  return {
    wanted: isGone ? "that the scheduler does not have it" : "that the scheduler has it",
    latest: latest?.type === "change" ? latest : undefined
  }
}
