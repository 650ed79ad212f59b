/**
 * A real Prometheus that scrapes a service once a second, for tests.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process"
import { once } from "node:events"
import { mkdtempSync, rmSync, writeFileSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { createInterface } from "node:readline"

export const hasPrometheus = spawnSync("prometheus", ["--version"]).error === undefined

/** What a query gives: labels, and the value that they have. */
export interface Sample {
  readonly metric: Readonly<Record<string, string>>
  readonly value: number
}

export class PrometheusServer {
  private readonly process: ChildProcess
  private readonly folder: string
  private readonly url: string

  private constructor(process: ChildProcess, folder: string, url: string) {
    this.process = process
    this.folder = folder
    this.url = url
  }

  /** Starts one that knows of nothing that was before. */
  static async start(target: string, rules: string): Promise<PrometheusServer> {
    const folder = mkdtempSync(join(tmpdir(), "muster-prometheus-"))
    const config = {
      global: { scrape_interval: "1s", evaluation_interval: "1s" },
      rule_files: [rules],
      scrape_configs: [{ job_name: "muster", static_configs: [{ targets: [new URL(target).host] }] }]
    }
    // JSON is YAML.
    writeFileSync(join(folder, "prometheus.yml"), JSON.stringify(config))
    const args = [
      "--config.file=prometheus.yml",
      "--storage.tsdb.path=data",
      "--web.listen-address=127.0.0.1:0"
    ]
    const process = spawn("prometheus", args, { cwd: folder, stdio: ["ignore", "ignore", "pipe"] })
    let url = ""
    for await (const line of createInterface({ input: process.stderr })) {
      const [, address] = /msg="Listening on" address=(\S+)/.exec(line) ?? []
      if (address !== undefined) url = `http://${address}`
      // It listens before it answers.
      if (url === "" || !line.includes("Server is ready to receive web requests")) continue
      process.stderr.resume()
      return new PrometheusServer(process, folder, url)
    }
    throw new Error("prometheus ended before it was ready")
  }

  /** What it says now; fails where the query is wrong. */
  async query(expr: string): Promise<ReadonlyArray<Sample>> {
    const response = await fetch(`${this.url}/api/v1/query`, {
      method: "POST",
      body: new URLSearchParams({ query: expr })
    })
    const answer: {
      readonly status: string
      readonly error?: string
      readonly data?: {
        readonly result: ReadonlyArray<{
          readonly metric: Sample["metric"]
          readonly value: readonly [time: number, value: string]
        }>
      }
    } = await response.json()
    if (answer.data === undefined) throw new Error(`${answer.error}: ${expr}`)
    return answer.data.result.map(({ metric, value: [, value] }) => ({ metric, value: Number(value) }))
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.process.kill("SIGKILL")
    await once(this.process, "close")
    rmSync(this.folder, { recursive: true })
  }
}
