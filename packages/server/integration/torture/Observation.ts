/**
 * What the service and the scheduler say about every worker, after all is over.
 */
import type { WorkerId } from "@muster/core"
import { Effect, Schema, Stream } from "effect"
import { HttpClient, HttpClientRequest, HttpClientResponse } from "effect/http"
import { TimelineView, WorkerPage, type WorkerView } from "../../src/http/Schemas.ts"
import type { Held } from "./SchedulerProtocol.ts"

export interface Observation {
  readonly records: ReadonlyMap<WorkerId, WorkerView>
  readonly held: ReadonlyMap<WorkerId, Held>
}

const pageSize = 1000
const patience = "10 seconds"

export const observe = Effect.fnUntraced(function* <E>(url: string, held: Stream.Stream<Held, E>) {
  // The scheduler first: what the service then says is not older.
  const all = yield* Stream.runCollect(held)
  return {
    records: yield* observeRecords(url),
    held: new Map(all.map((held) => [held.worker.id, held]))
  } satisfies Observation
})

const observeRecords = Effect.fnUntraced(function* (url: string) {
  const records = new Map<WorkerId, WorkerView>()
  let cursor: string | null | undefined
  while (cursor !== null) {
    const page: typeof WorkerPage.Type = yield* get(
      `${url}/v1/workers?limit=${pageSize}${cursor === undefined ? "" : `&cursor=${cursor}`}`,
      WorkerPage
    )
    for (const record of page.items) records.set(record.id, record)
    cursor = page.nextCursor
  }
  return records
})

/** What the service says happened to a worker, one line for each item. */
export const observeTimeline = (url: string, id: WorkerId) =>
  get(`${url}/v1/workers/${encodeURIComponent(id)}/timeline`, TimelineView).pipe(
    Effect.map(({ items }) => items.map((item) => JSON.stringify(item))),
    Effect.catch((error) => Effect.succeed([String(error)]))
  )

const Retried = Schema.Struct({ retried: Schema.Int })

/** Takes every dead letter up again; how many there were. */
export const retryDeadLetters = (url: string) =>
  HttpClient.execute(HttpClientRequest.post(`${url}/v1/dead-letters/retry`)).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(Retried)),
    Effect.timeout(patience),
    Effect.map(({ retried }) => retried)
  )

const get = <A, I>(url: string, schema: Schema.Codec<A, I>) =>
  HttpClient.execute(HttpClientRequest.get(url)).pipe(
    Effect.flatMap(HttpClientResponse.schemaBodyJson(schema)),
    Effect.timeout(patience)
  )
