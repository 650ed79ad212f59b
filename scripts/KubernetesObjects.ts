/**
 * The objects of `deploy/kubernetes`, as kustomize brings them together, and what the schemas of Kubernetes, Prometheus
 * Operator and cert-manager say of each. Unknown fields are refused as well, which Kubernetes itself drops in silence.
 */
import {
  type ICertificate,
  Certificate
} from "@kubernetes-models/cert-manager/cert-manager.io/v1/Certificate"
import { type IIssuer, Issuer } from "@kubernetes-models/cert-manager/cert-manager.io/v1/Issuer"
import {
  type IPrometheusRule,
  PrometheusRule
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/PrometheusRule"
import {
  type IServiceMonitor,
  ServiceMonitor
} from "@kubernetes-models/prometheus-operator/monitoring.coreos.com/v1/ServiceMonitor"
import { type IDeployment, Deployment } from "kubernetes-models/apps/v1/Deployment"
import { type IStatefulSet, StatefulSet } from "kubernetes-models/apps/v1/StatefulSet"
import { type ICronJob, CronJob } from "kubernetes-models/batch/v1/CronJob"
import { type INetworkPolicy, NetworkPolicy } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicy"
import {
  type IPodDisruptionBudget,
  PodDisruptionBudget
} from "kubernetes-models/policy/v1/PodDisruptionBudget"
import { type IRole, Role } from "kubernetes-models/rbac.authorization.k8s.io/v1/Role"
import { type IRoleBinding, RoleBinding } from "kubernetes-models/rbac.authorization.k8s.io/v1/RoleBinding"
import { type INamespace, Namespace } from "kubernetes-models/v1/Namespace"
import {
  type IPersistentVolumeClaim,
  PersistentVolumeClaim
} from "kubernetes-models/v1/PersistentVolumeClaim"
import { type IService, Service } from "kubernetes-models/v1/Service"
import { type IServiceAccount, ServiceAccount } from "kubernetes-models/v1/ServiceAccount"
import { readdirSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse, parseAllDocuments } from "yaml"

export type KubernetesObject =
  | ICertificate
  | ICronJob
  | IDeployment
  | IIssuer
  | INamespace
  | INetworkPolicy
  | IPersistentVolumeClaim
  | IPodDisruptionBudget
  | IPrometheusRule
  | IRole
  | IRoleBinding
  | IService
  | IServiceAccount
  | IServiceMonitor
  | IStatefulSet

/** What kustomize itself is told; nothing here needs more of it. */
interface Kustomization {
  readonly resources: ReadonlyArray<string>
  readonly patches?: ReadonlyArray<{ readonly path: string }>
}

/** Kubernetes reads YAML 1.1, in which `on` is a boolean and 0440 is octal. */
const version = "1.1"

const readFile = (path: string): ReadonlyArray<KubernetesObject> =>
  parseAllDocuments(readFileSync(path, "utf8"), { version, uniqueKeys: true }).map((document) => {
    if (document.errors[0] !== undefined) throw new Error(`${path}: ${document.errors[0].message}`)
    return document.toJS()
  })

/** The objects of a folder, with those of the folders that it names, and with its patches. */
export const readFolder = (folder: string): ReadonlyArray<KubernetesObject> => {
  const { patches = [], resources }: Kustomization = parse(
    readFileSync(join(folder, "kustomization.yaml"), "utf8")
  )
  const objects = resources.flatMap((resource) =>
    resource.endsWith(".yaml") ? readFile(join(folder, resource)) : readFolder(join(folder, resource))
  )
  return patches.flatMap(({ path }) => readFile(join(folder, path))).reduce(applyPatch, objects)
}

const applyPatch = (
  objects: ReadonlyArray<KubernetesObject>,
  patch: KubernetesObject
): ReadonlyArray<KubernetesObject> => {
  const isMeant = ({ kind, metadata }: KubernetesObject) =>
    kind === patch.kind && metadata?.name === patch.metadata?.name
  if (!objects.some(isMeant)) throw new Error(`there is no ${patch.kind} ${patch.metadata?.name} to patch`)
  return objects.map((object) => (isMeant(object) ? { ...object, ...merged(object, patch) } : object))
}

/** By which field the members of a list are the same; other lists are replaced. */
const mergeKeys: Readonly<Record<string, string>> = {
  containers: "name",
  env: "name",
  ports: "containerPort",
  topologySpreadConstraints: "topologyKey",
  volumeMounts: "mountPath",
  volumes: "name"
}

/** Kubernetes' strategic merge, as far as it is used here. */
const merged = (value: object, patch: object): object => ({
  ...value,
  ...Object.fromEntries(
    Object.entries(patch).map(([field, wanted]: [string, unknown]) => {
      const given: unknown = Reflect.get(value, field)
      const key = mergeKeys[field]
      if (Array.isArray(wanted)) {
        return [field, key === undefined || !Array.isArray(given) ? wanted : mergedList(given, wanted, key)]
      }
      return [field, isObject(wanted) && isObject(given) ? merged(given, wanted) : wanted]
    })
  )
})

const mergedList = (
  given: ReadonlyArray<object>,
  wanted: ReadonlyArray<object>,
  key: string
): ReadonlyArray<object> => {
  const isSame = (left: object) => (right: object) => Reflect.get(left, key) === Reflect.get(right, key)
  return [
    ...wanted.filter((member) => !given.some(isSame(member))),
    ...given.map((member) => {
      const patch = wanted.find(isSame(member))
      return patch === undefined ? member : merged(member, patch)
    })
  ]
}

/** The objects of all files in a folder that has no kustomization. */
export const readFiles = (folder: string): ReadonlyArray<KubernetesObject> =>
  readdirSync(folder).flatMap((name) => readFile(join(folder, name)))

const modelOf = (object: KubernetesObject) => {
  switch (object.kind) {
    case "Certificate":
      return new Certificate(object)
    case "CronJob":
      return new CronJob(object)
    case "Deployment":
      return new Deployment(object)
    case "Issuer":
      return new Issuer(object)
    case "Namespace":
      return new Namespace(object)
    case "NetworkPolicy":
      return new NetworkPolicy(object)
    case "PersistentVolumeClaim":
      return new PersistentVolumeClaim(object)
    case "PodDisruptionBudget":
      return new PodDisruptionBudget(object)
    case "PrometheusRule":
      return new PrometheusRule(object)
    case "Role":
      return new Role(object)
    case "RoleBinding":
      return new RoleBinding(object)
    case "Service":
      return new Service(object)
    case "ServiceAccount":
      return new ServiceAccount(object)
    case "ServiceMonitor":
      return new ServiceMonitor(object)
    case "StatefulSet":
      return new StatefulSet(object)
    default:
      return undefined
  }
}

/** The value, seen through: `seen` has the path of each of its fields that was looked at. */
const watch = <A extends object>(value: A, path: string, seen: Set<string>): A =>
  new Proxy(value, {
    get: (target, key, receiver) => {
      const field: unknown = Reflect.get(target, key, receiver)
      if (typeof key !== "string" || !Object.hasOwn(target, key)) return field
      seen.add(`${path}/${key}`)
      return isObject(field) ? watch(field, `${path}/${key}`, seen) : field
    }
  })

const isObject = (value: unknown): value is object => typeof value === "object" && value !== null

const unseen = (value: object, path: string, seen: ReadonlySet<string>): ReadonlyArray<string> =>
  Object.entries(value).flatMap(([key, field]) => {
    const at = `${path}/${key}`
    if (!seen.has(at)) return [at]
    return isObject(field) ? unseen(field, at, seen) : []
  })

/** A validator looks at every field that its schema knows; those that it did not look at, no schema knows. */
export const schemaProblems = (object: KubernetesObject): ReadonlyArray<string> => {
  const model = modelOf(object)
  if (model === undefined) return [`there is no schema for ${JSON.stringify(object)}`]
  const seen = new Set<string>()
  const problems: Array<string> = []
  try {
    watch(model, "", seen).validate()
  } catch (error) {
    problems.push(error instanceof Error ? error.message : String(error))
  }
  return [...problems, ...unseen(model, "", seen).map((path) => `${path} is not known`)]
}
