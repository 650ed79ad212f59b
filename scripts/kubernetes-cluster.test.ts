/**
 * `deploy/kubernetes/cluster`: what makes servers of a cluster safe, rule by rule, and each rule broken once.
 */
import { describe, expect, it } from "vitest"
import { all, brokenProblems } from "./KubernetesWays.ts"
import { workloadsIn } from "./KubernetesWorkloads.ts"

const pod = "spec/template/spec"
const container = `${pod}/containers/0`
const [server] = workloadsIn(all.cluster)
const clusterEnv = (name: string) =>
  `${container}/env/${server?.pod.containers[0]?.env?.findIndex((entry) => entry.name === name)}`
const servers = { "app.kubernetes.io/name": "muster", "app.kubernetes.io/component": "service" }
const own = { podSelector: { matchLabels: servers } }
const rules = (...rules: ReadonlyArray<unknown>) => rules

describe("what is wrong with a cluster", () => {
  it.each([
    ["a cluster of one", "Deployment muster", "spec/replicas", 1, "there are fewer than two servers"],
    ["all at once", "Deployment muster", "spec/strategy", undefined, "a rollout takes more than one at once"],
    [
      "two at once",
      "Deployment muster",
      "spec/strategy/rollingUpdate/maxUnavailable",
      2,
      "a rollout takes more than one at once"
    ],
    [
      "a fourth",
      "Deployment muster",
      "spec/strategy/rollingUpdate/maxSurge",
      undefined,
      "a rollout has more of them than there is room for"
    ],
    [
      "an address of its own",
      "Deployment muster",
      `${clusterEnv("MUSTER_CLUSTER_HOST")}/valueFrom/fieldRef/fieldPath`,
      "status.hostIP",
      "it is not reached at its pod's address"
    ],
    [
      "an address for all",
      "Deployment muster",
      clusterEnv("MUSTER_CLUSTER_HOST"),
      { name: "MUSTER_CLUSTER_HOST", value: "0.0.0.0" },
      "it is not reached at its pod's address"
    ],
    [
      "another cluster port",
      "Deployment muster",
      `${clusterEnv("MUSTER_CLUSTER_PORT")}/value`,
      "34432",
      "its cluster port is not that of MUSTER_CLUSTER_PORT"
    ],
    [
      "a store for each",
      "Deployment muster",
      clusterEnv("MUSTER_STORE_FILE"),
      { name: "MUSTER_STORE", value: "/tmp/fleet.db" },
      "its store is not shared"
    ],
    [
      "an end at once",
      "Deployment muster",
      `${container}/lifecycle`,
      undefined,
      "callers are sent to it while it stops"
    ],
    [
      "no time to end after the pause",
      "Deployment muster",
      `${pod}/terminationGracePeriodSeconds`,
      25,
      "is not longer than MUSTER_SHUTDOWN_TIMEOUT"
    ],
    [
      "one node",
      "Deployment muster",
      `${pod}/topologySpreadConstraints/0`,
      undefined,
      "it is not spread over nodes"
    ],
    [
      "one zone",
      "Deployment muster",
      `${pod}/topologySpreadConstraints/1/labelSelector/matchLabels`,
      { app: "a" },
      "it is not spread over zones"
    ],
    [
      "a lost node",
      "Deployment muster",
      `${pod}/tolerations/0/tolerationSeconds`,
      undefined,
      "it waits for a lost node without end"
    ],
    [
      "drains",
      "PodDisruptionBudget muster",
      "spec/maxUnavailable",
      2,
      "a drain may take more than one at once"
    ],
    [
      "no budget",
      "PodDisruptionBudget muster",
      "spec/selector",
      undefined,
      "a drain may take more than one at once"
    ],
    [
      "no token",
      "Deployment muster",
      `${pod}/automountServiceAccountToken`,
      false,
      "it has no token to ask Kubernetes with"
    ],
    [
      "a token for nothing",
      "Deployment muster",
      `${clusterEnv("MUSTER_CLUSTER_HEALTH")}/value`,
      "store",
      "it gets a token of Kubernetes"
    ],
    [
      "rights for nothing",
      "Deployment muster",
      `${clusterEnv("MUSTER_CLUSTER_HEALTH")}/value`,
      "store",
      "it may ask Kubernetes, and does not"
    ],
    [
      "other pods",
      "Deployment muster",
      `${clusterEnv("MUSTER_CLUSTER_POD_SELECTOR")}/value`,
      "app.kubernetes.io/name=muster",
      "its pod selector does not choose the servers alone"
    ],
    ["secrets", "Role muster", "rules/0/resources", ["pods", "secrets"], "it may not just list pods"],
    ["changes", "Role muster", "rules/0/verbs", ["list", "delete"], "it may not just list pods"],
    ["another group", "Role muster", "rules/0/apiGroups", ["*"], "it may not just list pods"],
    ["a role's field", "Role muster", "rules/0/verb", "list", "/rules/0/verb is not known"],
    ["another role", "RoleBinding muster", "roleRef/name", "view", "it may not just list pods"],
    ["another account", "RoleBinding muster", "subjects/0/name", "default", "it may not just list pods"],
    [
      "others at the cluster port",
      "NetworkPolicy muster",
      "spec/ingress/0/ports",
      undefined,
      "others reach its cluster port"
    ],
    [
      "all pods of Muster at it",
      "NetworkPolicy muster-cluster",
      "spec/ingress/0/from/0/podSelector/matchLabels",
      { "app.kubernetes.io/name": "muster" },
      "others reach its cluster port"
    ],
    [
      "other namespaces at it",
      "NetworkPolicy muster-cluster",
      "spec/ingress/0/from/0/namespaceSelector",
      {},
      "others reach its cluster port"
    ],
    [
      "machines at it",
      "NetworkPolicy muster-cluster",
      "spec/ingress/0/from",
      rules(own, { ipBlock: { cidr: "10.0.0.0/8" } }),
      "others reach its cluster port"
    ],
    [
      "everybody at it",
      "NetworkPolicy muster-cluster",
      "spec/ingress/0/from",
      undefined,
      "others reach its cluster"
    ],
    [
      "everybody at it, by an empty list",
      "NetworkPolicy muster-cluster",
      "spec/ingress/0/from",
      [],
      "others reach its cluster port"
    ],
    [
      "others at all ports, by an empty list",
      "NetworkPolicy muster",
      "spec/ingress/0/ports",
      [],
      "others reach its cluster port"
    ],
    [
      "others at a range of ports",
      "NetworkPolicy muster",
      "spec/ingress/0/ports/0",
      { port: 7070, endPort: 40_000 },
      "others reach its cluster port"
    ],
    [
      "nobody at it",
      "NetworkPolicy muster-cluster",
      "spec/ingress",
      undefined,
      "the servers are not let in to one another"
    ],
    [
      "no way out",
      "NetworkPolicy muster-cluster",
      "spec/egress",
      undefined,
      "the servers are not let out to one another"
    ],
    [
      "no way to Kubernetes",
      "NetworkPolicy muster-kubernetes",
      "spec/egress/0/ports",
      rules({ port: 80 }),
      "it is not let out to Kubernetes"
    ]
  ])("finds %s", (_, title, path, value, problem) => {
    expect(brokenProblems("cluster", title, path, value).join("\n")).toContain(problem)
  })
})
