/**
 * Whether the objects of `deploy/kubernetes` fit together: what one of them names, another one has, and each pod runs
 * as the documentation promises.
 */
import type { IContainer } from "kubernetes-models/v1/Container"
import type { IPodSpec } from "kubernetes-models/v1/PodSpec"
import type { IProbe } from "kubernetes-models/v1/Probe"
import { asksKubernetes, clusterProblems, isClustered, longestPause } from "./KubernetesCluster.ts"
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

/** The names of secrets, with the keys of each. */
export type Secrets = ReadonlyMap<string, ReadonlySet<string>>

/** Where a file of a container lies: in which volume, and below what. */
const placeOf = ({ volumeMounts = [] }: IContainer, path: string) => {
  const mount = volumeMounts.find(({ mountPath }) => path.startsWith(`${mountPath}/`))
  return mount === undefined
    ? undefined
    : {
        volume: mount.name,
        isReadOnly: mount.readOnly === true,
        file: path.slice(mount.mountPath.length + 1)
      }
}

const keysOf = (pod: IPodSpec, volume: string, secrets: Secrets): ReadonlySet<string> => {
  const secret = pod.volumes?.find(({ name }) => name === volume)?.secret
  const items = secret?.items?.map(({ path }) => path)
  return items === undefined ? (secrets.get(secret?.secretName ?? "") ?? new Set()) : new Set(items)
}

const probeProblems = (container: IContainer): ReadonlyArray<string> => {
  const scheme = environmentOf(container)["MUSTER_TLS_CERT"] === undefined ? "HTTP" : "HTTPS"
  const { livenessProbe, readinessProbe, startupProbe } = container
  const check = (what: string, path: string, probe: IProbe | undefined): ReadonlyArray<string> => {
    const get = probe?.httpGet
    if (get === undefined) return [`there is no ${what} probe`]
    const isNamed = container.ports?.some(({ name }) => name === get.port) === true
    return [
      ...(get.path === path ? [] : [`the ${what} probe asks ${get.path}, not ${path}`]),
      ...((get.scheme ?? "HTTP") === scheme ? [] : [`the ${what} probe does not speak ${scheme}`]),
      ...(isNamed ? [] : [`the ${what} probe asks the port ${get.port}, which there is not`])
    ]
  }
  return [
    ...check("startup", "/healthz", startupProbe),
    ...check("readiness", "/readyz", readinessProbe),
    ...check("liveness", "/healthz", livenessProbe)
  ]
}

const serviceProblems = (pod: IPodSpec, container: IContainer): ReadonlyArray<string> => {
  const env = environmentOf(container)
  const timeout = Number(/^(\d+) seconds$/.exec(env["MUSTER_SHUTDOWN_TIMEOUT"] ?? "")?.[1])
  const isLonger = (pod.terminationGracePeriodSeconds ?? 30) > timeout + longestPause(container)
  const port = container.ports?.find(({ containerPort }) => String(containerPort) === env["MUSTER_PORT"])
  const store = env["MUSTER_STORE"]
  const isKept = store === undefined || placeOf(container, store)?.isReadOnly === false
  return [
    ...probeProblems(container),
    ...(env["MUSTER_AUTH"] === "on" ? [] : ["MUSTER_AUTH is not on"]),
    ...(env["MUSTER_HOST"] === "0.0.0.0" ? [] : ["it listens where nobody reaches it"]),
    ...(port === undefined ? ["its port is not that of MUSTER_PORT"] : []),
    ...(isLonger ? [] : ["the grace period is not longer than MUSTER_SHUTDOWN_TIMEOUT"]),
    ...(isKept ? [] : ["MUSTER_STORE is in no volume that can be written"])
  ]
}

/** What the Pod Security Standard `restricted` asks for, and a root file system that cannot be written. */
const securityProblems = (pod: IPodSpec, container: IContainer): ReadonlyArray<string> => {
  const { securityContext: own } = container
  const given = pod.securityContext
  const holds: Readonly<Record<string, boolean>> = {
    "it may run as root": given?.runAsNonRoot === true && (given.runAsUser ?? 0) > 0,
    "it has no seccomp profile": given?.seccompProfile?.type === "RuntimeDefault",
    "it may get more privileges": own?.allowPrivilegeEscalation === false && own.privileged !== true,
    "it can write its root file system": own?.readOnlyRootFilesystem === true,
    "it has capabilities":
      own?.capabilities?.drop?.includes("ALL") === true && own.capabilities.add === undefined,
    "it gets a token of Kubernetes": pod.automountServiceAccountToken === false || asksKubernetes(container),
    "it gets variables of other services": pod.enableServiceLinks === false,
    "it shares what is the node's": [pod.hostNetwork, pod.hostPID, pod.hostIPC].every((on) => on !== true),
    "its memory has no limit": container.resources?.limits?.["memory"] !== undefined
  }
  return Object.entries(holds).flatMap(([problem, isFine]) => (isFine ? [] : [problem]))
}

