/**
 * What `pnpm check` says of what is installed: every version is exact, the lockfile has a hash of everything and takes
 * it from the registry, and no package runs a script that was not allowed by name. Another folder than the repository
 * can be given.
 */
import { existsSync, globSync, readFileSync } from "node:fs"
import { join } from "node:path"
import { parse } from "yaml"
import { type Lockfile, type Manifest, readManifest, root as repository } from "./published.ts"

const root = process.argv[2] ?? repository
const problems: Array<string> = []

const exact = /^\d+\.\d+\.\d+(-[\w.]+)?$/
const range = /^\^(\d+\.\d+\.\d+)$/

/** What is installed is exact. A peer is a range, because the application decides, and begins with what is tested. */
const checkVersions = (file: string, manifest: Manifest): void => {
  const { dependencies, devDependencies, optionalDependencies, peerDependencies = {} } = manifest
  for (const group of [dependencies, devDependencies, optionalDependencies]) {
    for (const [name, version] of Object.entries(group ?? {})) {
      if (version !== "workspace:*" && !exact.test(version)) {
        problems.push(`${file}: ${name}: "${version}" is not an exact version`)
      }
    }
  }
  for (const [name, version] of Object.entries(peerDependencies)) {
    const tested = devDependencies?.[name]
    const [, lowest] = range.exec(version) ?? []
    if (version === "workspace:^" ? tested === "workspace:*" : isOldestTested(lowest, tested)) continue
    problems.push(`${file}: ${name}: "${version}" is not ^ and a version up to the tested one, ${tested}`)
  }
}

/** The oldest version that a peer may have is of the minor version that is tested. */
const isOldestTested = (lowest: string | undefined, tested: string | undefined): boolean =>
  lowest !== undefined &&
  tested !== undefined &&
  lowest.split(".").slice(0, 2).join() === tested.split(".").slice(0, 2).join() &&
  Number(lowest.split(".")[2]) <= Number(tested.split(".")[2])

interface WorkspaceSettings {
  readonly packages: ReadonlyArray<string>
  readonly strictDepBuilds?: boolean
  readonly blockExoticSubdeps?: boolean
  readonly minimumReleaseAge?: number
  readonly onlyBuiltDependencies?: ReadonlyArray<string>
  readonly ignoredBuiltDependencies?: ReadonlyArray<string>
}

const settings: WorkspaceSettings = parse(readFileSync(join(root, "pnpm-workspace.yaml"), "utf8"))
if (settings.strictDepBuilds !== true) problems.push("pnpm-workspace.yaml: strictDepBuilds is not on")
if (settings.blockExoticSubdeps !== true) problems.push("pnpm-workspace.yaml: blockExoticSubdeps is not on")
if ((settings.minimumReleaseAge ?? 0) < 1440) {
  problems.push("pnpm-workspace.yaml: minimumReleaseAge is less than a day")
}

for (const file of globSync(["package.json", ...settings.packages.map((place) => `${place}/package.json`)], {
  cwd: root
})) {
  checkVersions(file, readManifest(join(root, file)))
}

const main: Manifest & { readonly packageManager?: string } = readManifest(join(root, "package.json"))
const [, pinned] = /^pnpm@([\d.]+)\+sha512\.[0-9a-f]{128}$/.exec(main.packageManager ?? "") ?? []
if (pinned === undefined || pinned !== main.devDependencies?.["pnpm"]) {
  problems.push("package.json: packageManager is not the version of pnpm in devDependencies, with its hash")
}

const lockfile: Lockfile = parse(readFileSync(join(root, "pnpm-lock.yaml"), "utf8"))
for (const [id, { resolution }] of Object.entries(lockfile.packages)) {
  const { integrity, ...others } = resolution
  if (!/^sha512-[\w+/]{86}==$/.test(String(integrity))) problems.push(`pnpm-lock.yaml: ${id} has no hash`)
  for (const key of Object.keys(others)) problems.push(`pnpm-lock.yaml: ${id} is from elsewhere: ${key}`)
}

const named = new Set([
  ...(settings.onlyBuiltDependencies ?? []),
  ...(settings.ignoredBuiltDependencies ?? [])
])
const installScripts = ["preinstall", "install", "postinstall"]
const installed = globSync("node_modules/.pnpm/*/node_modules/{*,@*/*}/package.json", { cwd: root })
for (const file of installed) {
  const { name, scripts = {} } = readManifest(join(root, file))
  const has = installScripts.filter((script) => scripts[script] !== undefined)
  if (existsSync(join(root, file, "../binding.gyp"))) has.push("binding.gyp")
  if (has.length > 0 && !named.has(name)) {
    problems.push(`${file}: ${name} has ${has.join(", ")}, and pnpm-workspace.yaml does not name it`)
  }
}

for (const problem of new Set(problems)) console.log(problem)
if (problems.length > 0) process.exitCode = 1
