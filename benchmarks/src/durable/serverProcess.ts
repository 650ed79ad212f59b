/** A process of one server's own: `serverProcess.ts KIND [FILE]`. It tells its parent the port that it listens on. */
import { listen as listenBareRoute } from "./peers/bareRoute.ts"
import { listenOverSqlite, listenStoringNothing } from "./peers/fastify.ts"

const kinds = {
  bareRoute: listenBareRoute,
  fastify: listenStoringNothing,
  fastifySqlite: listenOverSqlite
} satisfies Record<string, (file: string) => Promise<number>>

export type ServerKind = keyof typeof kinds

const isKind = (name: string | undefined): name is ServerKind => name !== undefined && name in kinds

const [, , kind, file = ""] = process.argv
if (process.send !== undefined && isKind(kind)) {
  process.on("disconnect", () => process.exit())
  process.send(await kinds[kind](file))
}
