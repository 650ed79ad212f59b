/**
 * When calls were made and when not, in the last hour.
 */
import type { HistoryPoint } from "../overview/history.ts"
import { duration, localTime } from "../text.ts"

interface Span {
  readonly state: "closed" | "open" | "half_open" | null
  readonly from: number
  readonly to: number
}

const spansOf = (points: ReadonlyArray<HistoryPoint>): ReadonlyArray<Span> => {
  const spans: Array<Span> = []
  for (const { at, circuit } of points) {
    const to = Date.parse(at)
    const last = spans.at(-1)
    if (last !== undefined && last.state === circuit) spans[spans.length - 1] = { ...last, to }
    else spans.push({ state: circuit, from: last?.to ?? to, to })
  }
  return spans
}

const names = { closed: "closed", open: "open", half_open: "half open" } as const

export function CircuitHistory({ points }: { readonly points: ReadonlyArray<HistoryPoint> }) {
  const spans = spansOf(points)
  const from = spans[0]?.from ?? 0
  const to = spans.at(-1)?.to ?? 1
  const place = (at: number) => ((at - from) / Math.max(1, to - from)) * 1000
  const outages = spans.filter(({ state }) => state === "open")
  const opened = outages.reduce((sum, span) => sum + span.to - span.from, 0)
  return (
    <figure class="chart circuit">
      <figcaption>
        <h2>Circuit</h2>
        <ul class="legend">
          {(["closed", "half_open", "open"] as const).map((state) => (
            <li key={state}>
              <i class={`swatch ${state}`} aria-hidden="true" />
              {names[state]}
            </li>
          ))}
        </ul>
        <span class="when">
          {outages.length === 0 ? "not open in this time" : `open for ${duration(opened)} in all`}
        </span>
      </figcaption>
      <svg viewBox="0 0 1000 28" preserveAspectRatio="none" aria-hidden="true">
        {spans.map((span) => (
          <rect
            key={span.from}
            class={span.state ?? "none"}
            x={place(span.from)}
            y={span.state === "closed" ? 12 : 0}
            width={Math.max(1.5, place(span.to) - place(span.from))}
            height={span.state === "closed" ? 16 : 28}
          />
        ))}
      </svg>
      <ol class="outages">
        {outages
          .toReversed()
          .slice(0, 5)
          .map((span) => (
            <li key={span.from}>
              open from {localTime(span.from)} to {localTime(span.to)} ({duration(span.to - span.from)})
            </li>
          ))}
      </ol>
    </figure>
  )
}
