/**
 * A worker's timeline as a picture in time: its phases, the calls to the scheduler and the waits between them, and what
 * was asked for. The list under it says the same in words.
 */
import type { TimelineItem } from "../api.ts"
import { now } from "../clock.tsx"
import { duration, itemTitle, localTime } from "../text.ts"
import { TimeScale } from "./TimeScale.ts"

interface PictureProps {
  readonly items: ReadonlyArray<TimelineItem>
  readonly nextAttemptAt: string | null
  /** In pixels. */
  readonly room: number
}

const lanes = { phases: 34, calls: 82, events: 126, axis: 160 } as const
const height = 172
const margin = 20

const timeOf = ({ at }: { readonly at: string }): number => Date.parse(at)

export function Picture({ items, nextAttemptAt, room }: PictureProps) {
  const today = Math.max(now.value, ...items.map(timeOf))
  const next = nextAttemptAt === null ? undefined : Date.parse(nextAttemptAt)
  const end = Math.max(today, next ?? 0)
  const scale = new TimeScale([...items.map(timeOf), today, end], room, margin)
  const x = (at: number) => scale.place(at)
  return (
    <svg
      width={scale.width}
      height={height}
      viewBox={`0 0 ${scale.width} ${height}`}
      role="img"
      aria-label={`${items.length} steps from ${localTime(scale.stops[0]?.at ?? today)} until now; the list that follows tells them`}
    >
      <defs>
        <pattern
          id="waiting"
          width="6"
          height="6"
          patternUnits="userSpaceOnUse"
          patternTransform="rotate(45)"
        >
          <rect class="hatch" width="2" height="6" />
        </pattern>
      </defs>
      <Lane name="Phase" y={lanes.phases} width={scale.width} />
      <Lane name="Calls and waits" y={lanes.calls} width={scale.width} />
      <Lane name="Events" y={lanes.events} width={scale.width} />
      {phaseSpans(items, today).map(({ from, phase, to }) => (
        <g key={`${phase}${from}`} class={`span ${phase}`}>
          <rect
            x={x(from)}
            y={lanes.phases - 11}
            width={Math.max(2, x(to) - x(from) - 1)}
            height={22}
            rx={4}
          />
          {x(to) - x(from) > phase.length * 7 + 8 ? (
            <text x={x(from) + 6} y={lanes.phases + 4}>
              {phase}
            </text>
          ) : null}
          <title>{`${phase} for ${duration(to - from)}`}</title>
        </g>
      ))}
      {waits(items, next).map(({ from, to }) => (
        <rect
          key={from}
          class="wait"
          x={x(from)}
          y={lanes.calls - 8}
          width={Math.max(0, x(to) - x(from))}
          height={16}
          rx={3}
        >
          <title>{`waits ${duration(to - from)}`}</title>
        </rect>
      ))}
      {items.map((item, i) => (
        <Marker key={i} item={item} x={x(timeOf(item))} />
      ))}
      <Axis scale={scale} />
      <g class="now">
        <line x1={x(today)} x2={x(today)} y1={16} y2={lanes.axis - 12} />
        <text x={Math.min(x(today), scale.width - 16)} y={12} text-anchor="middle">
          now
        </text>
      </g>
      {next === undefined || next <= today ? null : (
        <circle class="next-attempt" cx={x(next)} cy={lanes.calls} r={6}>
          <title>{`next attempt ${localTime(next)}`}</title>
        </circle>
      )}
    </svg>
  )
}

function Lane({ name, width, y }: { readonly name: string; readonly y: number; readonly width: number }) {
  return (
    <g class="lane">
      <line x1={0} x2={width} y1={y} y2={y} />
      <text x={2} y={y - 16}>
        {name}
      </text>
    </g>
  )
}

function Marker({ item, x }: { readonly item: TimelineItem; readonly x: number }) {
  if (item.type === "phase") return null
  const title = <title>{`${localTime(timeOf(item))}: ${itemTitle(item)}`}</title>
  if (item.type === "change") {
    const y = lanes.events
    return (
      <path class="event" d={`M${x} ${y - 7}L${x + 7} ${y}L${x} ${y + 7}L${x - 7} ${y}Z`}>
        {title}
      </path>
    )
  }
  const y = lanes.calls
  return item.error === null ? (
    <g class="call good">
      <circle cx={x} cy={y} r={7} />
      <path d={`M${x - 3.2} ${y}l2.4 2.6 4-4.8`} />
      {title}
    </g>
  ) : (
    <g class="call bad">
      <rect x={x - 6.5} y={y - 6.5} width={13} height={13} rx={2} />
      <path d={`M${x - 3} ${y - 3}l6 6m0-6l-6 6`} />
      {title}
    </g>
  )
}

/** Times where there is room for them, and between them how long it was. */
function Axis({ scale }: { readonly scale: TimeScale }) {
  let free = -Infinity
  const labels = scale.stops.filter(({ x }) => {
    const from = Math.min(Math.max(x, 32), scale.width - 32)
    if (from < free) return false
    free = from + 84
    return true
  })
  return (
    <g class="axis">
      {scale.stops.map(({ at, x }) => (
        <line key={at} x1={x} x2={x} y1={lanes.axis - 14} y2={lanes.axis - 10} />
      ))}
      {labels.map(({ at, x }) => (
        <text
          key={at}
          x={Math.min(Math.max(x, 32), scale.width - 32)}
          y={lanes.axis + 4}
          text-anchor="middle"
        >
          {localTime(at)}
        </text>
      ))}
    </g>
  )
}

const phaseSpans = (items: ReadonlyArray<TimelineItem>, today: number) => {
  const phases = items.flatMap((item) =>
    item.type === "phase" ? [{ phase: item.phase, from: timeOf(item) }] : []
  )
  return phases.map((span, i) => ({ ...span, to: phases[i + 1]?.from ?? today }))
}

/** From a call that failed to the next call, or to when it will be. */
const waits = (items: ReadonlyArray<TimelineItem>, next: number | undefined) => {
  const calls = items.filter((item) => item.type === "call")
  return calls.flatMap((item, i) => {
    const to = calls[i + 1] === undefined ? next : timeOf(calls[i + 1] ?? item)
    return item.error === null || to === undefined ? [] : [{ from: timeOf(item), to }]
  })
}
