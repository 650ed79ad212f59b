/**
 * The stream of phase changes, for as long as the page is open and its reader may see them. It is read with `fetch` because an `EventSource` gives
 * up for good on an answer such as 503, and then forgets where it was. Here the last id is kept across everything, so
 * that there is never a gap.
 */
import { effect, signal } from "@preact/signals"
import { may } from "./access/session.ts"
import { noteStatus, type Phase } from "./api.ts"

export interface PhaseEvent {
  readonly workerId: string
  readonly phase: Phase
  readonly generation: number
  readonly at: string
  readonly nextAttemptAt: string | null
}

/** The latest event of each worker of which there was one. */
export type EventBatch = ReadonlyMap<string, PhaseEvent>

export interface Listener {
  /** Called once for each frame in which something came. */
  readonly onEvents?: (events: EventBatch) => void
  /** The stream has begun, or is back: what was read before may be old, and not all of that is told by events. */
  readonly onLive?: () => void
}

export type Connection = "connecting" | "live" | "lost"
export const connection = signal<Connection>("connecting")

const listeners = new Set<Listener>()

export const follow = (listener: Listener): (() => void) => {
  listeners.add(listener)
  return () => listeners.delete(listener)
}

/** The service sends something every 15 seconds; after this many milliseconds without, the connection is dead. */
const silence = 40_000
/** A page that nobody sees gives its connection back after so many milliseconds: browsers have few of them. */
const hiddenFor = 30_000
const longestWait = 4_000

let lastId: string | undefined
let pending = new Map<string, PhaseEvent>()
let isFlushing = false

const flush = () => {
  isFlushing = false
  const events = pending
  pending = new Map()
  for (const { onEvents } of listeners) onEvents?.(events)
}

const receive = (event: PhaseEvent) => {
  pending.set(event.workerId, event)
  if (isFlushing) return
  isFlushing = true
  // There are no frames while the page is hidden.
  if (document.hidden) setTimeout(flush, 200)
  else requestAnimationFrame(flush)
}

const readBlock = (block: string) => {
  let data = ""
  for (const line of block.split("\n")) {
    if (line.startsWith("id: ")) lastId = line.slice(4)
    else if (line.startsWith("data: ")) data += line.slice(6)
  }
  if (data === "") return
  const event: PhaseEvent = JSON.parse(data)
  receive(event)
}

const read = async (signal: AbortSignal, onAlive: () => void): Promise<void> => {
  const response = await fetch("./v1/events", {
    headers: { accept: "text/event-stream", ...(lastId === undefined ? {} : { "last-event-id": lastId }) },
    cache: "no-store",
    signal
  })
  noteStatus(response)
  if (!response.ok || response.body === null) throw new Error(`answered ${response.status}`)
  const reader = response.body.pipeThrough(new TextDecoderStream()).getReader()
  let rest = ""
  for (;;) {
    const { done, value } = await reader.read()
    if (done) return
    onAlive()
    const blocks = (rest + value).split("\n\n")
    rest = blocks.pop() ?? ""
    for (const block of blocks) readBlock(block)
  }
}

const untilVisible = () =>
  new Promise<void>((resolve) => {
    const look = () => {
      if (document.hidden) return
      document.removeEventListener("visibilitychange", look)
      resolve()
    }
    document.addEventListener("visibilitychange", look)
    look()
  })

const untilAllowed = () =>
  new Promise<void>((resolve) => {
    const stop = effect(() => {
      if (!may("followEvents")) return
      // The effect may run at once, before there is something to stop it with.
      queueMicrotask(() => stop())
      resolve()
    })
  })

const pause = (millis: number) =>
  new Promise<void>((resolve) => {
    const done = () => {
      clearTimeout(timer)
      removeEventListener("online", done)
      resolve()
    }
    const timer = setTimeout(done, millis)
    addEventListener("online", done)
  })

/** One connection, from its beginning to its end. */
const connect = async (onLive: () => void): Promise<void> => {
  const controller = new AbortController()
  let watchdog: ReturnType<typeof setTimeout> | undefined
  let hiding: ReturnType<typeof setTimeout> | undefined
  const end = () => controller.abort()
  const onAlive = () => {
    onLive()
    clearTimeout(watchdog)
    watchdog = setTimeout(end, silence)
  }
  const onVisibility = () => {
    clearTimeout(hiding)
    if (document.hidden) hiding = setTimeout(end, hiddenFor)
  }
  document.addEventListener("visibilitychange", onVisibility)
  const unwatch = effect(() => {
    if (!may("followEvents")) end()
  })
  watchdog = setTimeout(end, silence)
  try {
    await read(controller.signal, onAlive)
  } catch {
    // However it ended, it is begun again.
  } finally {
    clearTimeout(watchdog)
    clearTimeout(hiding)
    unwatch()
    document.removeEventListener("visibilitychange", onVisibility)
  }
}

/** Begins to follow, and never ends. */
export const stayConnected = async (): Promise<never> => {
  let failures = 0
  const onLive = () => {
    failures = 0
    if (connection.value === "live") return
    connection.value = "live"
    for (const { onLive } of listeners) onLive?.()
  }
  for (;;) {
    await untilAllowed()
    await untilVisible()
    await connect(onLive)
    if (!may("followEvents")) {
      // Whoever signs in next sees everything as it is then.
      lastId = undefined
      pending = new Map()
      connection.value = "connecting"
      continue
    }
    connection.value = "lost"
    if (!document.hidden) await pause(Math.min(500 * 2 ** failures++, longestWait))
  }
}
