/**
 * One worker: what it is, how far it is, what happened to it, and what can be done.
 */
import { may, signedIn } from "../access/session.ts"
import { call, problemText, toProblem, type WorkerStatus } from "../api.ts"
import { now, Time } from "../clock.tsx"
import { confirm } from "../Confirm.tsx"
import { notify } from "../notices.tsx"
import { PhaseMark } from "../PhaseMark.tsx"
import { useResource } from "../resource.ts"
import { route } from "../route.ts"
import { Loaded } from "../states.tsx"
import { count, decimal, failureAdvice, failureNames, setting } from "../text.ts"
import { Timeline } from "./Timeline.tsx"

export function Worker() {
  const { id } = route.value
  const params = { id }
  const isTouchedBy = (events: ReadonlyMap<string, unknown>) => events.has(id)
  const worker = useResource(`worker ${id}`, (signal) => call("GET", "/v1/workers/:id", { params, signal }), {
    every: 5000,
    isTouchedBy
  })
  const timeline = useResource(
    `timeline ${id}`,
    (signal) => call("GET", "/v1/workers/:id/timeline", { params, signal }),
    { every: 5000, isTouchedBy }
  )
  const onDone = () => {
    worker.refresh()
    timeline.refresh()
  }
  return (
    <Loaded resource={worker} what="the worker">
      {(status) => (
        <>
          <Summary status={status} onDone={onDone} />
          <Loaded resource={timeline} what="its timeline">
            {(data) => <Timeline timeline={data} nextAttemptAt={status.nextAttemptAt} />}
          </Loaded>
          <Details status={status} />
        </>
      )}
    </Loaded>
  )
}

interface SummaryProps {
  readonly status: WorkerStatus
  readonly onDone: () => void
}

function Summary({ onDone, status }: SummaryProps) {
  const { attempts, lastError, nextAttemptAt, phase } = status
  const isWaiting = phase === "pending" || phase === "unregistering"
  return (
    <section class={`card summary ${phase}`} aria-label="How it is">
      <div class="summary-head">
        <p class="big">
          <PhaseMark phase={phase} />
          <small>
            since <Time at={status.updatedAt} /> (<Time at={status.updatedAt} as="distance" />)
          </small>
        </p>
        <Actions status={status} onDone={onDone} />
      </div>
      {lastError === null ? null : (
        <div class="error">
          <h2>
            {failureNames[lastError.type]}, <Time at={lastError.at} as="distance" />
          </h2>
          <p class="message">{lastError.message}</p>
          <p>{failureAdvice[lastError.type]}</p>
        </div>
      )}
      {nextAttemptAt !== null ? (
        <NextAttempt at={nextAttemptAt} />
      ) : isWaiting && attempts === 0 ? (
        <p class="next">
          No attempt has been made yet: the first one is made when its turn has come and the scheduler may be
          called.
        </p>
      ) : null}
    </section>
  )
}

function NextAttempt({ at }: { readonly at: string }) {
  return Date.parse(at) < now.value - 1000 ? (
    <p class="next">
      The next attempt has been due since <Time at={at} />: it is made as soon as the scheduler may be called
      again.
    </p>
  ) : (
    <p class="next">
      The next attempt is made <Time at={at} as="distance" />, at <Time at={at} />.
    </p>
  )
}

function Actions({ onDone, status: { id, nextAttemptAt, phase } }: SummaryProps) {
  const params = { id }
  const act = async (ask: () => Promise<unknown>, done: string) => {
    try {
      await ask()
      notify("done", done)
    } catch (error) {
      notify("problem", problemText(toProblem(error)))
    }
    onDone()
  }
  const retry = () =>
    act(() => call("POST", "/v1/workers/:id/retry", { params }), `${id} is tried again now.`)
  const check = () =>
    act(
      () => call("POST", "/v1/workers/:id/check", { params }),
      `The scheduler is asked about ${id}; the timeline says what it answers.`
    )
  const terminate = async () => {
    const isSure = await confirm({
      title: `Terminate ${id}?`,
      text: "The scheduler is told that the worker is gone, and sends it no more work. It comes back only if it is registered again.",
      action: "Terminate",
      isDangerous: true
    })
    if (isSure) {
      await act(() => call("DELETE", "/v1/workers/:id", { params }), `${id} is being unregistered.`)
    }
  }
  const isGoing = phase === "unregistering" || phase === "terminated"
  if (!may("terminateWorker")) {
    return <p class="none">The role {signedIn.value?.role} looks, and changes nothing.</p>
  }
  return (
    <div class="buttons">
      {may("retryWorker") ? (
        <button
          type="button"
          disabled={nextAttemptAt === null && phase !== "failed"}
          onClick={() => void retry()}
        >
          Retry now
        </button>
      ) : null}
      {may("checkWorker") ? (
        <button
          type="button"
          disabled={phase !== "registered" && phase !== "ready"}
          onClick={() => void check()}
        >
          Check with the scheduler
        </button>
      ) : null}
      <button type="button" class="danger" disabled={isGoing} onClick={() => void terminate()}>
        Terminate
      </button>
    </div>
  )
}

