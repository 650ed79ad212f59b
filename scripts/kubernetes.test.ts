/**
 * `deploy/kubernetes`, without a cluster: every object against its schema, all of them together, and the service with
 * the variables, the secrets and the probes that they give it.
 */
import { spawnSync } from "node:child_process"
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs"
import { get } from "node:https"
import { tmpdir } from "node:os"
import { dirname, join, resolve } from "node:path"
import { afterAll, beforeAll, describe, expect, it } from "vitest"
import { parse, parseAllDocuments } from "yaml"
import { outerEnvironment } from "./environment.ts"
import { type KubernetesObject, readFolder } from "./KubernetesObjects.ts"
import {
  all,
  brokenProblems,
  documentedSecrets,
  folder,
  page,
  problemsOf,
  root,
  type Way,
  ways
} from "./KubernetesWays.ts"
import { environmentOf, workloadsIn } from "./KubernetesWorkloads.ts"
import { bin, startService } from "./RunningService.ts"

const hasKubectl = spawnSync("kubectl", ["version", "--client"]).status === 0
if (!hasKubectl) console.log("kubectl is missing: kustomize itself is not asked what deploy/kubernetes makes")

/** Without the namespace, which kustomize adds, and members with names in the order of those. */
const byTitle = (objects: ReadonlyArray<KubernetesObject>): Readonly<Record<string, unknown>> =>
  Object.fromEntries(objects.map((object) => [`${object.kind} ${object.metadata?.name}`, sorted(object)]))

const sorted = (value: unknown): unknown => {
  if (Array.isArray(value)) {
    return value
      .map(sorted)
      .toSorted((left, right) => titleOfMember(left).localeCompare(titleOfMember(right)))
  }
  if (typeof value !== "object" || value === null) return value
  return Object.fromEntries(
    Object.entries(value)
      .filter(([field]) => field !== "namespace")
      .map(([field, member]) => [field, sorted(member)])
  )
}

const titleOfMember = (value: unknown): string =>
  typeof value === "object" && value !== null && "name" in value ? String(value.name) : ""

describe.each(ways)("deploy/kubernetes/%s", (way) => {
  it("is what the schemas of Kubernetes know, and fits together", () => {
    expect(problemsOf(all[way])).toEqual([])
  })

  it("has no budget for one pod, which would hold up every drain, and no rights for it", () => {
    const kinds = readFolder(join(folder, way)).map(({ kind }) => kind)
    const cluster = ["NetworkPolicy", "NetworkPolicy", "PodDisruptionBudget", "Role", "RoleBinding"]
    expect(kinds).toEqual([
      "Namespace",
      "ServiceAccount",
      "Service",
      "NetworkPolicy",
      ...(way === "sqlite" ? ["StatefulSet"] : ["Deployment", "NetworkPolicy"]),
      ...(way === "cluster" ? cluster : [])
    ])
  })

  it.skipIf(!hasKubectl)("is read here as kustomize reads it", () => {
    const { stdout } = spawnSync("kubectl", ["kustomize", join(folder, way)], { encoding: "utf8" })
    expect(byTitle(parseAllDocuments(stdout).map((document) => document.toJS()))).toEqual(
      byTitle(readFolder(join(folder, way)))
    )
  })
})

