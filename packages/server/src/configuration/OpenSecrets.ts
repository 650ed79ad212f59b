/**
 * Files with secrets that every user of the machine may read.
 */
import { Effect, Option } from "effect"
import { isReadableByAll } from "../SecretFile.ts"
import { given } from "../Variables.ts"
import { groups } from "./Groups.ts"

/** A sentence for each of them. */
export const openSecrets: Effect.Effect<ReadonlyArray<string>> = Effect.gen(function* () {
  const found: Array<string> = []
  for (const { name, namesSecretFile } of groups.flatMap(({ variables }) => variables)) {
    if (!namesSecretFile) continue
    const path = Option.getOrUndefined(yield* given(name))
    if (path === undefined || !(yield* isReadableByAll(path))) continue
    found.push(`${name}: every user of this machine may read ${path}; chmod o-r takes that away`)
  }
  return found
})
