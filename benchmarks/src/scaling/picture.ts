/** What a worker costs by the size of the stream, as an SVG. */

export interface Size {
  readonly count: number
  readonly micros: number
  readonly megabytes: number
  readonly delay: number
}

const width = 760
const height = 200
const panelWidth = 300
const left = 60
const top = 40

export const drawScaling = (
  sizes: ReadonlyArray<Size>
): string => `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${top + height + 50}" font-family="sans-serif" font-size="12" fill="#333" role="img" aria-label="Time and memory by the number of workers in a stream">
<rect width="${width}" height="${top + height + 50}" fill="#fff"/>
${panel("µs for each worker", 0, sizes, ({ micros }) => micros, "#0072b2")}
${panel("MB of the process at most", 1, sizes, ({ megabytes }) => megabytes, "#d55e00")}
</svg>
`

/** From zero, so that flat looks flat. */
const panel = (
  title: string,
  column: number,
  sizes: ReadonlyArray<Size>,
  valueOf: (size: Size) => number,
  colour: string
): string => {
  const most = Math.max(...sizes.map(valueOf)) * 1.25
  const step = panelWidth / sizes.length
  const bars = sizes.map((size, index) => {
    const value = valueOf(size)
    const tall = (value / most) * height
    const x = index * step + step / 2
    return (
      `<rect x="${(x - 22).toFixed(1)}" y="${(height - tall).toFixed(1)}" width="44" height="${tall.toFixed(1)}" fill="${colour}"/>` +
      `<text x="${x.toFixed(1)}" y="${(height - tall - 6).toFixed(1)}" text-anchor="middle">${value < 10 ? value.toFixed(1) : value.toFixed(0)}</text>` +
      `<text x="${x.toFixed(1)}" y="${height + 18}" text-anchor="middle">${size.count.toLocaleString("en")}</text>`
    )
  })
  return `<g transform="translate(${left + column * (panelWidth + 60)} ${top})"><text x="0" y="-16" font-weight="bold">${title}</text><path d="M0 ${height}h${panelWidth}" stroke="#888"/>${bars.join("")}</g>`
}
