/**
 * Which workers are asked for, as it stands in the address.
 */
import type { Phase, WorkerQuery } from "../api.ts"
import { phases } from "../PhaseMark.tsx"

export type Sort = NonNullable<WorkerQuery["sort"]>

const sorts: ReadonlyArray<Sort> = ["known", "-known", "id", "-id", "updatedAt", "-updatedAt"]

export interface Wanted {
  readonly phase: ReadonlyArray<Phase>
  readonly search: string
  readonly namespace: string
  readonly workerType: "static" | "dynamic" | ""
  readonly label: ReadonlyArray<string>
  readonly sort: Sort
}

export const readWanted = (query: URLSearchParams): Wanted => {
  const workerType = query.get("workerType")
  return {
    phase: phases.filter((phase) => query.getAll("phase").includes(phase)),
    search: query.get("search") ?? "",
    namespace: query.get("namespace") ?? "",
    workerType: workerType === "static" || workerType === "dynamic" ? workerType : "",
    label: query.getAll("label").filter((label) => /^[^=]+=/s.test(label)),
    sort: sorts.find((sort) => sort === query.get("sort")) ?? "known"
  }
}

/** What is as it is without saying is not said. */
export const writeWanted = (wanted: Wanted): URLSearchParams => {
  const { label, namespace, phase, search, sort, workerType } = wanted
  const query = new URLSearchParams()
  for (const one of phase) query.append("phase", one)
  if (search !== "") query.set("search", search)
  if (namespace !== "") query.set("namespace", namespace)
  if (workerType !== "") query.set("workerType", workerType)
  for (const one of label) query.append("label", one)
  if (sort !== "known") query.set("sort", sort)
  return query
}

export const toApiQuery = ({ label, namespace, phase, search, sort, workerType }: Wanted): WorkerQuery => ({
  ...(phase.length === 0 ? {} : { phase }),
  ...(search === "" ? {} : { search }),
  ...(namespace === "" ? {} : { namespace }),
  ...(workerType === "" ? {} : { workerType }),
  ...(label.length === 0 ? {} : { label }),
  sort
})
