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

/** Counts a worker that goes from one phase to another, that comes (`from` absent) or that is forgotten. */
export type PhaseCounter = (from: Phase | undefined, to: Phase | undefined) => void

export const makePhaseCounter = (context: Context.Context<never>): PhaseCounter => {
  const gauges = new Map(Phase.literals.map((phase) => [phase, gauge(phase)]))
  gauges.forEach((gauge) => gauge.updateUnsafe(0, context))
  return (from, to) => {
    if (from !== undefined) gauges.get(from)?.modifyUnsafe(-1, context)
    if (to !== undefined) gauges.get(to)?.modifyUnsafe(1, context)
  }
}
