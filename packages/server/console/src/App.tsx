/**
 * The frame of every view: where one is, whether what is shown is live, and the way to the others.
 */
import { useEffect, useRef } from "preact/hooks"
import { Confirm } from "./Confirm.tsx"
import { DeadLetters } from "./deadletters/DeadLetters.tsx"
import { connection } from "./live.ts"
import { Notices, say } from "./notices.tsx"
import { Overview } from "./overview/Overview.tsx"
import { go, type Route, route, type View } from "./route.ts"
import { Scheduler } from "./scheduler/Scheduler.tsx"
import { choose, theme } from "./theme.ts"
import { Worker } from "./worker/Worker.tsx"
import { Workers } from "./workers/Workers.tsx"

const views = {
  overview: Overview,
  workers: Workers,
  worker: Worker,
  "dead-letters": DeadLetters,
  scheduler: Scheduler
}

const places: ReadonlyArray<readonly [view: View, to: string, name: string]> = [
  ["overview", "#/", "Overview"],
  ["workers", "#/workers", "Workers"],
  ["dead-letters", "#/dead-letters", "Dead letters"],
  ["scheduler", "#/scheduler", "Scheduler"]
]

const titleOf = ({ id, view }: Route): string =>
  view === "worker" ? id : (places.find(([of]) => of === view)?.[2] ?? "Overview")

export function App() {
  const here = route.value
  const heading = useRef<HTMLHeadingElement>(null)
  const title = titleOf(here)
  const isFirst = useRef(true)
  useEffect(() => {
    document.title = `${title} – Muster`
    // Who has followed a link goes on reading there.
    if (!isFirst.current) heading.current?.focus()
    isFirst.current = false
  }, [title])
  useEffect(() => {
    const onKeyDown = (event: KeyboardEvent) => {
      if (event.key.toLowerCase() !== "k" || !(event.ctrlKey || event.metaKey)) return
      event.preventDefault()
      if (route.value.view !== "workers") go("#/workers")
      // The field is there when the view is.
      setTimeout(() => document.getElementById("search")?.focus(), 50)
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
        <View key={here.view === "worker" ? here.id : here.view} />
      </main>
      <Notices />
      <Confirm />
    </>
  )
}

function Header({ view }: { readonly view: View }) {
  return (
    <header>
      <a class="brand" href="#/">
        <svg viewBox="0 0 32 32" aria-hidden="true">
          <rect width="32" height="32" rx="7" />
          <path d="M6 8.5A1.5 1.5 0 0 1 9.7 7.6L16 18l6.300-10.400A1.500 1.500 0 0 1 26 8.500V25h-5V16l-5 8-5-8v9H6Z" />
        </svg>
        Muster
      </a>
      <nav aria-label="Views">
        {places.map(([of, to, name]) => (
          <a key={of} href={to} {...(view === of ? { "aria-current": "page" as const } : {})}>
            {name}
          </a>
        ))}
      </nav>
      <div class="end">
        <Live />
        <label class="theme">
          <span class="unseen">Colours</span>
          <select value={theme.value} onChange={({ currentTarget }) => choose(currentTarget.value)}>
            <option value="system">System</option>
            <option value="light">Light</option>
            <option value="dark">Dark</option>
          </select>
        </label>
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
