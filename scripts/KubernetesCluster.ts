/**
 * What has to hold where several servers share a fleet: they find one another, nobody else does, they may not more than
 * they need, and never are two of them taken away at once.
 */
import type { INetworkPolicyIngressRule } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicyIngressRule"
import type { INetworkPolicyPeer } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicyPeer"
import type { INetworkPolicyPort } from "kubernetes-models/networking.k8s.io/v1/NetworkPolicyPort"
import type { IContainer } from "kubernetes-models/v1/Container"
import type { KubernetesObject } from "./KubernetesObjects.ts"
import {
  chooses,
  environmentOf,
  type Labels,
  nameOf,
  titleOf,
  type Workload,
  workloadsIn
} from "./KubernetesWorkloads.ts"

/** Seconds before the container is told to stop. */
export const longestPause = ({ lifecycle }: IContainer): number => lifecycle?.preStop?.sleep?.seconds ?? 0

export const asksKubernetes = (container: IContainer): boolean =>
  environmentOf(container)["MUSTER_CLUSTER_HEALTH"] === "kubernetes"

export const isClustered = (object: KubernetesObject): boolean =>
  workloadsIn([object]).some(({ pod }) =>
    pod.containers.some((container) => environmentOf(container)["MUSTER_CLUSTER"] === "on")
  )

/** What is wrong, each by the words for it. */
const failed = (holds: Readonly<Record<string, boolean>>): ReadonlyArray<string> =>
  Object.entries(holds).flatMap(([problem, isFine]) => (isFine ? [] : [problem]))

const memberProblems = ({ labels, pod }: Workload, container: IContainer): ReadonlyArray<string> => {
  const env = environmentOf(container)
  const host = container.env?.find(({ name }) => name === "MUSTER_CLUSTER_HOST")?.valueFrom?.fieldRef
  const ports = container.ports ?? []
  const spread = (pod.topologySpreadConstraints ?? []).flatMap(({ labelSelector, topologyKey }) =>
    chooses(labelSelector?.matchLabels, labels) ? [topologyKey] : []
  )
  return failed({
    "it is not reached at its pod's address": host?.fieldPath === "status.podIP",
    "its cluster port is not that of MUSTER_CLUSTER_PORT": ports.some(
      ({ containerPort, name }) => name === "cluster" && String(containerPort) === env["MUSTER_CLUSTER_PORT"]
    ),
    "its store is not shared": env["MUSTER_STORE"] === undefined && env["MUSTER_STORE_FILE"] !== undefined,
    "callers are sent to it while it stops": longestPause(container) > 0,
    "it is not spread over nodes": spread.includes("kubernetes.io/hostname"),
    "it is not spread over zones": spread.includes("topology.kubernetes.io/zone"),
    "it waits for a lost node without end": (pod.tolerations ?? []).every(
      ({ effect, tolerationSeconds }) => effect !== "NoExecute" || tolerationSeconds !== undefined
    )
  })
}

const includesPort = ({ endPort, port }: INetworkPolicyPort, wanted: string | undefined): boolean =>
  port === undefined ||
  port === "cluster" ||
  String(port) === wanted ||
  (endPort !== undefined && Number(port) <= Number(wanted) && Number(wanted) <= endPort)

/** The cluster port is the servers' own. In a rule, no list or an empty one stands for everybody, or for all ports. */
const networkProblems = (
  server: Workload,
  port: string | undefined,
  objects: ReadonlyArray<KubernetesObject>,
  workloads: ReadonlyArray<Workload>
): ReadonlyArray<string> => {
  const policies = objects.flatMap((object) =>
    object.kind === "NetworkPolicy" && chooses(object.spec?.podSelector?.matchLabels, server.labels)
      ? [object]
      : []
  )
  const isThere = (ports: ReadonlyArray<INetworkPolicyPort> = []) =>
    ports.length === 0 || ports.some((entry) => includesPort(entry, port))
  const isServer = ({ ipBlock, namespaceSelector, podSelector }: INetworkPolicyPeer) =>
    ipBlock === undefined &&
    namespaceSelector === undefined &&
    workloads
      .filter(({ labels }) => chooses(podSelector?.matchLabels, labels))
      .every((it) => it === server) &&
    chooses(podSelector?.matchLabels, server.labels)
  const lettingIn = policies
    .flatMap(({ spec }) => spec?.ingress ?? [])
    .filter(({ ports }: INetworkPolicyIngressRule) => isThere(ports))
  const lettingOut = policies.flatMap(({ spec }) => spec?.egress ?? [])
  return failed({
    "the servers are not let in to one another": lettingIn.some(({ from }) => from?.some(isServer)),
    "others reach its cluster port": lettingIn.every(
      ({ from = [] }) => from.length > 0 && from.every(isServer)
    ),
    "the servers are not let out to one another": lettingOut.some(
      ({ ports, to }) => isThere(ports) && to?.some(isServer) === true
    ),
    "it is not let out to Kubernetes":
      !server.pod.containers.some(asksKubernetes) ||
      lettingOut.some(({ ports }) => ports?.some((entry) => entry.port === 443) === true)
  })
}

