/** The stores of Muster's that are measured. */
import { join } from "node:path"
import type { Postgres } from "./services.ts"

export interface Store {
  readonly name: string
  /** Whether a million workers are put into it. */
  readonly isFilled: boolean
  /** A value for `--store` that names an empty store. */
  readonly make: () => Promise<string>
}

/** The durable stores, each with a new and empty place for every service that is started. */
export const makeStores = (folder: string, postgres: Postgres): ReadonlyArray<Store> => {
  let made = 0
  return [
    {
      name: "muster-sqlite",
      isFilled: true,
      make: () => Promise.resolve(join(folder, `muster-${made++}.sqlite`))
    },
    { name: "muster-postgres", isFilled: false, make: () => postgres.database(`muster${made++}`) }
  ]
}
