/** Clients of whoever takes workers over HTTP. */
import { HttpConnection, post } from "../httpConnection.ts"
import { workerJson, workerLines } from "../payload.ts"
import { mostCallers, type Peer } from "../peer.ts"

const makePeer = (
  port: number,
  request: (sequence: number) => string
): Required<Pick<Peer, "accept" | "prepare">> => {
  let connections: ReadonlyArray<HttpConnection> = []
  return {
    // Between two rounds a server may have closed connections that were idle.
    prepare: async () => {
      for (const connection of connections) connection.close()
      connections = await Promise.all(Array.from({ length: mostCallers }, () => HttpConnection.open(port)))
    },
    accept: async (sequence, caller) => {
      const connection = connections[caller]
      if (connection === undefined) throw new Error(`there is no caller ${caller}`)
      const { body, status } = await connection.send(request(sequence))
      if (status < 200 || status > 299) throw new Error(`answered ${status}: ${body}`)
    }
  }
}

/** A client of `POST /v1/workers`, and of `POST /v1/workers/batch` with NDJSON. */
export const makeWorkers = async (port: number): Promise<Peer> => ({
  ...makePeer(port, (sequence) => post("/v1/workers", workerJson(sequence))),
  acceptMany: async (first, count) => {
    const connection = await HttpConnection.open(port)
    const { body } = await connection.send(
      post("/v1/workers/batch", workerLines(first, count), "application/x-ndjson")
    )
    connection.close()
    const accepted = body.split(`"status":202`).length - 1
    if (accepted !== count)
      throw new Error(`accepted ${accepted} of ${count} workers: ${body.slice(0, 1000)}`)
  }
})

const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64")

/** A client of etcd's JSON gateway. */
export const makeEtcd = async (port: number): Promise<Peer> =>
  makePeer(port, (sequence) => {
    const key = base64(`workers/${sequence}`)
    return post("/v3/kv/put", `{"key":"${key}","value":"${base64(workerJson(sequence))}"}`)
  })
