/**
 * A real Prometheus scrapes the service while its scheduler refuses, forgets and goes away; the dashboard's queries and
 * the alerts then say what happened.
 */
import { assert, describe, it } from "@effect/vitest"
import { spawnSync } from "node:child_process"
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { parse } from "yaml"
import { hasPrometheus, PrometheusServer } from "./PrometheusServer.ts"
import { Scheduler } from "./SchedulerProcess.ts"
import { Service, worker } from "./ServiceProcess.ts"

const deploy = resolve(import.meta.dirname, "../../../deploy")
const rulesFile = join(deploy, "prometheus/muster.rules.yml")

interface Rule {
  readonly alert?: string
  readonly expr: string
}
const { groups }: { groups: ReadonlyArray<{ rules: ReadonlyArray<Rule> }> } = parse(
  readFileSync(rulesFile, "utf8")
)
const alerts = groups.flatMap(({ rules }) =>
  rules.flatMap(({ alert, expr }) => (alert === undefined ? [] : [{ alert, expr }]))
)

interface Panel {
  readonly title: string
  readonly targets?: ReadonlyArray<{ readonly expr: string; readonly legendFormat: string }>
}
const { panels }: { panels: ReadonlyArray<Panel> } = JSON.parse(
  readFileSync(join(deploy, "grafana/muster.json"), "utf8")
)

/** Asks until the answer is as it should be. One that never is, is told before the test is given up. */
const until = async <A>(ask: () => Promise<A>, isSo: (answer: A) => boolean): Promise<A> => {
  const deadline = performance.now() + 50_000
  for (;;) {
    const answer = await ask()
    if (isSo(answer)) return answer
    if (performance.now() > deadline) throw new Error(`still ${JSON.stringify(answer)}`)
    await new Promise((resolve) => setTimeout(resolve, 100))
  }
}

/** The lines of a panel by their names, as Grafana would show them of everything in the last minutes. */
const linesOf = async (prometheus: PrometheusServer, { targets = [] }: Panel) => {
  const lines: Record<string, number> = {}
  for (const { expr, legendFormat } of targets) {
    const asked = expr.replaceAll("$__rate_interval", "5m").replaceAll(/\$(job|instance)/g, ".*")
    for (const { metric, value } of await prometheus.query(asked)) {
      lines[legendFormat.replaceAll(/\{\{(\w+)\}\}/g, (_, name: string) => metric[name] ?? "")] = value
    }
  }
  return lines
}

const firing = async (prometheus: PrometheusServer): Promise<ReadonlyArray<string>> => {
  const names: Array<string> = []
  for (const { alert, expr } of alerts) if ((await prometheus.query(expr)).length > 0) names.push(alert)
  return names.toSorted()
}

const total = async (prometheus: PrometheusServer, series: string): Promise<number | undefined> =>
  (await prometheus.query(`sum(${series})`))[0]?.value

type Expected = number | ((value: number) => boolean)

const some = (value: number) => value > 0
const any = (value: number) => value >= 0
const share = (value: number) => value >= 0 && value <= 1

