/**
 * A worker in strings, for protocols that say what a worker can do in strings alone, and back:
 *
 * | string | says |
 * | --- | --- |
 * | `docker` | it can run containers |
 * | `cpu=31.85` | CPU cores |
 * | `memory-mib=16384` | memory, in MiB |
 * | `resource:gpu=8` | a custom resource and its amount |
 * | `type=static`, `type=dynamic` | the worker's type |
 * | `namespace=ci` | its namespace |
 * | `tag:spot` | a tag |
 * | `label:zone=eu-1` | a label and its value |
 * | `provisioned-at=2026-01-31T12:00:00.000Z` | when it was provisioned |
 *
 * In the name of a resource or label, `%` is written `%25` and `=` is written `%3D`; everything else, and all of what
 * follows the first `=`, is written as it is. Strings of any other form say nothing of a worker.
 */
import { Worker, type WorkerId } from "@muster/core"
import { DateTime, type Option } from "effect"

/** Everything but the id. */
export const toStrings = (worker: Worker): Array<string> => {
  const { cpuCores, memoryMb } = worker.capabilities
  const { labels, provisionedAt } = worker.metadata
  return [
    `cpu=${cpuCores}`,
    `memory-mib=${memoryMb}`,
    ...toRemainingStrings(worker),
    ...Object.entries(labels).map(([name, value]) => `label:${escape(name)}=${value}`),
    `provisioned-at=${DateTime.formatIso(provisionedAt)}`
  ]
}

/** What remains where cores, memory, labels and the time have fields of their own. */
export const toRemainingStrings = ({ capabilities, metadata }: Worker): Array<string> => [
  ...(capabilities.dockerEnabled ? ["docker"] : []),
  ...Object.entries(capabilities.customResources).map(
    ([name, amount]) => `resource:${escape(name)}=${amount}`
  ),
  `type=${metadata.workerType}`,
  `namespace=${metadata.namespace}`,
  ...metadata.tags.map((tag) => `tag:${tag}`)
]

const escape = (name: string): string => name.replaceAll("%", "%25").replaceAll("=", "%3D")
const unescape = (name: string): string => name.replaceAll("%3D", "=").replaceAll("%25", "%")

/** The worker that these strings say; none where they do not say one within its bounds. */
export const fromStrings = (id: WorkerId, strings: ReadonlyArray<string>): Option.Option<Worker> => {
  const said = read(strings)
  return Worker.decodeOption({
    id,
    capabilities: {
      cpuCores: toNumber(said.values.get("cpu")),
      memoryMb: toNumber(said.values.get("memory-mib")),
      ...said.capabilities
    },
    metadata: {
      ...said.metadata,
      labels: Object.fromEntries(said.labels),
      provisionedAt: said.values.get("provisioned-at")
    }
  })
}

/** The parts of a worker that {@link toRemainingStrings} says. */
export const fromRemainingStrings = (strings: ReadonlyArray<string>) => {
  const { capabilities, metadata } = read(strings)
  return { capabilities, metadata }
}

const read = (strings: ReadonlyArray<string>) => {
  const values = new Map<string, string>()
  const resources = new Map<string, number | undefined>()
  const labels = new Map<string, string>()
  const tags: Array<string> = []
  for (const string of strings) {
    if (string.startsWith("tag:")) tags.push(string.slice("tag:".length))
    const [, kind, name = "", value = ""] = /^(?:(resource|label):)?([^=]*)=(.*)$/su.exec(string) ?? []
    if (kind === "resource") resources.set(unescape(name), toNumber(value))
    else if (kind === "label") labels.set(unescape(name), value)
    else values.set(name, value)
  }
  return {
    values,
    labels,
    capabilities: {
      dockerEnabled: strings.includes("docker"),
      customResources: Object.fromEntries(resources)
    },
    metadata: { workerType: values.get("type"), namespace: values.get("namespace"), tags }
  }
}

const toNumber = (text: string | undefined): number | undefined =>
  text === undefined || text.trim() === "" ? undefined : Number(text)
