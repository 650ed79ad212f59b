/** A run of the soak test as an SVG: lines over time, with the times at which the scheduler was away behind them. */
import { delayQuantile, type Sample } from "./Samples.ts"
import { thin } from "./Trend.ts"

interface Line {
  readonly name: string
  readonly colour: string
  readonly valueOf: (sample: Sample, before: Sample) => number | undefined
}

interface Panel {
  readonly title: string
  readonly lines: ReadonlyArray<Line>
}

const width = 760
const left = 56
const right = 20
const panelHeight = 110
const panelGap = 46
const top = 36
const mostPoints = 360
const mebibyte = 1024 * 1024

const panels: ReadonlyArray<Panel> = [
  {
    title: "Memory, MiB",
    lines: [
      { name: "resident", colour: "#0072b2", valueOf: ({ residentBytes }) => residentBytes / mebibyte },
      {
        name: "heap after a full collection",
        colour: "#d55e00",
        valueOf: ({ heapBytes }) => (heapBytes === undefined ? undefined : heapBytes / mebibyte)
      }
    ]
  },
  {
    title: "Open files",
    lines: [{ name: "open files", colour: "#0072b2", valueOf: ({ descriptors }) => descriptors }]
  },
  {
    title: "Event loop's longest delay, at most, s",
    lines: [
      {
        name: "delay",
        colour: "#d55e00",
        valueOf: (sample, before) => Math.min(delayQuantile(before, sample, 1), 2.5)
      }
    ]
  },
  {
    title: "Workers",
    lines: [
      {
        name: "registered or ready",
        colour: "#009e73",
        valueOf: ({ workers }) => (workers["registered"] ?? 0) + (workers["ready"] ?? 0)
      },
      {
        name: "on their way",
        colour: "#0072b2",
        valueOf: ({ workers }) =>
          (workers["pending"] ?? 0) + (workers["registering"] ?? 0) + (workers["unregistering"] ?? 0)
      },
      { name: "failed", colour: "#d55e00", valueOf: ({ workers }) => workers["failed"] ?? 0 }
    ]
  },
  {
    title: "The store's file, MiB",
    lines: [
      {
        name: "file and write-ahead log",
        colour: "#0072b2",
        valueOf: ({ storeBytes }) => (storeBytes === undefined ? undefined : storeBytes / mebibyte)
      }
    ]
  }
]

export const drawSoak = (all: ReadonlyArray<Sample>): string => {
  const samples = thin(all, mostPoints)
  const end = Math.max(1, samples.at(-1)?.at ?? 1)
  const height = top + panels.length * (panelHeight + panelGap)
  const x = (at: number) => left + (at / end) * (width - left - right)
  const drawn = panels.map((panel, index) =>
    drawPanel(panel, samples, x, top + index * (panelHeight + panelGap), end)
  )
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12" fill="#333" role="img" aria-label="Memory, open files, delay, workers and store of a service over the time of a soak test">
<rect width="${width}" height="${height}" fill="#fff"/>
${drawn.join("\n")}
</svg>
`
}

const drawPanel = (
  { lines, title }: Panel,
  samples: ReadonlyArray<Sample>,
  x: (at: number) => number,
  from: number,
  end: number
): string => {
  const series = lines.map(({ valueOf }) =>
    samples.map((sample, index) => [sample.at, valueOf(sample, samples[index - 1] ?? sample)] as const)
  )
  const values = series.flat().flatMap(([, value]) => (value === undefined ? [] : [value]))
  // From zero, so that flat looks flat.
  const most = niceAbove(Math.max(0, ...values))
  const y = (value: number) => from + panelHeight - (value / most) * panelHeight
  const paths = series.map((points, index) => {
    const seen = points.flatMap(([at, value]) =>
      value === undefined ? [] : [`${x(at).toFixed(1)} ${y(value).toFixed(1)}`]
    )
    return `<path d="M${seen.join("L")}" fill="none" stroke="${lines[index]?.colour}" stroke-width="1.5"/>`
  })
  const legend = lines.map(
    ({ colour, name }, index) =>
      `<text x="${left + 230 + index * 170}" y="${from - 8}" fill="${colour}">${name}</text>`
  )
  const ticks = [0, 0.25, 0.5, 0.75, 1].map(
    (share) =>
      `<text x="${x(end * share).toFixed(1)}" y="${from + panelHeight + 15}" text-anchor="middle" fill="#777">${minutes(end * share)}</text>`
  )
  return [
    ...aways(samples, x, from),
    `<text x="${left}" y="${from - 8}" font-weight="bold">${title}</text>`,
    ...(lines.length > 1 ? legend : []),
    `<path d="M${left} ${from}v${panelHeight}h${width - left - right}" fill="none" stroke="#888"/>`,
    `<text x="${left - 6}" y="${from + 5}" text-anchor="end">${most}</text>`,
    `<text x="${left - 6}" y="${from + panelHeight + 4}" text-anchor="end">0</text>`,
    ...ticks,
    ...paths.filter((path) => !path.includes('"M"'))
  ].join("\n")
}

const aways = (
  samples: ReadonlyArray<Sample>,
  x: (at: number) => number,
  from: number
): ReadonlyArray<string> =>
  samples.flatMap(({ at, isSchedulerAway }, index) => {
    const next = samples[index + 1]
    return isSchedulerAway && next !== undefined
      ? [
          `<rect x="${x(at).toFixed(1)}" y="${from}" width="${(x(next.at) - x(at)).toFixed(1)}" height="${panelHeight}" fill="#eee"/>`
        ]
      : []
  })

const minutes = (seconds: number): string => `${Number((seconds / 60).toFixed(1))} min`

/** The next of 1, 2, 2.5, 5 and 10 with a power of ten. */
const niceAbove = (value: number): number => {
  if (value <= 0) return 1
  const power = 10 ** Math.floor(Math.log10(value))
  const step = [1, 2, 2.5, 5, 10].find((each) => each * power >= value) ?? 10
  return Number((step * power).toPrecision(3))
}
