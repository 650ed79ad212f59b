/**
 * The state of a server: its name, and a mark that differs in shape as well as in colour.
 */
import type { Answer } from "../api.ts"
import { shapes } from "../PhaseMark.tsx"

type State = Answer<"GET", "/v1/cluster">["servers"][number]["state"]

const marks = {
  up: shapes.registered,
  silent: shapes.pending,
  lost: shapes.failed,
  stopping: shapes.unregistering
} as const satisfies Record<State, string>

export function StateMark({ state }: { readonly state: State }) {
  return (
    <span class="phase">
      <svg class={`mark ${state}`} viewBox="0 0 12 12" aria-hidden="true">
        <path d={marks[state]} fill-rule="evenodd" />
      </svg>
      {state}
    </span>
  )
}
