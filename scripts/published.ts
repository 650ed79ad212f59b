/**
 * What the published packages need, as it is installed here: each of their dependencies, what that one needs, its
 * licence, and the hash that the lockfile has of it.
 */
import { existsSync, globSync, readFileSync, realpathSync } from "node:fs"
import { dirname, join, resolve } from "node:path"
import { parse } from "yaml"

export const root = resolve(import.meta.dirname, "..")
export const publishedNames = ["core", "server", "testing"] as const
export type PublishedName = (typeof publishedNames)[number]

export interface Manifest {
  readonly name: string
  readonly version: string
  readonly description?: string
  readonly license?: string
  readonly scripts?: Readonly<Record<string, string>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
  readonly optionalDependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly peerDependenciesMeta?: Readonly<Record<string, { readonly optional?: boolean }>>
}

export interface Lockfile {
  readonly packages: Readonly<
    Record<string, { readonly resolution: Readonly<Record<string, string | boolean>> }>
  >
}

export const readManifest = (path: string): Manifest => JSON.parse(readFileSync(path, "utf8"))

const readLockfile = (): Lockfile => parse(readFileSync(join(root, "pnpm-lock.yaml"), "utf8"))

export interface Installed {
  readonly manifest: Manifest
  /** An expression of SPDX. */
  readonly license: string
  /** As in a lockfile: `sha512-…`. Packages of this repository have none. */
  readonly integrity: string | undefined
  readonly needs: ReadonlyArray<Installed>
}

export interface Published {
  readonly manifest: Manifest
  readonly dependencies: ReadonlyArray<Installed>
  /** Those that the application brings, in the version that the tests run with. */
  readonly peers: ReadonlyArray<Installed>
  /** Those whose code is in the console, and so in the package. */
  readonly bundled: ReadonlyArray<Installed>
}

export const readPublished = (name: PublishedName): Published => {
  const lockfile = readLockfile()
  const known = new Map<string, Installed>()

  const install = (folder: string): Installed => {
    const installed = known.get(folder)
    if (installed !== undefined) return installed
    const manifest = readManifest(join(folder, "package.json"))
    if (manifest.license === undefined) throw new Error(`${manifest.name} does not say its licence`)
    const needs: Array<Installed> = []
    const integrity = lockfile.packages[`${manifest.name}@${manifest.version}`]?.resolution["integrity"]
    const entry = {
      manifest,
      license: manifest.license,
      integrity: typeof integrity === "string" ? integrity : undefined,
      needs
    }
    known.set(folder, entry)
    for (const need of needsOf(manifest)) {
      const place = find(need, folder)
      if (place !== undefined) needs.push(install(place))
      else if (isRequired(manifest, need)) throw new Error(`${manifest.name} needs ${need}, which is missing`)
    }
    return entry
  }

  const folder = join(root, "packages", name)
  const manifest = readManifest(join(folder, "package.json"))
  const installAll = (names: Readonly<Record<string, unknown>> = {}) =>
    Object.keys(names).map((need) => {
      const place = find(need, folder)
      if (place === undefined) throw new Error(`${manifest.name} needs ${need}, which is missing`)
      return install(place)
    })
  return {
    manifest,
    dependencies: installAll(manifest.dependencies),
    peers: installAll(manifest.peerDependencies),
    bundled: installAll(bundledInto(join(folder, "console/src")))
  }
}

/** The packages that the modules in a folder import. */
const bundledInto = (folder: string): Readonly<Record<string, true>> =>
  Object.fromEntries(
    globSync("**/*.{ts,tsx}", { cwd: folder }).flatMap((file) =>
      Array.from(
        readFileSync(join(folder, file), "utf8").matchAll(
          /(?:from|import) "((?:@[\w-]+\/)?[\w-]+)(?:\/[^"]*)?"/g
        ),
        ([, name = ""]): [string, true] => [name, true]
      )
    )
  )

const needsOf = ({
  dependencies,
  optionalDependencies,
  peerDependencies
}: Manifest): ReadonlyArray<string> => [
  ...new Set(Object.keys({ ...dependencies, ...optionalDependencies, ...peerDependencies }))
]

const isRequired = (manifest: Manifest, need: string): boolean =>
  manifest.optionalDependencies?.[need] === undefined &&
  manifest.peerDependenciesMeta?.[need]?.optional !== true

/** Where the package in a folder finds another one: beside itself, as pnpm lays it out, or in a folder of its own. */
const find = (name: string, folder: string): string | undefined => {
  for (let above = folder; above !== dirname(above); above = dirname(above)) {
    const place = above.endsWith("node_modules") ? join(above, name) : join(above, "node_modules", name)
    if (existsSync(join(place, "package.json"))) return realpathSync(place)
  }
  return undefined
}

/** Everything that these need, themselves included, each once, by name. */
export const closure = (roots: ReadonlyArray<Installed>): ReadonlyArray<Installed> => {
  const all = new Set<Installed>()
  const add = (installed: Installed): void => {
    if (all.has(installed)) return
    all.add(installed)
    installed.needs.forEach(add)
  }
  roots.forEach(add)
  return Array.from(all).toSorted((a, b) => (idOf(a.manifest) < idOf(b.manifest) ? -1 : 1))
}

export const idOf = ({ name, version }: Manifest): string => `${name}@${version}`
