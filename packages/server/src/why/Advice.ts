/**
 * What a person can do about a worker.
 */
import { defaultAddress } from "../client/ServiceAddress.ts"
import { isToBeGone, type WorkerFacts } from "./WorkerFacts.ts"

export interface Advice {
  readonly text: string
  /** What to type for it; `null` where no command of Muster's does it. */
  readonly command: string | null
}

export const adviseOn = (facts: WorkerFacts): ReadonlyArray<Advice> => {
  const { view } = facts
  switch (view.phase) {
    case "registered":
    case "ready":
      return [advice("Nothing has to be done. When the worker is gone:", unregister(facts))]
    case "terminated":
      return [
        advice("Nothing has to be done. Should the worker come back, send it again: it is registered anew.")
      ]
    case "failed":
      return isToBeGone(facts) ? aboutGhost(facts) : aboutRefused(facts)
    case "pending":
    case "registering":
      return view.lastError === null
        ? [advice("Wait. How the scheduler is:", schedulerStatus(facts))]
        : [aboutScheduler(facts), advice("When the worker is not wanted any more:", unregister(facts))]
    case "unregistering":
      return view.lastError === null
        ? [advice("Wait. How the scheduler is:", schedulerStatus(facts))]
        : [
            aboutScheduler(facts),
            advice(
              "Until the scheduler is told, it may give the worker jobs that nobody does. If that hurts, remove the worker from the scheduler by hand: Muster does not mind."
            )
          ]
  }
}

const advice = (text: string, command: string | null = null): Advice => ({ text, command })

const aboutScheduler = (facts: WorkerFacts): Advice =>
  advice(
    "See to the scheduler. Muster goes on by itself as soon as it answers. How it is:",
    schedulerStatus(facts)
  )

const aboutRefused = (facts: WorkerFacts): ReadonlyArray<Advice> => [
  facts.view.lastError?.type === "superseded"
    ? advice(
        "If another Muster registers this worker, leave it to that one. If not, send the worker again: its state is then the newest."
      )
    : advice(
        "Correct what the scheduler objects to and send the worker again, with muster register or POST /v1/workers: that tries anew by itself."
      ),
  advice("When the scheduler has changed its mind, or its rules:", deadLetter(facts, "retry")),
  advice("When the worker is not wanted any more:", deadLetter(facts, "drop"))
]

const aboutGhost = (facts: WorkerFacts): ReadonlyArray<Advice> => [
  advice("When the cause is removed:", deadLetter(facts, "retry")),
  advice("When the scheduler does not have the worker, or not any more:", deadLetter(facts, "drop"))
]

/** Without an address this one would drive a scheduler itself. */
const unregister = ({ address, view }: WorkerFacts) => `muster unregister ${view.id} --server ${address}`

const schedulerStatus = (facts: WorkerFacts) => `muster scheduler status${server(facts)}`

const deadLetter = (facts: WorkerFacts, decision: "retry" | "drop") =>
  `muster dead-letters ${decision} ${facts.view.id}${server(facts)}`

const server = ({ address }: WorkerFacts): string =>
  address === defaultAddress ? "" : ` --server ${address}`
