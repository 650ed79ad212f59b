/**
 * `muster serve` under fire: rounds of inputs, and after each the question whether it is still what it was.
 */
import { Predicate } from "effect"
import { AnswerCheck } from "./AnswerCheck.ts"
import { framesOf } from "./AnswerFrames.ts"
import { Dice } from "./Dice.ts"
import type { Findings } from "./Findings.ts"
import { HttpClient, sendPieces } from "./HttpClients.ts"
import { HttpInputs, toBytes } from "./HttpInputs.ts"
import { OpenApi } from "./OpenApi.ts"
import { poolSize } from "./SchemaValues.ts"
import { smuggledId, SocketInputs } from "./SocketInputs.ts"
import { Target } from "./Target.ts"
import { type Sample, tooMuch } from "./Trend.ts"

/** Inputs that are under way at the same time. */
const atOnce = 12

/** What the service is started with: it forgets soon, so that what it remembers cannot pass for a leak. */
const environment = {
  MUSTER_TERMINATED_RETENTION: "1 second",
  MUSTER_MAX_TERMINATED: "100",
  MUSTER_TIMELINE_RETENTION: "1 minute",
  MUSTER_REPEAT_RETENTION: "1 minute"
}

const operator = "the-operator-of-the-service-under-fire"

/** What an input has in `authorization`; empty: nothing. Mostly the token of somebody who may do everything, so that it is looked at. */
const credentialOf = (dice: Dice): string => {
  if (dice.chance(0.9)) return `Bearer ${operator}`
  return dice.pick([
    "",
    "Bearer ",
    `Basic ${Buffer.from(`operator:${operator}`).toString("base64")}`,
    `Bearer ${operator}x`,
    `Bearer ${operator.slice(0, -1)}`,
    "Bearer muster_0123456789abcdef_0123456789012345678901234567890123456789012",
    "Bearer eyJhbGciOiJub25lIn0.eyJzdWIiOiJhIn0."
  ])
}

/** What is answered whoever asks. */
const isForAll = (target: string): boolean =>
  /^(?:https?:\/\/[^/]*)?\/(?:healthz|readyz|openapi\.json|docs|console\/.*|v1\/session)?(?:\?|$)/.test(
    target
  )

export type ServiceInputs = "http" | "sockets"

export class ServiceArea {
  readonly samples: Array<Sample> = []
  /** How often each status was answered. */
  readonly statuses = new Map<number, number>()
  private inputs = 0
  private readonly target: Target
  private readonly findings: Findings
  private readonly seed: string
  private readonly client: HttpClient
  private readonly check: AnswerCheck
  private readonly requests: HttpInputs
  private readonly sockets: SocketInputs
  private readonly area: ServiceInputs

  private constructor(area: ServiceInputs, target: Target, api: OpenApi, findings: Findings, seed: string) {
    this.area = area
    this.target = target
    this.findings = findings
    this.seed = seed
    this.client = new HttpClient(target.port)
    this.check = new AnswerCheck(api)
    this.requests = new HttpInputs(api)
    this.sockets = new SocketInputs(this.requests)
  }

  /** `folder`: where its store is. Requests go to a service that asks for tokens, connections to one that does not. */
  static async start(
    area: ServiceInputs,
    folder: string,
    findings: Findings,
    seed: string
  ): Promise<ServiceArea> {
    const target = await Target.start(
      ["serve", "--port", "0", "--store", `${folder}/${area}.db`],
      folder,
      area === "http" ? { ...environment, MUSTER_AUTH: "on", MUSTER_OPERATOR_TOKEN: operator } : environment
    )
    return new ServiceArea(area, target, await OpenApi.of(target.url), findings, seed)
  }

  /** The inputs from number `from` to before `to`, then {@link settle}. */
  async round(from: number, to: number, progress: (done: number) => void): Promise<void> {
    const { area } = this
    const one = (number: number) => (area === "http" ? this.http(number) : this.socket(number))
    await this.target.fire({ from, to }, atOnce, one, progress)
    this.inputs += to - from
    await this.settle(area, to - 1)
  }

  async stop(): Promise<void> {
    for (const what of tooMuch(this.samples)) this.findings.add("service", 0, what)
    this.client.close()
    await this.target.stop()
    this.complaints("service", 0)
  }

