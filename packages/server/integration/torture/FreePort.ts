/**
 * A port for a process that is started on it again and again. It lies below those that the system gives to
 * connections, so that none of them takes it while the process is down.
 */
import { Effect, Random, Schedule } from "effect"
import { createServer } from "node:net"

const lowest = 15_000
const highest = 30_000

const tryPort = (port: number): Effect.Effect<number, Error> =>
  Effect.callback((resume) => {
    const server = createServer()
    server.once("error", (error) => resume(Effect.fail(error)))
    server.listen(port, "127.0.0.1", () => server.close(() => resume(Effect.succeed(port))))
  })

export const freePort: Effect.Effect<number> = Random.nextIntBetween(lowest, highest).pipe(
  Effect.flatMap(tryPort),
  Effect.retry(Schedule.recurs(100)),
  Effect.orDie
)
