/**
 * The flags that narrow a listing of workers, or a change of many.
 */
import { Phase } from "@muster/core/fleet"
import { Option } from "effect"
import { Flag } from "effect/cli"

export const filterFlags = {
  namespace: Flag.String("namespace").pipe(
    Flag.withMetavar("NAME"),
    Flag.withDescription("Only workers of this namespace"),
    Flag.optional
  ),
  type: Flag.Literals("type", ["static", "dynamic"]).pipe(
    Flag.withDescription("Only workers of this type"),
    Flag.optional
  ),
  label: Flag.String("label").pipe(
    Flag.filter(
      (label) => /^[^=]+=/s.test(label),
      () => "Expected KEY=VALUE"
    ),
    Flag.withMetavar("KEY=VALUE"),
    Flag.withDescription("Only workers with this label; repeated: with all of them"),
    Flag.atLeast(0)
  )
}

export const phaseFlag = Flag.Literals("phase", Phase.literals).pipe(
  Flag.withDescription("Only workers in this phase; repeated: in any of them"),
  Flag.atLeast(0)
)

export const limitFlag = Flag.Int("limit").pipe(
  Flag.filter(
    (limit) => limit >= 1,
    () => "Expected a whole number, 1 or more"
  ),
  Flag.withMetavar("N"),
  Flag.withDescription("Shows at most so many"),
  Flag.optional
)

export interface FilterFlags {
  readonly namespace: Option.Option<string>
  readonly type: Option.Option<"static" | "dynamic">
  readonly label: ReadonlyArray<string>
}

/** The query of a request for those workers. */
export const toQuery = ({ label, namespace, type }: FilterFlags) => ({
  ...(Option.isSome(namespace) ? { namespace: namespace.value } : undefined),
  ...(Option.isSome(type) ? { workerType: type.value } : undefined),
  ...(label.length > 0 ? { label } : undefined)
})

export type WorkerQuery = ReturnType<typeof toQuery> & { readonly phase?: ReadonlyArray<Phase> }

export const isFiltered = ({ label, namespace, type }: FilterFlags): boolean =>
  label.length > 0 || Option.isSome(namespace) || Option.isSome(type)

/** Whether a query asks for more than phases. */
export const isNarrowedBeyondPhase = ({ label, namespace, workerType }: WorkerQuery): boolean =>
  label !== undefined || namespace !== undefined || workerType !== undefined