describe("what is wrong with a copy", () => {
  const container = "spec/template/spec/containers/0"
  const pod = "spec/template/spec"
  const indexOf = (list: "env" | "volumes", name: string) => {
    const [workload] = workloadsIn(all.sqlite)
    const entries = list === "env" ? workload?.pod.containers[0]?.env : workload?.pod.volumes
    return entries?.findIndex((entry) => entry.name === name)
  }
  const env = (name: string) => `${container}/env/${indexOf("env", name)}`

  it.each([
    // What the schemas say.
    ["a field that is misspelt", `${container}/imagePullPolice`, "Always", "imagePullPolice is not known"],
    ["a field in the wrong place", "spec/containers", [], "/spec/containers is not known"],
    ["a field of nothing", "extra", 1, "/extra is not known"],
    ["a text for a number", "spec/replicas", "1", "replicas must be integer"],
    ["a boolean for a text, as YAML reads on", `${env("MUSTER_AUTH")}/value`, true, "value must be string"],
    ["a number for a text", `${env("MUSTER_PORT")}/value`, 7070, "value must be string"],
    ["a container without a name", `${container}/name`, undefined, "must have required property name"],
    ["no selector", "spec/selector", undefined, "must have required property selector"],
    ["an older version of the interface", "apiVersion", "apps/v1beta1", "apiVersion must be equal"],
    ["a kind that there is not", "kind", "StatefulSets", "there is no schema for"],
    // What they have to do with each other.
    ["another selector", "spec/selector/matchLabels", { app: "muster" }, "it selects 0 kinds of pods"],
    ["another Service", "spec/serviceName", "fleet", "there is no such Service"],
    ["another account", `${pod}/serviceAccountName`, "default", "there is no such ServiceAccount"],
    ["more replicas", "spec/replicas", 2, "there is not one replica"],
    ["another port", `${container}/ports/0/name`, "http", "the pods have no port https"],
    ["another number of it", `${env("MUSTER_PORT")}/value`, "7071", "its port is not that of MUSTER_PORT"],
    ["another volume", `${container}/volumeMounts/0/name`, "token", "there is no volume token to be mounted"],
    ["another secret", `${pod}/volumes/0/secret/secretName`, "operator", "nothing makes the secret operator"],
    [
      "another key",
      `${env("MUSTER_TLS_KEY")}/value`,
      "/etc/muster/tls/key.pem",
      "names key.pem, which is not"
    ],
    [
      "a file elsewhere",
      `${env("MUSTER_TLS_CERT")}/value`,
      "/tls/tls.crt",
      "MUSTER_TLS_CERT is in no volume"
    ],
    [
      "a file that stays as it was",
      `${container}/volumeMounts/1/subPath`,
      "tls.crt",
      "tls is mounted by subPath"
    ],
    [
      "a secret for everybody",
      `${pod}/volumes/0/secret/defaultMode`,
      0o444,
      "a secret can be read by others"
    ],
    ["a store in the image", `${env("MUSTER_STORE")}/value`, "/srv/fleet.db", "MUSTER_STORE is in no volume"],
    [
      "no TLS, and probes with it",
      env("MUSTER_TLS_CERT"),
      undefined,
      "the liveness probe does not speak HTTP"
    ],
    ["a probe without TLS", `${container}/readinessProbe/httpGet/scheme`, "HTTP", "does not speak HTTPS"],
    [
      "a probe of something else",
      `${container}/livenessProbe/httpGet/path`,
      "/readyz",
      "asks /readyz, not /healthz"
    ],
    [
      "a probe of no port",
      `${container}/startupProbe/httpGet/port`,
      80,
      "asks the port 80, which there is not"
    ],
    ["no probe", `${container}/startupProbe`, undefined, "there is no startup probe"],
    [
      "no time to end",
      `${pod}/terminationGracePeriodSeconds`,
      20,
      "is not longer than MUSTER_SHUTDOWN_TIMEOUT"
    ],
    ["no authentication", `${env("MUSTER_AUTH")}/value`, "off", "MUSTER_AUTH is not on"],
    [
      "an address for itself",
      `${env("MUSTER_HOST")}/value`,
      "127.0.0.1",
      "it listens where nobody reaches it"
    ],
    // What a pod may do.
    ["root", `${pod}/securityContext/runAsNonRoot`, undefined, "it may run as root"],
    ["no seccomp", `${pod}/securityContext/seccompProfile`, undefined, "it has no seccomp profile"],
    ["setuid", `${container}/securityContext/allowPrivilegeEscalation`, true, "it may get more privileges"],
    ["capabilities", `${container}/securityContext/capabilities/add`, ["NET_ADMIN"], "it has capabilities"],
    [
      "a writable root",
      `${container}/securityContext/readOnlyRootFilesystem`,
      false,
      "it can write its root"
    ],
    ["the node's network", `${pod}/hostNetwork`, true, "it shares what is the node's"],
    ["a token", `${pod}/automountServiceAccountToken`, undefined, "it gets a token of Kubernetes"],
    ["variables of Services", `${pod}/enableServiceLinks`, undefined, "it gets variables of other services"],
    ["all memory", `${container}/resources/limits`, undefined, "its memory has no limit"]
  ])("finds %s", (_, path, value, problem) => {
    expect(brokenProblems("sqlite", "StatefulSet muster", path, value).join("\n")).toContain(problem)
  })

  it.each([
    [
      "two pods at a rollout",
      "Deployment muster",
      "spec/strategy",
      undefined,
      "a rollout has two pods at once"
    ],
    [
      "the size of a claim",
      "PersistentVolumeClaim muster-backup",
      "spec/resources",
      1,
      "resources must be object"
    ],
    [
      "the name of a claim",
      "CronJob muster-backup",
      "spec/jobTemplate/spec/template/spec/volumes/2/persistentVolumeClaim/claimName",
      "backup",
      "there is no PersistentVolumeClaim backup"
    ],
    ["a target port", "Service muster", "spec/ports/0/targetPort", "http", "the pods have no port http"],
    [
      "a policy for nobody",
      "NetworkPolicy muster",
      "spec/podSelector/matchLabels",
      { app: "a" },
      "it selects 0 kinds"
    ],
    ["a policy for all", "NetworkPolicy muster", "spec/podSelector/matchLabels", {}, "it selects 0 kinds"],
    ["a policy for a port", "NetworkPolicy muster", "spec/ingress/0/ports/0/port", "http", "no port http"],
    [
      "a policy's field",
      "NetworkPolicy muster",
      "spec/ingress/0/form",
      [],
      "/spec/ingress/0/form is not known"
    ],
    [
      "a budget",
      "PodDisruptionBudget muster",
      "spec/selector/matchLabels",
      { app: "a" },
      "it selects 0 kinds"
    ],
    [
      "a monitor's Service",
      "ServiceMonitor muster",
      "spec/selector/matchLabels",
      { app: "a" },
      "it selects 0 services"
    ],
    [
      "a monitor's port",
      "ServiceMonitor muster",
      "spec/endpoints/0/port",
      "http",
      "the Service has no port http"
    ],
    [
      "a monitor's scheme",
      "ServiceMonitor muster",
      "spec/endpoints/0/scheme",
      "http",
      "it does not speak https"
    ],
    [
      "a monitor's server",
      "ServiceMonitor muster",
      "spec/endpoints/0/tlsConfig/serverName",
      "m",
      "is not for its serverName"
    ],
    ["a monitor's job", "ServiceMonitor muster", "spec/jobLabel", undefined, "its job is called undefined"],
    [
      "a monitor's secret",
      "ServiceMonitor muster",
      "spec/endpoints/0/authorization/credentials/key",
      "t",
      "nothing makes t of the secret muster-viewer"
    ],
    [
      "a monitor's field",
      "ServiceMonitor muster",
      "spec/endpoints/0/bearerToken",
      "t",
      "bearerToken is not known"
    ],
    [
      "a rule",
      "PrometheusRule muster",
      "spec/groups/0/rules/0/expr",
      undefined,
      "must have required property expr"
    ],
    [
      "a certificate",
      "Certificate muster",
      "spec/issuerRef",
      undefined,
      "must have required property issuerRef"
    ],
    [
      "a certificate's secret",
      "Certificate muster",
      "spec/secretName",
      "tls",
      "nothing makes the secret muster-tls"
    ]
  ])("finds what is wrong with %s", (_, title, path, value, problem) => {
    expect(brokenProblems("postgres", title, path, value).join("\n")).toContain(problem)
  })
})

