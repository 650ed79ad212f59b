/** The stores of Muster's that are measured. */
import { join } from "node:path"
import { Muster } from "./muster.ts"
import { progress } from "./progress.ts"
import type { Postgres } from "./services.ts"

export interface Store {
  readonly name: string
  /** Whether what was accepted outlives the process. */
  readonly isDurable: boolean
  /** A value for `--store` that names an empty store. */
  readonly make: () => Promise<string>
}

const memory: Store = {
  name: "muster, memory store",
  isDurable: false,
  make: () => Promise.resolve("memory")
}

/** The durable stores that this version of Muster has. Where it has none, its memory stands in for them. */
export const findStores = async (folder: string, postgres: Postgres): Promise<ReadonlyArray<Store>> => {
  let made = 0
  const candidates: ReadonlyArray<Store> = [
    {
      name: "muster-sqlite",
      isDurable: true,
      make: () => Promise.resolve(join(folder, `muster-${made++}.sqlite`))
    },
    { name: "muster-postgres", isDurable: true, make: () => postgres.database(`muster${made++}`) }
  ]
  const found: Array<Store> = []
  for (const store of candidates) {
    if (await opens(store)) found.push(store)
    else progress(`NOT MEASURED: ${store.name}, which this version of muster does not have`)
  }
  if (found.length > 0) return found
  progress("NOT DURABLE: muster's memory store stands in")
  return [memory]
}

const opens = async (store: Store): Promise<boolean> => {
  const muster = await Muster.start(await store.make()).catch((error: unknown) => {
    if (String(error).includes("is not supported")) return undefined
    throw error
  })
  await muster?.[Symbol.asyncDispose]()
  return muster !== undefined
}