const containerProblems = (
  { claims, pod }: Workload,
  container: IContainer,
  secrets: Secrets
): ReadonlyArray<string> => {
  const volumes = [...claims, ...(pod.volumes ?? []).map(({ name }) => name)]
  const mounted = (container.volumeMounts ?? []).map(({ name }) => name)
  const files = Object.entries(environmentOf(container)).filter(([, value]) => value.startsWith("/"))
  const isService = container.args?.[0] === "serve"
  return [
    ...mounted
      .filter((name) => !volumes.includes(name))
      .map((name) => `there is no volume ${name} to be mounted`),
    ...volumes.filter((name) => !mounted.includes(name)).map((name) => `the volume ${name} is not mounted`),
    ...(container.volumeMounts ?? [])
      .filter(({ subPath }) => subPath !== undefined)
      .map(({ name }) => `${name} is mounted by subPath, and would never change`),
    ...files.flatMap(([name, path]) => {
      const place = placeOf(container, path)
      if (place === undefined) return [`${name} is in no volume`]
      if (name === "MUSTER_STORE") return []
      return keysOf(pod, place.volume, secrets).has(place.file)
        ? []
        : [`${name} names ${place.file}, which is not in the secret`]
    }),
    ...securityProblems(pod, container),
    ...(isService ? serviceProblems(pod, container) : [])
  ]
}

const podProblems = (
  workload: Workload,
  objects: ReadonlyArray<KubernetesObject>,
  secrets: Secrets
): ReadonlyArray<string> => {
  const { pod } = workload
  const has = (kind: KubernetesObject["kind"], name: string | undefined) =>
    objects.some((object) => object.kind === kind && nameOf(object) === name)
  const volumes = pod.volumes ?? []
  return [
    ...(has("ServiceAccount", pod.serviceAccountName) ? [] : ["there is no such ServiceAccount"]),
    ...volumes.flatMap(({ persistentVolumeClaim: claim, secret }) => [
      ...(secret === undefined || secrets.has(secret.secretName ?? "")
        ? []
        : [`nothing makes the secret ${secret.secretName}`]),
      ...(secret === undefined || secret.defaultMode === 0o440 ? [] : ["a secret can be read by others"]),
      ...(claim === undefined || has("PersistentVolumeClaim", claim.claimName)
        ? []
        : [`there is no PersistentVolumeClaim ${claim.claimName}`])
    ]),
    ...pod.containers.flatMap((container) => containerProblems(workload, container, secrets))
  ]
}

/** One service at a time has the store, but in a cluster. */
const onePodProblems = (object: KubernetesObject): ReadonlyArray<string> => {
  if (object.kind !== "Deployment" && object.kind !== "StatefulSet") return []
  if (isClustered(object)) return []
  return [
    ...(object.spec?.replicas === 1 ? [] : ["there is not one replica"]),
    ...(object.kind === "StatefulSet" || object.spec?.strategy?.type === "Recreate"
      ? []
      : ["a rollout has two pods at once: Recreate"])
  ]
}

