/**
 * Certificates that are replaced while the process runs. The files are looked at again each second, by their content:
 * so it does not matter whether they were written in place, renamed into their place, or reached by a symbolic link
 * that was turned, as Kubernetes does it, nor which file system they are on.
 */
import { Clock, Effect, type Scope } from "effect"
import { InvalidTlsFiles, readTlsFiles, type TlsFiles, type TlsMaterial } from "./TlsFiles.ts"

/** How long it takes until new files are seen. */
const interval = "1 second"

const day = 86_400_000
/** So long before its end a certificate is warned about. */
const warnedBefore = 7 * day

export interface TlsFollowing {
  readonly files: TlsFiles
  /** What was read at first, and is in use. */
  readonly loaded: TlsMaterial
  /** Takes what was read anew, for the connections that are made from now on. What it throws is told as well. */
  readonly use: (material: TlsMaterial) => void
}

/**
 * Until the scope ends. New files that cannot be used change nothing: what is wrong is logged once, when it is still
 * so at the second look (the files are written one after another), and they are read again until they can be used.
 */
export const followTlsFiles = ({
  files,
  loaded,
  use
}: TlsFollowing): Effect.Effect<void, never, Scope.Scope> => {
  const paths = [files.ca, files.cert, files.key].flatMap((file) => file?.path ?? []).join(", ")
  let inUse = loaded
  let trouble: { readonly message: string; readonly isTold: boolean } | undefined
  let warned: number | undefined

  const take = Effect.fnUntraced(function* (found: TlsMaterial) {
    if (isSame(found, inUse)) {
      const wasTold = trouble?.isTold === true
      trouble = undefined
      if (wasTold) yield* Effect.logInfo(`${paths}: the files are again those that are in use`)
      return
    }
    yield* Effect.try({
      try: () => use(found),
      catch: (error) =>
        new InvalidTlsFiles({
          message: `${paths} cannot be used: ${error instanceof Error ? error.message : String(error)}`
        })
    })
    inUse = found
    trouble = undefined
    yield* Effect.logInfo(`${paths}: read again; new connections use what is there now`).pipe(
      Effect.annotateLogs(found.endsAt === undefined ? {} : { validTo: new Date(found.endsAt).toISOString() })
    )
  })

  const complain = Effect.fnUntraced(function* ({ message }: InvalidTlsFiles) {
    if (trouble?.message !== message) {
      trouble = { message, isTold: false }
    } else if (!trouble.isTold) {
      trouble = { message, isTold: true }
      yield* Effect.logError(`${message}. What was read before stays in use; the files are tried again`)
    }
  })

  const warn = Effect.gen(function* () {
    const { endsAt } = inUse
    if (endsAt === undefined || warned === endsAt) return
    const left = endsAt - (yield* Clock.currentTimeMillis)
    if (left > warnedBefore) return
    warned = endsAt
    yield* Effect.logWarning(
      `${files.cert?.name}: the certificate in use ends at ${new Date(endsAt).toISOString()}. Replace the files; no restart is needed`
    )
  })

  const look = Effect.catch(Effect.flatMap(readTlsFiles(files), take), complain)
  const round = Effect.andThen(warn, Effect.delay(look, interval))
  return Effect.asVoid(Effect.forkScoped(Effect.forever(round)))
}

const isSame = (one: TlsMaterial, other: TlsMaterial): boolean =>
  one.ca === other.ca && one.cert === other.cert && one.key === other.key
