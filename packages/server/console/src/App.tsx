/**
 * The frame of every view: where one is, whether what is shown is live, and the way to the others.
 */
import { useEffect, useRef } from "preact/hooks"
import { Account } from "./access/Account.tsx"
import { NotForRole } from "./access/NotForRole.tsx"
import { access, isAuthenticationOn, may } from "./access/session.ts"
import { SignIn } from "./access/SignIn.tsx"
import { Audit } from "./audit/Audit.tsx"
import { Brand } from "./Brand.tsx"
import { Cluster } from "./cluster/Cluster.tsx"
import { Confirm } from "./Confirm.tsx"
import { DeadLetters } from "./deadletters/DeadLetters.tsx"
import { connection } from "./live.ts"
import { dismissAll, Notices, say } from "./notices.tsx"
import { Overview } from "./overview/Overview.tsx"
import { go, type Route, route, type View } from "./route.ts"
import { Scheduler } from "./scheduler/Scheduler.tsx"
import { Loading, Trouble } from "./states.tsx"
import { choose, theme } from "./theme.ts"
import { Tokens } from "./tokens/Tokens.tsx"
import { Worker } from "./worker/Worker.tsx"
import { Workers } from "./workers/Workers.tsx"

const views = {
  overview: Overview,
  workers: Workers,
  worker: Worker,
  "dead-letters": DeadLetters,
  scheduler: Scheduler,
  cluster: Cluster,
  tokens: Tokens,
  audit: Audit
}

/** The route without which a view shows nothing. */
const needs = {
  overview: "getOverview",
  workers: "listWorkers",
  worker: "getWorker",
  "dead-letters": "listDeadLetters",
  scheduler: "getScheduler",
  cluster: "getCluster",
  tokens: "listTokens",
  audit: "listAudit"
} as const

const places: ReadonlyArray<readonly [view: View, to: string, name: string]> = [
  ["overview", "#/", "Overview"],
  ["workers", "#/workers", "Workers"],
  ["dead-letters", "#/dead-letters", "Dead letters"],
  ["scheduler", "#/scheduler", "Scheduler"],
  ["cluster", "#/cluster", "Cluster"],
  ["tokens", "#/tokens", "Tokens"],
  ["audit", "#/audit", "Audit log"]
]

const titleOf = ({ id, view }: Route): string =>
  view === "worker" ? id : (places.find(([of]) => of === view)?.[2] ?? "Overview")

export function App() {
  const { state } = access.value
  const wasSignedOut = useRef(false)
  useEffect(() => {
    wasSignedOut.current ||= state === "signed out"
    // Whoever signs in is told nothing of what was before.
    if (wasSignedOut.current) dismissAll()
  }, [state])
  switch (state) {
    case "signed in":
      return <Frame hasSignedIn={wasSignedOut.current} />
    case "signed out":
      return <SignIn />
    case "unknown": {
      const { problem } = access.value
      return (
        <main id="main">
          {problem === undefined ? <Loading what="the console" /> : <Trouble problem={problem} />}
        </main>
      )
    }
  }
}

/** `hasSignedIn`: the reader has, just now. */
function Frame({ hasSignedIn }: { readonly hasSignedIn: boolean }) {
  const here = route.value
  const heading = useRef<HTMLHeadingElement>(null)
  const title = titleOf(here)
  const isFirst = useRef(!hasSignedIn)
  /** The field is there when the view is. */
  const isSearchWanted = useRef(false)
  useEffect(() => {
    document.title = `${title} – Muster`
    // Who has followed a link goes on reading there; who wants to search, writes.
    if (isSearchWanted.current) focusSearch()
    else if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
    isSearchWanted.current = false
  }, [title])
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      if (route.value.view === "workers") return focusSearch()
      isSearchWanted.current = true
      go("#/workers")
    }
    addEventListener("keydown", onKeyDown)
    return () => removeEventListener("keydown", onKeyDown)
  }, [])
  const View = views[here.view]
  return (
    <>
      <a
        class="skip"
        href="#main"
        onClick={(event) => {
          event.preventDefault()
          heading.current?.focus()
        }}
      >
        Skip to the content
      </a>
      <Header view={here.view} />
      <Disconnected />
      <main id="main">
        <h1 ref={heading} tabIndex={-1}>
          {here.view === "worker" ? (
            <>
              <a href="#/workers">Workers</a> <span aria-hidden="true">/</span>{" "}
              <span class="id">{title}</span>
            </>
          ) : (
            title
          )}
        </h1>
        {may(needs[here.view]) ? <View key={here.view === "worker" ? here.id : here.view} /> : <NotForRole />}
      </main>
      <Notices />
      <Confirm />
    </>
  )
}

const focusSearch = (): void => document.getElementById("search")?.focus()

/** Without authentication, tokens say nothing, and everybody is the same. */
const isShown = ([view]: (typeof places)[number]): boolean =>
  may(needs[view]) && (isAuthenticationOn.value || (view !== "tokens" && view !== "audit"))

function Header({ view }: { readonly view: View }) {
  const shown = places.filter(isShown)
  const links = useRef<HTMLElement>(null)
  // On a narrow screen not all of them are in sight.
  useEffect(
    () => links.current?.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest" }),
    [view]
  )
  return (
    <header>
      <a class="brand" href="#/">
        <Brand />
      </a>
      <nav ref={links} aria-label="Views">
        {shown.map(([of, to, name]) => (
          <a key={of} href={to} {...(view === of ? { "aria-current": "page" as const } : {})}>
            {name}
          </a>
        ))}
      </nav>
      <div class="end">
        {may("followEvents") ? <Live /> : null}
        <label class="theme">
          <span class="unseen">Colours</span>
          <select value={theme.value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            <option value="system">System</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
        </label>
        <Account />
      </div>
    </header>
  )
}

const liveNames = { connecting: "connecting", live: "live", lost: "disconnected" } as const

function Live() {
  return (
    <span class={`live ${connection.value}`}>
      <i aria-hidden="true" />
      {liveNames[connection.value]}
    </span>
  )
}

function Disconnected() {
  const state = connection.value
  const before = useRef(state)
  useEffect(() => {
    if (before.current === "lost" && state === "live") say("Connected again; everything is up to date.")
    before.current = state
  }, [state])
  return (
    <div role="alert">
      {state === "lost" ? (
        <p class="disconnected">
          Disconnected from the service, trying again. What is shown is as it was before.
        </p>
      ) : null}
    </div>
  )
}