/** After the traffic of the first test, with everything done. A line that is not named here must not be there. */
const expected: Readonly<Record<string, Readonly<Record<string, Expected>>>> = {
  // Some were tried while the scheduler was away.
  "Success rate": { succeeded: (value) => value > 0.3 && value <= 1 },
  Registered: { dynamic: some, static: 0, unknown: 0 },
  "Failures by type": {
    invalid_worker: some,
    scheduler_unavailable: any,
    timeout: 0,
    max_retries: any,
    unexpected: 0
  },
  "Time to register": { p50: some, p95: some },
  "Oldest unfinished change": { critical: 0, high: 0, normal: 0, low: 0 },
  "Unfinished changes": { critical: 0, high: 0, normal: 0, low: 0 },
  "Workers by phase": {
    pending: 0,
    registering: 0,
    registered: 18,
    ready: 0,
    unregistering: 0,
    terminated: 3,
    failed: 3
  },
  "Dead letters": { "dead letters": 3 },
  "New dead letters": {
    invalid_worker: some,
    scheduler_unavailable: 0,
    timeout: 0,
    max_retries: 0,
    unexpected: 0,
    superseded: 0
  },
  "Calls by result": { success: some, rejected: some, unavailable: any, fault: 0, no_answer: any },
  "Time of a call": { register: any, register_batch: some, unregister: some },
  Circuit: { instance: 0 },
  "Attempts by result": { success: some, failure: some },
  "Registrations that needed a retry": { retried: share },
  "Retry budget": { instance: some },
  "Limit on the rate": { instance: any },
  "Limit on the calls under way": { instance: (value) => value >= 1 && value <= 16 },
  "Registrations under way": { instance: 0 },
  "Workers in a call": { mean: (value) => value >= 1 },
  "Drift at the latest comparison": { lost: 0, ghost: 0, unknown: 0 },
  "Drift found and repaired": { found: some, repaired: some },
  Comparisons: { success: some, failure: any },
  "Leases that ended": { expired: some },
  Store: { "takes changes": 1 },
  "Time of the store": { read: some, write: some },
  "Failures of the store": { read: 0, write: 0 },
  Memory: { resident: any, heap: any },
  "Open files": { open: any },
  "Delay of the event loop": { p50: any, p99: any },
  // Without a cluster there are none.
  "Partitions looked after": {},
  "Servers of the cluster": {},
  Versions: { version: 1 }
}

const start = async () => {
  const scheduler = await Scheduler.start(["--amnesia"])
  const service = await Service.start({
    args: ["--scheduler", scheduler.url],
    env: {
      MUSTER_MAX_RETRIES: "0",
      MUSTER_RETRY_DELAY: "100 millis",
      MUSTER_MAX_RETRY_DELAY: "500 millis",
      MUSTER_CIRCUIT_OPEN_FOR: "200 millis",
      MUSTER_CIRCUIT_MAX_OPEN_FOR: "500 millis",
      MUSTER_DRIFT_INTERVAL: "1 second",
      MUSTER_MIN_LEASE: "200 millis",
      MUSTER_LEASE_GRACE: "100 millis"
    }
  })
  return { scheduler, service }
}

const phases = async (service: Service): Promise<Readonly<Record<string, number>>> => {
  const { items } = (await service.fetch("/v1/workers?limit=200")).json
  const counts: Record<string, number> = {}
  for (const { phase } of items) counts[phase] = (counts[phase] ?? 0) + 1
  return counts
}

const workers = (name: string, count: number, metadata: Readonly<Record<string, unknown>> = {}) =>
  Array.from({ length: count }, (_, index) => worker(`${name}-${index}`, metadata))

