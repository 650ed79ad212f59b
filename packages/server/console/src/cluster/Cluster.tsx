/**
 * The servers that look after the fleet: how each is, and which partitions it has. A server that is alone is shown as
 * well: since when it runs, and in which version.
 */
import { useEffect } from "preact/hooks"
import {
  absenceTexts,
  lostServers,
  nameOf,
  unattended,
  unattendedText
} from "../../../src/cluster/ClusterWords.ts"
import { type Answer, call } from "../api.ts"
import { Time } from "../clock.tsx"
import { say } from "../notices.tsx"
import { useResource } from "../resource.ts"
import { ScrollTable } from "../ScrollTable.tsx"
import { Loaded } from "../states.tsx"
import { duration, plural } from "../text.ts"
import { Partitions } from "./Partitions.tsx"
import { StateMark } from "./StateMark.tsx"

type ClusterView = Answer<"GET", "/v1/cluster">
type Server = ClusterView["servers"][number]

export function Cluster() {
  const cluster = useResource("cluster", (signal) => call("GET", "/v1/cluster", { signal }), { every: 2000 })
  return (
    <Loaded resource={cluster} what="the servers">
      {(view) => (
        <>
          {view.clustered ? <Verdict view={view} /> : null}
          <Servers view={view} />
        </>
      )}
    </Loaded>
  )
}

const verdicts = { well: "All is well", busy: "Wait a moment", trouble: "Needs attention" } as const

const stateOf = ({ servers, unowned }: ClusterView): keyof typeof verdicts => {
  if (lostServers(servers).length > 0) return "trouble"
  const isMoving = servers.some(({ state }) => state === "silent" || state === "stopping")
  return isMoving || unattended({ servers, unowned }).length > 0 ? "busy" : "well"
}

function Verdict({ view }: { readonly view: ClusterView }) {
  const orphaned = unattendedText(unattended(view))
  const texts = [...(orphaned === undefined ? [] : [orphaned]), ...absenceTexts(view.servers)]
  const up = view.servers.filter(({ state }) => state === "up").length
  const all = orphaned === undefined ? `; all ${view.partitions} partitions are looked after.` : "."
  const summary = `${plural(up, "server")} up${all}`
  // How long a server has been silent changes all the time; what there is to know about it is worth saying.
  useEffect(() => say([...texts, summary].join(" ")), [texts.join()])
  const state = stateOf(view)
  return (
    <div class={`sentence ${state}`}>
      <span class="verdict">{verdicts[state]}</span>
      <div>
        {texts.map((text) => (
          <p key={text}>{text}</p>
        ))}
        <p>{summary}</p>
      </div>
    </div>
  )
}

function Servers({ view }: { readonly view: ClusterView }) {
  const { clustered, partitions, servers } = view
  const orphans = unattended(view)
  // The servers' times are by the store's clock, which need not be the reader's: the latest of them is about now.
  const latest = Math.max(...servers.map(({ seenAt }) => Date.parse(seenAt)))
  return (
    <section class="card" aria-labelledby="servers-title">
      <h2 id="servers-title">{clustered ? plural(servers.length, "server") : "This server is alone"}</h2>
      <ScrollTable
        label="Servers"
        headings={["Server", "State", "Partitions", "Running since", "Heard of", "Version"]}
      >
        {servers.map((server) => (
          <Row key={server.id} server={server} of={partitions} latest={latest} />
        ))}
        {orphans.length === 0 ? null : (
          <tr class="nobody">
            <th scope="row">No server</th>
            <td>–</td>
            <td>
              <Partitions of={partitions} shown={orphans} />
            </td>
            <td colSpan={3}>taken over soon, as long as a server is up</td>
          </tr>
        )}
      </ScrollTable>
      {clustered ? null : (
        <p class="none">
          It looks after the whole fleet. With <code>--cluster</code>, and a store in PostgreSQL, several do.
        </p>
      )}
    </section>
  )
}

interface RowProps {
  readonly server: Server
  readonly of: number
  readonly latest: number
}

function Row({ latest, of, server }: RowProps) {
  const { address, isThis, partitions, seenAt, startedAt, state, url, version } = server
  return (
    <tr class={state === "lost" ? "past" : ""}>
      <th scope="row">
        <span class="id">{nameOf(server)}</span>
        {isThis ? " (answers)" : ""}
        {address === null ? null : <small class="sub id">{url}</small>}
      </th>
      <td>
        <StateMark state={state} />
      </td>
      <td>
        <Partitions of={of} shown={partitions} />
      </td>
      <td>
        <Time at={startedAt} />
      </td>
      <td>
        <Heard millis={latest - Date.parse(seenAt)} />
      </td>
      <td>{version}</td>
    </tr>
  )
}

/** Servers tell of themselves every second or so: less than two says nothing. */
function Heard({ millis }: { readonly millis: number }) {
  return <>{millis < 2000 ? "now" : `${duration(millis)} ago`}</>
}
