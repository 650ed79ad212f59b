/**
 * The rows that are in sight, of as many as there are. The grid is one stop for the tab key; inside it the arrows move.
 */
import { useEffect, useLayoutEffect, useReducer, useRef, useState } from "preact/hooks"
import type { WorkerStatus } from "../api.ts"
import { now, Time } from "../clock.tsx"
import { PhaseMark } from "../PhaseMark.tsx"
import { go, toWorker } from "../route.ts"
import type { Sort } from "./query.ts"
import type { WorkerWindow } from "./WorkerWindow.ts"

interface GridProps {
  readonly workers: WorkerWindow
  readonly total: number
  readonly sort: Sort
  readonly onSort: (sort: Sort) => void
}

/** Rows that are drawn above and below those in sight, so that scrolling shows no gap. */
const margin = 8
/** In pixels, as the style sheet has it. */
const headHeight = 36
const narrow = matchMedia("(max-width: 700px)")

const columns = [
  { name: "Worker", sort: "id" },
  { name: "Phase", sort: undefined },
  { name: "Namespace", sort: undefined },
  { name: "Type", sort: undefined },
  { name: "Attempts", sort: undefined },
  { name: "Changed", sort: "updatedAt" }
] as const

/** Where each list was left, so that the way back leads there. */
const places = new Map<string, { readonly top: number; readonly active: number }>()

export function WorkerGrid({ onSort, sort, total, workers }: GridProps) {
  const rowHeight = useRowHeight()
  const box = useRef<HTMLDivElement>(null)
  const address = useRef(location.hash).current
  const [activeIndex, setActive] = useState(() => places.get(address)?.active ?? 0)
  const active = Math.min(activeIndex, total - 1)
  const [, redraw] = useReducer((count: number) => count + 1, 0)
  const { clientHeight = 0, scrollTop = 0 } = box.current ?? {}
  const visible = Math.max(1, Math.ceil((clientHeight - headHeight) / rowHeight))
  const top = Math.min(Math.floor(scrollTop / rowHeight), Math.max(0, total - visible))
  const first = Math.max(0, top - margin)
  const last = Math.min(total - 1, top + visible + margin)

  useEffect(() => workers.look(first, last), [workers, first, last])
  useLayoutEffect(() => {
    const element = box.current
    if (element === null) return undefined
    element.scrollTop = places.get(address)?.top ?? 0
    const watch = new ResizeObserver(() => redraw(undefined))
    watch.observe(element)
    redraw(undefined)
    return () => watch.disconnect()
  }, [])
  useEffect(() => {
    places.set(address, { top: scrollTop, active })
  }, [scrollTop, active])

  const move = (to: number) => {
    const index = Math.min(Math.max(0, to), total - 1)
    setActive(index)
    const element = box.current
    if (element === null) return
    const above = index * rowHeight
    const room = element.clientHeight - headHeight - rowHeight
    if (element.scrollTop > above) element.scrollTop = above
    else if (element.scrollTop < above - room) element.scrollTop = above - room
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.target !== box.current || event.ctrlKey || event.altKey || event.metaKey) return
    const row = workers.row(active)
    const steps = new Map([
      ["ArrowDown", () => move(active + 1)],
      ["ArrowUp", () => move(active - 1)],
      ["PageDown", () => move(active + visible - 1)],
      ["PageUp", () => move(active - visible + 1)],
      ["Home", () => move(0)],
      ["End", () => move(total - 1)],
      ["Enter", () => row !== undefined && go(toWorker(row.id))]
    ])
    const step = steps.get(event.key)
    if (step === undefined) return
    event.preventDefault()
    step()
  }
  const inSight = Array.from({ length: last - first + 1 }, (_, i) => first + i)
  // The active row is there wherever the list stands, for those who are told of it by its id.
  const rows = active < first ? [active, ...inSight] : active > last ? [...inSight, active] : inSight
  return (
    <div
      ref={box}
      class="grid"
      role="grid"
      tabIndex={0}
      aria-label="Workers"
      aria-rowcount={total + 1}
      aria-colcount={columns.length}
      aria-activedescendant={`row-${active}`}
      onScroll={() => redraw(undefined)}
      onKeyDown={onKeyDown}
    >
      <div role="rowgroup" class="head">
        <div role="row" aria-rowindex={1} class="row">
          {columns.map((column) => (
            <Heading key={column.name} column={column} sort={sort} onSort={onSort} />
          ))}
        </div>
      </div>
      <div role="rowgroup" class="body" style={{ height: `${total * rowHeight}px` }}>
        {rows.map((index) => (
          <Row
            key={index}
            index={index}
            top={index * rowHeight}
            isActive={index === active}
            row={workers.row(index)}
            onChoose={() => setActive(index)}
          />
        ))}
      </div>
    </div>
  )
}

