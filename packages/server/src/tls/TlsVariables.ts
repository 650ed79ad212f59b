/**
 * From variables that name files to files that can be used.
 */
import { Effect } from "effect"
import { read, type Variable } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"
import { readTlsFiles, type TlsFile, type TlsFiles, type TlsMaterial } from "./TlsFiles.ts"

type Path = Variable<string | undefined>

export interface TlsVariables {
  readonly ca: Path
  readonly cert: Path
  readonly key: Path
}

export interface TlsFromVariables {
  readonly files: TlsFiles
  readonly material: TlsMaterial
}

/** The files that these variables name, each of them checked, and what they hold; none where none is set. */
export const tlsFilesFrom = Effect.fnUntraced(function* (
  variables: TlsVariables
): Effect.fn.Return<TlsFromVariables, WrongUsage> {
  const files: TlsFiles = {
    ca: yield* fileOf(variables.ca),
    cert: yield* fileOf(variables.cert),
    key: yield* fileOf(variables.key)
  }
  if ((files.cert === undefined) !== (files.key === undefined)) {
    return yield* new WrongUsage({ message: `${variables.cert.name} and ${variables.key.name} go together` })
  }
  const material = yield* Effect.mapError(readTlsFiles(files), ({ message }) => new WrongUsage({ message }))
  return { files, material }
})

const fileOf = (variable: Path): Effect.Effect<TlsFile | undefined, WrongUsage> =>
  Effect.map(read(variable), (path) => (path === undefined ? undefined : { name: variable.name, path }))
