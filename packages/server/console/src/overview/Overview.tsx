/**
 * How the fleet is: a sentence, five numbers, the last hour, and what there is of each kind.
 */
import { useEffect } from "preact/hooks"
import { call } from "../api.ts"
import { now, Time } from "../clock.tsx"
import { say } from "../notices.tsx"
import { useResource } from "../resource.ts"
import { toWorkers } from "../route.ts"
import { Loaded } from "../states.tsx"
import { count, decimal, duration, registrationTime } from "../text.ts"
import { Figure } from "./Figure.tsx"
import { type DriftView, driftText, type FleetView, useOverview } from "./fleet.ts"
import { LastHour } from "./LastHour.tsx"
import { type HourView, useHistory } from "./history.ts"
import { Kinds } from "./Kinds.tsx"

const stateNames = { well: "All is well", busy: "Working", trouble: "Needs attention" } as const

export function Overview() {
  const overview = useOverview(true)
  const history = useHistory()
  const scheduler = useResource("scheduler", (signal) => call("GET", "/v1/scheduler", { signal }), {
    every: 5000
  })
  const { state, summary } = overview.data ?? {}
  // The numbers in the sentence change all the time; that it is another kind of day is worth saying.
  useEffect(() => {
    if (summary !== undefined) say(summary)
  }, [state])
  return (
    <Loaded resource={overview} what="the fleet">
      {(fleet) => (
        <>
          <div class={`sentence ${fleet.state}`}>
            <span class="verdict">{stateNames[fleet.state]}</span>
            <p>{fleet.summary}</p>
          </div>
          <Figures fleet={fleet} history={history.data} />
          <div class="split">
            <Loaded resource={history} what="the last hour">
              {(data) => <LastHour history={data} />}
            </Loaded>
            <div class="stack">
              <Kinds kinds={fleet.workers.kinds} total={fleet.workers.total} />
              <Loaded resource={scheduler} what="the scheduler">
                {(data) => <SchedulerCard fleet={fleet} drift={data.drift} />}
              </Loaded>
              <Namespaces namespaces={fleet.workers.namespaces} />
            </div>
          </div>
        </>
      )}
    </Loaded>
  )
}

const countOf = (fleet: FleetView, ...wanted: ReadonlyArray<string>): number =>
  fleet.workers.kinds.reduce((sum, { count, phase }) => sum + (wanted.includes(phase) ? count : 0), 0)

interface FiguresProps {
  readonly fleet: FleetView
  readonly history: HourView | undefined
}

/** Waiting for longer is worth a look, and for ten times as long is trouble; in milliseconds. */
const longWait = 30_000

function Figures({ fleet, history }: FiguresProps) {
  const { points = [], stepSeconds = 5 } = history ?? {}
  const last = points.at(-1)
  const timed = points.findLast(({ p95 }) => p95 !== null)
  const registered = countOf(fleet, "registered", "ready")
  const wanted = registered + countOf(fleet, "pending", "registering", "failed")
  const { oldestUnfinished, scheduler } = fleet
  const waited = oldestUnfinished === null ? 0 : Math.max(0, now.value - Date.parse(oldestUnfinished.since))
  const isAway = scheduler.health?.status === "unavailable" || scheduler.circuit === "open"
  const isLimping = scheduler.health?.status === "degraded" || scheduler.circuit === "half_open"
  return (
    <dl class="figures">
      <Figure
        name="Registered"
        value={count(registered)}
        note={`of ${count(wanted)} wanted`}
        to={toWorkers([
          ["phase", "registered"],
          ["phase", "ready"]
        ])}
      />
      <Figure
        name="Scheduler"
        value={isAway ? "away" : (scheduler.health?.status ?? "silent")}
        note={
          scheduler.circuit === null ? scheduler.adapter : `circuit ${scheduler.circuit.replace("_", " ")}`
        }
        to="#/scheduler"
        tone={isAway ? "bad" : isLimping ? "fair" : "good"}
      />
      <Figure
        name="Under way"
        value={count(fleet.unfinished)}
        note={oldestUnfinished === null ? "nothing waits" : `the oldest for ${duration(waited)}`}
        to={toWorkers([
          ["phase", "pending"],
          ["phase", "registering"],
          ["phase", "unregistering"]
        ])}
        tone={waited >= 10 * longWait ? "bad" : waited >= longWait ? "fair" : undefined}
      />
      <Figure
        name="Dead letters"
        value={count(fleet.deadLetters)}
        note={fleet.deadLetters === 0 ? "none" : "wait for a decision"}
        to="#/dead-letters"
        tone={fleet.deadLetters > 0 ? "bad" : undefined}
      />
      <Figure
        name="Registrations a second"
        value={last === undefined ? "–" : decimal(last.registered / stepSeconds)}
        note={
          timed === undefined || timed.p95 === null || timed.p50 === null
            ? "no durations yet"
            : `p50 ${registrationTime(timed.p50)}, p95 ${registrationTime(timed.p95)}`
        }
      />
    </dl>
  )
}

interface SchedulerCardProps {
  readonly fleet: FleetView
  readonly drift: DriftView | null
}

function SchedulerCard({ drift, fleet: { cluster, scheduler, store } }: SchedulerCardProps) {
  const { health } = scheduler
  return (
    <section class="card">
      <h2>
        <a href="#/scheduler">Scheduler</a>
      </h2>
      <dl class="facts">
        <dt>Adapter</dt>
        <dd>{scheduler.adapter}</dd>
        <dt>Health</dt>
        <dd>
          {health?.status ?? "cannot be asked"}
          {health?.message === undefined ? null : `: ${health.message}`}
        </dd>
        <dt>Circuit</dt>
        <dd>{scheduler.circuit?.replace("_", " ") ?? "none"}</dd>
        <dt>Drift</dt>
        <dd>
          {drift === null ? (
            "not compared yet"
          ) : (
            <>
              {driftText(drift)}, <Time at={drift.endedAt} as="distance" />
            </>
          )}
        </dd>
        <dt>Store</dt>
        <dd>{store.trouble ?? "takes changes"}</dd>
        {cluster === null ? null : (
          <>
            <dt>
              <a href="#/cluster">Servers</a>
            </dt>
            <dd>
              {count(cluster.up)} up{cluster.lost === 0 ? "" : `, ${count(cluster.lost)} lost`}
            </dd>
          </>
        )}
      </dl>
    </section>
  )
}

function Namespaces({ namespaces }: Pick<FleetView["workers"], "namespaces">) {
  if (namespaces.length < 2) return null
  return (
    <section class="card">
      <h2>Namespaces</h2>
      <ul class="plain">
        {namespaces.slice(0, 8).map(({ count: workers, namespace }) => (
          <li key={namespace}>
            <a href={toWorkers([["namespace", namespace]])}>{namespace}</a>
            <span class="number">{count(workers)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
