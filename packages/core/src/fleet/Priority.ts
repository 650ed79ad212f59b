/**
 * How urgent a worker is. Urgent ones go first, but nobody waits for ever: see {@link laneOf} in `WorkerRecord.ts` and
 * the ageing in `ReadyQueue.ts`.
 */
import { Schema } from "effect"

/** From the most to the least urgent; `normal` where nothing is said. */
export const Priority = Schema.Literals(["critical", "high", "normal", "low"])
export type Priority = typeof Priority.Type

/** 0 for the most urgent. */
export const rankOf: Readonly<Record<Priority, number>> = { critical: 0, high: 1, normal: 2, low: 3 }
