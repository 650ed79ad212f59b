/**
 * What comes over a bare connection: requests in pieces, many at once, cut off or damaged, those that two servers would
 * understand in two ways (request smuggling), and what is no HTTP at all.
 */
import type { Dice } from "./Dice.ts"
import { type HttpInput, type HttpInputs, toBytes } from "./HttpInputs.ts"
import { mutateBytes } from "./Mutation.ts"

export interface SocketInput {
  readonly kind: string
  /** Written one after the other, with a pause of so many milliseconds before each. */
  readonly pieces: ReadonlyArray<{ readonly pause: number; readonly bytes: Buffer }>
  /** Whether the connection is dropped after that, or closed and waited for. */
  readonly isDropped: boolean
}

/** A worker of this id must never be there: only a smuggled request registers it. */
export const smuggledId = "smuggled"

const smuggledBody = JSON.stringify({ id: smuggledId, capabilities: { cpuCores: 1, memoryMb: 1 } })
const smuggled =
  `POST /v1/workers HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n` +
  `content-length: ${smuggledBody.length}\r\n\r\n${smuggledBody}`

const post = (headers: string, rest: string) =>
  `POST /v1/workers/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n${headers}\r\n\r\n${rest}`

const inChunk = (text: string) => `${text.length.toString(16)}\r\n${text}\r\n0\r\n\r\n`

/**
 * In each, the second request is a part of the first one's body for one reader and a request for another. What HTTP
 * says is: refuse, and close.
 */
const smuggling: ReadonlyArray<string> = [
  post(`content-length: 4\r\ntransfer-encoding: chunked`, `0\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked\r\ncontent-length: 5`, `0\r\n\r\n${smuggled}`),
  post(`content-length: 2\r\ncontent-length: 0`, `[]${smuggled}`),
  post(`content-length: 0, 2`, smuggled),
  post(`content-length: +0`, smuggled),
  post(`content-length: 0x0`, smuggled),
  post(`content-length: -1`, smuggled),
  post(`content-length: 1e0`, `[${smuggled}`),
  post(`content-length : 0`, smuggled),
  post(`content-length:\x0b0`, smuggled),
  post(`transfer-encoding: xchunked`, `0\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked, identity`, `0\r\n\r\n${smuggled}`),
  post(`transfer-encoding : chunked`, `0\r\n\r\n${smuggled}`),
  post(`transfer-encoding:\x0bchunked`, `0\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked\r\ntransfer-encoding: identity`, `0\r\n\r\n${smuggled}`),
  post(
    `x: y\r\n transfer-encoding: chunked\r\ncontent-length: ${inChunk(smuggled).length}`,
    inChunk(smuggled)
  ),
  post(`transfer-encoding: chunked`, `0\n\n${smuggled}`),
  post(`transfer-encoding: chunked`, `0;\n\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked`, `0x0\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked`, `-0\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked`, `fffffffffffffffff0\r\n\r\n${smuggled}`),
  post(`transfer-encoding: chunked`, `2\r\n[]${smuggled}`),
  `GET /healthz HTTP/1.1\r\nhost: localhost\r\ncontent-length: ${smuggled.length}\r\n\r\n${smuggled}`,
  `GET /healthz HTTP/1.1\nhost: localhost\n\n${smuggled}`,
  `GET /healthz HTTP/1.1\rhost: localhost\r\r${smuggled}`,
  `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: \0\r\n\r\n${smuggled}`,
  `GET /healthz HTTP/1.1\r\nhost : x\r\n\r\n${smuggled}`,
  `GET /healthz HTTP/1.1 HTTP/1.1\r\nhost: localhost\r\n\r\n${smuggled}`,
  `GET /healthz\r\n\r\n${smuggled}`
]

const noHttp: ReadonlyArray<string | Buffer> = [
  "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0",
  Buffer.from("16030100c8010000c40303", "hex"),
  "CONNECT example.invalid:443 HTTP/1.1\r\nhost: localhost\r\n\r\n",
  "GET /v1/events HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-key: x\r\n\r\n",
  "GET / HTTP/3.9\r\nhost: localhost\r\n\r\n",
  "GET / HTTP/1.1\r\n\r\n",
  "GET / HTTP/1.0\r\n\r\n",
  "GET / HTTP/1.1\r\nhost: a\r\nhost: b\r\n\r\n",
  "\r\n\r\n\r\nGET /healthz HTTP/1.1\r\nhost: localhost\r\n\r\n",
  "SSH-2.0-OpenSSH_9.9\r\n",
  "\0",
  "GET"
]

