/**
 * The last hour, step by step: asked for once, and then only for what has come since.
 */
import { type Answer, call } from "../api.ts"
import { type Resource, useResource } from "../resource.ts"

export type HourView = Answer<"GET", "/v1/history">
export type HistoryPoint = HourView["points"][number]

const hour = 3_600_000

export const useHistory = (): Resource<HourView> =>
  useResource<HourView>(
    "history",
    async (signal, known) => {
      const last = known?.points.at(-1)
      if (known === undefined || last === undefined) return await call("GET", "/v1/history", { signal })
      const { points, stepSeconds } = await call("GET", "/v1/history", { query: { after: last.at }, signal })
      const since = Date.now() - hour
      const kept = known.points.filter(({ at }) => Date.parse(at) > since)
      return { stepSeconds, points: kept.concat(points) }
    },
    { every: 5000 }
  )

export const timesOf = (points: ReadonlyArray<HistoryPoint>): ReadonlyArray<number> =>
  points.map(({ at }) => Date.parse(at) / 1000)
