/**
 * A scheduler that answers with whatever it likes, until it is told to behave. What it answers next is thrown by dice;
 * which call gets it, only the service knows.
 */
import { createServer as createHttp2, type Http2Server, type ServerHttp2Stream } from "node:http2"
import { once } from "node:events"
import { type AddressInfo, createServer, type Server, type Socket } from "node:net"
import { RetryInfo } from "../../src/schedulers/generated/google/rpc/error_details.ts"
import { Status } from "../../src/schedulers/generated/google/rpc/status.ts"
import {
  GetResponse,
  ListResponse,
  RegisterBatchRequest,
  RegisterBatchResponse,
  RegisterRequest
} from "../../src/schedulers/generated/muster/scheduler/v1/scheduler.ts"
import { Dice } from "./Dice.ts"
import { framed } from "./GrpcInputs.ts"
import { hostileText } from "./HostileValues.ts"
import { mutateBytes } from "./Mutation.ts"
import { poolId, poolSize } from "./SchemaValues.ts"

const ok = { "grpc-status": "0" }

export class HostileScheduler {
  behaves = false
  /** Answers and connections so far. */
  answers = 0
  private readonly held = new Map<string, RegisterRequest>()
  private readonly seed: string
  private readonly first: number
  private readonly http2: Http2Server
  private readonly front: Server
  private readonly sockets = new Set<Socket>()

  private constructor(seed: string, first: number) {
    this.seed = seed
    this.first = first
    this.http2 = createHttp2()
    this.http2.on("stream", (stream, headers) => this.serve(stream, String(headers[":path"])))
    this.http2.on("sessionError", () => undefined)
    this.http2.on("error", () => undefined)
    this.front = createServer((socket) => this.accept(socket))
  }

  /** `first`: the number of its first answer, which decides what its dice show. */
  static async start(seed: string, first: number): Promise<HostileScheduler> {
    const scheduler = new HostileScheduler(seed, first)
    scheduler.front.listen(0, "127.0.0.1")
    await once(scheduler.front, "listening")
    return scheduler
  }

  get port(): number {
    // oxlint-disable-next-line typescript/no-unsafe-type-assertion -- it listens on TCP
    return (this.front.address() as AddressInfo).port
  }

  stop(): void {
    this.front.close()
    for (const socket of this.sockets) socket.destroy()
  }

  private dice(): Dice {
    return new Dice(this.seed, "hostile", this.first + this.answers++)
  }

  private accept(socket: Socket): void {
    this.sockets.add(socket)
    socket.on("close", () => this.sockets.delete(socket))
    socket.on("error", () => undefined)
    const dice = this.behaves ? undefined : this.dice()
    if (dice === undefined || dice.chance(0.7)) return void this.http2.emit("connection", socket)
    switch (dice.below(4)) {
      case 0:
        socket.destroy()
        break
      case 1:
        socket.end(dice.bytes(dice.between(1, 500)))
        break
      case 2:
        socket.end("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi")
        break
      default:
        // A frame of HTTP/2 that promises more than there is, and the frame of settings that every client waits for.
        socket.end(mutateBytes(Buffer.from("000000040000000000000006010000000000000000", "hex"), dice))
    }
  }

  private serve(stream: ServerHttp2Stream, path: string): void {
    const chunks: Array<Buffer> = []
    stream.on("error", () => undefined)
    stream.on("data", (chunk: Buffer) => chunks.push(chunk))
    stream.on("end", () => {
      if (stream.destroyed) return
      const request = Buffer.concat(chunks).subarray(5)
      if (this.behaves) this.obey(stream, path, request)
      else this.misbehave(stream, path, request, this.dice())
    })
  }

  private misbehave(stream: ServerHttp2Stream, path: string, request: Buffer, dice: Dice): void {
    switch (dice.below(16)) {
      case 0:
        return stream.close(dice.below(14))
      case 1:
        return stream.session?.destroy()
      case 2:
        return stream.session?.goaway(dice.below(14))
      case 3:
        // No answer at all.
        return
      case 4:
        stream.respond({ ":status": dice.pick([200, 204, 302, 404, 500, 503]), "content-type": "text/html" })
        return void stream.end("<html><script>alert(1)</script>")
      case 5:
        return respond(stream, [], {
          "grpc-status": dice.pick(["99", "-1", "", "x", "1e9", "2", "7"]),
          "grpc-message": inTrailer(hostileText(dice))
        })
      case 6:
      case 7:
        return respond(stream, [], {
          "grpc-status": String(dice.below(17)),
          "grpc-message": inTrailer(hostileText(dice)),
          ...details(dice)
        })
      case 8:
        return respond(stream, [dice.bytes(dice.between(1, 60))], ok)
      case 9:
        return respond(stream, [framed(dice.bytes(dice.below(60)), dice.pick([0, 0, 1, 2]))], ok)
      case 10:
        return respond(stream, [framed(Buffer.alloc(5 * 2 ** 20))], ok)
      case 11:
        return respond(stream, [framed(Buffer.alloc(10), 0, 0xffffffff)], ok)
      case 12:
        return respond(
          stream,
          Array.from({ length: 200 }, () => framed(this.answer(path, request, dice))),
          ok
        )
      case 13:
        return respond(stream, [framed(mutateBytes(this.answer(path, request, dice), dice))], {})
      case 14:
        return respond(stream, [], ok)
      default:
        return respond(stream, [framed(mutateBytes(this.answer(path, request, dice), dice))], ok)
    }
  }

