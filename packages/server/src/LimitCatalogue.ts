/**
 * Every limit of the service and of what it talks to, in words: `docs/limits.md` is written from it.
 */
import { WorkerLimits } from "@muster/core"
import { fleetVariables } from "./FleetSettings.ts"
import { HttpLimits as http } from "./http/HttpLimits.ts"
import { limitVariables } from "./LimitSettings.ts"
import { GrpcLimits } from "./schedulers/grpc/GrpcLimits.ts"

/** One limit. */
export type LimitRow = readonly [of: string, atMost: string, beyond: string, todo: string]

const count = (value: number, unit: string) => `${value.toLocaleString("en-US")} ${unit}`
const seconds = (value: number) => count(value, "seconds")

const bytes = (value: number): string => {
  const [large, unit] = value >= 2 ** 20 ? [value / 2 ** 20, "MiB"] : [value / 2 ** 10, "KiB"]
  return `${large} ${unit}`
}

interface Changeable {
  readonly name: string
  readonly fallback: number | string
}

/** A limit that an operator can change. */
const variable = ({ fallback, name }: Changeable, unit: string): string => {
  return `${typeof fallback === "number" ? count(fallback, unit) : fallback} (\`${name}\`)`
}

const later = "send it again after `Retry-After`"
const smaller = "send it in smaller parts, or as NDJSON"

