/**
 * Where a running Muster service is, as commands are told.
 */
import { Effect, Option } from "effect"
import { read, text } from "../Variables.ts"
import { WrongUsage } from "../WrongUsage.ts"

/** Where `muster serve` listens if nothing else is said. */
export const defaultAddress = "http://127.0.0.1:7070"

/** The address of a service, without a slash at its end. `name`: the flag or variable that says it. */
export const parseAddress = (address: string, name = "--server"): Effect.Effect<string, WrongUsage> =>
  Option.match(Option.liftThrowable(() => new URL(address))(), {
    onNone: () => Effect.fail(wrongAddress(name, address)),
    onSome: ({ hash, href, password, protocol, search, username }) => {
      if (protocol !== "http:" && protocol !== "https:") return Effect.fail(wrongAddress(name, address))
      // Messages, summaries and reports name the address; a password must not come to be in one.
      return username + password + search + hash === ""
        ? Effect.succeed(href.replace(/\/+$/, ""))
        : Effect.fail(
            new WrongUsage({
              message: `${name} takes an address without user, password, ? and #, such as ${defaultAddress}`
            })
          )
    }
  })

export const serverVariable = text({
  name: "MUSTER_SERVER",
  flag: "server",
  description: "the service that the commands ask which look at a running one",
  rule: `the address of a service, such as ${defaultAddress}`,
  defaultText: defaultAddress
})

/** The address that `--server` says, or else `MUSTER_SERVER`, or else {@link defaultAddress}. */
export const serviceAddress = (flag: Option.Option<string>): Effect.Effect<string, WrongUsage> =>
  Option.match(flag, {
    onSome: (address) => parseAddress(address),
    onNone: () =>
      Effect.flatMap(read(serverVariable), (address) =>
        address === undefined ? Effect.succeed(defaultAddress) : parseAddress(address, serverVariable.name)
      )
  })

const wrongAddress = (name: string, address: string) =>
  new WrongUsage({
    message: `${name} ${JSON.stringify(address.slice(0, 200))} is not the address of a service, such as ${defaultAddress}`
  })
