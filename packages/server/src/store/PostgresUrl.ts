/**
 * The URL of a database in PostgreSQL: what of it may be shown, and what may not.
 */
import { Effect, Option, Redacted } from "effect"
import { CannotOpenStore } from "./CannotOpenStore.ts"

export interface PostgresUrl {
  /** What the store is called in messages. */
  readonly name: string
  /** A text in which the password is not, whoever has written it. */
  readonly withoutPassword: (text: string) => string
  readonly hasPassword: boolean
}

export const isPostgresUrl = (spec: string): boolean => /^postgres(?:ql)?:/i.test(spec)

export const parsePostgresUrl = (url: Redacted.Redacted): Effect.Effect<PostgresUrl, CannotOpenStore> =>
  Option.match(parse(Redacted.value(url)), {
    onNone: () =>
      Effect.fail(
        CannotOpenStore.because(
          "the store",
          "its URL is none. It has to be such as postgres://user:password@host:5432/database, " +
            "in which a user or password with special characters is percent-encoded"
        )
      ),
    onSome: Effect.succeed
  })

const parse = (text: string): Option.Option<PostgresUrl> => {
  const url = URL.parse(text)
  if (url === null || !isPostgresUrl(text)) return Option.none()
  const user = url.username === "" ? "" : `${url.username}@`
  const name = `the store postgres://${user}${url.host}${url.pathname}`
  const secrets = [url.password, url.searchParams.get("password") ?? ""].filter((secret) => secret !== "")
  const spellings = secrets.flatMap((secret) => [secret, decode(secret), encodeURIComponent(secret)])
  return Option.some({
    name,
    hasPassword: spellings.length > 0,
    withoutPassword: (text) => spellings.reduce((text, secret) => text.replaceAll(secret, "***"), text)
  })
}

const decode = (text: string): string =>
  Option.getOrElse(Option.liftThrowable(decodeURIComponent)(text), () => text)
