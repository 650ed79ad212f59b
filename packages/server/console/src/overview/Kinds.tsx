/**
 * The workers by phase and type, each phase a way to them.
 */
import { PhaseMark, phases } from "../PhaseMark.tsx"
import { toWorkers } from "../route.ts"
import { Empty } from "../states.tsx"
import { count, plural } from "../text.ts"
import type { FleetView } from "./fleet.ts"

const types = ["static", "dynamic", "unknown"] as const

export function Kinds({ kinds, total }: Pick<FleetView["workers"], "kinds" | "total">) {
  const columns = types.filter(
    (type) => type !== "unknown" || kinds.some(({ workerType }) => workerType === type)
  )
  const sum = (phase: string, type?: string) =>
    kinds
      .filter((kind) => kind.phase === phase && (type === undefined || kind.workerType === type))
      .reduce((sum, { count }) => sum + count, 0)
  return (
    <section class="card">
      <h2>
        <a href="#/workers">{plural(total, "worker")}</a>
      </h2>
      {total === 0 ? (
        <Empty title="No workers yet">
          <span>
            Register one with <code>POST /v1/workers</code>, or many with <code>muster register FILE</code>.
          </span>
        </Empty>
      ) : (
        <table class="kinds">
          <thead>
            <tr>
              <th scope="col">Phase</th>
              {columns.map((type) => (
                <th key={type} scope="col" class="number">
                  {type}
                </th>
              ))}
              <th scope="col" class="number">
                all
              </th>
            </tr>
          </thead>
          <tbody>
            {phases.map((phase) => (
              <tr key={phase} class={sum(phase) === 0 ? "zero" : ""}>
                <th scope="row">
                  <a href={toWorkers([["phase", phase]])}>
                    <PhaseMark phase={phase} />
                  </a>
                </th>
                {columns.map((type) => (
                  <td key={type} class="number">
                    {count(sum(phase, type))}
                  </td>
                ))}
                <td class="number">{count(sum(phase))}</td>
              </tr>
            ))}
          </tbody>
        </table>
      )}
    </section>
  )
}
