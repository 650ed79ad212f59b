/**
 * What comes to a gRPC server: calls of every method with messages that are valid, damaged, or none, and bare HTTP/2
 * frames in an order, or with a content, in which no client sends them.
 */
import {
  GetRequest,
  ListRequest,
  RegisterBatchRequest,
  RegisterRequest,
  UnregisterRequest,
  WorkerType
} from "../../src/schedulers/generated/muster/scheduler/v1/scheduler.ts"
import type { Dice } from "./Dice.ts"
import { hostileNumber, hostileText } from "./HostileValues.ts"
import { mutateBytes } from "./Mutation.ts"
import { poolId, poolSize } from "./SchemaValues.ts"

export interface CallInput {
  readonly kind: "call"
  readonly path: string
  readonly headers: Readonly<Record<string, string>>
  readonly body: Buffer
}

export interface FramesInput {
  readonly kind: "frames"
  readonly bytes: Buffer
}

export type GrpcInput = CallInput | FramesInput

const service = "/muster.scheduler.v1.SchedulerService"

const id = (dice: Dice): string => (dice.chance(0.7) ? poolId(dice.below(poolSize)) : hostileText(dice))

const whole = (dice: Dice): number => {
  const number = dice.chance(0.7) ? dice.below(1e9) : Math.trunc(hostileNumber(dice))
  return Number.isSafeInteger(number) ? number : Number.MAX_SAFE_INTEGER
}

const registration = (dice: Dice): RegisterRequest => ({
  generation: whole(dice),
  worker: {
    id: id(dice),
    capabilities: {
      cpuCores: dice.chance(0.7) ? dice.between(1, 64) : hostileNumber(dice),
      memoryMib: whole(dice),
      dockerEnabled: dice.chance(0.5),
      customResources: dice.chance(0.5) ? {} : { [hostileText(dice)]: hostileNumber(dice) }
    },
    metadata: {
      workerType: dice.pick([WorkerType.STATIC, WorkerType.DYNAMIC, WorkerType.UNSPECIFIED]),
      namespace: dice.chance(0.5) ? "default" : hostileText(dice),
      labels: dice.chance(0.5) ? {} : { [hostileText(dice)]: hostileText(dice) },
      tags: dice.chance(0.5) ? [] : [hostileText(dice)],
      provisionedAt: dice.chance(0.5) ? undefined : new Date(whole(dice) % 4e12)
    }
  }
})

/** Each method with a message of its own. */
const messages: ReadonlyArray<readonly [path: string, encode: (dice: Dice) => Uint8Array]> = [
  [`${service}/Register`, (dice) => RegisterRequest.encode(registration(dice)).finish()],
  [
    `${service}/RegisterBatch`,
    (dice) => {
      const members = Array.from({ length: dice.pick([0, 1, 3, 50]) }, () => registration(dice))
      return RegisterBatchRequest.encode({ members }).finish()
    }
  ],
  [
    `${service}/Unregister`,
    (dice) => UnregisterRequest.encode({ workerId: id(dice), generation: whole(dice) }).finish()
  ],
  [`${service}/Get`, (dice) => GetRequest.encode({ workerId: id(dice) }).finish()],
  [`${service}/List`, () => ListRequest.encode({}).finish()],
  ["/grpc.health.v1.Health/Check", (dice) => Buffer.from([10, 1, dice.below(256)])],
  [`${service}/Nothing`, (dice) => dice.bytes(9)],
  ["/", (dice) => dice.bytes(9)]
]

/** A message as it travels: whether it is compressed, its length, and the message. */
export const framed = (message: Uint8Array, flag = 0, length = message.length): Buffer => {
  const head = Buffer.alloc(5)
  head.writeUInt8(flag, 0)
  head.writeUInt32BE(length, 1)
  return Buffer.concat([head, message])
}

export const grpcInput = (dice: Dice): GrpcInput => (dice.chance(0.75) ? call(dice) : frames(dice))

