/**
 * The Grafana dashboard: a row for each question that an operator asks, from "are workers being registered?" down to
 * "is it Muster itself?". `pnpm metrics` writes it to `deploy/grafana/muster.json`.
 */
import {
  DashboardBuilder,
  DashboardCursorSync,
  DatasourceVariableBuilder,
  QueryVariableBuilder,
  RowBuilder,
  ThresholdsConfigBuilder,
  ThresholdsMode,
  VariableRefresh
} from "@grafana/grafana-foundation-sdk/dashboard"
import { ReduceDataOptionsBuilder } from "@grafana/grafana-foundation-sdk/common"
import { DataqueryBuilder } from "@grafana/grafana-foundation-sdk/prometheus"
import { PanelBuilder as StatBuilder } from "@grafana/grafana-foundation-sdk/stat"
import { PanelBuilder as TimeseriesBuilder } from "@grafana/grafana-foundation-sdk/timeseries"
import * as units from "@grafana/grafana-foundation-sdk/units"

const datasource = { type: "prometheus", uid: "${datasource}" }

interface Query {
  readonly expr: string
  /** What a line is called: `{{phase}}`. */
  readonly legend: string
}

interface Panel {
  readonly title: string
  readonly description: string
  readonly unit: string
  readonly queries: ReadonlyArray<Query>
  /** From this value on it is shown in red: below it where it is the good end. */
  readonly redFrom?: number
  readonly redBelow?: number
  readonly max?: number
  /** A number instead of a graph. */
  readonly isNumber?: boolean
}

interface Row {
  readonly title: string
  readonly panels: ReadonlyArray<Panel>
}

const rate = (series: string) => `rate(${series}[$__rate_interval])`
/** The labels that choose what the dashboard shows, and others. */
const of = (...labels: ReadonlyArray<string>) =>
  `{${['job=~"$job"', 'instance=~"$instance"', ...labels].join(", ")}}`
const p = (quantile: number, family: string, by: string) =>
  `histogram_quantile(${quantile}, sum by (${by}) (${rate(`${family}_bucket${of()}`)}))`

const failed = `sum(${rate(`worker_registration_failures_total${of('error_type!="invalid_worker"')}`)})`
const succeeded = `sum(${rate(`worker_registration_operations_total${of('result="success"')}`)})`

