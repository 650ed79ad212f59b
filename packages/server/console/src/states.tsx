/**
 * What stands where there is nothing to show: not yet, not at all, or not because of a problem.
 */
import type { ComponentChildren } from "preact"
import type { Problem } from "./api.ts"
import type { Resource } from "./resource.ts"

export function Loading({ what }: { readonly what: string }) {
  return (
    <div class="state" role="status">
      <span class="spinner" aria-hidden="true" />
      Loading {what}…
    </div>
  )
}

export function Empty({
  children,
  title
}: {
  readonly title: string
  readonly children?: ComponentChildren
}) {
  return (
    <div class="state empty">
      <strong>{title}</strong>
      {children}
    </div>
  )
}

export function Trouble({ onRetry, problem }: { readonly problem: Problem; readonly onRetry?: () => void }) {
  return (
    <div class="state trouble" role="alert">
      <strong>{problem.title}</strong>
      {problem.detail === undefined ? null : <span>{problem.detail}</span>}
      {onRetry === undefined ? null : (
        <button type="button" onClick={onRetry}>
          Ask again
        </button>
      )}
    </div>
  )
}

interface LoadedProps<A> {
  readonly resource: Resource<A>
  readonly what: string
  readonly children: (data: A) => ComponentChildren
}

/** What was answered, though it be old; the problem, if the latest question met one. */
export function Loaded<A>({ children, resource: { data, problem, refresh }, what }: LoadedProps<A>) {
  if (data === undefined) {
    return problem === undefined ? <Loading what={what} /> : <Trouble problem={problem} onRetry={refresh} />
  }
  return (
    <>
      {problem === undefined || problem.status === 0 ? null : <Trouble problem={problem} onRetry={refresh} />}
      {children(data)}
    </>
  )
}
