/**
 * `pnpm advisories`: asks the registry for known vulnerabilities of what the lockfile has. High and critical ones
 * fail; others are told. A registry that does not answer such questions is told, too, and fails nothing: that would
 * make every build depend on it.
 *
 * pnpm's options follow, such as `--registry=URL`.
 */
import { spawnSync } from "node:child_process"
import { join, resolve } from "node:path"

const root = resolve(import.meta.dirname, "..")
const severities = ["critical", "high", "moderate", "low", "info"] as const
const failing = new Set<string>(["critical", "high"])

interface Advisory {
  readonly module_name: string
  readonly vulnerable_versions: string
  readonly severity: string
  readonly title: string
  readonly url: string
}

interface Answer {
  readonly advisories?: Readonly<Record<string, Advisory>>
  readonly error?: { readonly code?: string; readonly message?: string }
}

const { stderr, stdout } = spawnSync(
  process.execPath,
  [
    join(root, "node_modules/pnpm/bin/pnpm.cjs"),
    "audit",
    "--json",
    "--config.fetch-retries=0",
    ...process.argv.slice(2)
  ],
  { cwd: root, encoding: "utf8" }
)

const parse = (text: string): Answer => {
  try {
    return JSON.parse(text)
  } catch {
    return {}
  }
}

const { advisories, error } = parse(stdout)
if (error !== undefined) {
  console.log("The registry was asked for advisories and gave none: nothing is known of vulnerabilities.")
  // The address of the registry says nothing about it.
  console.log(`  ${(error.message ?? error.code ?? "").replaceAll(/https?:\/\/[^\s/]+/g, "…")}`)
} else if (advisories === undefined) {
  console.log(`pnpm audit failed:\n${stdout}${stderr}`)
  process.exitCode = 1
} else {
  const found = Object.values(advisories).toSorted(
    (a, b) =>
      severities.findIndex((name) => name === a.severity) -
      severities.findIndex((name) => name === b.severity)
  )
  for (const { module_name: name, severity, title, url, vulnerable_versions: versions } of found) {
    console.log(`${severity}: ${name} ${versions}: ${title} (${url})`)
  }
  console.log(
    `${found.length} advisories, ${found.filter(({ severity }) => failing.has(severity)).length} of them high or critical`
  )
  if (found.some(({ severity }) => failing.has(severity))) process.exitCode = 1
}
