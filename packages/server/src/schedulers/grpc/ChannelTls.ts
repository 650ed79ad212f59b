/**
 * TLS of a channel. The library makes its own credentials once; these look for what is in use at each connection, so
 * that certificates can be replaced while the channel is open.
 */
import { ChannelCredentials } from "@grpc/grpc-js"
import { Effect, type Scope } from "effect"
import { followTlsFiles } from "../../tls/FollowTlsFiles.ts"
import { readTlsFiles, type TlsFile, type TlsFiles, type TlsMaterial } from "../../tls/TlsFiles.ts"
import { InvalidSchedulerOptions } from "../InvalidSchedulerOptions.ts"

/**
 * Certificates or a key, in PEM, or the file that they stand in. A file is read again when it changes: connections that
 * are made after that use what is there then. `name` is what messages call the file by.
 */
export type Pem = string | { readonly file: string; readonly name?: string | undefined }

/** TLS towards the scheduler, 1.2 or newer. */
export interface TlsOptions {
  /** The certificates that sign the server's. Default: those that Node.js brings. */
  readonly ca?: Pem | undefined
  /** The certificate that this side shows, for mutual TLS; with `key`. */
  readonly cert?: Pem | undefined
  readonly key?: Pem | undefined
  /** The name that the server's certificate must be for. Default: the host of the address. */
  readonly serverName?: string | undefined
}

/** Follows the files until the scope ends. Fails where they, or what was given as text, cannot be used. */
export const channelTls = Effect.fnUntraced(function* (
  tls: TlsOptions | undefined
): Effect.fn.Return<ChannelCredentials, InvalidSchedulerOptions, Scope.Scope> {
  if (tls === undefined) return ChannelCredentials.createInsecure()
  const files: TlsFiles = {
    ca: fileOf("ca", tls.ca),
    cert: fileOf("cert", tls.cert),
    key: fileOf("key", tls.key)
  }
  const loaded = yield* Effect.mapError(
    readTlsFiles(files),
    ({ message }) => new InvalidSchedulerOptions({ message })
  )
  const build = (material: TlsMaterial) =>
    ChannelCredentials.createSsl(
      bytes(textOf(tls.ca) ?? material.ca),
      bytes(textOf(tls.key) ?? material.key),
      bytes(textOf(tls.cert) ?? material.cert)
    )
  const first = yield* Effect.try({
    try: () => build(loaded),
    catch: (error) =>
      new InvalidSchedulerOptions({
        message: `no TLS: ${error instanceof Error ? error.message : String(error)}`
      })
  })
  if (Object.values(files).every((file) => file === undefined)) return first
  const credentials = new FollowingCredentials(first)
  yield* followTlsFiles({ files, loaded, use: (material) => credentials.use(build(material)) })
  return credentials
})

const fileOf = (name: string, pem: Pem | undefined): TlsFile | undefined =>
  pem === undefined || typeof pem === "string" ? undefined : { name: pem.name ?? name, path: pem.file }

const textOf = (pem: Pem | undefined): string | undefined => (typeof pem === "string" ? pem : undefined)

const bytes = (pem: string | undefined): Buffer | null => (pem === undefined ? null : Buffer.from(pem))

type Connector = ChannelCredentials["_createSecureConnector"]

class FollowingCredentials extends ChannelCredentials {
  private current: ChannelCredentials

  constructor(first: ChannelCredentials) {
    super()
    this.current = first
  }

  use(next: ChannelCredentials): void {
    this.current = next
  }

  override _isSecure(): boolean {
    return true
  }

  override _equals(other: ChannelCredentials): boolean {
    return this === other
  }

  override _createSecureConnector(...target: Parameters<Connector>): ReturnType<Connector> {
    const first = this.current._createSecureConnector(...target)
    return {
      connect: (socket) => this.current._createSecureConnector(...target).connect(socket),
      waitForReady: () => first.waitForReady(),
      getCallCredentials: () => first.getCallCredentials(),
      destroy: () => first.destroy()
    }
  }
}