const rows: ReadonlyArray<Row> = [
  {
    title: "Are workers being registered?",
    panels: [
      {
        title: "Success rate",
        description:
          "Registrations that succeeded, of those that ended, without those whose data were bad. The target is 99.5 %.",
        unit: units.PercentUnit,
        isNumber: true,
        redBelow: 0.995,
        queries: [{ expr: `${succeeded} / (${succeeded} + ${failed} > 0)`, legend: "succeeded" }]
      },
      {
        title: "Registered",
        description: "Workers that were registered, per second, by type.",
        unit: units.OpsPerSecond,
        queries: [
          {
            expr: `sum by (worker_type) (${rate(`worker_registration_operations_total${of('result="success"')}`)})`,
            legend: "{{worker_type}}"
          }
        ]
      },
      {
        title: "Failures by type",
        description:
          "invalid_worker: whoever sends workers sends bad data. scheduler_unavailable, timeout, max_retries: the scheduler or the network. unexpected: see the log.",
        unit: units.OpsPerSecond,
        queries: [
          {
            expr: `sum by (error_type) (${rate(`worker_registration_failures_total${of()}`)})`,
            legend: "{{error_type}}"
          }
        ]
      },
      {
        title: "Time to register",
        description:
          "From the call to its outcome, waits and retries included: the median and the 95th percentile.",
        unit: units.Seconds,
        queries: [
          { expr: p(0.5, "worker_registration_duration_seconds", "le"), legend: "p50" },
          { expr: p(0.95, "worker_registration_duration_seconds", "le"), legend: "p95" }
        ]
      }
    ]
  },
  {
    title: "Is anything waiting?",
    panels: [
      {
        title: "Oldest unfinished change",
        description:
          "For how long the worker that has waited the longest has been waiting, by priority. A line that rises by a second each second is a worker that is stuck: muster why ID says why.",
        unit: units.Seconds,
        redFrom: 900,
        queries: [
          {
            expr: `max by (priority) (muster_oldest_unfinished_age_seconds${of()})`,
            legend: "{{priority}}"
          }
        ]
      },
      {
        title: "Unfinished changes",
        description:
          "The queue: changes that were accepted and that the scheduler does not have yet, by priority.",
        unit: units.Short,
        queries: [
          {
            expr: `sum by (priority) (max by (job, priority) (muster_unfinished_changes${of()}))`,
            legend: "{{priority}}"
          }
        ]
      },
      {
        title: "Workers by phase",
        description: "Where the workers of the fleet are on their way. failed are the dead letters.",
        unit: units.Short,
        queries: [
          { expr: `sum by (phase) (max by (job, phase) (muster_workers${of()}))`, legend: "{{phase}}" }
        ]
      },
      {
        title: "Dead letters",
        description: "Workers that failed for good and wait for a person: muster dead-letters list.",
        unit: units.Short,
        isNumber: true,
        redFrom: 1,
        queries: [
          { expr: `sum(max by (job) (muster_workers${of('phase="failed"')}))`, legend: "dead letters" }
        ]
      },
      {
        title: "New dead letters",
        description: "Workers that became dead letters, per second, by the kind of their last error.",
        unit: units.OpsPerSecond,
        queries: [
          {
            expr: `sum by (error_type) (${rate(`muster_dead_letters_total${of()}`)})`,
            legend: "{{error_type}}"
          }
        ]
      }
    ]
  },
  {
    title: "Is it the scheduler, or the network to it?",
    panels: [
      {
        title: "Calls by result",
        description:
          "Calls that went out to the scheduler. unavailable and no_answer: it, or the network. rejected: it is well and refuses workers. fault: its answers make no sense.",
        unit: units.OpsPerSecond,
        queries: [{ expr: `sum by (result) (${rate(`scheduler_calls_total${of()}`)})`, legend: "{{result}}" }]
      },
      {
        title: "Time of a call",
        description:
          "The scheduler and the network alone, the 95th percentile by call. Level while the time to register rises: what takes longer is in Muster.",
        unit: units.Seconds,
        queries: [{ expr: p(0.95, "scheduler_call_duration_seconds", "le, call"), legend: "{{call}}" }]
      },
      {
        title: "Circuit",
        description:
          "0: closed. 1: a single call finds out whether the scheduler is back. 2: open, nothing is sent.",
        unit: units.Short,
        max: 2,
        redFrom: 1,
        queries: [{ expr: `max by (instance) (scheduler_circuit_state${of()})`, legend: "{{instance}}" }]
      },
      {
        title: "Attempts by result",
        description:
          "Each try to register a worker. Failed attempts without failed registrations: retries help.",
        unit: units.OpsPerSecond,
        queries: [
          {
            expr: `sum by (result) (${rate(`worker_registration_attempts_total${of()}`)})`,
            legend: "{{result}}"
          }
        ]
      },
      {
        title: "Registrations that needed a retry",
        description:
          "Of the registrations that ended, the share that did not succeed or fail at the first attempt.",
        unit: units.PercentUnit,
        max: 1,
        queries: [
          {
            expr: `1 - sum(${rate(`worker_registration_retry_count_bucket${of('le="0"')}`)}) / (sum(${rate(`worker_registration_retry_count_count${of()}`)}) > 0)`,
            legend: "retried"
          }
        ]
      },
      {
        title: "Retry budget",
        description: "Retries that may go to the scheduler at once. At 0 further ones wait.",
        unit: units.Short,
        queries: [{ expr: `min by (instance) (scheduler_retry_budget${of()})`, legend: "{{instance}}" }]
      }
    ]
  },
  {
    title: "What does Muster hold back?",
    panels: [
      {
        title: "Limit on the rate",
        description:
          "Workers a second that go to the scheduler at most, as it has said or shown. 0: no limit.",
        unit: units.OpsPerSecond,
        queries: [{ expr: `max by (instance) (scheduler_rate_limit${of()})`, legend: "{{instance}}" }]
      },
      {
        title: "Limit on the calls under way",
        description: "Falls when the scheduler becomes slow or fails, and grows again by itself.",
        unit: units.Short,
        queries: [{ expr: `min by (instance) (scheduler_concurrency_limit${of()})`, legend: "{{instance}}" }]
      },
      {
        title: "Registrations under way",
        description: "Those that have begun and not ended, waits for a retry included.",
        unit: units.Short,
        queries: [
          { expr: `sum by (instance) (worker_registration_in_flight${of()})`, legend: "{{instance}}" }
        ]
      },
      {
        title: "Workers in a call",
        description: "How many workers travel together, on average.",
        unit: units.Short,
        queries: [
          {
            expr: `sum(${rate(`scheduler_batch_size_sum${of()}`)}) / (sum(${rate(`scheduler_batch_size_count${of()}`)}) > 0)`,
            legend: "mean"
          }
        ]
      }
    ]
  },
  {
    title: "Does the scheduler hold what it should?",
    panels: [
      {
        title: "Drift at the latest comparison",
        description:
          "lost: workers that the scheduler should have and did not. ghost: workers that are gone and that it had. unknown: workers of somebody else.",
        unit: units.Short,
        queries: [{ expr: `sum by (kind) (muster_drift_workers${of()})`, legend: "{{kind}}" }]
      },
      {
        title: "Drift found and repaired",
        description: "Workers, per second. What is found and not repaired soon is in the queue, or fails.",
        unit: units.OpsPerSecond,
        queries: [
          { expr: `sum(${rate(`muster_drift_found_total${of()}`)})`, legend: "found" },
          { expr: `sum(${rate(`muster_drift_repaired_total${of()}`)})`, legend: "repaired" }
        ]
      },
      {
        title: "Comparisons",
        description:
          "Comparisons with the scheduler's list, per second, by result. Without them drift goes unnoticed.",
        unit: units.OpsPerSecond,
        queries: [
          {
            expr: `sum by (result) (${rate(`muster_drift_comparisons_total${of()}`)})`,
            legend: "{{result}}"
          }
        ]
      },
      {
        title: "Leases that ended",
        description: "Workers that were taken as gone because they had sent no heartbeat, per second.",
        unit: units.OpsPerSecond,
        queries: [{ expr: `sum(${rate(`muster_leases_expired_total${of()}`)})`, legend: "expired" }]
      }
    ]
  },
  {
    title: "Is it Muster itself?",
    panels: [
      {
        title: "Store",
        description: "1: the store takes changes. 0: it cannot be written to, and every change is refused.",
        unit: units.Short,
        isNumber: true,
        redBelow: 1,
        queries: [{ expr: `min(muster_store_writable${of()})`, legend: "takes changes" }]
      },
      {
        title: "Time of the store",
        description:
          "The 99th percentile. write is a transaction with its flush of the disk, shared by many changes.",
        unit: units.Seconds,
        queries: [
          { expr: p(0.99, "muster_store_duration_seconds", "le, operation"), legend: "{{operation}}" }
        ]
      },
      {
        title: "Failures of the store",
        description: "Per second, by operation. Any is too many: the log says what it was.",
        unit: units.OpsPerSecond,
        queries: [
          {
            expr: `sum by (operation) (${rate(`muster_store_failures_total${of()}`)})`,
            legend: "{{operation}}"
          }
        ]
      },
      {
        title: "Delay of the event loop",
        description:
          "The longest of each second: the median and the 99th percentile. Much above 0.1 s the process does not keep up.",
        unit: units.Seconds,
        redFrom: 0.1,
        queries: [
          { expr: p(0.5, "muster_event_loop_delay_seconds", "le"), legend: "p50" },
          { expr: p(0.99, "muster_event_loop_delay_seconds", "le"), legend: "p99" }
        ]
      },
      {
        title: "Memory",
        description:
          "Of the process, and what the latest full garbage collection has left of its heap: under the same load neither grows for hours.",
        unit: units.BytesIEC,
        queries: [
          { expr: `process_resident_memory_bytes${of()}`, legend: "resident" },
          { expr: `muster_heap_after_collection_bytes${of()}`, legend: "heap" }
        ]
      },
      {
        title: "Open files",
        description: "Files and connections that the process has open.",
        unit: units.Short,
        queries: [{ expr: `process_open_fds${of()}`, legend: "open" }]
      },
      {
        title: "Partitions looked after",
        description: "Of each server of a cluster; together they are 32. Without a cluster there are none.",
        unit: units.Short,
        queries: [{ expr: `sum by (instance) (muster_partitions_held${of()})`, legend: "{{instance}}" }]
      },
      {
        title: "Servers of the cluster",
        description: "That live, by the word of each of them.",
        unit: units.Short,
        queries: [{ expr: `max by (instance) (muster_cluster_servers${of()})`, legend: "{{instance}}" }]
      },
      {
        title: "Versions",
        description: "How many processes run each version of Muster, on each version of Node.",
        unit: units.Short,
        queries: [
          {
            expr: `count by (version, node) (muster_build_info${of()})`,
            legend: "{{version}}, Node {{node}}"
          }
        ]
      }
    ]
  }
]