  /** A well-formed answer, though not a true one. */
  private answer(path: string, request: Buffer, dice: Dice): Uint8Array {
    const held = (id: string) => ({
      generation: dice.pick([0, 1, Number.MAX_SAFE_INTEGER]),
      worker: {
        id,
        capabilities: { cpuCores: 1, memoryMib: 1, dockerEnabled: false, customResources: {} },
        metadata: undefined
      }
    })
    const anyId = () => (dice.chance(0.8) ? poolId(dice.below(poolSize)) : hostileText(dice))
    if (path.endsWith("/List"))
      return ListResponse.encode({
        workers: Array.from({ length: dice.below(30) }, () => held(anyId()))
      }).finish()
    if (path.endsWith("/Get")) return GetResponse.encode({ held: held(anyId()) }).finish()
    if (!path.endsWith("/RegisterBatch")) return Buffer.alloc(0)
    const count = RegisterBatchRequest.decode(request).members.length + dice.pick([0, 0, 0, 1, -1, 1000])
    const results = Array.from({ length: Math.max(0, count) }, () => ({
      code: dice.pick([0, 0, 3, 14, 8, 99, -1]),
      message: hostileText(dice).slice(0, 2000),
      details: []
    }))
    return RegisterBatchResponse.encode({ results }).finish()
  }

  private obey(stream: ServerHttp2Stream, path: string, request: Buffer): void {
    const keep = (registration: RegisterRequest) =>
      void this.held.set(registration.worker?.id ?? "", registration)
    const answers = (message: Uint8Array) => respond(stream, [framed(message)], ok)
    if (path.endsWith("/Register")) {
      keep(RegisterRequest.decode(request))
      return answers(Buffer.alloc(0))
    }
    if (path.endsWith("/RegisterBatch")) {
      const { members } = RegisterBatchRequest.decode(request)
      members.forEach(keep)
      return answers(
        RegisterBatchResponse.encode({
          results: members.map(() => ({ code: 0, message: "", details: [] }))
        }).finish()
      )
    }
    if (path.endsWith("/List"))
      return answers(ListResponse.encode({ workers: Array.from(this.held.values()) }).finish())
    if (path.endsWith("/Unregister")) return answers(Buffer.alloc(0))
    if (path.endsWith("/Check")) return answers(Buffer.from([8, 1]))
    return respond(stream, [], { "grpc-status": "5" })
  }
}

const respond = (
  stream: ServerHttp2Stream,
  messages: ReadonlyArray<Uint8Array>,
  trailers: Readonly<Record<string, string>>
): void => {
  stream.respond({ ":status": 200, "content-type": "application/grpc" }, { waitForTrailers: true })
  stream.on("wantTrailers", () => stream.sendTrailers(trailers))
  stream.end(Buffer.concat(messages))
}

/** As gRPC writes them; sometimes not even so. */
const inTrailer = (text: string): string => encodeURIComponent(text.toWellFormed()).slice(0, 3000)

/** Details that are none, or that ask for a wait that nobody would bear. */
const details = (dice: Dice): Readonly<Record<string, string>> => {
  if (dice.chance(0.3)) return {}
  if (dice.chance(0.3)) return { "grpc-status-details-bin": dice.bytes(dice.below(50)).toString("base64") }
  const seconds = dice.pick([0, -1, 1, 2 ** 40, Number.MAX_SAFE_INTEGER, -(2 ** 40)])
  const value = Buffer.from(
    RetryInfo.encode({ retryDelay: { seconds, nanos: dice.pick([0, -1, 2 ** 31 - 1]) } }).finish()
  )
  const status = Status.encode({
    code: 8,
    message: "",
    details: [{ typeUrl: "type.googleapis.com/google.rpc.RetryInfo", value }]
  })
  return { "grpc-status-details-bin": Buffer.from(status.finish()).toString("base64") }
}
