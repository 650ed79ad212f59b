/**
 * Calls to etcd, signed in where it asks for that. A token is got with the first call, and a new one when etcd does
 * not know it any more: tokens end with time, and with the process of etcd.
 */
import { Effect, Redacted, type Scope, Semaphore } from "effect"
import * as FileSystem from "effect/FileSystem"
import * as NodeFileSystem from "@effect/platform-node/NodeFileSystem"
import { status as Code } from "@grpc/grpc-js"
import { AuthService } from "../generated/etcd/etcd.ts"
import { type ChannelSettings, GrpcChannel, type UnaryMethod } from "../grpc/GrpcChannel.ts"
import { GrpcStatus } from "../grpc/GrpcStatus.ts"
import type { InvalidSchedulerOptions } from "../InvalidSchedulerOptions.ts"
import { isTokenStale, isWithoutAuth } from "./EtcdError.ts"
import type { EtcdUser } from "./EtcdOptions.ts"

export type EtcdCall = <Request, Response>(
  method: UnaryMethod<Request, Response>,
  request: Request
) => Effect.Effect<Response, GrpcStatus>

export const makeEtcdCall = (
  settings: ChannelSettings,
  user: EtcdUser | undefined
): Effect.Effect<EtcdCall, InvalidSchedulerOptions, Scope.Scope> =>
  Effect.map(GrpcChannel.make(settings), (channel): EtcdCall => {
    if (user === undefined) return (method, request) => channel.unary(method, request, always)
    const session = new Session(channel, user)
    return (method, request) => {
      const attempt = Effect.flatMap(session.token, (token) =>
        channel.unary(method, request, token === undefined ? always : { ...always, token }).pipe(
          Effect.tapError((status) => {
            if (isTokenStale(status)) session.forget(token)
            return Effect.void
          })
        )
      )
      return Effect.retry(attempt, { times: 1, while: isTokenStale })
    }
  })

/** A member that has lost the others says so at once, instead of waiting for them; then the next one is asked. */
const always = { hasleader: "true" }

class Session {
  private readonly turn = Semaphore.makeUnsafe(1)
  private current: { readonly token: string | undefined } | undefined
  private readonly channel: GrpcChannel
  private readonly user: EtcdUser

  constructor(channel: GrpcChannel, user: EtcdUser) {
    this.channel = channel
    this.user = user
  }

  /** None where etcd does not ask who is calling. */
  get token(): Effect.Effect<string | undefined, GrpcStatus> {
    return Effect.suspend(() =>
      this.current === undefined ? this.turn.withPermits(1)(this.renewed) : Effect.succeed(this.current.token)
    )
  }

  /** A token that somebody has replaced meanwhile is forgotten already. */
  forget(token: string | undefined): void {
    if (this.current?.token === token) this.current = undefined
  }

  private get renewed(): Effect.Effect<string | undefined, GrpcStatus> {
    return Effect.suspend(() => {
      if (this.current !== undefined) return Effect.succeed(this.current.token)
      return this.password.pipe(
        Effect.flatMap((password) =>
          this.channel.unary(AuthService.authenticate, { name: this.user.name, password })
        ),
        Effect.map(({ token }) => token),
        Effect.catch((status) => (isWithoutAuth(status) ? Effect.succeed(undefined) : Effect.fail(status))),
        Effect.tap((token) => {
          this.current = { token }
          return Effect.void
        })
      )
    })
  }

  private get password(): Effect.Effect<string, GrpcStatus> {
    const { password } = this.user
    if (Redacted.isRedacted(password)) return Effect.succeed(Redacted.value(password))
    return FileSystem.FileSystem.pipe(
      Effect.flatMap((files) => files.readFileString(password.file)),
      Effect.map((text) => text.replace(/\r?\n$/, "")),
      Effect.mapError(
        ({ message }) => new GrpcStatus(Code.UNAUTHENTICATED, `the password cannot be read: ${message}`)
      ),
      Effect.provide(NodeFileSystem.layer)
    )
  }
}
