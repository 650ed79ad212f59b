/** The curves of a storm as an SVG: what the scheduler held, and what it refused, over time. */
import type { Second } from "./referenceScheduler.ts"

export interface Storm {
  readonly name: string
  /** From the scheduler's return until it holds every worker again. */
  readonly seconds: number
  readonly timeline: ReadonlyArray<Second>
}

interface Bounds {
  readonly count: number
  readonly maxRate: number
}

const width = 760
const height = 230
const left = 70
const right = 170
const gap = 60
const top = 40
// Told apart by everybody: Okabe and Ito's palette.
const colours = ["#d55e00", "#e69f00", "#0072b2"]

type Point = readonly [seconds: number, value: number]

export const drawStorm = (storms: ReadonlyArray<Storm>, { count, maxRate }: Bounds): string => {
  const longest = Math.ceil(Math.max(...storms.map(({ seconds }) => seconds)) / 10) * 10
  const ideal: ReadonlyArray<Point> = [
    [0, 0],
    [count / maxRate, count],
    [longest, count]
  ]
  const held = storms.map(({ timeline }): ReadonlyArray<Point> => [
    [0, 0],
    ...timeline.map(({ at, workers }): Point => [at, workers])
  ])
  const refused = storms.map(({ timeline }): ReadonlyArray<Point> => {
    let total = 0
    return [[0, 0], ...timeline.map((second): Point => [second.at, (total += second.refused)])]
  })
  const mostRefused = niceAbove(Math.max(1, ...refused.flat().map(([, value]) => value)))
  const panels = [
    panel("workers that the scheduler holds", 0, { x: longest, y: count }, held, ideal),
    panel("calls that it refused", 1, { x: longest, y: mostRefused }, refused)
  ]
  const key = storms.map(
    ({ name }, index) =>
      `<g transform="translate(${width - right + 16} ${top + 12 + index * 22})"><path d="M0 0h22" stroke="${colours[index]}" stroke-width="3"/><text x="28" y="4">${name.replace(/^\(.\) /, "")}</text></g>`
  )
  const dashed = `<g transform="translate(${width - right + 16} ${top + 12 + storms.length * 22})"><path d="M0 0h22" stroke="#888" stroke-dasharray="4 3"/><text x="28" y="4">the ideal</text></g>`
  const total = top + 2 * (height + gap)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" font-family="sans-serif" font-size="12" fill="#333" role="img" aria-label="A registration storm: workers registered and calls refused over time">
<rect width="${width}" height="${total}" fill="#fff"/>
${panels.join("\n")}
${key.join("\n")}
${dashed}
</svg>
`
}

/** A round number that is not below. */
const niceAbove = (value: number): number => {
  const power = 10 ** Math.floor(Math.log10(value))
  return [1, 2, 5, 10].map((step) => step * power).find((step) => step >= value) ?? value
}

const panel = (
  title: string,
  row: number,
  most: { readonly x: number; readonly y: number },
  curves: ReadonlyArray<ReadonlyArray<Point>>,
  dashed?: ReadonlyArray<Point>
): string => {
  const plot = width - left - right
  const x = (seconds: number) => (left + (seconds / most.x) * plot).toFixed(1)
  const y = (value: number) => (height - (value / most.y) * height).toFixed(1)
  const line = (points: ReadonlyArray<Point>) =>
    `M${points.map(([seconds, value]) => `${x(Math.min(seconds, most.x))} ${y(value)}`).join("L")}`
  const fifths = [0, 1, 2, 3, 4, 5]
  const grid = fifths.map((fifth) => {
    const value = (most.y * fifth) / 5
    return `<path d="M${left} ${y(value)}h${plot}" stroke="#ddd"/><text x="${left - 8}" y="${Number(y(value)) + 4}" text-anchor="end">${value.toLocaleString("en")}</text>`
  })
  const ticks = fifths.map((fifth) => {
    const seconds = (most.x * fifth) / 5
    return `<text x="${x(seconds)}" y="${height + 18}" text-anchor="middle">${seconds.toFixed(0)} s</text>`
  })
  const paths = curves.map(
    (points, index) => `<path d="${line(points)}" fill="none" stroke="${colours[index]}" stroke-width="2.5"/>`
  )
  const ideal =
    dashed === undefined ? "" : `<path d="${line(dashed)}" fill="none" stroke="#888" stroke-dasharray="4 3"/>`
  return `<g transform="translate(0 ${top + row * (height + gap)})"><text x="${left}" y="-12" font-weight="bold">${title}</text>${grid.join("")}${ticks.join("")}${ideal}${paths.join("")}</g>`
}
