/**
 * `pnpm metrics`: writes what is said elsewhere about the metrics of the code: their table, `docs/metrics.md`, the
 * Grafana dashboard, and Prometheus' rules once more for Kubernetes. With --check nothing is written; it fails if one
 * of them is not what would be written.
 */
import { MetricFamily } from "@muster/core"
import { metricGroups } from "@muster/server/metrics"
import { existsSync, readFileSync, writeFileSync } from "node:fs"
import { resolve } from "node:path"
import { makeDashboard } from "./dashboard.ts"
import { makePrometheusRule } from "./prometheusRule.ts"

const root = resolve(import.meta.dirname, "..")
const isCheck = process.argv.includes("--check")

const code = (text: string) => `\`${text}\``

const labelsOf = ({ each, labels }: MetricFamily.MetricFamily): string =>
  each === undefined
    ? Object.entries(labels)
        .map(([name, values]) => `${code(name)}: ${values.map(code).join(", ")}`)
        .join("; ")
    : `${Object.keys(labels).map(code).join(", ")}: ${each}`

const typeOf = ({ boundaries, type }: MetricFamily.MetricFamily): string =>
  type === "histogram" ? `histogram, ${boundaries.join(", ")}` : type

const rowOf = (family: MetricFamily.MetricFamily): string =>
  `| ${code(family.name)} | ${typeOf(family)} | ${labelsOf(family)} | ${MetricFamily.seriesCount(family)} | ${family.help} | ${family.whenItMoves} |`

const families = metricGroups.flatMap(({ families }) => families)
const total = families.reduce((sum, family) => sum + MetricFamily.seriesCount(family), 0)

const page = `<!-- Written by \`pnpm metrics\` from the families in the code; change it there. -->

# Metrics

\`GET /metrics\` serves these in the Prometheus text format. There are ${total} series at most, however many workers there
are and whatever is sent: no label has a value that comes from outside, and all values are listed here. Counters and
histograms are there at 0 from the first scrape on. A gauge is there when what it shows is: without a policy there is
no limit of it, and without a comparison with the scheduler no drift.

What each alert means and what to do about it is in the [runbook](runbook.md). Rules and a dashboard are in
[deploy](../deploy/README.md).

An Effect application that uses \`@muster/core\` has the metrics of what it uses in its own registry, under the same names.

${metricGroups
  .map(
    ({ families, title }) => `## ${title}

| name | type, buckets | labels and their values | series | what it is | when it moves |
| --- | --- | --- | --- | --- | --- |
${families.map(rowOf).join("\n")}
`
  )
  .join("\n")}`

const rules = readFileSync(resolve(root, "deploy/prometheus/muster.rules.yml"), "utf8")

const outputs = [
  { path: "docs/metrics.md", content: page },
  {
    path: "deploy/kubernetes/prometheus-operator/prometheusrule.yaml",
    content: makePrometheusRule(rules)
  },
  { path: "deploy/grafana/muster.json", content: `${JSON.stringify(makeDashboard(), null, 2)}\n` }
]

for (const { content, path } of outputs) {
  const file = resolve(root, path)
  if (!isCheck) writeFileSync(file, content)
  else if (!existsSync(file) || readFileSync(file, "utf8") !== content) {
    console.error(`not what the code says: ${path}`)
    process.exitCode = 1
  }
}