/** What can be answered more than once on a connection: the length of an answer to HEAD cannot be told by itself. */
const isPlain = ({ method, target }: HttpInput) => method !== "HEAD" && !target.startsWith("/v1/events")

export class SocketInputs {
  private readonly requests: HttpInputs

  constructor(requests: HttpInputs) {
    this.requests = requests
  }

  make(dice: Dice): SocketInput {
    switch (dice.below(10)) {
      case 0:
        return whole("damaged", mutateBytes(this.request(dice), dice))
      case 1:
        return { kind: "in pieces", pieces: this.pieces(this.request(dice), dice), isDropped: false }
      case 2: {
        const count = dice.pick([2, 3, 10, 70, 200])
        return whole(
          "pipelined",
          Buffer.concat(Array.from({ length: count }, () => this.request(dice, 20_000)))
        )
      }
      case 3:
        return whole("smuggling", Buffer.from(dice.pick(smuggling), "latin1"))
      case 4: {
        const bytes = this.request(dice)
        return {
          ...whole("cut off", bytes.subarray(0, dice.below(bytes.length))),
          isDropped: dice.chance(0.7)
        }
      }
      case 5:
        return whole("large headers", this.largeHeaders(dice))
      case 6:
        return whole(
          "no HTTP",
          Buffer.from(dice.chance(0.3) ? dice.bytes(dice.between(1, 3000)) : Buffer.from(dice.pick(noHttp)))
        )
      case 7:
        return whole("chunks", this.chunks(dice))
      case 8: {
        const bytes = this.request(dice)
        const at = dice.below(Math.min(bytes.length, 400))
        return whole(
          "NUL",
          Buffer.concat([bytes.subarray(0, at), Buffer.alloc(dice.between(1, 9)), bytes.subarray(at)])
        )
      }
      default:
        return { ...whole("dropped", this.request(dice)), isDropped: true }
    }
  }

  private request(dice: Dice, longest = Infinity): Buffer {
    for (;;) {
      const input = this.requests.make(dice)
      const bytes = toBytes(input)
      if (isPlain(input) && bytes.length <= longest) return bytes
    }
  }

  private pieces(bytes: Buffer, dice: Dice): SocketInput["pieces"] {
    const pieces: Array<SocketInput["pieces"][number]> = []
    const isSlow = dice.chance(0.1)
    for (let at = 0; at < bytes.length;) {
      // Not too many: a body may be a megabyte.
      const length = pieces.length > 60 ? bytes.length : dice.pick([1, 1, 2, 7, 100])
      pieces.push({ pause: isSlow ? dice.below(8) : 0, bytes: bytes.subarray(at, at + length) })
      at += length
    }
    return pieces
  }

  private largeHeaders(dice: Dice): Buffer {
    const size = dice.pick([15_000, 17_000, 70_000, 1_000_000])
    const head = dice.pick([
      `GET /${"a".repeat(size)} HTTP/1.1\r\nhost: localhost\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\nhost: localhost\r\nx: ${"a".repeat(size)}\r\n\r\n`,
      `GET /healthz HTTP/1.1\r\nhost: localhost\r\n${"a: b\r\n".repeat(size / 6)}\r\n`,
      `GET /healthz HTTP/1.1\r\nhost: localhost\r\n${"n".repeat(size)}: b\r\n\r\n`,
      `${"M".repeat(size)} / HTTP/1.1\r\nhost: localhost\r\n\r\n`
    ])
    return Buffer.from(head)
  }

  private chunks(dice: Dice): Buffer {
    const chunks = Array.from({ length: dice.between(1, 40) }, () => {
      const text =
        "x".repeat(dice.below(30)) +
        dice.pick(["", "\n", '{"id":"fz-1","capabilities":{"cpuCores":1,"memoryMb":1}}\n'])
      const size = dice.chance(0.9)
        ? text.length.toString(16)
        : dice.pick(["", "g", "00000000000000000001", "7fffffffffffffff", " 1"])
      return `${size}${dice.chance(0.1) ? `;${"e".repeat(dice.pick([1, 20_000]))}` : ""}\r\n${text}\r\n`
    })
    const end = dice.pick([
      "0\r\n\r\n",
      "0\r\nx-trailer: y\r\n\r\n",
      "0\r\ncontent-length: 5\r\n\r\n",
      "",
      "0\r\n"
    ])
    const head =
      "POST /v1/workers/batch HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/x-ndjson\r\ntransfer-encoding: chunked\r\n\r\n"
    return Buffer.from(head + chunks.join("") + end)
  }
}

const whole = (kind: string, bytes: Buffer): SocketInput => ({
  kind,
  pieces: [{ pause: 0, bytes }],
  isDropped: false
})
