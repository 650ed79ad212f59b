/**
 * The series that dashboards and alerts count on, at zero until something happens: a counter that appears with its
 * first increase looks to `rate()` as if nothing had happened.
 */
import { ValueType } from "@opentelemetry/api"
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics
} from "@opentelemetry/sdk-metrics"

type Labels = Readonly<Record<string, string>>

const workerTypes = ["static", "dynamic", "unknown"]
const results = ["success", "failure"]
const errorTypes = ["scheduler_unavailable", "timeout", "invalid_worker", "max_retries", "unexpected"]

const perType: ReadonlyArray<Labels> = workerTypes.map((worker_type) => ({ worker_type }))
const perResult = results.flatMap((result) => perType.map((labels): Labels => ({ result, ...labels })))
const perError = errorTypes.flatMap((error_type) =>
  perType.map((labels): Labels => ({ error_type, ...labels }))
)

type Family = { readonly name: string; readonly help: string; readonly series: ReadonlyArray<Labels> } & (
  | { readonly type: "counter" | "gauge" }
  | { readonly type: "histogram"; readonly boundaries: ReadonlyArray<number> }
)

/** The families of the registration path, as they are documented. */
const families: ReadonlyArray<Family> = [
  {
    type: "counter",
    name: "worker_registration_operations_total",
    help: "Registrations that have ended, by result",
    series: perResult
  },
  {
    type: "histogram",
    name: "worker_registration_duration_seconds",
    help: "From the call of register to its outcome, waits included, in seconds",
    series: perType,
    boundaries: [0.1, 0.5, 1, 2.5, 5, 10]
  },
  {
    type: "histogram",
    name: "worker_registration_retry_count",
    help: "Retries that one registration needed",
    series: perType,
    boundaries: [0, 1, 2, 3, 5]
  },
  {
    type: "counter",
    name: "worker_registration_failures_total",
    help: "Registrations that failed, and workers whose data could not be decoded, by kind of error",
    series: perError
  },
  {
    type: "counter",
    name: "worker_registration_attempts_total",
    help: "Calls to the scheduler that registered a worker or tried to, by result",
    series: perResult
  },
  {
    type: "gauge",
    name: "worker_registration_in_flight",
    help: "Registrations that have begun and not ended, waits for a retry included",
    series: [{}]
  },
  {
    type: "counter",
    name: "worker_unregistration_operations_total",
    help: "Unregistrations that have ended, by result",
    series: perResult
  }
]

/** What was collected, and at zero what was not there yet. */
export const withBaseline = (collected: ResourceMetrics): ResourceMetrics => {
  const [scope, ...others] = collected.scopeMetrics
  const known = families.map((family) => {
    const found = scope?.metrics.find(({ descriptor }) => descriptor.name === family.name)
    return complete(family, found)
  })
  const names = new Set(families.map(({ name }) => name))
  const rest = scope?.metrics.filter(({ descriptor }) => !names.has(descriptor.name)).map(unitless) ?? []
  return {
    resource: collected.resource,
    scopeMetrics: [{ scope: scope?.scope ?? { name: "muster" }, metrics: [...known, ...rest] }, ...others]
  }
}

const complete = (family: Family, found: MetricData | undefined): MetricData => {
  const missing = family.series.filter(
    (labels) => !found?.dataPoints.some(({ attributes }) => hasLabels(attributes, labels))
  )
  const descriptor = {
    name: family.name,
    description: found?.descriptor.description ?? family.help,
    unit: "",
    valueType: ValueType.DOUBLE
  }
  const head = { descriptor, aggregationTemporality: AggregationTemporality.CUMULATIVE }
  if (family.type === "histogram") {
    const { boundaries } = family
    const points = found?.dataPointType === DataPointType.HISTOGRAM ? found.dataPoints : []
    const zeros = missing.map((labels) => at(labels, emptyHistogram(boundaries)))
    return { ...head, dataPointType: DataPointType.HISTOGRAM, dataPoints: [...points, ...zeros] }
  }
  const zeros = missing.map((labels) => at(labels, 0))
  if (family.type === "gauge") {
    const points = found?.dataPointType === DataPointType.GAUGE ? found.dataPoints : []
    return { ...head, dataPointType: DataPointType.GAUGE, dataPoints: [...points, ...zeros] }
  }
  const points = found?.dataPointType === DataPointType.SUM ? found.dataPoints : []
  return { ...head, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints: [...points, ...zeros] }
}

// Effect's producer gives every metric the unit "1", which is not that of seconds.
const unitless = (metric: MetricData): MetricData => ({
  ...metric,
  descriptor: { ...metric.descriptor, unit: "" }
})

const hasLabels = (attributes: Readonly<Record<string, unknown>>, labels: Labels): boolean =>
  Object.entries(labels).every(([name, value]) => attributes[name] === value)

const at = <A>(labels: Labels, value: A): DataPoint<A> => ({
  startTime: [0, 0],
  endTime: [0, 0],
  attributes: { ...labels },
  value
})

const emptyHistogram = (boundaries: ReadonlyArray<number>): Histogram => ({
  buckets: { boundaries: [...boundaries], counts: [...boundaries, Infinity].map(() => 0) },
  sum: 0,
  count: 0
})