/** Of what it selects, and what it wants of that. */
const selectionProblems = (
  object: KubernetesObject,
  objects: ReadonlyArray<KubernetesObject>,
  workloads: ReadonlyArray<Workload>
): ReadonlyArray<string> => {
  const chosen = (selector: Labels | undefined) => workloads.filter(({ labels }) => chooses(selector, labels))
  const portsOf = (found: ReadonlyArray<Workload>) =>
    found.flatMap(({ pod }) =>
      pod.containers.flatMap(({ ports = [] }) =>
        ports.flatMap(({ containerPort, name }): ReadonlyArray<number | string> =>
          name === undefined ? [containerPort] : [name, containerPort]
        )
      )
    )
  const oneOf = (selector: Labels | undefined, ports: ReadonlyArray<number | string | undefined>) => {
    const found = chosen(selector)
    if (found.length !== 1) return [`it selects ${found.length} kinds of pods, not one`]
    return ports
      .filter((port) => port === undefined || !portsOf(found).includes(port))
      .map((port) => `the pods have no port ${port}`)
  }
  switch (object.kind) {
    case "Service":
      return oneOf(
        object.spec?.selector,
        (object.spec?.ports ?? []).map(({ port, targetPort }) => targetPort ?? port)
      )
    case "Deployment":
    case "PodDisruptionBudget":
      return oneOf(object.spec?.selector?.matchLabels, [])
    case "StatefulSet": {
      const service = objects.some(
        (other) => other.kind === "Service" && nameOf(other) === object.spec?.serviceName
      )
      return [
        ...oneOf(object.spec?.selector.matchLabels, []),
        ...(service ? [] : ["there is no such Service"])
      ]
    }
    case "NetworkPolicy": {
      const ports = (object.spec?.ingress ?? []).flatMap((rule) => (rule.ports ?? []).map(({ port }) => port))
      return oneOf(object.spec?.podSelector?.matchLabels, ports)
    }
    case "ServiceMonitor":
      return monitorProblems(object, objects)
    default:
      return []
  }
}

const monitorProblems = (
  { spec: monitor }: Extract<KubernetesObject, { kind: "ServiceMonitor" }>,
  objects: ReadonlyArray<KubernetesObject>
): ReadonlyArray<string> => {
  const services = objects.flatMap((object) =>
    object.kind === "Service" && chooses(monitor.selector.matchLabels, object.metadata?.labels ?? {})
      ? [object]
      : []
  )
  const [service] = services
  if (service === undefined || services.length > 1) return [`it selects ${services.length} services, not one`]
  const names = objects.flatMap((object) =>
    object.kind === "Certificate" ? (object.spec?.dnsNames ?? []) : []
  )
  const job = service.metadata?.labels?.[monitor.jobLabel ?? ""]
  return [
    ...(job === "muster" ? [] : [`its job is called ${job}, and the alerts look for muster`]),
    ...monitor.endpoints.flatMap(({ port, scheme, tlsConfig }) => {
      const found = service.spec?.ports?.find(({ name }) => name === port)
      if (found === undefined) return [`the Service has no port ${port}`]
      return [
        ...(scheme === found.appProtocol ? [] : [`it does not speak ${found.appProtocol}`]),
        ...(names.includes(tlsConfig?.serverName ?? "") ? [] : ["the certificate is not for its serverName"])
      ]
    })
  ]
}

/** What is named as `{ name, key }` of a secret, wherever it stands in a monitor. */
const secretReferences = (value: unknown): ReadonlyArray<{ readonly name: string; readonly key: string }> => {
  if (typeof value !== "object" || value === null) return []
  const { key, name }: { key?: unknown; name?: unknown } = value
  return typeof key === "string" && typeof name === "string"
    ? [{ name, key }]
    : Object.values(value).flatMap(secretReferences)
}

const referenceProblems = (object: KubernetesObject, secrets: Secrets): ReadonlyArray<string> =>
  object.kind === "ServiceMonitor"
    ? secretReferences(object.spec.endpoints)
        .filter(({ key, name }) => secrets.get(name)?.has(key) !== true)
        .map(({ key, name }) => `nothing makes ${key} of the secret ${name}`)
    : []

/** Secrets that cert-manager makes. */
export const issuedSecrets = (objects: ReadonlyArray<KubernetesObject>): Secrets =>
  new Map(
    objects.flatMap((object) =>
      object.kind === "Certificate" && object.spec !== undefined
        ? [[object.spec.secretName, new Set(["tls.crt", "tls.key", "ca.crt"])] as const]
        : []
    )
  )

export const fitProblems = (
  objects: ReadonlyArray<KubernetesObject>,
  secrets: Secrets
): ReadonlyArray<string> => {
  const workloads = workloadsIn(objects)
  return [
    ...workloads.flatMap((workload) =>
      podProblems(workload, objects, secrets).map((problem) => `${workload.title}: ${problem}`)
    ),
    ...objects.flatMap((object) =>
      [
        ...onePodProblems(object),
        ...clusterProblems(object, objects, workloads),
        ...selectionProblems(object, objects, workloads),
        ...referenceProblems(object, secrets)
      ].map((problem) => `${titleOf(object)}: ${problem}`)
    )
  ]
}
