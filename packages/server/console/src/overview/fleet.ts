/**
 * The overview that the service gives of its fleet.
 */
import { type Answer, call } from "../api.ts"
import { type Resource, useResource } from "../resource.ts"
import { count } from "../text.ts"

export type FleetView = Answer<"GET", "/v1/overview">

/** Asked for whenever something happens, or, where it is beside the point, now and then. */
export const useOverview = (isLive: boolean): Resource<FleetView> =>
  useResource<FleetView>("overview", (signal) => call("GET", "/v1/overview", { signal }), {
    every: isLive ? 5000 : 60_000,
    isTouchedBy: () => isLive
  })

export type DriftView = NonNullable<Answer<"GET", "/v1/scheduler">["drift"]>

export const driftText = ({ error, ghosts, lost, unknown }: DriftView): string => {
  if (error !== null) return error
  if (lost + ghosts + unknown === 0) return "none"
  return `${count(lost)} lost, ${count(ghosts)} ghosts, ${count(unknown)} unknown`
}