describe("the two ways to run one service", () => {
  it("differ in the store alone", () => {
    const [file, database] = (["sqlite", "postgres"] as const).map((way) => {
      const pod = workloadsIn(readFolder(join(folder, way)))[0]?.pod
      return {
        ...pod,
        // A StatefulSet waits for a lost node by itself.
        tolerations: undefined,
        volumes: pod?.volumes?.filter(({ name }) => name !== "store"),
        containers: pod?.containers.map((container) => ({
          ...container,
          env: container.env?.filter(({ name }) => !name.startsWith("MUSTER_STORE")),
          volumeMounts: container.volumeMounts?.filter(({ name }) => name !== "store" && name !== "data")
        }))
      }
    })
    expect(file).toEqual(database)
  })
})

const hasOpenssl = spawnSync("openssl", ["version"]).status === 0
if (!hasOpenssl) console.log("openssl is missing: the variables of deploy/kubernetes are only read as text")

describe.skipIf(!hasOpenssl)("the service, as deploy/kubernetes starts it", () => {
  const token = `muster-${"0123456789abcdef".repeat(2)}`
  let place = ""

  /** A pod's variables, with its files below a folder of this machine. */
  const variablesOf = (way: Way): Readonly<Record<string, string>> => {
    const [container] = workloadsIn(readFolder(join(folder, way)))[0]?.pod.containers ?? []
    if (container === undefined) throw new Error(`${way} has no container`)
    return Object.fromEntries([
      ...Object.entries(environmentOf(container)).map(([name, value]) => [
        name,
        value.startsWith("/") ? `${place}${value}` : value
      ]),
      // Of the pod's address.
      ...(container.env ?? []).flatMap(({ name, valueFrom }) =>
        valueFrom === undefined ? [] : [[name, "10.0.0.1"]]
      )
    ])
  }

  beforeAll(() => {
    place = mkdtempSync(join(tmpdir(), "muster-kubernetes-"))
    const write = (path: string, text: string) => {
      mkdirSync(dirname(join(place, path)), { recursive: true })
      writeFileSync(join(place, path), text, { mode: 0o440 })
    }
    write("etc/muster/operator/token", token)
    write("etc/muster/store/address", "postgres://muster:secret@postgresql:5432/muster?sslmode=verify-full")
    const tls = join(place, "etc/muster/tls")
    mkdirSync(tls)
    const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-keyout", "tls.key"]
    const names = ["-subj", "/CN=muster", "-addext", "subjectAltName=DNS:muster,DNS:localhost"]
    spawnSync("openssl", ["req", "-x509", ...key, ...names, "-out", "tls.crt"], { cwd: tls })
    writeFileSync(join(tls, "ca.crt"), readFileSync(join(tls, "tls.crt")))
  })

  afterAll(() => rmSync(place, { recursive: true, force: true }))

  // The third way has another store, and starts below.
  it.each(["postgres", "cluster"] as const)("finds nothing wrong with the variables of %s", (way) => {
    const variables = variablesOf(way)
    const { stdout } = spawnSync(process.execPath, [bin, "config", "--json"], {
      env: { ...outerEnvironment, ...variables },
      encoding: "utf8"
    })
    const {
      problems,
      settings,
      warnings
    }: {
      problems: ReadonlyArray<string>
      warnings: ReadonlyArray<string>
      settings: ReadonlyArray<{ name: string }>
    } = JSON.parse(stdout)
    expect({ problems, warnings }).toEqual({ problems: [], warnings: [] })
    const known = new Set(settings.map(({ name }) => name))
    const used = [...Object.keys(variables), ...Object.keys(variablesOf("sqlite"))]
    expect(used.filter((name) => !known.has(name))).toEqual([])
  })

  it("answers the probes, and Prometheus alone with a token", async () => {
    const { MUSTER_STORE: _, ...variables } = variablesOf("sqlite")
    const { announcement, stop } = await startService(variables)
    const { port } = new URL(announcement.url)
    const ca = readFileSync(join(place, "etc/muster/tls/ca.crt"))
    const ask = (path: string | undefined, headers = {}) =>
      new Promise<number | undefined>((done, fail) => {
        get(`https://localhost:${port}${path}`, { ca, headers, agent: false }, (response) => {
          response.resume()
          done(response.statusCode)
        }).on("error", fail)
      })
    try {
      expect(new URL(announcement.url).protocol).toBe("https:")
      const [container] = workloadsIn(all.sqlite)[0]?.pod.containers ?? []
      const { livenessProbe, readinessProbe, startupProbe } = container ?? {}
      for (const probe of [startupProbe, readinessProbe, livenessProbe]) {
        expect(await ask(probe?.httpGet?.path)).toBe(200)
      }
      const monitor = all.sqlite.find(({ kind }) => kind === "ServiceMonitor")
      const path = monitor?.kind === "ServiceMonitor" ? monitor.spec.endpoints[0]?.path : undefined
      expect(await ask(path)).toBe(401)
      expect(await ask(path, { authorization: `Bearer ${token}` })).toBe(200)
    } finally {
      await stop()
    }
  })
})

