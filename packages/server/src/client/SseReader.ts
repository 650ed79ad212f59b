/**
 * Reads server-sent events (the WHATWG's text/event-stream), ids included that come without an event: Muster sends
 * one at the beginning, so that nothing is missed whenever the connection breaks.
 */

export interface SseEvent {
  /** Empty where an id came alone. */
  readonly event: string
  readonly data: string
  readonly id: string | undefined
}

/** UTF-16 units of one event; a longer one is cut off. Muster's have some hundred. */
const longestEvent = 1024 * 1024

export class SseReader {
  private rest = ""
  private event = ""
  private data: Array<string> = []
  private size = 0
  private id: string | undefined
  private toldId: string | undefined

  /** The events that this piece of the stream completes. */
  read(text: string): ReadonlyArray<SseEvent> {
    const lines = (this.rest + text).split(/\r\n|\n|\r(?!$)/)
    this.rest = (lines.pop() ?? "").slice(0, longestEvent)
    return lines.flatMap((line) => this.line(line))
  }

  private line(line: string): ReadonlyArray<SseEvent> {
    if (line === "") return this.dispatch()
    const colon = line.indexOf(":")
    const field = colon === -1 ? line : line.slice(0, colon)
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "")
    if (field === "event") this.event = value
    else if (field === "id" && !value.includes("\0")) this.id = value
    else if (field === "data" && (this.size += value.length) <= longestEvent) this.data.push(value)
    return []
  }

  private dispatch(): ReadonlyArray<SseEvent> {
    const { data, event, id } = this
    this.event = ""
    this.data = []
    this.size = 0
    if (data.length === 0 && id === this.toldId) return []
    this.toldId = id
    return [{ event: data.length === 0 ? "" : event || "message", data: data.join("\n"), id }]
  }
}
