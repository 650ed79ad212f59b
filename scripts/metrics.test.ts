/**
 * What is built upon the metrics asks for nothing that does not exist: the dashboard, the rules and the runbook.
 */
import { metricGroups } from "@muster/server/metrics"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { describe, expect, it } from "vitest"
import { parse } from "yaml"

const root = resolve(import.meta.dirname, "..")
const prometheus = join(root, "deploy/prometheus")
const read = (path: string) => readFileSync(join(root, path), "utf8")

const families = new Map(
  metricGroups.flatMap(({ families }) => families).map((family) => [family.name, family])
)

interface Target {
  readonly expr: string
  readonly legendFormat: string
}
interface Panel {
  readonly type: string
  readonly title: string
  readonly description?: string
  readonly fieldConfig?: { readonly defaults: { readonly unit?: string } }
  readonly targets?: ReadonlyArray<Target>
}
const dashboard: { readonly panels: ReadonlyArray<Panel> } = JSON.parse(read("deploy/grafana/muster.json"))
const panels = dashboard.panels.filter(({ type }) => type !== "row")

interface Rule {
  readonly record?: string
  readonly alert?: string
  readonly expr: string
  readonly labels?: Readonly<Record<string, string>>
  readonly annotations?: Readonly<Record<string, string>>
}
const { groups }: { groups: ReadonlyArray<{ rules: ReadonlyArray<Rule> }> } = parse(
  read("deploy/prometheus/muster.rules.yml")
)
const rules = groups.flatMap(({ rules }) => rules)
const recorded = new Set(rules.flatMap(({ record }) => record ?? []))
const alerts = rules.filter(({ alert }) => alert !== undefined)

/** Labels that Prometheus gives to whatever it scrapes. */
const scraped = new Set(["job", "instance"])

/** What is wrong with a query: metrics, labels and values that there are none of. */
const strangersOf = (expr: string): ReadonlyArray<string> =>
  Array.from(expr.matchAll(/([a-z_][\w:]*)(?:\{([^}]*)\})?/g)).flatMap(([text, name = "", matchers = ""]) => {
    if (!/^(worker_|scheduler_|muster_)/.test(name) && !name.includes(":")) return []
    if (name === "worker_type" || recorded.has(name)) return []
    const family = families.get(name) ?? families.get(name.replace(/_(bucket|sum|count)$/, ""))
    if (family === undefined) return [name]
    if ((family.type === "histogram") !== /_(bucket|sum|count)$/.test(name.slice(family.name.length)))
      return [text]
    return Array.from(matchers.matchAll(/(\w+)(=~|!~|!=|=)"([^"]*)"/g)).flatMap(
      ([matcher, label = "", operator, value = ""]) => {
        if (scraped.has(label)) return []
        const bounds = family.boundaries.map(String)
        const values = label === "le" ? bounds : (family.labels[label] ?? [])
        const wanted = operator === "=~" || operator === "!~" ? value.split("|") : [value]
        return wanted.every((one) => values.includes(one)) ? [] : [`${name}: ${matcher}`]
      }
    )
  })

/** Labels that a query keeps. */
const keptBy = (expr: string) =>
  new Set(
    Array.from(expr.matchAll(/\bby \(([^)]*)\)/g)).flatMap(([, names = ""]) =>
      names.split(",").map((name) => name.trim())
    )
  )

const run = (command: string, args: ReadonlyArray<string>, options: { cwd?: string } = {}) => {
  const { error, status, stderr, stdout } = spawnSync(command, args, { encoding: "utf8", ...options })
  return { isMissing: error !== undefined, status, output: `${stdout}${stderr}` }
}
const hasPromtool = !run("promtool", ["--version"]).isMissing

describe("pnpm metrics", () => {
  it("has written what the code says", () => {
    const { output, status } = run(process.execPath, [join(root, "scripts/metrics.ts"), "--check"])
    expect({ output, status }).toEqual({ output: "", status: 0 })
  })
})

describe("the dashboard", () => {
  it("has a unit and a description for each panel", () => {
    expect(panels.length).toBeGreaterThan(20)
    for (const { description, fieldConfig, title } of panels) {
      expect({ title, description, unit: fieldConfig?.defaults.unit }).toEqual({
        title,
        description: expect.stringMatching(/^.{20,}\.$/),
        unit: expect.stringMatching(/^\w+$/)
      })
    }
  })

  it("asks for metrics, labels and values that exist", () => {
    const queries = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr))
    expect(queries.flatMap(strangersOf)).toEqual([])
    expect(
      strangersOf('rate(muster_nothing[5m]) + muster_workers{phase="gone"} + muster_store_duration_seconds')
    ).toEqual(["muster_nothing", 'muster_workers: phase="gone"', "muster_store_duration_seconds"])
  })

  it("names lines by labels that the query keeps", () => {
    for (const { targets = [] } of panels) {
      for (const { expr, legendFormat } of targets) {
        const named = Array.from(legendFormat.matchAll(/\{\{(\w+)\}\}/g), ([, name = ""]) => name)
        for (const name of named) expect(keptBy(expr)).toContain(name)
      }
    }
  })

  it("shows every family but those that only other queries need", () => {
    const shown = panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)).join("\n")
    const hidden = Array.from(families.keys()).filter((name) => !shown.includes(name))
    expect(hidden).toEqual(["worker_registration_superseded_total", "worker_unregistration_operations_total"])
  })
})

describe("the rules", () => {
  it("ask for metrics, labels and values that exist", () => {
    expect(rules.flatMap(({ expr }) => strangersOf(expr))).toEqual([])
  })

  it("have a section of the runbook for each alert, and none for others", () => {
    const sections = Array.from(read("docs/runbook.md").matchAll(/^## (Muster\w+)$/gm), ([, name]) => name)
    expect(sections).toEqual(alerts.map(({ alert }) => alert))
    for (const { alert = "", annotations, labels } of alerts) {
      expect({ alert, labels, annotations }).toEqual({
        alert,
        labels: { severity: expect.stringMatching(/^(page|ticket)$/) },
        annotations: {
          runbook_url: `docs/runbook.md#${alert.toLowerCase()}`,
          summary: expect.stringMatching(/\w/),
          description: expect.stringMatching(/\.$/)
        }
      })
    }
  })

  const promtool = (...args: ReadonlyArray<string>) => {
    const { output, status } = run("promtool", args, { cwd: prometheus })
    expect({ output, status }).toMatchObject({ status: 0 })
  }

  it.skipIf(!hasPromtool)("pass `promtool check`, with the sample configuration", () => {
    promtool("check", "rules", "muster.rules.yml")
    promtool("check", "config", "prometheus.yml")
  })

  it.skipIf(!hasPromtool)("do what their tests say, as promtool plays them through", () => {
    promtool("test", "rules", "muster.tests.yml")
  })

  it("have tests in which each alert fires, and others in which it must not", () => {
    const pattern = /alertname: (\w+),?\s+eval_time: \w+,?\s+exp_alerts:( \[\])?/g
    const tried = Array.from(
      read("deploy/prometheus/muster.tests.yml").matchAll(pattern),
      ([, alert, none]) => `${alert} ${none === undefined ? "fires" : "does not"}`
    )
    const wanted = alerts.flatMap(({ alert }) => [`${alert} fires`, `${alert} does not`])
    expect(new Set(tried)).toEqual(new Set(wanted))
  })
})