const thresholdsOf = ({ redBelow, redFrom }: Panel) => {
  const base = { value: null, color: redBelow === undefined ? "green" : "red" }
  const change =
    redFrom !== undefined
      ? [{ value: redFrom, color: "red" }]
      : redBelow !== undefined
        ? [{ value: redBelow, color: "green" }]
        : []
  return new ThresholdsConfigBuilder().mode(ThresholdsMode.Absolute).steps([base, ...change])
}

const latest = new ReduceDataOptionsBuilder().calcs(["lastNotNull"])

const toPanel = (panel: Panel, id: number) => {
  const builder = panel.isNumber === true ? new StatBuilder().reduceOptions(latest) : new TimeseriesBuilder()
  const queries = panel.queries.map(({ expr, legend }, index) =>
    new DataqueryBuilder()
      .refId(String.fromCharCode("A".charCodeAt(0) + index))
      .datasource(datasource)
      .expr(expr)
      .legendFormat(legend)
  )
  builder
    .id(id)
    .title(panel.title)
    .description(panel.description)
    .unit(panel.unit)
    .min(0)
    .datasource(datasource)
    .thresholds(thresholdsOf(panel))
    .targets(queries)
    .height(7)
    .span(panel.isNumber === true ? 4 : 8)
  return panel.max === undefined ? builder : builder.max(panel.max)
}

