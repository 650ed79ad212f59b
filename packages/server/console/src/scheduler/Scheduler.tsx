/**
 * The scheduler: how it is and was, how it is treated, and what it holds beside what is wanted.
 */
import { type Answer, call } from "../api.ts"
import { Chart } from "../Chart.tsx"
import { Time } from "../clock.tsx"
import { Figure } from "../overview/Figure.tsx"
import { driftText } from "../overview/fleet.ts"
import { type HourView, timesOf, useHistory } from "../overview/history.ts"
import { useResource } from "../resource.ts"
import { Loaded } from "../states.tsx"
import { count, decimal, setting } from "../text.ts"
import { CircuitHistory } from "./CircuitHistory.tsx"
import { Held } from "./Held.tsx"

type SchedulerView = Answer<"GET", "/v1/scheduler">

export function Scheduler() {
  const scheduler = useResource("scheduler", (signal) => call("GET", "/v1/scheduler", { signal }), {
    every: 2000
  })
  const history = useHistory()
  return (
    <Loaded resource={scheduler} what="the scheduler">
      {(view) => (
        <>
          <Figures view={view} />
          <Loaded resource={history} what="the last hour">
            {(data) => <Hour history={data} />}
          </Loaded>
          <div class="columns">
            <Facts view={view} />
            <Configuration configuration={view.configuration} />
          </div>
          <Held canList={view.capabilities.includes("list")} />
        </>
      )}
    </Loaded>
  )
}

function Figures({
  view: { adapter, calls, circuit, concurrency, health, rate, unfinished }
}: {
  view: SchedulerView
}) {
  const isDown = health?.status === "unavailable"
  return (
    <dl class="figures">
      <Figure
        name="Health"
        value={health?.status ?? "silent"}
        note={health?.message ?? adapter}
        tone={isDown ? "bad" : health?.status === "degraded" ? "fair" : "good"}
      />
      <Figure
        name="Circuit"
        value={circuit?.state.replace("_", " ") ?? "none"}
        note={
          circuit === null
            ? "calls are always made"
            : circuit.state === "closed"
              ? "calls are made"
              : circuit.state === "open"
                ? "no calls are made"
                : "single calls are tried"
        }
        tone={circuit?.state === "open" ? "bad" : circuit?.state === "half_open" ? "fair" : "good"}
      />
      <Figure
        name="Calls under way"
        value={count(concurrency.inFlight)}
        note={
          calls === null
            ? `of ${count(concurrency.limit)}`
            : `of ${count(calls.limit)} its latency allows, ${count(calls.waiting)} wait`
        }
      />
      <Figure
        name="Rate"
        value={rate === null ? "not paced" : rate.limit === null ? "free" : `${decimal(rate.limit)}/s`}
        note={rate === null ? "as many as come" : `${count(rate.waiting)} wait for their turn`}
      />
      <Figure
        name="Unfinished"
        value={count(unfinished.count)}
        note={`of ${count(unfinished.limit)} at most`}
      />
    </dl>
  )
}

function Hour({ history: { points, stepSeconds } }: { readonly history: HourView }) {
  if (points.length === 0) {
    return (
      <section class="card">
        <p class="none">The last hour is drawn from the first {stepSeconds} seconds on.</p>
      </section>
    )
  }
  const times = timesOf(points)
  return (
    <section class="card charts wide" aria-label="The last hour">
      <CircuitHistory points={points} />
      <Chart
        title="Calls, a second"
        times={times}
        format={decimal}
        isStacked
        series={[
          {
            name: "Succeeded",
            colour: "series-1",
            kind: "bars",
            values: points.map(({ attempts }) => attempts.succeeded / stepSeconds)
          },
          {
            name: "Failed",
            colour: "failure-1",
            kind: "bars",
            values: points.map(({ attempts }) => attempts.failed / stepSeconds)
          }
        ]}
      />
      <Chart
        title="Concurrency"
        times={times}
        format={decimal}
        series={[
          {
            name: "At most",
            colour: "series-3",
            kind: "line",
            values: points.map(({ concurrency }) => concurrency)
          },
          {
            name: "Under way",
            colour: "series-1",
            kind: "area",
            values: points.map(({ inFlight }) => inFlight)
          }
        ]}
      />
      <Chart
        title="Rate, workers a second at most"
        times={times}
        format={decimal}
        series={[{ name: "Rate", colour: "series-1", kind: "line", values: points.map(({ rate }) => rate) }]}
      />
      <Chart
        title="Workers in a call, on average"
        times={times}
        format={decimal}
        series={[
          {
            name: "Batch",
            colour: "series-1",
            kind: "bars",
            values: points.map(({ batchSize }) => batchSize)
          }
        ]}
      />
      <Chart
        title="Retry budget: retries there may be"
        times={times}
        format={decimal}
        series={[
          {
            name: "Left",
            colour: "series-3",
            kind: "line",
            values: points.map(({ retryBudget }) => retryBudget)
          }
        ]}
      />
    </section>
  )
}

function Facts({ view: { adapter, capabilities, drift } }: { readonly view: SchedulerView }) {
  return (
    <section class="card">
      <h2>Adapter</h2>
      <dl class="facts">
        <dt>Adapter</dt>
        <dd>{adapter}</dd>
        <dt>Beside registering it can</dt>
        <dd>
          {capabilities.length === 0
            ? "nothing"
            : capabilities.map((name) => capabilityNames[name]).join(", ")}
        </dd>
        <dt>Drift</dt>
        <dd>
          {drift === null ? (
            "not compared yet"
          ) : (
            <>
              {driftText(drift)}; {count(drift.held)} held, <Time at={drift.endedAt} as="distance" />
            </>
          )}
        </dd>
      </dl>
    </section>
  )
}

const capabilityNames = {
  registerBatch: "register many at once",
  list: "list its workers",
  get: "say whether it has one",
  health: "say how it is"
} as const

function Configuration({ configuration }: Pick<SchedulerView, "configuration">) {
  const { attemptTimeout, baseBackoff, deadline, jitter, maxBackoff, maxRetries, maxRetryDelay, retryDelay } =
    configuration
  return (
    <section class="card">
      <h2>Retries</h2>
      <dl class="facts">
        <dt>Quick retries</dt>
        <dd>
          {count(maxRetries)}, waits of {setting(baseBackoff)} to {setting(maxBackoff)}, jitter {jitter}
        </dd>
        <dt>Then</dt>
        <dd>
          waits of {setting(retryDelay)} to {setting(maxRetryDelay)}
        </dd>
        <dt>One attempt takes</dt>
        <dd>{setting(attemptTimeout)} at most</dd>
        <dt>Deadline</dt>
        <dd>{deadline === null ? "none" : setting(deadline)}</dd>
      </dl>
    </section>
  )
}
