/**
 * The ways to apply `deploy/kubernetes`, what is wrong with each, and with copies of them that are changed.
 */
import { readFileSync } from "node:fs"
import { join, resolve } from "node:path"
import { Document } from "yaml"
import { fitProblems, issuedSecrets, type Secrets } from "./KubernetesFit.ts"
import { type KubernetesObject, readFiles, readFolder, schemaProblems } from "./KubernetesObjects.ts"

export const root = resolve(import.meta.dirname, "..")
export const folder = resolve(root, "deploy/kubernetes")
export const page = readFileSync(resolve(root, "docs/kubernetes.md"), "utf8")

export const ways = ["sqlite", "postgres", "cluster"] as const
export type Way = (typeof ways)[number]

/** All that can be applied at once. */
const objectsOf = (way: Way): ReadonlyArray<KubernetesObject> => [
  ...[way, "prometheus-operator", "cert-manager", "backup"].flatMap((name) => readFolder(join(folder, name))),
  // A cluster has a budget of its own.
  ...(way === "cluster" ? [] : readFiles(join(folder, "disruption")))
]

export const all = {
  sqlite: objectsOf("sqlite"),
  postgres: objectsOf("postgres"),
  cluster: objectsOf("cluster")
}

/** Secrets that the page tells to make. */
export const documentedSecrets: Secrets = new Map(
  Array.from(
    page.matchAll(/create secret generic (\S+).*?--from-file=(\w+)=/g),
    ([, name = "", key = ""]): [string, ReadonlySet<string>] => [name, new Set([key])]
  )
)

/** Objects that are not what their schemas say have no parts that could fit. */
export const problemsOf = (objects: ReadonlyArray<KubernetesObject>): ReadonlyArray<string> => {
  const problems = objects.flatMap(schemaProblems)
  return problems.length > 0
    ? problems
    : fitProblems(objects, new Map([...documentedSecrets, ...issuedSecrets(objects)]))
}

/** What is wrong with a copy that has another value in one place of an object, or nothing. */
export const brokenProblems = (
  way: Way,
  title: string,
  path: string,
  value: unknown
): ReadonlyArray<string> =>
  problemsOf(
    all[way].map((object) => {
      if (`${object.kind} ${object.metadata?.name}` !== title) return object
      const copy = new Document(object)
      if (value === undefined) copy.deleteIn(path.split("/"))
      else copy.setIn(path.split("/"), value)
      return copy.toJS()
    })
  )
