/**
 * Secrets in files: nobody sees them in a list of processes or in the environment of one, and systemd, Kubernetes and
 * Docker bring them so.
 */
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { Effect, FileSystem, Option } from "effect"
import { WrongUsage } from "./WrongUsage.ts"

/** Bytes of a secret; a file that is larger is another one. */
const mostBytes = 65_536

/** What is in the file that this variable names, without the line break at its end. */
export const readSecretFile = (name: string, path: string): Effect.Effect<string, WrongUsage> =>
  Effect.gen(function* () {
    const files = yield* FileSystem.FileSystem
    const { size } = yield* files.stat(path)
    if (size > mostBytes) return yield* wrong(name, path, "is too large for a secret")
    const secret = (yield* files.readFileString(path)).replace(/\r?\n$/, "")
    return secret === "" ? yield* wrong(name, path, "is empty") : secret
  }).pipe(
    Effect.catchTag("PlatformError", ({ reason }) => wrong(name, path, `cannot be read: ${reason._tag}`)),
    Effect.provide(NodeFileSystem.layer)
  )

const wrong = (name: string, path: string, what: string) =>
  Effect.fail(new WrongUsage({ message: `${name}: ${path} ${what}` }))

/** Whether every user of this machine may read it; not where it is not there. */
export const isReadableByAll = (path: string): Effect.Effect<boolean> =>
  FileSystem.FileSystem.pipe(
    Effect.flatMap((files) => files.stat(path)),
    Effect.map(({ mode }) => (mode & 0o004) !== 0),
    Effect.option,
    Effect.map(Option.getOrElse(() => false)),
    Effect.provide(NodeFileSystem.layer)
  )
