/**
 * The last hour in three pictures: what was done, what failed, and how long it took.
 */
import type { FailureType } from "../api.ts"
import { Chart, type Series } from "../Chart.tsx"
import { Empty } from "../states.tsx"
import { decimal, duration, failureNames } from "../text.ts"
import { type HourView, timesOf } from "./history.ts"

const failureColours: ReadonlyArray<readonly [FailureType, string]> = [
  ["scheduler_unavailable", "failure-1"],
  ["timeout", "failure-2"],
  ["max_retries", "failure-3"],
  ["invalid_worker", "failure-4"],
  ["unexpected", "failure-5"],
  ["superseded", "failure-6"]
]

export function LastHour({ history: { points, stepSeconds } }: { readonly history: HourView }) {
  if (points.length === 0) {
    return (
      <section class="card">
        <Empty title="Nothing to draw yet">
          The last hour is drawn from the first {stepSeconds} seconds on.
        </Empty>
      </section>
    )
  }
  const times = timesOf(points)
  const failures = failureColours.flatMap(([type, colour]): ReadonlyArray<Series> => {
    const values = points.map((point) => (point.failures[type] ?? 0) / stepSeconds)
    return values.some((value) => value > 0)
      ? [{ name: failureNames[type], colour, kind: "bars", values }]
      : []
  })
  const registered = points.map((point) => point.registered / stepSeconds)
  const unregistered = points.map((point) => point.unregistered / stepSeconds)
  return (
    <section class="card charts" aria-label="The last hour">
      <Chart
        title="Done, a second"
        times={times}
        format={decimal}
        series={[
          { name: "Registered", colour: "series-1", kind: "area", values: registered },
          { name: "Unregistered", colour: "series-2", kind: "line", values: unregistered }
        ]}
      />
      {failures.length === 0 ? (
        <figure class="chart">
          <figcaption>
            <h2>Failures, a second</h2>
          </figcaption>
          <p class="none">None in the last hour.</p>
        </figure>
      ) : (
        <Chart title="Failures, a second" times={times} format={decimal} series={failures} isStacked />
      )}
      <Chart
        title="How long a registration takes"
        times={times}
        format={(seconds) => duration(seconds * 1000)}
        series={[
          { name: "p50", colour: "series-1", kind: "line", values: points.map(({ p50 }) => p50) },
          { name: "p95", colour: "series-3", kind: "line", values: points.map(({ p95 }) => p95) }
        ]}
      />
    </section>
  )
}