describe.skipIf(!hasPrometheus)("a Prometheus that scrapes the service", () => {
  it("knows what happened, and the dashboard shows it", async () => {
    const { scheduler, service } = await start()
    await using _scheduler = scheduler
    await using _service = service
    await using prometheus = await PrometheusServer.start(service.url, rulesFile)
    await until(
      () => prometheus.query("scheduler_calls_total"),
      (found) => found.length > 0
    )

    await service.send("POST", "/v1/workers/batch", workers("ci", 20))
    await service.send("POST", "/v1/workers", { ...worker("silent"), leaseTtl: "200 millis" })
    await until(
      () => phases(service),
      ({ registered }) => registered === 20
    )
    await service.fetch("/v1/workers/ci-0", { method: "DELETE" })
    await service.fetch("/v1/workers/ci-1", { method: "DELETE" })
    await service.send("POST", "/v1/workers", { id: "nonsense" })
    await until(
      () => phases(service),
      ({ terminated }) => terminated === 3
    )

    // It comes back without its memory, and refuses everybody; then another that does not.
    await scheduler.kill()
    await using refusing = await Scheduler.start([
      "--amnesia",
      "--reject-rate",
      "1",
      "--port",
      scheduler.port
    ])
    await service.send("POST", "/v1/workers/batch", workers("bad", 3, { namespace: "bad" }))
    await until(
      () => phases(service),
      ({ failed }) => failed === 21
    )
    await refusing.kill()
    await using _accepting = await Scheduler.start(["--amnesia", "--port", scheduler.port])
    await service.fetch("/v1/dead-letters/retry?namespace=default", { method: "POST" })
    await until(
      () => phases(service),
      ({ registered }) => registered === 18
    )
    await until(
      () => total(prometheus, 'muster_workers{phase="registered"} and on() (scheduler_circuit_state == 0)'),
      (count) => count === 18
    )

    const counted = {
      muster_dead_letters_total: 21,
      'muster_drift_found_total{kind="lost"}': 18,
      'muster_drift_repaired_total{kind="lost"}': 18,
      'muster_drift_repaired_total{kind!="lost"}': 0,
      muster_leases_expired_total: 1,
      'worker_registration_operations_total{result="success"}': 39,
      'worker_registration_failures_total{error_type="invalid_worker", worker_type="unknown"}': 1,
      'worker_unregistration_operations_total{result="success"}': 3
    }
    for (const [series, value] of Object.entries(counted)) {
      assert.strictEqual(await total(prometheus, series), value, series)
    }

    const titles = panels.flatMap(({ targets, title }) => (targets === undefined ? [] : [title]))
    assert.sameMembers(Object.keys(expected), titles)
    for (const panel of panels.filter(({ targets }) => targets !== undefined)) {
      const lines = await linesOf(prometheus, panel)
      const wanted = Object.entries(expected[panel.title] ?? {})
      const shown = JSON.stringify([panel.title, lines])
      assert.lengthOf(Object.keys(lines), wanted.length, shown)
      for (const [name, value] of wanted) {
        const isOther = name === "instance" || name === "version"
        const line = isOther ? Object.values(lines)[0] : lines[name]
        if (line === undefined) assert.fail(`no line ${name}: ${shown}`)
        // No call of a kind in the last minutes has no percentile.
        else if (typeof value === "number") assert.strictEqual(line, value, shown)
        else assert(value(line) || (value === any && Number.isNaN(line)), `${name}: ${shown}`)
      }
    }
    // How much was tried while the scheduler was away, and so how much of the budget is spent, differs.
    const others = (await firing(prometheus)).filter((name) => !name.startsWith("MusterErrorBudget"))
    assert.deepStrictEqual(others, ["MusterDeadLettersGrowing"])

    const { output } = spawnSync("promtool", ["check", "metrics"], {
      input: (await service.fetch("/metrics")).text,
      encoding: "utf8"
    })
    assert.strictEqual(output.join(""), "")
  }, 120_000)

  it("fires the alerts of an outage while there is one, and of a service that is gone", async () => {
    const { scheduler, service } = await start()
    await using _scheduler = scheduler
    await using _service = service
    await scheduler.kill()
    await service.send("POST", "/v1/workers", { ...worker("urgent"), priority: "critical" })
    await service.send("POST", "/v1/workers/batch", workers("ci", 5))
    await until(
      async () => (await service.fetch("/v1/scheduler")).json.circuit.state,
      (state) => state !== "closed"
    )
    // It sees nothing but the outage.
    await using prometheus = await PrometheusServer.start(service.url, rulesFile)
    const outage = [
      "MusterCircuitOpen",
      "MusterErrorBudgetBurnsFast",
      "MusterErrorBudgetBurnsSlowly",
      "MusterSchedulerUnreachable"
    ]
    await until(
      () => firing(prometheus),
      (names) => names.join() === outage.join()
    )
    const ages = await prometheus.query(
      'muster_oldest_unfinished_age_seconds{priority=~"critical|normal"} > 1'
    )
    assert.sameMembers(
      ages.map(({ metric }) => metric["priority"]),
      ["critical", "normal"]
    )

    service.signal("SIGKILL")
    await until(
      () => firing(prometheus),
      (names) => names.includes("MusterDown")
    )
  }, 120_000)
})