/** `name=value,name=value`. */
const labelsOf = (selector: string | undefined): Labels | undefined =>
  selector === undefined
    ? undefined
    : Object.fromEntries(
        selector
          .split(",")
          .map((part) => part.split("="))
          .map(([name = "", value = ""]) => [name, value])
      )

const rightsOf = (account: string | undefined, objects: ReadonlyArray<KubernetesObject>) => {
  const roles = objects.flatMap((object) =>
    object.kind === "RoleBinding" &&
    object.subjects?.some(({ kind, name }) => kind === "ServiceAccount" && name === account)
      ? [object.roleRef.name]
      : []
  )
  return objects.flatMap((object) =>
    object.kind === "Role" && roles.includes(nameOf(object)) ? (object.rules ?? []) : []
  )
}

/** To list pods is all that is asked of Kubernetes, and only by those who do. */
const rightsProblems = (
  server: Workload,
  container: IContainer,
  objects: ReadonlyArray<KubernetesObject>,
  workloads: ReadonlyArray<Workload>
): ReadonlyArray<string> => {
  const asks = asksKubernetes(container)
  const rights = rightsOf(server.pod.serviceAccountName, objects)
  const [right] = rights
  const isOnly = (list: ReadonlyArray<string> | undefined, member: string) =>
    list?.length === 1 && list[0] === member
  const listsPods =
    rights.length === 1 &&
    isOnly(right?.apiGroups, "") &&
    isOnly(right?.resources, "pods") &&
    isOnly(right?.verbs, "list")
  const selector = labelsOf(environmentOf(container)["MUSTER_CLUSTER_POD_SELECTOR"])
  const chosen = workloads.filter(({ labels }) => chooses(selector, labels))
  return asks
    ? failed({
        "it has no token to ask Kubernetes with": server.pod.automountServiceAccountToken === true,
        "it may not just list pods": listsPods,
        "its pod selector does not choose the servers alone": chosen.length === 1 && chosen[0] === server
      })
    : failed({ "it may ask Kubernetes, and does not": rights.length === 0 })
}

/** Of the servers, as they are made; nothing where there is no cluster. */
export const clusterProblems = (
  object: KubernetesObject,
  objects: ReadonlyArray<KubernetesObject>,
  workloads: ReadonlyArray<Workload>
): ReadonlyArray<string> => {
  const server = workloads.find(({ title }) => title === titleOf(object))
  const [container] = server?.pod.containers ?? []
  if (server === undefined || container === undefined || !isClustered(object)) return []
  if (object.kind !== "Deployment") return ["servers of a cluster are a Deployment"]
  const { replicas = 1, strategy } = object.spec ?? {}
  const budgets = objects.flatMap((other) =>
    other.kind === "PodDisruptionBudget" && chooses(other.spec?.selector?.matchLabels, server.labels)
      ? [other.spec]
      : []
  )
  return [
    ...failed({
      "there are fewer than two servers": replicas >= 2,
      "a rollout takes more than one at once":
        strategy?.type === "RollingUpdate" && strategy.rollingUpdate?.maxUnavailable === 1,
      "a rollout has more of them than there is room for": strategy?.rollingUpdate?.maxSurge === 0,
      "a drain may take more than one at once": budgets.length === 1 && budgets[0]?.maxUnavailable === 1
    }),
    ...memberProblems(server, container),
    ...networkProblems(server, environmentOf(container)["MUSTER_CLUSTER_PORT"], objects, workloads),
    ...rightsProblems(server, container, objects, workloads)
  ]
}
