/**
 * Who did what: the latest entries of the audit log.
 */
import { useEffect, useState } from "preact/hooks"
import { type Answer, call } from "../api.ts"
import { Time } from "../clock.tsx"
import { say } from "../notices.tsx"
import { useResource } from "../resource.ts"
import { toWorker } from "../route.ts"
import { Empty, Loaded } from "../states.tsx"
import { count, plural } from "../text.ts"
import { ScrollTable } from "../ScrollTable.tsx"

type AuditPage = Answer<"GET", "/v1/audit">
type Entry = AuditPage["items"][number]

/** As many of the latest are read. */
const most = 500
/** Workers of an entry that are named. */
const few = 3

/** The log is read from its beginning on; so where it ends is asked for first, and what was read is kept. */
const readLatest = async (
  signal: AbortSignal,
  known: ReadonlyArray<Entry> | undefined
): Promise<ReadonlyArray<Entry>> => {
  const read = (after: number, limit: number) => call("GET", "/v1/audit", { query: { after, limit }, signal })
  const last = known?.[0]?.sequence
  const { latest } = await read(last ?? 0, 1)
  if (known !== undefined && latest.sequence === last) return known
  const { items } = await read(Math.max(last ?? 0, latest.sequence - most), most)
  return [...items.toReversed(), ...(known ?? [])].slice(0, most)
}

const textOf = ({ entry: { action, actor, detail = "", outcome, workers } }: Entry): string =>
  [
    actor.name,
    actor.id,
    actor.role,
    actor.address ?? "",
    action,
    outcome,
    detail,
    ...workers.map(({ id }) => id)
  ]
    .join(" ")
    .toLowerCase()

export function Audit() {
  const entries = useResource<ReadonlyArray<Entry>>("audit", readLatest, { every: 10_000 })
  const [filter, setFilter] = useState("")
  const words = filter.toLowerCase().split(/\s+/)
  const matches = (entry: Entry) => words.every((word) => textOf(entry).includes(word))
  const found = entries.data?.filter(matches).length
  useEffect(() => {
    if (found !== undefined && filter !== "") say(plural(found, "entry", "entries"))
  }, [filter, found])
  return (
    <Loaded resource={entries} what="the audit log">
      {(all) => (
        <section class="card" aria-label="The latest entries">
          <div class="bar">
            <label class="field grow">
              <span>Filter by who, what, worker or address</span>
              <input
                type="search"
                value={filter}
                onInput={({ currentTarget }) => setFilter(currentTarget.value)}
              />
            </label>
            <p class="none">
              {count(found ?? 0)} of the latest {count(all.length)}. <code>muster audit verify</code> checks
              that none was changed or removed; the <a href="./docs">API</a> has all of them.
            </p>
          </div>
          {found === 0 ? (
            <Empty title={all.length === 0 ? "Nothing was done yet" : "No entry matches"} />
          ) : (
            <Entries entries={all.filter(matches)} />
          )}
        </section>
      )}
    </Loaded>
  )
}

function Entries({ entries }: { readonly entries: ReadonlyArray<Entry> }) {
  return (
    <ScrollTable
      label="Entries of the audit log"
      headings={["When", "Who", "From", "Did", "Outcome", "Workers", "Detail"]}
    >
      {entries.map((entry) => (
        <Row key={entry.sequence} entry={entry} />
      ))}
    </ScrollTable>
  )
}

function Row({ entry: { entry, sequence } }: { readonly entry: Entry }) {
  const { action, actor, at, detail, outcome, workers } = entry
  return (
    <tr>
      <td>
        <Time at={new Date(at).toISOString()} /> <small class="sub">#{sequence}</small>
      </td>
      <th scope="row">
        {actor.name}{" "}
        <small class="sub">
          {actor.role}
          {actor.id === actor.name ? null : (
            <>
              , <span class="id">{actor.id}</span>
            </>
          )}
        </small>
      </th>
      <td>{actor.address ?? "–"}</td>
      <td>
        <code>{action}</code>
      </td>
      <td class={outcome === "refused" ? "verdict-bad" : ""}>{outcome}</td>
      <td class="words-cell">
        {workers.length === 0 ? "–" : null}
        {workers.slice(0, few).map(({ id }, i) => (
          <span key={id}>
            {i === 0 ? null : ", "}
            <a href={toWorker(id)}>{id}</a>
          </span>
        ))}
        {workers.length > few ? ` and ${count(workers.length - few)} more` : null}
      </td>
      <td class="words-cell">{detail ?? "–"}</td>
    </tr>
  )
}
