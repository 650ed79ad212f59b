/**
 * A phase: its name, and a mark that differs in shape as well as in colour.
 */
import type { Phase } from "./api.ts"

export const phases: ReadonlyArray<Phase> = [
  "pending",
  "registering",
  "registered",
  "ready",
  "unregistering",
  "terminated",
  "failed"
]

export const shapes: Readonly<Record<Phase, string>> = {
  pending: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Zm0 1.6a3.4 3.4 0 1 0 0 6.8 3.4 3.4 0 0 0 0-6.8Z",
  registering: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Zm0 1.6v6.8a3.4 3.4 0 0 0 0-6.8Z",
  registered: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1Z",
  ready: "M6 .6a5.4 5.4 0 1 1 0 10.8A5.4 5.4 0 0 1 6 .6ZM5.2 7 3.6 5.4l-1 1L5.2 9l4.2-4.3-1-1Z",
  unregistering: "M.8 2h10.4L6 11Z",
  terminated: "M1.5 1.5h9v9h-9Zm1.6 1.6v5.8h5.8V3.1Z",
  failed: "M3 .9 6 3.9l3-3L11.1 3l-3 3 3 3L9 11.1l-3-3-3 3L.9 9l3-3-3-3Z"
}

export function PhaseMark({ phase }: { readonly phase: Phase }) {
  return (
    <span class="phase">
      <svg class={`mark ${phase}`} viewBox="0 0 12 12" aria-hidden="true">
        <path d={shapes[phase]} fill-rule="evenodd" />
      </svg>
      {phase}
    </span>
  )
}
