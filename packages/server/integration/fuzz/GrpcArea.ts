/**
 * `muster scheduler` under fire: each call is answered in time and with a status of gRPC's, each connection closed, and
 * a worker can be registered afterwards.
 */
import { connect, constants, type IncomingHttpHeaders } from "node:http2"
import { RegisterRequest } from "../../src/schedulers/generated/muster/scheduler/v1/scheduler.ts"
import { leaksOf } from "./AnswerCheck.ts"
import { Dice } from "./Dice.ts"
import type { Findings } from "./Findings.ts"
import { type CallInput, framed, grpcInput } from "./GrpcInputs.ts"
import { answerWithin, sendPieces } from "./HttpClients.ts"
import { Target } from "./Target.ts"
import { type Sample, tooMuch } from "./Trend.ts"

const atOnce = 8

interface CallAnswer {
  readonly headers: IncomingHttpHeaders
  readonly body: Buffer
}

export class GrpcArea {
  readonly samples: Array<Sample> = []
  /** How often each `grpc-status` was answered; `none` where there was none. */
  readonly statuses = new Map<string, number>()
  private inputs = 0
  private readonly target: Target
  private readonly findings: Findings
  private readonly seed: string

  private constructor(target: Target, findings: Findings, seed: string) {
    this.target = target
    this.findings = findings
    this.seed = seed
  }

  static async start(folder: string, findings: Findings, seed: string): Promise<GrpcArea> {
    const target = await Target.start(["scheduler", "--port", "0", "--amnesia"], folder)
    return new GrpcArea(target, findings, seed)
  }

  async round(from: number, to: number, progress: (done: number) => void): Promise<void> {
    await this.target.fire({ from, to }, atOnce, (number) => this.one(number), progress)
    this.inputs += to - from
    this.complaints(to - 1)
    if (!this.target.isRunning) return
    const canary = await this.call(canaryCall(to)).catch(String)
    const status = typeof canary === "string" ? canary : canary?.headers["grpc-status"]
    if (status !== "0")
      this.findings.add("grpc", to - 1, `after this round: a worker was not registered: ${String(status)}`)
    await new Promise((resolve) => setTimeout(resolve, 300))
    this.samples.push({ inputs: this.inputs, ...(await this.target.usage()) })
  }

  async stop(): Promise<void> {
    for (const what of tooMuch(this.samples)) this.findings.add("grpc", 0, what)
    await this.target.stop()
    this.complaints(0)
  }

  private async one(number: number): Promise<void> {
    const input = grpcInput(new Dice(this.seed, "grpc", number))
    const bytes = input.kind === "call" ? input.body : input.bytes
    const what = input.kind === "call" ? `${input.path} ${JSON.stringify(input.headers)}` : "frames"
    const found = (why: string) => this.findings.add("grpc", number, `${what}: ${why}`, bytes)
    try {
      if (input.kind === "frames") {
        await sendPieces(this.target.port, {
          kind: "frames",
          pieces: [{ pause: 0, bytes }],
          isDropped: false
        })
        this.count("none")
        return
      }
      const answer = await this.call(input)
      const status = answer?.headers["grpc-status"]
      this.count(String(status ?? "none"))
      if (answer === undefined) return
      const text = JSON.stringify(answer.headers)
      for (const why of leaksOf(text)) found(why)
      if (Number(answer.headers[":status"]) === 200 && !/^(?:\d|1[0-6])$/.test(String(status)))
        found(`its grpc-status is ${String(status)}`)
    } catch (error) {
      if (this.target.isRunning) found(String(error))
    }
  }

  /** `undefined` where the connection was closed over it. Each has one of its own, so that none is in another's way. */
  private call({ body, headers, path }: CallInput): Promise<CallAnswer | undefined> {
    return new Promise((resolve, reject) => {
      const session = connect(`http://127.0.0.1:${this.target.port}`)
      let all: IncomingHttpHeaders = {}
      let isWhole = false
      const chunks: Array<Buffer> = []
      const settle = () => {
        clearTimeout(late)
        resolve(isWhole ? { headers: all, body: Buffer.concat(chunks) } : undefined)
        session.destroy()
      }
      const late = setTimeout(() => {
        reject(new Error(`no answer within ${answerWithin / 1000} seconds`))
        session.destroy()
      }, answerWithin)
      session.on("error", settle)
      session.on("close", settle)
      const stream = session.request({
        ":method": "POST",
        ":path": path,
        te: "trailers",
        "content-type": "application/grpc",
        ...headers
      })
      stream.on("response", (headers, flags) => {
        all = { ...all, ...headers }
        isWhole = (flags & constants.NGHTTP2_FLAG_END_STREAM) !== 0
        if (isWhole) settle()
      })
      stream.on("trailers", (trailers) => {
        all = { ...all, ...trailers }
        isWhole = true
      })
      stream.on("data", (chunk: Buffer) => chunks.push(chunk))
      stream.on("error", () => undefined)
      stream.on("close", settle)
      stream.end(body)
    })
  }

  private count(status: string): void {
    this.statuses.set(status, (this.statuses.get(status) ?? 0) + 1)
  }

  private complaints(number: number): void {
    for (const what of this.target.complaints.splice(0)) this.findings.add("grpc", number, what)
  }
}

const canaryCall = (number: number): CallInput => ({
  kind: "call",
  path: "/muster.scheduler.v1.SchedulerService/Register",
  headers: {},
  body: framed(
    RegisterRequest.encode({
      generation: number + 1,
      worker: {
        id: "canary",
        capabilities: { cpuCores: 1, memoryMib: 1, dockerEnabled: false, customResources: {} },
        metadata: undefined
      }
    }).finish()
  )
})
