/**
 * What a story of a worker is told from.
 */
import type { SchedulerView, TimelineView, WorkerView } from "../http/Schemas.ts"

export interface WorkerFacts {
  readonly view: WorkerView
  readonly timeline: typeof TimelineView.Type
  readonly scheduler: typeof SchedulerView.Type
  /** Milliseconds since 1970. */
  readonly now: number
  /** Of the service, for the commands that a person can run. */
  readonly address: string
}

/** What is wanted of the worker. A dead letter can be of either kind; its latest call says which. */
export const isToBeGone = ({ timeline, view }: Pick<WorkerFacts, "timeline" | "view">): boolean => {
  if (view.phase !== "failed") return view.phase === "unregistering" || view.phase === "terminated"
  return timeline.items.findLast((item) => item.type === "call")?.call === "unregister"
}
