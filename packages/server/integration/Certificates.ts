/**
 * Authorities and certificates for tests, made with openssl in folders that are gone after the tests.
 */
import { spawnSync } from "node:child_process"
import { mkdtempSync, readFileSync, rmSync } from "node:fs"
import { tmpdir } from "node:os"
import { join } from "node:path"
import { afterAll } from "vitest"

const root = mkdtempSync(join(tmpdir(), "muster-certificates-"))
afterAll(() => rmSync(root, { recursive: true, force: true }))

/** Whether this machine has the program. Without it the tests that need it are skipped. */
export const hasOpenssl = spawnSync("openssl", ["version"]).status === 0

/** What a test that needs openssl has after its name. */
export const whyNoOpenssl = hasOpenssl ? "" : " (skipped: openssl is not installed)"

/** The paths of a certificate and its key, PEM, and what they hold. */
export class Pair {
  readonly cert: string
  readonly key: string

  constructor(cert: string, key: string) {
    this.cert = cert
    this.key = key
  }

  get pem(): { readonly cert: string; readonly key: string } {
    return { cert: readFileSync(this.cert, "utf8"), key: readFileSync(this.key, "utf8") }
  }
}

export interface Certificate {
  /** Who it is for: its common name, and its alternative names. Default: this machine. */
  readonly names?: string
  /** Until its end. Default: 30. */
  readonly days?: number
  /** Has ended. */
  readonly isExpired?: boolean
}

const newKey = "req -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes".split(" ")

/** Newer versions want dates; older ones know none, and take days that are gone. */
const longAgo = () =>
  spawnSync("openssl", ["x509", "-help"], { encoding: "utf8" }).stderr.includes("-not_after")
    ? ["-not_before", "20200101000000Z", "-not_after", "20210101000000Z"]
    : ["-days", "-1"]

export class Authority {
  readonly folder = mkdtempSync(join(root, "authority-"))
  /** The path of its certificate. */
  readonly ca: string
  private issued = 0

  constructor(name = "test authority") {
    this.ca = join(this.folder, "ca.pem")
    this.request("ca", ["-x509", "-days", "30", "-subj", `/CN=${name}`, "-out", "ca.pem"])
  }

  get pem(): string {
    return readFileSync(this.ca, "utf8")
  }

  issue({ days = 30, isExpired = false, names = "DNS:localhost,IP:127.0.0.1" }: Certificate = {}): Pair {
    const file = `certificate-${++this.issued}`
    const [request, cert] = [`${file}.csr`, `${file}.pem`]
    this.request(file, ["-subj", "/CN=muster test", "-addext", `subjectAltName=${names}`, "-out", request])
    const signed = ["-CA", "ca.pem", "-CAkey", "ca.key", "-copy_extensions", "copy"]
    const dates = isExpired ? longAgo() : ["-days", String(days)]
    run(this.folder, ["x509", "-req", "-in", request, ...signed, ...dates, "-out", cert])
    return new Pair(join(this.folder, cert), join(this.folder, `${file}.key`))
  }

  /** A new key, and what is made of it. */
  private request(name: string, args: ReadonlyArray<string>): void {
    run(this.folder, [...newKey, "-keyout", `${name}.key`, ...args])
  }
}

const run = (cwd: string, args: ReadonlyArray<string>): void => {
  const { status, stderr } = spawnSync("openssl", args, { cwd, encoding: "utf8" })
  if (status !== 0) throw new Error(stderr)
}
