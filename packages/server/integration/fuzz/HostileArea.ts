/**
 * `muster serve` over a scheduler that answers nonsense: it lives, answers whoever asks it, and registers its workers
 * once the scheduler has come to its senses.
 */
import { AnswerCheck } from "./AnswerCheck.ts"
import { Dice } from "./Dice.ts"
import type { Findings } from "./Findings.ts"
import { HttpClient } from "./HttpClients.ts"
import { toBytes } from "./HttpInputs.ts"
import { HostileScheduler } from "./HostileScheduler.ts"
import { OpenApi } from "./OpenApi.ts"
import { poolId, poolSize } from "./SchemaValues.ts"
import { Target } from "./Target.ts"
import { type Sample, tooMuch } from "./Trend.ts"

/** Everything that is tried again is tried soon, so that many answers are asked for. */
const environment = {
  MUSTER_ATTEMPT_TIMEOUT: "300 millis",
  MUSTER_CIRCUIT_FAILURE_RATE: "off",
  MUSTER_RETRY_RATIO: "off",
  MUSTER_MAX_RATE: "off",
  MUSTER_RETRY_DELAY: "50 millis",
  MUSTER_MAX_RETRY_DELAY: "200 millis",
  MUSTER_CHECK_AFTER: "1 second",
  MUSTER_DRIFT_INTERVAL: "1 second",
  MUSTER_BASE_BACKOFF: "10 millis"
}

/** Milliseconds after which a round ends however few answers were asked for. */
const longestRound = 60_000

/** Milliseconds within which a worker is registered once the scheduler behaves. */
const recoversWithin = 30_000

export class HostileArea {
  readonly samples: Array<Sample> = []
  private readonly target: Target
  private readonly scheduler: HostileScheduler
  private readonly findings: Findings
  private readonly seed: string
  private readonly client: HttpClient
  private readonly check: AnswerCheck
  private asked = 0

  private constructor(
    target: Target,
    scheduler: HostileScheduler,
    api: OpenApi,
    findings: Findings,
    seed: string
  ) {
    this.target = target
    this.scheduler = scheduler
    this.findings = findings
    this.seed = seed
    this.client = new HttpClient(target.port)
    this.check = new AnswerCheck(api)
  }

  static async start(folder: string, findings: Findings, seed: string): Promise<HostileArea> {
    const scheduler = await HostileScheduler.start(seed, 0)
    const target = await Target.start(
      ["serve", "--port", "0", "--store", "memory", "--scheduler", `grpc://127.0.0.1:${scheduler.port}`],
      folder,
      environment
    )
    return new HostileArea(target, scheduler, await OpenApi.of(target.url), findings, seed)
  }

  get answers(): number {
    return this.scheduler.answers
  }

  /** Until the scheduler has given so many answers in all. */
  async round(answers: number, progress: (done: number) => void): Promise<void> {
    this.scheduler.behaves = false
    const end = performance.now() + longestRound
    while (this.scheduler.answers < answers && performance.now() < end && this.target.isRunning) {
      await Promise.all(Array.from({ length: 8 }, () => this.ask()))
      progress(Math.min(this.scheduler.answers, answers))
    }
    this.scheduler.behaves = true
    await this.recovers()
    await new Promise((resolve) => setTimeout(resolve, 500))
    if (this.target.isRunning)
      this.samples.push({ inputs: this.scheduler.answers, ...(await this.target.usage()) })
    this.complaints()
  }

  async stop(): Promise<void> {
    for (const what of tooMuch(this.samples)) this.findings.add("hostile", this.scheduler.answers, what)
    this.client.close()
    await this.target.stop()
    this.scheduler.stop()
    this.complaints()
  }

  /** Changes something, or looks at what the scheduler has said. */
  private async ask(): Promise<void> {
    const dice = new Dice(this.seed, "hostile-requests", this.asked++)
    const id = poolId(dice.below(poolSize))
    const [method, target] = dice.pick<readonly [string, string]>([
      ["POST", "/v1/workers"],
      ["POST", "/v1/workers"],
      ["POST", "/v1/workers"],
      ["DELETE", `/v1/workers/${id}`],
      ["POST", `/v1/workers/${id}/ready`],
      ["POST", `/v1/workers/${id}/check`],
      ["POST", "/v1/dead-letters/retry"],
      ["GET", "/v1/dead-letters"],
      ["GET", `/v1/workers/${id}/timeline`],
      ["GET", "/v1/scheduler"],
      ["GET", "/v1/scheduler/workers"],
      ["GET", "/v1/overview"],
      ["GET", "/metrics"]
    ])
    const isRegistration = target === "/v1/workers"
    const input = {
      method,
      target,
      headers: [
        ["host", "localhost"],
        ...(isRegistration ? ([["content-type", "application/json"]] as const) : [])
      ] as const,
      body: isRegistration
        ? Buffer.from(JSON.stringify({ id, capabilities: { cpuCores: dice.between(1, 9), memoryMb: 1 } }))
        : undefined
    }
    const found = (what: string) =>
      this.findings.add(
        "hostile",
        this.scheduler.answers,
        `${method} ${target}: ${what}`,
        toBytes(input),
        "http"
      )
    try {
      const answer = await this.client.send(input)
      if (answer === undefined) return
      for (const what of this.check.wrong(method, target, answer)) found(what)
    } catch (error) {
      if (this.target.isRunning) found(String(error))
    }
  }

  private async recovers(): Promise<void> {
    const end = performance.now() + recoversWithin
    let last = ""
    while (performance.now() < end && this.target.isRunning) {
      const response = await fetch(`${this.target.url}/v1/workers`, {
        method: "POST",
        headers: { "content-type": "application/json", prefer: "wait=5" },
        body: JSON.stringify({
          id: `canary-${this.samples.length}`,
          capabilities: { cpuCores: 1, memoryMb: 1 }
        })
      })
      last = `${response.status} ${await response.text()}`
      if (response.status === 200) return
    }
    const what = `no worker was registered within ${recoversWithin / 1000} seconds after the scheduler behaves: ${last}`
    this.findings.add("hostile", this.scheduler.answers, what)
  }

  private complaints(): void {
    for (const what of this.target.complaints.splice(0))
      this.findings.add("hostile", this.scheduler.answers, what)
  }
}