const labelVariable = (name: string, query: string) =>
  new QueryVariableBuilder(name)
    .label(name)
    .datasource(datasource)
    .query(query)
    .refresh(VariableRefresh.OnTimeRangeChanged)
    .multi(true)
    .includeAll(true)
    .allValue(".*")
    .current({ text: "All", value: "$__all" })

/** The dashboard as Grafana imports it. */
export const makeDashboard = () => {
  const builder = new DashboardBuilder("Muster")
    .uid("muster")
    .description(
      "Workers on their way to their scheduler. What to do: docs/runbook.md in Muster's repository."
    )
    .tags(["muster"])
    .time({ from: "now-3h", to: "now" })
    .refresh("30s")
    .timezone("browser")
    .tooltip(DashboardCursorSync.Crosshair)
    .withVariable(new DatasourceVariableBuilder("datasource").label("data source").type("prometheus"))
    .withVariable(labelVariable("job", "label_values(muster_build_info, job)"))
    .withVariable(labelVariable("instance", 'label_values(muster_build_info{job=~"$job"}, instance)'))
  let id = 0
  for (const { panels, title } of rows) {
    builder.withRow(new RowBuilder(title).id(++id))
    for (const panel of panels) builder.withPanel(toPanel(panel, ++id))
  }
  return builder.build()
}
