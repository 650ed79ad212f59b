/**
 * Kubernetes quantities (`32`, `31850m`, `262144Mi`, `128Gi`, `1e3`), read exactly: as a fraction of whole numbers,
 * so that nothing is lost before the one rounding at the end.
 *
 * The grammar is that of `k8s.io/apimachinery/pkg/api/resource`: a signed decimal number, then a binary suffix
 * (`Ki` … `Ei`), a decimal suffix (`n`, `u`, `m`, none, `k` … `E`) or a decimal exponent (`e3`, `E3`).
 */

/** A rational number; `denominator` is above zero. */
export interface Quantity {
  readonly numerator: bigint
  readonly denominator: bigint
}

const exponents = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 } as const
const binaryPowers = { Ki: 10n, Mi: 20n, Gi: 30n, Ti: 40n, Pi: 50n, Ei: 60n } as const

const isDecimalSuffix = (suffix: string): suffix is keyof typeof exponents => Object.hasOwn(exponents, suffix)
const isBinarySuffix = (suffix: string): suffix is keyof typeof binaryPowers =>
  Object.hasOwn(binaryPowers, suffix)

const grammar =
  /^(?<sign>[+-]?)(?<whole>\d*)(?:\.(?<fraction>\d*))?(?:(?<suffix>[KMGTPE]i|[numkMGTPE])|[eE](?<exponent>[+-]?\d{1,3}))?$/

/** Longer is nobody's quantity, and big numbers are slow. */
const longestText = 64

/** The quantity that a text spells, or `undefined`. */
export const parse = (text: string): Quantity | undefined => {
  const groups = text.length > longestText ? undefined : grammar.exec(text)?.groups
  if (groups === undefined) return undefined
  const { exponent = "0", fraction = "", sign, suffix = "", whole = "" } = groups
  const digits = whole + fraction
  if (digits === "") return undefined
  const power = (isDecimalSuffix(suffix) ? exponents[suffix] : Number(exponent)) - fraction.length
  const magnitude = BigInt(digits) * (isBinarySuffix(suffix) ? 2n ** binaryPowers[suffix] : 1n)
  const signed = sign === "-" ? -magnitude : magnitude
  return power >= 0
    ? { numerator: signed * 10n ** BigInt(power), denominator: 1n }
    : { numerator: signed, denominator: 10n ** BigInt(-power) }
}

/** The nearest number: `31850m` is 31.85. */
export const toNumber = ({ denominator, numerator }: Quantity): number =>
  numerator % denominator === 0n
    ? Number(numerator / denominator)
    : nearest(numerator < 0n ? -numerator : numerator, denominator) * (numerator < 0n ? -1 : 1)

/** A quantity of bytes in whole MiB, rounded down: the part of a MiB that is left over is not there to be given out. */
export const toMebibytes = ({ denominator, numerator }: Quantity): number => {
  const mebibyte = denominator * 2n ** 20n
  return Number(numerator / mebibyte) - (numerator < 0n && numerator % mebibyte !== 0n ? 1 : 0)
}

// The engine rounds a decimal literal correctly, and every fraction here has a finite decimal expansion.
const nearest = (numerator: bigint, denominator: bigint): number => {
  const places = denominator.toString().length - 1
  const digits = numerator.toString().padStart(places + 1, "0")
  return Number(`${digits.slice(0, -places)}.${digits.slice(-places)}`)
}