const useRowHeight = (): number => {
  const [isNarrow, setNarrow] = useState(narrow.matches)
  useEffect(() => {
    const look = () => setNarrow(narrow.matches)
    narrow.addEventListener("change", look)
    return () => narrow.removeEventListener("change", look)
  }, [])
  return isNarrow ? 60 : 36
}

interface HeadingProps {
  readonly column: (typeof columns)[number]
  readonly sort: Sort
  readonly onSort: (sort: Sort) => void
}

function Heading({ column: { name, sort: by }, onSort, sort }: HeadingProps) {
  const place = name.toLowerCase()
  if (by === undefined) {
    return (
      <span role="columnheader" class={place}>
        {name}
      </span>
    )
  }
  const isUp = sort === by
  const isDown = sort === `-${by}`
  // Up, down, and as they became known.
  const next = isUp ? (`-${by}` as const) : isDown ? "known" : by
  return (
    <span role="columnheader" class={place} aria-sort={isUp ? "ascending" : isDown ? "descending" : "none"}>
      <button type="button" class="quiet" onClick={() => onSort(next)}>
        {name} <span aria-hidden="true">{isUp ? "▲" : isDown ? "▼" : "↕"}</span>
      </button>
    </span>
  )
}

interface RowProps {
  readonly index: number
  /** Pixels from the top of the list. */
  readonly top: number
  readonly isActive: boolean
  readonly row: WorkerStatus | undefined
  readonly onChoose: () => void
}

function Row({ index, isActive, onChoose, row, top }: RowProps) {
  return (
    <div
      role="row"
      id={`row-${index}`}
      aria-rowindex={index + 2}
      aria-selected={isActive}
      class={`row ${isActive ? "active" : ""}`}
      style={{ transform: `translateY(${top}px)` }}
      onClick={onChoose}
    >
      {row === undefined ? (
        <span role="gridcell" class="worker waiting">
          …
        </span>
      ) : (
        <Cells row={row} />
      )}
    </div>
  )
}

function Cells({ row: { attempts, id, nextAttemptAt, phase, updatedAt, worker } }: { row: WorkerStatus }) {
  return (
    <>
      <span role="gridcell" class="worker">
        <a href={toWorker(id)} tabIndex={-1} title={id}>
          {id}
        </a>
      </span>
      <span role="gridcell" class="phase-cell">
        <PhaseMark phase={phase} />
        {nextAttemptAt === null ? null : (
          <small>
            {Date.parse(nextAttemptAt) < now.value - 1000 ? (
              "waits for its turn"
            ) : (
              <>
                again <Time at={nextAttemptAt} as="distance" />
              </>
            )}
          </small>
        )}
      </span>
      <span role="gridcell" class="namespace">
        {worker?.metadata?.namespace ?? "–"}
      </span>
      <span role="gridcell" class="type">
        {worker?.metadata?.workerType ?? "unknown"}
      </span>
      <span role="gridcell" class="attempts">
        {attempts}
      </span>
      <span role="gridcell" class="changed">
        <Time at={updatedAt} as="distance" />
      </span>
    </>
  )
}
