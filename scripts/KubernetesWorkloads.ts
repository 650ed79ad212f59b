/**
 * The pods that the objects of `deploy/kubernetes` make, and what chooses them.
 */
import type { IContainer } from "kubernetes-models/v1/Container"
import type { IPodSpec } from "kubernetes-models/v1/PodSpec"
import type { KubernetesObject } from "./KubernetesObjects.ts"

export type Labels = Readonly<Record<string, string>>

export interface Workload {
  readonly title: string
  readonly labels: Labels
  readonly pod: IPodSpec
  /** The names of the volumes that are claimed for each of its pods. */
  readonly claims: ReadonlyArray<string>
}

export const nameOf = ({ metadata }: KubernetesObject): string => metadata?.name ?? ""
export const titleOf = (object: KubernetesObject): string => `${object.kind} ${nameOf(object)}`

export const workloadsIn = (objects: ReadonlyArray<KubernetesObject>): ReadonlyArray<Workload> =>
  objects.flatMap((object): ReadonlyArray<Workload> => {
    const template =
      object.kind === "CronJob"
        ? object.spec?.jobTemplate.spec?.template
        : object.kind === "Deployment" || object.kind === "StatefulSet"
          ? object.spec?.template
          : undefined
    if (template?.spec === undefined) return []
    const claims =
      object.kind === "StatefulSet"
        ? (object.spec?.volumeClaimTemplates ?? []).map(({ metadata }) => metadata?.name ?? "")
        : []
    return [{ title: titleOf(object), labels: template.metadata?.labels ?? {}, pod: template.spec, claims }]
  })

/** The variables whose values stand there; not those that only the pod has, such as its address. */
export const environmentOf = ({ env = [] }: IContainer): Readonly<Record<string, string>> =>
  Object.fromEntries(
    env.flatMap(({ name, value = "", valueFrom }) => (valueFrom === undefined ? [[name, value]] : []))
  )

export const chooses = (selector: Labels | undefined, labels: Labels): boolean =>
  selector !== undefined &&
  Object.keys(selector).length > 0 &&
  Object.entries(selector).every(([name, value]) => labels[name] === value)
