/**
 * A family of metrics: everything that there is to know about it in one place, from which its series are made, the
 * documentation is written, and dashboards and alerts are checked. The values of its labels are listed here, so the
 * number of its series is known before anything happens.
 *
 * A series is an Effect `Metric`, made once and looked up by its labels where a module is loaded, never on each call.
 */
import { type Context, Effect, Metric, type Scope } from "effect"

/** The labels of a family, each with all values that it can have. */
export type Labels = Readonly<Record<string, ReadonlyArray<string>>>

type Values<L extends Labels> = { readonly [Name in keyof L]: L[Name][number] }

interface Description<L extends Labels> {
  readonly name: string
  /** What is counted, in one line. */
  readonly help: string
  /** What it means when it moves, and what an operator does then. */
  readonly whenItMoves: string
  readonly labels: L
  /** For labels whose values differ from one process to another, what they are. */
  readonly each?: string | undefined
}

export interface MetricFamily extends Description<Labels> {
  readonly type: "counter" | "gauge" | "histogram"
  /** The upper bounds of the buckets; none but for histograms. */
  readonly boundaries: ReadonlyArray<number>
  /**
   * Makes every series of a counter or histogram there, at zero: one that appears with its first increase looks to
   * `rate()` as if nothing had happened. What a gauge shows is known to its owner alone, unless it counts from zero.
   */
  readonly begin: (context: Context.Context<never>) => void
}

interface Series<L extends Labels, M> {
  /** The series with these labels. */
  readonly at: (values: Values<L>) => M
}

export type Counter<L extends Labels> = MetricFamily & Series<L, Metric.Counter<number>>
export type Gauge<L extends Labels> = MetricFamily & Series<L, Metric.Gauge<number>>
export type Histogram<L extends Labels> = MetricFamily & Series<L, Metric.Histogram<number>>

export const counter = <const L extends Labels>(description: Description<L>): Counter<L> => {
  const series = seriesOf(description, (attributes) =>
    Metric.counter(description.name, { description: description.help, incremental: true, attributes })
  )
  return {
    ...description,
    type: "counter",
    boundaries: [],
    at: series.at,
    begin: series.begin
  }
}

/** `countsFromZero`: it is raised and lowered, so 0 is right until somebody does. */
export const gauge = <const L extends Labels>({
  countsFromZero = false,
  ...description
}: Description<L> & { readonly countsFromZero?: boolean }): Gauge<L> => {
  const series = seriesOf(description, (attributes) =>
    Metric.gauge(description.name, { description: description.help, attributes })
  )
  return {
    ...description,
    type: "gauge",
    boundaries: [],
    at: series.at,
    begin: countsFromZero ? series.begin : () => {}
  }
}

export const histogram = <const L extends Labels>(
  description: Description<L> & { readonly boundaries: ReadonlyArray<number> }
): Histogram<L> => {
  const { boundaries } = description
  const series = seriesOf(description, (attributes) =>
    Metric.histogram(description.name, { description: description.help, boundaries, attributes })
  )
  return {
    ...description,
    type: "histogram",
    at: series.at,
    begin: series.begin
  }
}

/** Shows in a gauge, whenever somebody looks, what `read` gives then; until the scope ends. */
export const observe = Effect.fnUntraced(function* (
  gauge: Metric.Gauge<number>,
  read: () => number
): Effect.fn.Return<void, never, Scope.Scope> {
  const context = yield* Effect.context()
  yield* Effect.acquireRelease(
    Effect.sync(() =>
      Metric.registerUnsafe(gauge, context, {
        get: () => ({ value: read() }),
        update: () => {},
        modify: () => {}
      })
    ),
    (registration) => Effect.sync(() => registration.remove())
  )
})

/** How many series a family has at most, as Prometheus counts them: a histogram has one for each bucket and two more. */
export const seriesCount = ({ boundaries, labels, type }: MetricFamily): number => {
  const combinations = Object.values(labels).reduce((product, values) => product * values.length, 1)
  return combinations * (type === "histogram" ? boundaries.length + 3 : 1)
}

const seriesOf = <L extends Labels, M extends Metric.Metric<never, unknown>>(
  { labels, name }: Description<L>,
  make: (attributes: Readonly<Record<string, string>>) => M
) => {
  const names = Object.keys(labels)
  const keyOf = (values: Readonly<Record<string, string>>) => names.map((name) => values[name]).join("\0")
  const series = new Map(
    combinations(Object.entries(labels)).map((attributes) => [keyOf(attributes), make(attributes)])
  )
  const at = (values: Values<L>): M => {
    const found = series.get(keyOf(values))
    if (found === undefined) throw new RangeError(`${name} has no series ${JSON.stringify(values)}`)
    return found
  }
  const begin = (context: Context.Context<never>): void => {
    for (const metric of series.values()) metric.valueUnsafe(context)
  }
  return { at, begin }
}

const combinations = (
  labels: ReadonlyArray<readonly [string, ReadonlyArray<string>]>
): ReadonlyArray<Readonly<Record<string, string>>> =>
  labels.reduce<ReadonlyArray<Readonly<Record<string, string>>>>(
    (all, [name, values]) => all.flatMap((some) => values.map((value) => ({ ...some, [name]: value }))),
    [{}]
  )
