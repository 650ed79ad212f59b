/**
 * What stands behind `etcd://`: `HOST:PORT[,HOST:PORT…][/PREFIX][?lease=…]`.
 */
import { type Duration, Option, Result } from "effect"
import { parseDuration } from "../../DurationText.ts"

export interface EtcdAddress {
  /** What is before the prefix, as it was given. */
  readonly hosts: string
  readonly prefix?: string
  readonly lease?: Duration.Duration
  readonly tombstones?: Duration.Duration
  readonly maxTxnOps?: number
  readonly maxRequestBytes?: number
}

/** The address, or in words what is wrong with it. */
export const parseEtcdAddress = (rest: string): Result.Result<EtcdAddress, string> => {
  const [beforeQuery = "", ...query] = rest.split("?")
  const [hosts = "", ...path] = beforeQuery.split("/")
  const address: { -readonly [Key in keyof EtcdAddress]: EtcdAddress[Key] } = { hosts }
  if (path.some((segment) => segment !== "")) {
    if (!path.every((segment) => /^[A-Za-z0-9._:-]+$/.test(segment))) return Result.fail(prefixRule)
    address.prefix = `/${path.join("/")}`
  }
  for (const [name, value] of new URLSearchParams(query.join("?"))) {
    switch (name) {
      case "lease":
      case "tombstones": {
        const duration = Option.getOrUndefined(parseDuration(value))
        if (duration === undefined) return Result.fail(`${name}= takes a duration such as 60s or 5m`)
        address[name] = duration
        break
      }
      case "max-txn-ops":
      case "max-request-bytes": {
        if (!/^\d{1,15}$/.test(value)) return Result.fail(`${name}= takes a whole number`)
        address[name === "max-txn-ops" ? "maxTxnOps" : "maxRequestBytes"] = Number(value)
        break
      }
      default:
        return Result.fail(
          "after the ? come lease=, tombstones=, max-txn-ops= and max-request-bytes=, with & between"
        )
    }
  }
  return Result.succeed(address)
}

const prefixRule =
  "the prefix of the keys has letters, digits, '.', '_', ':' and '-', with single slashes between and none at its end"
