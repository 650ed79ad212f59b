/**
 * All metrics of the service. What is served at `/metrics`, what `docs/metrics.md` says, and what dashboards and alerts
 * may ask for, are these.
 */
import { type MetricFamily, registrationMetrics, schedulerMetrics } from "@muster/core"
import { fleetMetrics } from "@muster/core/fleet"
import { clusterMetrics } from "./cluster/ClusterMetrics.ts"
import { processMetrics } from "./ProcessMetrics.ts"

export interface MetricGroup {
  readonly title: string
  readonly families: ReadonlyArray<MetricFamily.MetricFamily>
}

export const metricGroups: ReadonlyArray<MetricGroup> = [
  { title: "Registration", families: registrationMetrics },
  { title: "The fleet and its store", families: fleetMetrics },
  { title: "The scheduler", families: schedulerMetrics },
  { title: "The cluster", families: clusterMetrics },
  { title: "The process", families: processMetrics }
]

export const metricFamilies = metricGroups.flatMap(({ families }) => families)
