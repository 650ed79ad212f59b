/**
 * How many requests are open at the same time, altogether and of one client. A request is open until its answer has been
 * sent: a stream for as long as it lasts.
 */
import { Effect, Scope } from "effect"
import { clientNetwork, isOneClient } from "./NetworkAddress.ts"
import { Overloaded, TooManyRequests } from "./Problems.ts"

export interface OpenRequestsOptions {
  readonly most: number
  readonly mostOfOne: number
  /** When to come again, in seconds. */
  readonly retryAfter: number
  /** What there is `most` of already, in words. */
  readonly what: string
  /** What there is `mostOfOne` of already, in words. */
  readonly whatOfOne: string
}

export class OpenRequests {
  private readonly options: OpenRequestsOptions
  private open = 0
  private readonly ofClients = new Map<string, number>()

  constructor(options: OpenRequestsOptions) {
    this.options = options
  }

  /** Counts a request from this address until its scope ends, or refuses it. */
  admit(address: string): Effect.Effect<void, Overloaded | TooManyRequests, Scope.Scope> {
    return Effect.flatMap(Effect.scope, (scope) => {
      const client = isOneClient(address) ? clientNetwork(address) : undefined
      let isIn = false
      // First the way out, so that there is one whenever the request is interrupted.
      const leave = Effect.sync(() => {
        if (isIn) this.leave(client)
      })
      return Effect.flatMap(Scope.addFinalizer(scope, leave), () => {
        const refused = this.refuse(client)
        if (refused !== undefined) return Effect.fail(refused)
        isIn = true
        this.enter(client)
        return Effect.void
      })
    })
  }

  private refuse(client: string | undefined): Overloaded | TooManyRequests | undefined {
    const { most, mostOfOne, retryAfter, what, whatOfOne } = this.options
    if (client !== undefined && this.of(client) >= mostOfOne)
      return new TooManyRequests({ retryAfter, detail: `${mostOfOne} ${whatOfOne}.` })
    return this.open < most ? undefined : new Overloaded({ retryAfter, detail: `${most} ${what}.` })
  }

  private enter(client: string | undefined): void {
    this.open++
    if (client !== undefined) this.ofClients.set(client, this.of(client) + 1)
  }

  private leave(client: string | undefined): void {
    this.open--
    if (client === undefined) return
    const left = this.of(client) - 1
    if (left > 0) this.ofClients.set(client, left)
    else this.ofClients.delete(client)
  }

  private of(client: string): number {
    return this.ofClients.get(client) ?? 0
  }
}
