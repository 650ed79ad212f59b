/**
 * Variables of the environment. Each is declared once, with its rule, its default and what it is for: what reads it,
 * `muster config` and the tables of `docs/operate.md` all go by that.
 */
import { Config, Duration, Effect, Option, Schema } from "effect"
import { durationText } from "./DurationText.ts"
import { readSecretFile } from "./SecretFile.ts"
import { WrongUsage } from "./WrongUsage.ts"

/** A variable, whatever it holds. */
export interface AnyVariable {
  readonly name: string
  /** What it is for, in words. */
  readonly description: string
  /** What it must be, as it stands after "must be". */
  readonly rule: string
  /** Its default in words. */
  readonly defaultText: string
  /** Nothing of its value is ever shown. */
  readonly isSecret: boolean
  /** The variable that can name a file with its value instead, as every secret has one. */
  readonly file: string | undefined
  /** Its value is the path of a file that not everybody should read. */
  readonly namesSecretFile: boolean
  /** The flag that goes before it, without its hyphens. */
  readonly flag: string | undefined
  /** The value of a text as it may be shown; `None` where it breaks the rule. */
  readonly check: (text: string) => Option.Option<string>
}

/** A variable whose values are of type `A`. */
export interface Variable<A> extends AnyVariable {
  readonly fallback: A
  readonly decode: (text: string) => Option.Option<A>
}

interface Declaration<A> {
  readonly name: string
  readonly description: string
  readonly fallback: A
  /** Where the default is better said in other words than those of a value. */
  readonly defaultText?: string | undefined
  readonly isSecret?: boolean | undefined
  /** Whether a file can hold its value; default: whether it is a secret. */
  readonly canBeInFile?: boolean | undefined
  readonly namesSecretFile?: boolean | undefined
  readonly flag?: string | undefined
}

/** What switches something off. */
export const off = "off"

const showValue = (value: unknown): string => {
  if (Duration.isDuration(value)) return Duration.isFinite(value) ? durationText(value) : off
  return typeof value === "string" || typeof value === "number" ? String(value) : ""
}

const declare = <A>(
  {
    defaultText,
    fallback,
    flag,
    isSecret = false,
    canBeInFile = isSecret,
    namesSecretFile = false,
    ...declared
  }: Declaration<A>,
  rule: string,
  decode: (text: string) => Option.Option<A>
): Variable<A> => ({
  ...declared,
  rule,
  fallback,
  flag,
  isSecret,
  file: canBeInFile ? `${declared.name}_FILE` : undefined,
  namesSecretFile,
  decode,
  defaultText: defaultText ?? showValue(fallback),
  check: (text) => Option.map(decode(text), showValue)
})

export const variable = <A>(
  declaration: Declaration<NoInfer<A>> & {
    readonly rule: string
    readonly schema: Schema.Codec<A, string>
  }
): Variable<A> => {
  const { rule, schema, ...declared } = declaration
  return declare(declared, rule, Schema.decodeOption(schema))
}

/** One of some words, written in capitals or not. */
export const oneOf = <const A extends string>(
  declaration: Declaration<NoInfer<A>> & { readonly values: readonly [A, ...ReadonlyArray<A>] }
): Variable<A> => {
  const { values, ...declared } = declaration
  const rule = values.length === 2 ? values.join(" or ") : `one of ${values.join(", ")}`
  return declare(declared, rule, (text) =>
    Option.fromUndefinedOr(values.find((value) => value.toLowerCase() === text.toLowerCase()))
  )
}

/** Text that is not empty, or nothing. */
export const text = (
  declaration: Omit<Declaration<undefined>, "fallback"> & { readonly rule: string }
): Variable<string | undefined> =>
  declare({ ...declaration, fallback: undefined }, declaration.rule, (given) => Option.some(given))

/** A secret that is sent in a header, or nothing. */
export const secretText = (
  declaration: Omit<Declaration<undefined>, "fallback" | "isSecret"> & { readonly rule: string }
): Variable<string | undefined> =>
  declare({ ...declaration, fallback: undefined, isSecret: true }, declaration.rule, (given) =>
    /^[\x21-\x7e]{1,16384}$/.test(given) ? Option.some(given) : Option.none()
  )

