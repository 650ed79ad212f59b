/**
 * Numbers over time. The picture is uPlot's; the legend is ours, so that it can be read without seeing the picture.
 */
import { useEffect, useRef, useState } from "preact/hooks"
import uPlot from "uplot"
import { colours } from "./theme.ts"
import { localTime } from "./text.ts"

export interface Series {
  readonly name: string
  /** A custom property of the style sheet, without its dashes. */
  readonly colour: string
  readonly kind: "line" | "area" | "bars"
  /** One for each time; `null`: unknown. */
  readonly values: ReadonlyArray<number | null>
}

interface ChartProps {
  readonly title: string
  /** Seconds since 1970, rising. */
  readonly times: ReadonlyArray<number>
  readonly series: ReadonlyArray<Series>
  readonly format: (value: number) => string
  /** Bars on top of each other. */
  readonly isStacked?: boolean
}

const height = 180

export function Chart({ format, isStacked = false, series, times, title }: ChartProps) {
  const place = useRef<HTMLDivElement>(null)
  const plot = useRef<uPlot>(undefined)
  const [at, setAt] = useState<number | undefined>(undefined)
  const names = series.map(({ colour, kind, name }) => `${name} ${colour} ${kind}`).join()
  const data = toData(times, series, isStacked)
  const colourVersion = colours.value

  useEffect(() => {
    const element = place.current
    if (element === null) return
    const options = optionsOf(element, series, format, isStacked, setAt)
    const made = new uPlot(options, data, element)
    plot.current = made
    const watch = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height }))
    watch.observe(element)
    return () => {
      watch.disconnect()
      made.destroy()
    }
  }, [names, isStacked, colourVersion])

  useEffect(() => plot.current?.setData(data), [times, series])

  const shown = at ?? times.length - 1
  const when = times[shown]
  return (
    <figure class="chart">
      <figcaption>
        <h2>{title}</h2>
        <ul class="legend">
          {series.map(({ colour, name, values }) => (
            <li key={name}>
              <i class={`swatch ${colour}`} aria-hidden="true" />
              {name} <b>{valueText(values[shown], format)}</b>
            </li>
          ))}
        </ul>
        <span class="when">{at === undefined || when === undefined ? "latest" : localTime(when * 1000)}</span>
      </figcaption>
      <div ref={place} class="plot" aria-hidden="true" />
    </figure>
  )
}

const valueText = (value: number | null | undefined, format: (value: number) => string): string =>
  value === null || value === undefined ? "–" : format(value)

/** As uPlot wants it; what is stacked is drawn from the top down, each over those below it. */
const toData = (
  times: ReadonlyArray<number>,
  series: ReadonlyArray<Series>,
  isStacked: boolean
): uPlot.AlignedData => {
  if (!isStacked) return [times.slice(), ...series.map(({ values }) => values.slice())]
  const sum = times.map(() => 0)
  const stacked = series.map(({ values }) =>
    values.map((value, i) => (sum[i] = (sum[i] ?? 0) + (value ?? 0)))
  )
  return [times.slice(), ...stacked.toReversed()]
}

const optionsOf = (
  element: HTMLElement,
  series: ReadonlyArray<Series>,
  format: (value: number) => string,
  isStacked: boolean,
  onCursor: (index: number | undefined) => void
): uPlot.Options => {
  const colourOf = (name: string) => resolvedColour(element, name)
  const axis: uPlot.Axis = {
    stroke: colourOf("muted"),
    grid: { stroke: colourOf("line"), width: 1 },
    ticks: { show: false },
    font: "12px system-ui, sans-serif"
  }
  const drawn = isStacked ? series.toReversed() : series
  return {
    width: element.clientWidth,
    height,
    legend: { show: false },
    cursor: { y: false, points: { size: 6 }, drag: { x: false, y: false } },
    scales: { x: { time: true }, y: { range: (_, __, max) => [0, Math.max(max * 1.1, 1e-3)] } },
    axes: [
      {
        ...axis,
        values: (_, splits, __, ___, step) => splits.map((split) => clockText(split, step)),
        space: 70,
        size: 28
      },
      { ...axis, values: (_, splits) => splits.map((split) => format(split)), size: 56, space: 34 }
    ],
    series: [
      {},
      ...drawn.map(({ colour, kind }): uPlot.Series => {
        const stroke = colourOf(colour)
        if (kind === "bars") {
          return { stroke, fill: stroke, width: 0, paths: bars, points: { show: false } }
        }
        const fill = kind === "area" ? { fill: colourOf(`${colour}-faint`) } : undefined
        return { stroke, width: 1.75, ...fill, points: { show: false }, spanGaps: false }
      })
    ],
    hooks: { setCursor: [({ cursor: { idx } }) => onCursor(idx ?? undefined)] }
  }
}

const bars = uPlot.paths.bars?.({ size: [0.8, 12], align: -1 }) ?? (() => null)

const clock = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit", hourCycle: "h23" })
/** `step`: seconds from one text to the next. */
const clockText = (seconds: number, step: number): string =>
  step < 60 ? localTime(seconds * 1000) : clock.format(seconds * 1000)

/** A canvas knows no custom properties. */
const resolvedColour = (element: HTMLElement, name: string): string => {
  const probe = document.createElement("span")
  probe.style.color = `var(--${name})`
  element.append(probe)
  const colour = getComputedStyle(probe).color
  probe.remove()
  return colour
}
