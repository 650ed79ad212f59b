/**
 * All workers, or those that match: a list of any length.
 */
import { useEffect, useMemo, useReducer } from "preact/hooks"
import { follow } from "../live.ts"
import { say } from "../notices.tsx"
import { replace, route, toWorkers } from "../route.ts"
import { Empty, Loading, Trouble } from "../states.tsx"
import { plural } from "../text.ts"
import { Filters } from "./Filters.tsx"
import { readWanted, toApiQuery, type Wanted, writeWanted } from "./query.ts"
import { WorkerGrid } from "./WorkerGrid.tsx"
import { WorkerWindow } from "./WorkerWindow.ts"

export function Workers() {
  const text = route.value.query.toString()
  const wanted = useMemo(() => readWanted(new URLSearchParams(text)), [text])
  const workers = useWorkerWindow(wanted, text)
  const { problem, total } = workers
  const isFiltered = writeWanted({ ...wanted, sort: "known" }).size > 0
  useEffect(() => {
    if (total !== undefined) say(`${plural(total, "worker")}${isFiltered ? " match" : ""}`)
  }, [text, total === undefined])
  const want = (change: Partial<Wanted>) => replace(toWorkers(writeWanted({ ...wanted, ...change })))
  return (
    <div class="workers">
      <Filters wanted={wanted} want={want} total={total} isFiltered={isFiltered} />
      {problem !== undefined && (total === undefined || problem.status !== 0) ? (
        <Trouble problem={problem} onRetry={() => workers.refresh()} />
      ) : null}
      {total === undefined ? (
        problem === undefined ? (
          <Loading what="workers" />
        ) : null
      ) : total === 0 ? (
        <NoWorkers isFiltered={isFiltered} />
      ) : (
        <WorkerGrid
          key={text}
          workers={workers}
          total={total}
          sort={wanted.sort}
          onSort={(sort) => want({ sort })}
        />
      )}
    </div>
  )
}

function NoWorkers({ isFiltered }: { readonly isFiltered: boolean }) {
  return isFiltered ? (
    <Empty title="No worker matches">
      <button type="button" onClick={() => replace(toWorkers())}>
        Show all workers
      </button>
    </Empty>
  ) : (
    <Empty title="No workers yet">
      <span>
        Register one with <code>POST /v1/workers</code>, or many with <code>muster register FILE</code>. They
        appear here by themselves.
      </span>
    </Empty>
  )
}

/** The window of what is wanted, kept up to date by events. */
const useWorkerWindow = (wanted: Wanted, text: string): WorkerWindow => {
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const workers = useMemo(() => new WorkerWindow(toApiQuery(wanted), () => redraw(undefined)), [text])
  useEffect(() => {
    const unfollow = follow({
      onEvents: (events) => workers.change(events),
      onLive: () => workers.refresh()
    })
    return () => {
      unfollow()
      workers.close()
    }
  }, [workers])
  return workers
}
