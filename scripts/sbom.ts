/**
 * Writes the bill of materials of each published package, `dist/sbom.cdx.json`, as CycloneDX: what it depends on, all
 * the way down, with versions, licences and hashes, and what is built into it. Peer dependencies are listed in the version that the tests run
 * with; what they need in turn is up to the application that brings them. The same tree gives the same bytes.
 *
 *     node scripts/sbom.ts [FOLDER]   # into FOLDER/core, … instead of packages/core/dist, …
 */
import { Enums, Models, Serialize, Spec } from "@cyclonedx/cyclonedx-library"
import { mkdirSync, writeFileSync } from "node:fs"
import { join } from "node:path"
import { PackageURL } from "packageurl-js"
import {
  closure,
  idOf,
  type Installed,
  type Manifest,
  type Published,
  publishedNames,
  readPublished,
  root
} from "./published.ts"

const component = (
  manifest: Manifest,
  license: string,
  options: { readonly integrity?: string | undefined; readonly isPeer?: boolean } = {}
): Models.Component => {
  const [name = "", scope] = manifest.name.split("/").toReversed()
  const purl = new PackageURL("npm", scope, name, manifest.version, undefined, undefined).toString()
  const made = new Models.Component(Enums.ComponentType.Library, name, {
    bomRef: purl,
    version: manifest.version,
    ...(scope === undefined ? {} : { group: scope }),
    ...(manifest.description === undefined ? {} : { description: manifest.description }),
    purl
  })
  made.licenses.add(
    / (AND|OR|WITH) /.test(license) ? new Models.LicenseExpression(license) : new Models.SpdxLicense(license)
  )
  if (options.integrity !== undefined) {
    const sha512 = Buffer.from(options.integrity.replace(/^sha512-/, ""), "base64").toString("hex")
    made.hashes.set(Enums.HashAlgorithm["SHA-512"], sha512)
  }
  if (options.isPeer === true) made.properties.add(new Models.Property("muster:peer", "true"))
  return made
}

const billOf = ({ bundled, dependencies, manifest, peers }: Published): Models.Bom => {
  const bom = new Models.Bom()
  const subject = component(manifest, manifest.license ?? "")
  bom.metadata.component = subject

  const below = closure([...dependencies, ...bundled])
  const components = new Map<string, Models.Component>()
  const add = ({ integrity, license, manifest }: Installed, isPeer: boolean) =>
    components.set(idOf(manifest), component(manifest, license, { integrity, isPeer }))
  for (const installed of peers) add(installed, true)
  for (const installed of below) add(installed, false)
  for (const each of components.values()) bom.components.add(each)

  const refer = (from: Models.Component, to: ReadonlyArray<Installed>) => {
    for (const { manifest } of to) {
      const target = components.get(idOf(manifest))
      if (target !== undefined) from.dependencies.add(target.bomRef)
    }
  }
  refer(subject, [...dependencies, ...bundled, ...peers])
  for (const installed of below) {
    const from = components.get(idOf(installed.manifest))
    if (from !== undefined) refer(from, installed.needs)
  }
  return bom
}

const serializer = new Serialize.JsonSerializer(new Serialize.JSON.Normalize.Factory(Spec.Spec1dot6))

for (const name of publishedNames) {
  const folder =
    process.argv[2] === undefined ? join(root, "packages", name, "dist") : join(process.argv[2], name)
  mkdirSync(folder, { recursive: true })
  const text = serializer.serialize(billOf(readPublished(name)), { sortLists: true, space: 2 })
  writeFileSync(join(folder, "sbom.cdx.json"), `${text}\n`)
}