const call = (dice: Dice): CallInput => {
  const [path, encode] = dice.pick(messages)
  const isHostile = dice.chance(0.7)
  let message: Uint8Array = encode(dice)
  if (isHostile && dice.chance(0.6)) message = mutateBytes(message, dice)
  if (isHostile && dice.chance(0.1)) message = dice.bytes(dice.below(300))
  // Groups in groups in groups: parsers descend into each.
  if (isHostile && dice.chance(0.03)) message = Buffer.alloc(dice.pick([100, 50_000]), 0x0b)
  const body =
    !isHostile || dice.chance(0.7)
      ? framed(message)
      : dice.pick([
          framed(message, 1),
          framed(message, 255),
          framed(message, 0, message.length + 1),
          framed(message, 0, 0xffffffff),
          framed(message, 0, 0),
          Buffer.concat([framed(message), framed(message)]),
          Buffer.from(message),
          Buffer.alloc(0),
          framed(Buffer.alloc(5 * 2 ** 20))
        ])
  return { kind: "call", path, headers: isHostile && dice.chance(0.3) ? strangeHeaders(dice) : {}, body }
}

const strangeHeaders = (dice: Dice): Readonly<Record<string, string>> =>
  dice.pick([
    { "content-type": "application/json" },
    { "content-type": "" },
    { "grpc-timeout": dice.pick(["1n", "0S", "-1S", "99999999H", "x", "1"]) },
    { "grpc-encoding": dice.pick(["gzip", "deflate", "nonsense"]) },
    { "grpc-accept-encoding": "," },
    { "x-bin": "%%%" },
    { "x-long": "a".repeat(9000) },
    { "user-agent": "\u00ff" }
  ])

const preface = Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")

const frame = (
  type: number,
  flags: number,
  stream: number,
  payload: Uint8Array,
  length = payload.length
): Buffer => {
  const head = Buffer.alloc(9)
  head.writeUIntBE(length, 0, 3)
  head.writeUInt8(type, 3)
  head.writeUInt8(flags, 4)
  head.writeUInt32BE(stream, 5)
  return Buffer.concat([head, payload])
}

/** A header, neither indexed nor compressed (RFC 7541, section 6.2.2). */
const field = (name: string, value: string): Buffer =>
  Buffer.concat([
    Buffer.from([0, name.length]),
    Buffer.from(name),
    Buffer.from([value.length]),
    Buffer.from(value)
  ])

const requestHeaders = Buffer.concat([
  field(":method", "POST"),
  field(":scheme", "http"),
  field(":path", `${service}/Get`),
  field(":authority", "x"),
  field("te", "trailers"),
  field("content-type", "application/grpc")
])

const endHeaders = 4
const endStream = 1

const frames = (dice: Dice): FramesInput => {
  const settings = frame(4, 0, 0, Buffer.alloc(0))
  const headers = frame(1, endHeaders, 1, requestHeaders)
  const data = frame(0, endStream, 1, framed(GetRequest.encode({ workerId: poolId(1) }).finish()))
  const stream = (number: number) => frame(1, endHeaders, number * 2 + 1, requestHeaders)
  const many = (count: number, make: (number: number) => Buffer) =>
    Buffer.concat(Array.from({ length: count }, (_, number) => make(number)))
  const after = dice.pick<() => Buffer>([
    () => Buffer.concat([headers, data]),
    () => mutateBytes(Buffer.concat([headers, data]), dice),
    () => frame(dice.below(256), dice.below(256), dice.below(2 ** 31), dice.bytes(dice.below(200))),
    () =>
      many(dice.between(2, 20), () =>
        frame(dice.below(12), dice.below(256), dice.below(4), dice.bytes(dice.below(40)))
      ),
    () => many(2000, () => frame(6, 0, 0, Buffer.alloc(8))),
    () => many(2000, () => frame(4, 0, 0, Buffer.from([0, 4, 0, 0, 255, 255]))),
    // Rapid reset: each stream is opened and given up at once.
    () =>
      many(500, (number) =>
        Buffer.concat([stream(number), frame(3, 0, number * 2 + 1, Buffer.from([0, 0, 0, 8]))])
      ),
    // Headers without an end.
    () =>
      Buffer.concat([
        frame(1, 0, 1, requestHeaders),
        many(300, () => frame(9, 0, 1, field("x", "y".repeat(100))))
      ]),
    () => many(400, stream),
    () => frame(8, 0, 0, Buffer.alloc(4)),
    () => frame(8, 0, 0, Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    () => frame(0, 0, 1, Buffer.alloc(0), 2 ** 24 - 1),
    () => Buffer.concat([headers, many(3000, () => frame(0, 0, 1, Buffer.alloc(0)))]),
    () => frame(7, 0, 0, Buffer.alloc(8)),
    () => dice.bytes(dice.between(1, 2000))
  ])()
  return {
    kind: "frames",
    bytes: dice.chance(0.9) ? Buffer.concat([preface, settings, after]) : Buffer.concat([preface, after])
  }
}