  private async http(number: number): Promise<void> {
    const made = this.requests.make(new Dice(this.seed, "http", number))
    const credential = credentialOf(new Dice(this.seed, "credential", number))
    const input =
      credential === ""
        ? made
        : {
            ...made,
            headers: [
              ...made.headers.filter(([name]) => name !== "authorization"),
              ["authorization", credential] as const
            ]
          }
    const found = (what: string) => this.findings.add("http", number, what, toBytes(input), "http")
    try {
      const answer = await this.client.send(input)
      if (answer === undefined) {
        this.count(0)
        return
      }
      this.count(answer.status)
      for (const what of this.check.wrong(input.method, input.target, answer))
        found(`${input.method} ${input.target.slice(0, 80)}: ${what}`)
      const isKnown = credential === `Bearer ${operator}`
      if (!isKnown && answer.status < 300 && input.method !== "OPTIONS" && !isForAll(input.target))
        found(
          `${input.method} ${input.target.slice(0, 80)}: answered ${answer.status} to ${credential || "nobody"}`
        )
    } catch (error) {
      if (this.target.isRunning) found(`${input.method} ${input.target.slice(0, 80)}: ${String(error)}`)
    }
  }

  private async socket(number: number): Promise<void> {
    const input = this.sockets.make(new Dice(this.seed, "sockets", number))
    const bytes = () => Buffer.concat(input.pieces.map((piece) => piece.bytes))
    const found = (what: string) =>
      this.findings.add("sockets", number, `${input.kind}: ${what}`, bytes(), "http")
    try {
      const { answers, wrong } = framesOf(await sendPieces(this.target.port, input))
      if (answers.length === 0) this.count(0)
      for (const answer of answers) {
        this.count(answer.status)
        for (const what of this.check.leaks(answer)) found(what)
        // 501 and 505: what is no request that this server takes, see docs/limits.md.
        if (answer.status > 500 && answer.status !== 501 && answer.status !== 505)
          found(`it was answered with ${answer.status}`)
      }
      if (wrong !== undefined) found(wrong)
    } catch (error) {
      if (this.target.isRunning) found(String(error))
    }
  }

  private count(status: number): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }

  /** Whether it still does its work, and what it holds now that nothing is asked of it. */
  private async settle(area: string, number: number): Promise<void> {
    const found = (what: string) => this.findings.add(area, number, `after this round: ${what}`)
    this.complaints(area, number)
    if (!this.target.isRunning) return
    try {
      await this.canary(`canary-${number}`)
      await this.forgetOthers()
      for (const path of ["/healthz", "/readyz", "/metrics"]) {
        const { status } = await this.fetch(path)
        if (status !== 200) found(`${path} answers ${status}`)
      }
      const { total } = await this.list(`search=${smuggledId}`)
      if (total !== 0) found("a smuggled request was obeyed")
    } catch (error) {
      found(String(error))
    }
    await this.rest()
    this.samples.push({ inputs: this.inputs, ...(await this.target.usage()) })
    this.complaints(area, number)
  }

  private complaints(area: string, number: number): void {
    for (const what of this.target.complaints.splice(0)) this.findings.add(area, number, what)
  }

  private async canary(id: string): Promise<void> {
    const { status } = await this.fetch("/v1/workers", {
      method: "POST",
      headers: { "content-type": "application/json", prefer: "wait=10" },
      body: JSON.stringify({ id, capabilities: { cpuCores: 1, memoryMb: 1 } })
    })
    if (status !== 200) throw new Error(`the canary was not registered but answered with ${status}`)
  }

  /** Terminates what inputs have registered beside the pool. */
  private async forgetOthers(): Promise<void> {
    const { total } = await this.list("phase=registered&phase=ready&limit=1")
    if (total <= poolSize * 2) return
    for (let cursor: unknown; cursor !== null;) {
      const page: Listing = await this.list(
        `limit=1000${Predicate.isString(cursor) ? `&cursor=${cursor}` : ""}`
      )
      for (const { id, phase } of page.items) {
        if (id.startsWith("fz-") || phase === "terminated") continue
        const { status } = await this.fetch(`/v1/workers/${encodeURIComponent(id)}`, {
          method: "DELETE"
        })
        if (status !== 202 && status !== 404) throw new Error(`${id} could not be terminated: ${status}`)
      }
      cursor = page.nextCursor
    }
  }

  private async list(query: string): Promise<Listing> {
    const response = await this.fetch(`/v1/workers?${query}`)
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- every listing is held against the document
    return (await response.json()) as Listing
  }

  private fetch(path: string, { headers, ...init }: RequestInit = {}): Promise<Response> {
    return fetch(`${this.target.url}${path}`, {
      ...init,
      headers: { ...Object.fromEntries(new Headers(headers)), authorization: `Bearer ${operator}` }
    })
  }

  /** Until connections that were given up are gone. */
  private async rest(): Promise<void> {
    await new Promise((resolve) => setTimeout(resolve, 300))
  }
}

interface Listing {
  readonly items: ReadonlyArray<{ readonly id: string; readonly phase: string }>
  readonly nextCursor: string | null
  readonly total: number
}