describe("docs/kubernetes.md", () => {
  it("tells how to make each secret that cert-manager does not", () => {
    expect([...documentedSecrets.keys()].toSorted()).toEqual([
      "muster-operator",
      "muster-store",
      "muster-viewer"
    ])
  })

  it("names files and folders that there are, and has no folder unnamed", () => {
    const named = new Set(page.match(/deploy\/kubernetes\/[\w-]+(\/[\w-]+\.yaml)?/g))
    expect([...named].filter((path) => !existsSync(resolve(root, path)))).toEqual([])
    const [, table = ""] = /\| --- \| --- \|\n([\s\S]*?)\n\n/.exec(page) ?? []
    const rows = Array.from(table.matchAll(/^\| `([\w-]+)`/gm), ([, name]) => name)
    expect(new Set(rows)).toEqual(new Set(readdirSync(folder)))
  })

  it("has examples that are YAML", () => {
    for (const [, example = ""] of page.matchAll(/```yaml\n([\s\S]*?)```/g)) {
      expect(() => parse(example, { version: "1.1" })).not.toThrow()
    }
  })
})

describe("deploy/Dockerfile", () => {
  const text = readFileSync(resolve(root, "deploy/Dockerfile"), "utf8")

  it("has the Node and the pnpm that the repository has, and one kind of image", () => {
    const {
      devDependencies: { node, pnpm }
    }: { devDependencies: Record<string, string> } = JSON.parse(
      readFileSync(resolve(root, "package.json"), "utf8")
    )
    const images = Array.from(text.matchAll(/^FROM (\S+)/gm), ([, image]) => image)
    expect(new Set(images)).toEqual(new Set([`node:${node?.split(".")[0]}-slim`]))
    expect(text).toContain(`pnpm@${pnpm} `)
  })

  it("runs as the user that the pods run as, and starts the service itself", () => {
    const [, user] = /^USER (\d+)$/m.exec(text) ?? []
    expect(workloadsIn(all.sqlite).map(({ pod }) => pod.securityContext?.runAsUser)).toEqual(
      workloadsIn(all.sqlite).map(() => Number(user))
    )
    expect(text).toMatch(/^ENTRYPOINT \["muster"\]$/m)
    expect(text).toMatch(/^CMD \["serve"\]$/m)
  })
})
