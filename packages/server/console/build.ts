/**
 * Builds the console into `dist`, ready to be served: with hashed names, and compressed. `pnpm build` runs it, and so
 * does a service that runs from source when the console is first asked for. Several may do so at the same time: one
 * builds, the others wait for it.
 */
import { existsSync } from "node:fs"
import { mkdir, readdir, readFile, rename, rm, stat, unlink, writeFile } from "node:fs/promises"
import { join, resolve } from "node:path"
import { setTimeout as sleep } from "node:timers/promises"
import { promisify } from "node:util"
import { brotliCompress, constants, gzip } from "node:zlib"

const folder = import.meta.dirname
const dist = join(folder, "dist")
const workFolder = resolve(folder, "../node_modules/.muster-console")
const lock = join(workFolder, "lock")

/** What the console has in common with the rest. */
const shared = [
  "../src/deadletters/causeKey.ts",
  "../src/access/Identity.ts",
  "../src/access/Permission.ts",
  "../src/cluster/ClusterWords.ts"
]

const newestSource = async (): Promise<number> => {
  const sources = (await readdir(join(folder, "src"), { recursive: true })).map((name) => join("src", name))
  const times = await Promise.all(
    ["index.html", "vite.config.ts", "build.ts", ...shared, ...sources].map((name) =>
      stat(join(folder, name))
    )
  )
  return Math.max(...times.map(({ mtimeMs }) => mtimeMs))
}

const isUpToDate = async (): Promise<boolean> => {
  const index = join(dist, "index.html")
  return existsSync(index) && (await stat(index)).mtimeMs >= (await newestSource())
}

const isAlive = (pid: number): boolean => {
  try {
    process.kill(pid, 0)
    return true
  } catch {
    return false
  }
}

/** Takes the lock, also from a process that ended without giving it back. */
const acquire = async (): Promise<void> => {
  await mkdir(workFolder, { recursive: true })
  for (;;) {
    try {
      return await writeFile(lock, String(process.pid), { flag: "wx" })
    } catch {
      const holder = Number(await readFile(lock, "utf8").catch(() => "0"))
      const age = Date.now() - (await stat(lock).catch(() => ({ mtimeMs: Date.now() }))).mtimeMs
      // Between its creation and its content a lock is empty for a moment.
      if (holder > 0 ? !isAlive(holder) : age > 5000) await rm(lock, { force: true })
      else await sleep(100)
    }
  }
}

const compress = async (path: string): Promise<void> => {
  const content = await readFile(path)
  const brotli = await promisify(brotliCompress)(content, {
    params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: content.length }
  })
  await writeFile(`${path}.br`, brotli)
  await writeFile(`${path}.gz`, await promisify(gzip)(content, { level: 9 }))
}

await acquire()
try {
  if (process.argv.includes("--force") || !(await isUpToDate())) {
    // Only here: it takes a second to load, and mostly there is nothing to do.
    const { build } = await import("vite")
    const built = join(workFolder, "dist")
    await build({
      configFile: join(folder, "vite.config.ts"),
      logLevel: "warn",
      build: { outDir: built, emptyOutDir: true }
    })
    for (const name of await readdir(built, { recursive: true })) {
      if (/\.(?:html|js|css|svg)$/.test(name)) await compress(join(built, name))
    }
    await rm(dist, { recursive: true, force: true })
    await rename(built, dist)
  }
} finally {
  await unlink(lock)
}
