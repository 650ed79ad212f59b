/** A store with a million workers: how long it takes to open it again, and what it keeps in memory. */
import { setTimeout as sleep } from "node:timers/promises"
import { summarize } from "../statistics.ts"
import { printTable } from "../table.ts"
import { Muster } from "./muster.ts"
import { Caller } from "./processes.ts"
import { progress } from "./progress.ts"
import type { Store } from "./stores.ts"

const total = 1_000_000
const batch = 50_000
const starts = 3
const settleMillis = 5_000

export interface Million {
  readonly store: Store
  readonly reopenSeconds: number
  /** Megabytes of the process that are in memory when it is ready, more than with an empty store. */
  readonly moreMegabytes: number
}

interface Start {
  readonly secondsToReady: number
  readonly megabytes: number
}

/** Measures and prints, for each store that is filled. */
export const measureMillion = async (stores: ReadonlyArray<Store>): Promise<ReadonlyArray<Million>> => {
  const measured = []
  for (const store of stores) {
    if (store.isFilled) measured.push(await fillAndReopen(store))
    else progress(`a million workers: NOT MEASURED with ${store.name}, which would take minutes to fill`)
  }
  if (measured.length === 0) return []
  console.log()
  printTable(
    ["ready in s", "MB", "MB later", "a million workers"],
    measured.flatMap(({ empty, filledMegabytes, later, reopened, store }) => [
      [empty.secondsToReady.toFixed(2), empty.megabytes.toFixed(0), "–", `${store.name}, empty`],
      ["–", filledMegabytes.toFixed(0), "–", `${store.name}, just filled`],
      [
        reopened.secondsToReady.toFixed(2),
        reopened.megabytes.toFixed(0),
        later.toFixed(0),
        `${store.name}, opened again`
      ]
    ])
  )
  return measured.map(({ empty, reopened, store }) => ({
    store,
    reopenSeconds: reopened.secondsToReady,
    moreMegabytes: reopened.megabytes - empty.megabytes
  }))
}

const fillAndReopen = async (store: Store) => {
  const name = await store.make()
  progress(`a million workers: filling ${store.name}`)
  const empty = await startOften(name)
  const filledMegabytes = await fill(name)
  progress(`a million workers: opening ${store.name} again`)
  const reopened = await startOften(name)
  await using muster = await Muster.start(name)
  const known = await muster.count()
  if (known !== total)
    throw new Error(`${store.name} knows ${known} of ${total} workers once it is opened again`)
  await sleep(settleMillis)
  return { store, empty, filledMegabytes, reopened, later: muster.megabytes }
}

const fill = async (store: string): Promise<number> => {
  await using muster = await Muster.start(store)
  await using caller = await Caller.start("workers", muster.port)
  for (let accepted = 0; accepted < total; accepted += batch) {
    await caller.do({ do: "acceptMany", count: batch })
    if ((accepted + batch) % (total / 4) === 0) progress(`a million workers: ${accepted + batch} accepted`)
  }
  await muster.registered(total)
  return muster.megabytes
}

const startOften = async (store: string): Promise<Start> => {
  const measured: Array<Start> = []
  for (let index = 0; index < starts; index++) {
    await using muster = await Muster.start(store)
    measured.push({ secondsToReady: muster.secondsToReady, megabytes: muster.megabytes })
  }
  return {
    secondsToReady: summarize(measured.map(({ secondsToReady }) => secondsToReady)).median,
    megabytes: summarize(measured.map(({ megabytes }) => megabytes)).median
  }
}
