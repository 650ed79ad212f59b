/**
 * What the scheduler says that it holds, each beside what the fleet wants of it.
 */
import { useState } from "preact/hooks"
import { call, toProblem, type WorkerStatus } from "../api.ts"
import { PhaseMark } from "../PhaseMark.tsx"
import { useResource } from "../resource.ts"
import { toWorker } from "../route.ts"
import { Empty, Loaded } from "../states.tsx"
import { count } from "../text.ts"
import { ScrollTable } from "../ScrollTable.tsx"

const perPage = 20

interface HeldRow {
  readonly id: string
  readonly heldGeneration: number | null
  readonly wanted: WorkerStatus | undefined
}

const readHeld = async (cursor: string | undefined, signal: AbortSignal) => {
  const { items, nextCursor, total } = await call("GET", "/v1/scheduler/workers", {
    query: { limit: perPage, ...(cursor === undefined ? {} : { cursor }) },
    signal
  })
  const rows: Array<HeldRow> = []
  for (let i = 0; i < items.length; i += 4) {
    rows.push(
      ...(await Promise.all(
        items.slice(i, i + 4).map((held) => compare(held.worker.id, held.generation, signal))
      ))
    )
  }
  return { rows, nextCursor, total }
}

const compare = async (id: string, heldGeneration: number | null, signal: AbortSignal): Promise<HeldRow> => ({
  id,
  heldGeneration,
  wanted: await find(id, signal)
})

/** By a search first: that a worker is not known is an answer to it, and no error. */
const find = async (id: string, signal: AbortSignal): Promise<WorkerStatus | undefined> => {
  const { items, total } = await call("GET", "/v1/workers", { query: { search: id, limit: 10 }, signal })
  const found = items.find((worker) => worker.id === id)
  if (found !== undefined || total <= items.length) return found
  // Ten others have its id in theirs.
  return await call("GET", "/v1/workers/:id", { params: { id }, signal }).catch((error: unknown) => {
    if (toProblem(error).status !== 404) throw error
    return undefined
  })
}

/** What the difference is, in words. */
const verdict = ({ heldGeneration, wanted }: HeldRow): readonly [tone: string, text: string] => {
  if (wanted === undefined) return ["bad", "unknown to the fleet"]
  if (wanted.phase === "terminated") return ["bad", "gone, and still held"]
  if (wanted.phase === "unregistering") return ["fair", "being unregistered"]
  if (heldGeneration !== null && heldGeneration < wanted.generation) return ["fair", "held in an older state"]
  return ["good", "as wanted"]
}

export function Held({ canList }: { readonly canList: boolean }) {
  return (
    <section class="card" aria-labelledby="held-title">
      <h2 id="held-title">What it holds, beside what is wanted</h2>
      {canList ? <HeldPages /> : <Empty title="This scheduler cannot list its workers" />}
    </section>
  )
}

function HeldPages() {
  // The cursors of the pages up to this one; the first has none.
  const [cursors, setCursors] = useState<ReadonlyArray<string>>([])
  const cursor = cursors.at(-1)
  const held = useResource(`held ${cursor ?? ""}`, (signal) => readHeld(cursor, signal), { every: 15_000 })
  return (
    <Loaded resource={held} what="what the scheduler holds">
      {({ nextCursor, rows, total }) =>
        total === 0 ? (
          <Empty title="The scheduler holds no workers" />
        ) : (
          <>
            <ScrollTable
              class="held"
              label="Workers that it holds"
              headings={["Worker", "Held generation", "Wanted generation", "Phase", "Difference"]}
            >
              {rows.map((row) => (
                <Row key={row.id} row={row} />
              ))}
            </ScrollTable>
            <div class="bar">
              <p>{count(total)} held</p>
              <div class="buttons">
                <button
                  type="button"
                  disabled={cursors.length === 0}
                  onClick={() => setCursors(cursors.slice(0, -1))}
                >
                  Previous
                </button>
                <button
                  type="button"
                  disabled={nextCursor === null}
                  onClick={() => nextCursor !== null && setCursors([...cursors, nextCursor])}
                >
                  Next
                </button>
              </div>
            </div>
          </>
        )
      }
    </Loaded>
  )
}

function Row({ row }: { readonly row: HeldRow }) {
  const { heldGeneration, id, wanted } = row
  const [tone, text] = verdict(row)
  return (
    <tr>
      <th scope="row">{wanted === undefined ? id : <a href={toWorker(id)}>{id}</a>}</th>
      <td>
        <code>{heldGeneration ?? "not told"}</code>
      </td>
      <td>
        <code>{wanted?.generation ?? "–"}</code>
      </td>
      <td>{wanted === undefined ? "–" : <PhaseMark phase={wanted.phase} />}</td>
      <td class={`verdict-${tone}`}>{text}</td>
    </tr>
  )
}