export const orOff = <A>(schema: Schema.Codec<A, string>) => Schema.Union([Schema.Literal(off), schema])

/** A whole number from `minimum` to `maximum`. */
export const wholeNumber = (
  declaration: Declaration<number> & { readonly minimum: number; readonly maximum: number }
): Variable<number> => {
  const { maximum, minimum, ...declared } = declaration
  return variable({
    ...declared,
    schema: Schema.FiniteFromString.check(Schema.isInt(), Schema.isBetween({ minimum, maximum })),
    rule: `a whole number from ${minimum} to ${maximum}`
  })
}

const isPositive = (duration: Duration.Duration) =>
  Duration.isFinite(duration) && Duration.isGreaterThan(duration, Duration.zero)

const decodeDuration = Schema.decodeOption(Schema.DurationFromString.check(Schema.makeFilter(isPositive)))

export const positiveDuration = (declaration: Declaration<Duration.Duration>): Variable<Duration.Duration> =>
  declare(declaration, `a duration above zero, such as "10 seconds"`, decodeDuration)

/** A duration, or `off`, which is an infinite one. */
export const durationOrOff = (declaration: Declaration<Duration.Duration>): Variable<Duration.Duration> =>
  declare(declaration, `a duration above zero, such as "10 seconds", or off`, (text) =>
    text.toLowerCase() === off ? Option.some(Duration.infinity) : decodeDuration(text)
  )

/** What the environment says, where it says anything. */
export const given = (name: string): Effect.Effect<Option.Option<string>> =>
  Config.option(Config.String(name)).pipe(
    Effect.map(Option.filter((text) => text !== "")),
    Effect.orElseSucceed(() => Option.none())
  )

/** The variable that names a file with the value of this one; `undefined` where there is none. */
export const fileVariable = ({ file, name }: AnyVariable): Variable<string | undefined> | undefined =>
  file === undefined
    ? undefined
    : text({
        name: file,
        description: `a file with the value of \`${name}\`, instead of it`,
        rule: "the path of a file",
        namesSecretFile: true
      })

/** What stands in a variable itself, or the path of the file that its value is in. */
export type Origin =
  | { readonly _tag: "Environment"; readonly text: string }
  | { readonly _tag: "File"; readonly name: string; readonly path: string }

export const originOf = Effect.fnUntraced(function* ({
  file: name,
  name: own
}: AnyVariable): Effect.fn.Return<Origin | undefined, WrongUsage> {
  const text = Option.getOrUndefined(yield* given(own))
  const path = name === undefined ? undefined : Option.getOrUndefined(yield* given(name))
  if (text !== undefined && path !== undefined) {
    return yield* new WrongUsage({ message: `${own} and ${name} exclude each other` })
  }
  if (text !== undefined) return { _tag: "Environment", text }
  return name === undefined || path === undefined ? undefined : { _tag: "File", name, path }
})

/** The text of its value, wherever it stands; `undefined` where it is not set or empty. */
export const textOf = (variable: AnyVariable): Effect.Effect<string | undefined, WrongUsage> =>
  Effect.flatMap(originOf(variable), (origin) =>
    origin?._tag === "File" ? readSecretFile(origin.name, origin.path) : Effect.succeed(origin?.text)
  )

/** A variable's value, or its default where it is not set or empty. */
export const read = <A>(
  variable: Variable<A>,
  fallback: A = variable.fallback
): Effect.Effect<A, WrongUsage> =>
  Effect.flatMap(textOf(variable), (text) => {
    if (text === undefined) return Effect.succeed(fallback)
    return Effect.mapError(
      Effect.fromOption(variable.decode(text)),
      () => new WrongUsage({ message: broken(variable) })
    )
  })

/** What is wrong with a variable that breaks its rule. Its value is not repeated: it may be a secret. */
export const broken = ({ name, rule }: AnyVariable): string => `${name} must be ${rule}`
