/**
 * Ids of workers as arguments.
 */
import { WorkerId } from "@muster/core"
import { Effect, Schema } from "effect"
import { WrongUsage } from "../WrongUsage.ts"

const decodeId = Schema.decodeUnknownEffect(WorkerId)

export const parseId = (id: string): Effect.Effect<WorkerId, WrongUsage> =>
  Effect.mapError(
    decodeId(id),
    () => new WrongUsage({ message: `${JSON.stringify(id.slice(0, 253))} cannot be the id of a worker` })
  )
