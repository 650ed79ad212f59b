/** `POST /v1/workers` by hand: fastify with a JSON schema for the body and the answer. */
import fastify from "fastify"
import { DatabaseSync } from "node:sqlite"

const strings = { type: "object", additionalProperties: { type: "string" } }

const schema = {
  body: {
    type: "object",
    required: ["id", "capabilities"],
    properties: {
      id: {
        type: "string",
        minLength: 1,
        maxLength: 253,
        pattern: "^[A-Za-z0-9]([A-Za-z0-9._:-]*[A-Za-z0-9])?$"
      },
      capabilities: {
        type: "object",
        required: ["cpuCores", "memoryMb"],
        properties: {
          cpuCores: { type: "number", exclusiveMinimum: 0 },
          memoryMb: { type: "integer", minimum: 1 },
          dockerEnabled: { type: "boolean", default: false },
          customResources: { type: "object", additionalProperties: { type: "number", minimum: 0 } }
        }
      },
      metadata: {
        type: "object",
        properties: {
          workerType: { type: "string", enum: ["static", "dynamic"] },
          namespace: { type: "string", minLength: 1, maxLength: 253 },
          labels: strings,
          tags: { type: "array", items: { type: "string" }, uniqueItems: true },
          provisionedAt: { type: "string", format: "date-time" }
        }
      }
    }
  },
  response: {
    202: {
      type: "object",
      properties: { id: { type: "string" }, generation: { type: "integer" }, phase: { type: "string" } }
    }
  }
}

type Store = (id: string, worker: unknown, generation: number) => void

const listen = async (store: Store): Promise<number> => {
  const app = fastify()
  let generation = 0
  app.post<{ Body: { readonly id: string } }>("/v1/workers", { schema }, async ({ body }, reply) => {
    generation++
    store(body.id, body, generation)
    return reply.code(202).send({ id: body.id, generation, phase: "pending" })
  })
  return Number(new URL(await app.listen({ host: "127.0.0.1", port: 0 })).port)
}

/** What HTTP alone allows: nothing is stored. */
export const listenStoringNothing = (): Promise<number> => listen(() => {})

/** Each worker in a transaction of its own, flushed before the answer. */
export const listenOverSqlite = (file: string): Promise<number> => {
  const database = new DatabaseSync(file)
  database.exec(`
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = FULL;
    CREATE TABLE workers (id TEXT PRIMARY KEY, worker TEXT NOT NULL, generation INTEGER NOT NULL) WITHOUT ROWID;
  `)
  const insert = database.prepare("INSERT INTO workers (id, worker, generation) VALUES (?, ?, ?)")
  return listen((id, worker, generation) => insert.run(id, JSON.stringify(worker), generation))
}