function Details({ status }: { readonly status: WorkerStatus }) {
  const { leaseExpiresAt, leaseTtl, registeredAt, worker } = status
  return (
    <div class="columns">
      <section class="card">
        <h2>State</h2>
        <dl class="facts">
          <dt>Generation</dt>
          <dd>
            <code>{status.generation}</code>
          </dd>
          <dt>Attempts</dt>
          <dd>{count(status.attempts)} for this generation</dd>
          <dt>Priority</dt>
          <dd>{status.priority}</dd>
          <dt>Lease</dt>
          <dd>
            {leaseTtl === null ? "none: it lives until it is terminated" : setting(leaseTtl)}
            {leaseExpiresAt === null ? null : (
              <>
                , over <Time at={leaseExpiresAt} as="distance" />
              </>
            )}
          </dd>
          <dt>Registered</dt>
          <dd>{registeredAt === null ? "not yet" : <Time at={registeredAt} />}</dd>
          <dt>Known since</dt>
          <dd>
            <Time at={status.createdAt} />
          </dd>
        </dl>
      </section>
      {worker === null ? (
        <section class="card">
          <h2>Worker</h2>
          <p class="none">Only its termination was reported; what it was is not known.</p>
        </section>
      ) : (
        <WorkerDetails worker={worker} />
      )}
    </div>
  )
}

function WorkerDetails({
  worker: { capabilities, metadata }
}: {
  worker: NonNullable<WorkerStatus["worker"]>
}) {
  const { labels = {}, namespace, provisionedAt, tags = [], workerType } = metadata ?? {}
  return (
    <>
      <section class="card">
        <h2>Capabilities</h2>
        <dl class="facts">
          <dt>CPU</dt>
          <dd>{decimal(capabilities.cpuCores)} cores</dd>
          <dt>Memory</dt>
          <dd>{count(capabilities.memoryMb)} MiB</dd>
          <dt>Docker</dt>
          <dd>{capabilities.dockerEnabled === true ? "yes" : "no"}</dd>
          {Object.entries(capabilities.customResources ?? {}).map(([name, amount]) => (
            <Fact key={name} name={name} value={decimal(amount)} />
          ))}
        </dl>
      </section>
      <section class="card">
        <h2>Metadata</h2>
        <dl class="facts">
          <dt>Type</dt>
          <dd>{workerType}</dd>
          <dt>Namespace</dt>
          <dd>{namespace}</dd>
          {provisionedAt === undefined ? null : (
            <>
              <dt>Provisioned</dt>
              <dd>
                <Time at={provisionedAt} />
              </dd>
            </>
          )}
          <dt>Labels</dt>
          <dd>
            <Words words={Object.entries(labels).map(([key, value]) => `${key}=${value}`)} />
          </dd>
          <dt>Tags</dt>
          <dd>
            <Words words={Array.from(tags)} />
          </dd>
        </dl>
      </section>
    </>
  )
}

function Fact({ name, value }: { readonly name: string; readonly value: string }) {
  return (
    <>
      <dt>{name}</dt>
      <dd>{value}</dd>
    </>
  )
}

function Words({ words }: { readonly words: ReadonlyArray<string> }) {
  if (words.length === 0) return <span class="none">none</span>
  return (
    <ul class="words">
      {words.map((word) => (
        <li key={word}>{word}</li>
      ))}
    </ul>
  )
}
