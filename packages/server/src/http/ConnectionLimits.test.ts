import { assert, describe, it } from "@effect/vitest"
import { once } from "node:events"
import { createServer } from "node:http"
import { connect, type Socket } from "node:net"
import { limitConnections } from "./ConnectionLimits.ts"

const start = async (total: number, perClient: number, isExempt = () => false) => {
  const server = createServer((_, response) => response.end("hello"))
  limitConnections(server, { total, perClient, isExempt })
  server.listen(0, "127.0.0.1")
  await once(server, "listening")
  const address = server.address()
  if (address === null || typeof address === "string") throw new Error("it listens on no port")
  return {
    open: async () => {
      const socket = connect(address.port, "127.0.0.1")
      socket.on("error", () => {})
      await once(socket, "connect")
      return socket
    },
    [Symbol.dispose]: () => {
      server.close()
      server.closeAllConnections()
    }
  }
}

/** The first that is answered to a request, or without one. */
const answer = async (socket: Socket): Promise<string> => {
  socket.write("GET / HTTP/1.1\r\nhost: x\r\n\r\n")
  const [data]: Array<Buffer> = await once(socket, "data")
  return data?.toString() ?? ""
}

describe("limitConnections", () => {
  it("tells one too many of a client, and closes it, until another one ends", async () => {
    using server = await start(10, 2)
    const first = await server.open()
    const second = await server.open()
    assert.match(await answer(first), /^HTTP\/1\.1 200 /)
    const third = await server.open()
    assert.match(await answer(third), /^HTTP\/1\.1 429 .*retry-after: 10\r\n.*too-many-requests/s)
    await once(third, "close")
    second.destroy()
    // The service learns of it a moment later.
    for (;;) {
      const next = await server.open()
      if ((await answer(next)).startsWith("HTTP/1.1 200 ")) break
    }
    assert.match(await answer(first), /^HTTP\/1\.1 200 /)
  })

  it("tells one too many of all with 503, whoever it is", async () => {
    using server = await start(1, 10, () => true)
    await answer(await server.open())
    assert.match(await answer(await server.open()), /^HTTP\/1\.1 503 .*overloaded/s)
  })

  it("does not count by address what is not one client's", async () => {
    using server = await start(3, 1, () => true)
    for (let connection = 0; connection < 3; connection++) {
      assert.match(await answer(await server.open()), /^HTTP\/1\.1 200 /)
    }
  })
})
