/**
 * The audit log beside the store that forgets everything when the process ends: it keeps the latest entries.
 */
import type { FleetStore } from "@muster/core/fleet"
import { Effect } from "effect"
import { chain, chainBegin, type ChainedEntry, type ChainPlace } from "./AuditChain.ts"
import type { AuditLog } from "./AuditLog.ts"

const mostEntries = 10_000

export interface AuditedMemory {
  readonly store: FleetStore["Service"]
  readonly auditLog: AuditLog["Service"]
}

/** A store in memory that writes its audits down. */
export const auditedMemory = (store: FleetStore["Service"]): AuditedMemory => {
  let entries: Array<ChainedEntry> = []
  let latest: ChainPlace = chainBegin
  let removed: ChainPlace = chainBegin

  const remove = (count: number) => {
    const gone = entries.slice(0, count)
    entries = entries.slice(count)
    removed = gone.at(-1) ?? removed
    return gone.length
  }

  return {
    store: {
      ...store,
      modify: (read, decide) =>
        store
          .modify(read, (found) => {
            const decision = decide(found)
            return { ...decision, value: decision }
          })
          .pipe(
            Effect.map(({ audits = [], value }) => {
              for (const entry of audits) {
                const { hash, sequence } = chain(latest, entry)
                entries.push({ sequence, hash, entry })
                latest = { sequence, hash }
              }
              // Not each time: moving all of them costs more than some more cost.
              if (entries.length > mostEntries * 1.1) remove(entries.length - mostEntries)
              return value
            })
          )
    },
    auditLog: {
      after: (sequence, limit) =>
        Effect.sync(() => {
          const start = Math.max(0, sequence - removed.sequence)
          return entries.slice(start, start + limit)
        }),
      ends: Effect.sync(() => ({ removed, latest })),
      removeBefore: (before, limit) =>
        Effect.sync(() => {
          const kept = entries.findIndex(({ entry }) => entry.at >= before)
          return remove(Math.min(limit, kept === -1 ? entries.length : kept))
        })
    }
  }
}
