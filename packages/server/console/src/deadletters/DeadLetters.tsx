/**
 * What failed for good, by cause, and what is decided about it.
 */
import { useState } from "preact/hooks"
import { may } from "../access/session.ts"
import { problemText } from "../api.ts"
import { confirm } from "../Confirm.tsx"
import { Time } from "../clock.tsx"
import { notify } from "../notices.tsx"
import { useResource } from "../resource.ts"
import { toWorker, toWorkers } from "../route.ts"
import { Empty, Loaded } from "../states.tsx"
import { count, failureAdvice, failureNames, plural } from "../text.ts"
import { type Cause, type DeadLetters as Letters, readDeadLetters } from "./causes.ts"
import { decide, decideAll, type Decision, type Outcome } from "./decide.ts"

/** What is decided about these, or about all that there are. */
type Decide = (decision: Decision, ids: ReadonlyArray<string> | "all", what: string) => void

const done = { retry: "tried again", drop: "dropped" } as const

const outcomeText = (decision: Decision, { done: decided, failed, gone, problem }: Outcome): string =>
  [
    `${plural(decided, "dead letter")} ${decided === 1 ? "is" : "are"} ${done[decision]}`,
    ...(gone === 0 ? [] : [`${count(gone)} were none any more`]),
    ...(problem === undefined
      ? []
      : [`${failed === 0 ? "" : `${count(failed)} stayed: `}${problemText(problem)}`])
  ].join("; ")

export function DeadLetters() {
  const letters = useResource<Letters>("dead-letters", readDeadLetters, {
    every: 10_000,
    isTouchedBy: () => true
  })
  const [progress, setProgress] = useState<{ readonly done: number; readonly of: number } | undefined>()

  const run = async (...[decision, ids, what]: Parameters<Decide>) => {
    const isSure = await confirm({
      title: decision === "retry" ? `Retry ${what}?` : `Drop ${what}?`,
      text:
        decision === "retry"
          ? "Each is tried again at once, as it is wanted. What is not mended fails again, and comes back here."
          : "They are not wanted any more: the scheduler is told that they are gone. This cannot be taken back.",
      action: decision === "retry" ? "Retry" : "Drop",
      isDangerous: decision === "drop"
    })
    if (!isSure) return
    if (ids !== "all") setProgress({ done: 0, of: ids.length })
    const outcome =
      ids === "all"
        ? await decideAll(decision)
        : await decide(decision, ids, (done) => setProgress({ done, of: ids.length }))
    setProgress(undefined)
    notify(outcome.problem === undefined ? "done" : "problem", outcomeText(decision, outcome))
    letters.refresh()
  }
  const onDecide: Decide = (...decision) => void run(...decision)
  return (
    <Loaded resource={letters} what="dead letters">
      {({ causes, total }) =>
        total === 0 ? (
          <Empty title="No dead letters">
            <span>Every worker is where it should be, or on its way there by itself.</span>
          </Empty>
        ) : (
          <>
            <All causes={causes} total={total} onDecide={onDecide} />
            {progress === undefined ? null : (
              <p class="progress" role="status">
                <progress max={progress.of} value={progress.done} aria-label="Decisions carried out" />
                {count(progress.done)} of {count(progress.of)}
              </p>
            )}
            {causes.map((cause) => (
              <CauseCard key={cause.key} cause={cause} onDecide={onDecide} />
            ))}
          </>
        )
      }
    </Loaded>
  )
}

/** One role decides about one of them and about all. */
const mayDecide = (): boolean => may("retryDeadLetter")

interface AllProps extends Letters {
  readonly onDecide: Decide
}

function All({ causes, onDecide, total }: AllProps) {
  const what = `all ${plural(total, "dead letter")}`
  return (
    <div class="bar">
      <p>
        <strong>{plural(total, "dead letter")}</strong>, {plural(causes.length, "cause")}.{" "}
        <a href={toWorkers([["phase", "failed"]])}>See them as a list</a>
      </p>
      {mayDecide() ? (
        <div class="buttons">
          <button type="button" onClick={() => onDecide("retry", "all", what)}>
            Retry all
          </button>
          <button type="button" class="danger" onClick={() => onDecide("drop", "all", what)}>
            Drop all
          </button>
        </div>
      ) : (
        <p class="none">Operators decide about them.</p>
      )}
    </div>
  )
}

interface CauseProps {
  readonly cause: Cause
  readonly onDecide: Decide
}

const few = 5
const more = 100

function CauseCard({ cause: { letters, message, type }, onDecide }: CauseProps) {
  const [shown, setShown] = useState(few)
  const ids = letters.map(({ id }) => id)
  const [latest] = letters
  const what = letters.length === 1 ? (ids[0] ?? "") : `${count(letters.length)} dead letters of this cause`
  return (
    <section class="card cause">
      <div class="summary-head">
        <h2>
          {failureNames[type]} <span class="badge">{count(letters.length)}</span>
        </h2>
        {mayDecide() ? (
          <div class="buttons">
            <button
              type="button"
              aria-label={`Retry group: ${failureNames[type]}: ${message}`}
              onClick={() => onDecide("retry", ids, what)}
            >
              Retry group
            </button>
            <button
              type="button"
              class="danger"
              aria-label={`Drop group: ${failureNames[type]}: ${message}`}
              onClick={() => onDecide("drop", ids, what)}
            >
              Drop group
            </button>
          </div>
        ) : null}
      </div>
      <p class="message">{message}</p>
      <p class="none">
        {failureAdvice[type]}{" "}
        {latest === undefined ? null : (
          <>
            The latest: <Time at={latest.at} as="distance" />.
          </>
        )}
      </p>
      <ul class="letters">
        {letters.slice(0, shown).map(({ at, id }) => (
          <li key={id}>
            <a href={toWorker(id)}>{id}</a>
            <Time at={at} as="distance" />
            {mayDecide() ? (
              <span class="buttons">
                <button
                  type="button"
                  class="small"
                  aria-label={`Retry ${id}`}
                  onClick={() => onDecide("retry", [id], id)}
                >
                  Retry
                </button>
                <button
                  type="button"
                  class="small danger"
                  aria-label={`Drop ${id}`}
                  onClick={() => onDecide("drop", [id], id)}
                >
                  Drop
                </button>
              </span>
            ) : null}
          </li>
        ))}
      </ul>
      {letters.length <= shown ? null : (
        <button type="button" onClick={() => setShown(shown + more)}>
          Show {count(Math.min(more, letters.length - shown))} more of {count(letters.length - shown)}
        </button>
      )}
    </section>
  )
}
