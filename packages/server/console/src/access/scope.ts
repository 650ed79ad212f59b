/**
 * For which workers a credential is good, in words.
 */
interface Scope {
  /** `null`: all. */
  readonly namespaces: ReadonlyArray<string> | null
  readonly ownWorkers: boolean
  readonly workerId?: string | null
}

export const scopeText = ({ namespaces, ownWorkers, workerId }: Scope): string => {
  if (workerId !== undefined && workerId !== null) return `the worker ${workerId}`
  const whose = ownWorkers ? "its own workers" : "all workers"
  return namespaces === null ? whose : `${whose} of ${namespaces.join(", ")}`
}
