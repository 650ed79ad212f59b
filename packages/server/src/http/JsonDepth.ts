/**
 * How deeply JSON is nested, looked at before it is parsed: what comes after the parser goes down into it once for each
 * level.
 */
const quote = 0x22
const backslash = 0x5c
const openBracket = 0x5b
const closeBracket = 0x5d
const openBrace = 0x7b
const closeBrace = 0x7d

/** Whether objects and arrays in `bytes` are at most `maximum` deep inside each other. It need not be JSON. */
export const isAtMostDeep = (bytes: Uint8Array, maximum: number): boolean => {
  // Not even if all that is there were brackets.
  if (bytes.length <= maximum) return true
  let depth = 0
  for (let at = 0; at < bytes.length; at++) {
    const byte = bytes[at]
    if (byte === openBrace || byte === openBracket) {
      if (++depth > maximum) return false
    } else if (byte === closeBrace || byte === closeBracket) depth--
    else if (byte === quote) {
      // On to the end of the string: the next quote with no backslash before it.
      for (at++; at < bytes.length && bytes[at] !== quote; at++) if (bytes[at] === backslash) at++
    }
  }
  return true
}
