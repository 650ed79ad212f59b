/**
 * How many workers are in each phase, as a gauge: `muster_workers` with the label `phase`.
 */
import { type Context, Metric } from "effect"
import { Phase } from "./Phase.ts"

const gauge = (phase: Phase) =>
  Metric.gauge("muster_workers", {
    description: "Workers that the fleet knows, by phase",
    attributes: { phase }
  })

/** Sets how many workers are in a phase. */
export type PhaseGauge = (phase: Phase, count: number) => void

export const makePhaseGauge = (context: Context.Context<never>): PhaseGauge => {
  const gauges = new Map(Phase.literals.map((phase) => [phase, gauge(phase)]))
  return (phase, count) => gauges.get(phase)?.updateUnsafe(count, context)
}