/** By what they limit. */
export const limitCatalogue: ReadonlyArray<readonly [title: string, rows: ReadonlyArray<LimitRow>]> = [
  [
    "One client",
    [
      [
        "requests, workers, events and lines a second",
        `${variable(limitVariables.rateLimit, "a second")}, after ${variable(limitVariables.rateLimitBurst, "at once")}`,
        "429; a stream is slowed down",
        `${later}; raise it for a client that has more to do`
      ],
      [
        "clients whose use is remembered",
        count(http.clients, "clients"),
        "who was away longest is forgotten",
        "nothing: it has its whole bucket again"
      ],
      [
        "connections",
        variable(limitVariables.clientConnections, "connections"),
        "429, and it is closed",
        "keep connections open and use them again; name your proxy in `MUSTER_TRUSTED_PROXIES`"
      ],
      [
        "requests that are open",
        variable(limitVariables.clientConnections, "requests"),
        "429",
        "send fewer at once: an array or a stream is one request"
      ],
      [
        "streams of `GET /v1/events`",
        count(http.followersPerClient, "streams"),
        "429",
        "follow once, and pass the events on"
      ],
      [
        "wrong credentials in a minute",
        count(http.failuresPerMinute, "from one network"),
        "429 before a credential is looked at",
        "correct it; the next can be tried three seconds later"
      ],
      [
        "requests on a connection that are not answered yet",
        count(http.pipelined, "requests"),
        "it is closed",
        "wait for answers before sending more"
      ]
    ]
  ],
  [
    "All clients",
    [
      ["connections", count(http.connections, "connections"), "503, and it is closed", later],
      [
        "requests that are open, streams included",
        variable(limitVariables.requests, "requests"),
        "503; not for `/healthz`, `/readyz` and `/metrics`",
        later
      ],
      ["streams of `GET /v1/events`", count(http.followers, "streams"), "503", later],
      [
        "changes accepted and not yet done",
        variable(fleetVariables.maxUnfinished, "changes"),
        "503; a stream is slowed down",
        "look at the scheduler: it does not keep up"
      ]
    ]
  ],
  [
    "Time",
    [
      [
        "until the headers of a request are there",
        seconds(http.headerSeconds),
        "408, and it is closed",
        "send it again"
      ],
      ["until a body that is no stream is there", seconds(http.bodySeconds), "408", "send it again"],
      [
        "a connection on which nothing moves, be it that nothing is sent, that nothing is read, or that a request has no answer yet",
        seconds(http.idleSeconds),
        "it is closed",
        "read what is answered; connect again, with `Last-Event-ID` or the same `Idempotency-Key`"
      ],
      [
        "`Prefer: wait`",
        seconds(http.waitSeconds),
        `it waits ${http.waitSeconds}`,
        "ask for the worker later"
      ]
    ]
  ],
  [
    "One request",
    [
      ["its address", bytes(http.targetBytes), "414", "use fewer filters"],
      ["query parameters", count(http.queryParameters, "parameters"), "414", "use fewer filters"],
      ["address and headers", bytes(http.headerBytes), "431 or 414", "send fewer"],
      ["header fields", count(http.headerFields, "fields"), "431", "send fewer"],
      ["a worker or an event", bytes(http.itemBytes), "413", "leave out what it does not need"],
      [
        "an array of workers or events",
        `${bytes(http.arrayBytes)}, ${count(http.arrayItems, "members")}`,
        "413",
        smaller
      ],
      ["a line of NDJSON; the stream has no limit", bytes(http.lineBytes), "413 in its place", "end it"],
      ["a line of an export", bytes(http.exportLineBytes), "413 in its place", "send it as it was exported"],
      ["JSON inside JSON", count(http.jsonDepth, "levels"), "400", "no field needs more than four"],
      ["a compressed body", "none", "415", "send it as it is"],
      ["filters by `label`", count(http.labelFilters, "filters"), "400", "use fewer"],
      ["`search`", count(http.searchCharacters, "characters"), "400", "no id is longer"],
      ["a page", count(http.pageMaximum, "items"), "400", "follow `nextCursor`"],
      ["`offset`", count(http.offsetMaximum, "items"), "400", "follow `nextCursor`"],
      ["a cursor", count(http.cursorCharacters, "characters"), "400", "send it as it was given"]
    ]
  ],
  [
    "One worker",
    [
      ["CPU cores", count(WorkerLimits.cpuCores, "cores"), "400", "correct it"],
      ["memory", count(WorkerLimits.memoryMb, "MiB"), "400", "correct it"],
      ["custom resources", count(WorkerLimits.customResources, "resources"), "400", "use fewer"],
      ["labels", count(WorkerLimits.labels, "labels"), "400", "use fewer"],
      ["tags", count(WorkerLimits.tags, "tags"), "400", "use fewer"],
      [
        "the name of a resource, a label or a tag",
        count(WorkerLimits.name, "characters"),
        "400",
        "shorten it"
      ],
      ["the value of a label", count(WorkerLimits.labelValue, "characters"), "400", "shorten it"],
      ["a namespace", count(WorkerLimits.namespace, "characters"), "400", "shorten it"],
      ["`leaseTtl`", "365 days", "400", "a worker without a lease is wanted for ever"],
      ["an `Idempotency-Key`", "255 characters", "400", "shorten it"],
      ["a timeline", "100 items", "the oldest go", "follow `GET /v1/events`"]
    ]
  ],
  [
    "The scheduler",
    [
      [
        "calls to it at the same time",
        variable(fleetVariables.concurrency, "calls"),
        "they wait",
        "raise it if the scheduler can take more"
      ],
      [
        "a message that Muster takes over gRPC",
        bytes(GrpcLimits.client.messageBytes),
        "the call fails with `RESOURCE_EXHAUSTED`",
        "send lists in smaller pieces"
      ],
      [
        "silence in a call over gRPC",
        `${seconds(GrpcLimits.client.silentSeconds)}, and ${GrpcLimits.client.answerSeconds} for the answer to a ping`,
        "the connection is made again",
        "nothing: no pings are sent while there is no call, which servers would take for abuse"
      ],
      [
        "a message that `muster scheduler` takes",
        bytes(GrpcLimits.server.messageBytes),
        "`RESOURCE_EXHAUSTED`",
        "set `MUSTER_BATCH_MEMBERS` lower"
      ],
      [
        "calls on one connection to `muster scheduler`",
        count(GrpcLimits.server.streams, "calls"),
        "the client keeps them back",
        "nothing"
      ],
      [
        "a connection to `muster scheduler` without calls",
        seconds(GrpcLimits.server.idleSeconds),
        "it is closed",
        "nothing: it is made again by the next call"
      ],
      [
        "a silent client of `muster scheduler`",
        `${seconds(GrpcLimits.server.silentSeconds)}, and ${GrpcLimits.server.answerSeconds} for the answer to a ping`,
        "its connection is closed",
        "nothing"
      ]
    ]
  ]
]
