/**
 * Addresses without what signs in: as they may be shown, logged and printed.
 */

/** Up to the last `@`: a password that was not percent-encoded may have one, and a slash, in it. */
const userInfo = /^([a-z][a-z0-9+.-]*:\/\/).*@/is

const secretParameter = /([?&][^=&]*(?:pass|pwd|token|secret|key|auth)[^=&]*=)[^&#]*/gi

/** What a parameter or a header is called whose value signs somebody in. */
export const secretName = /auth|cookie|credential|pass|pwd|secret|token|api-?key/i

/** A value in which user, password and secret parameters of an address are not. */
export const withoutSecrets = (value: string): string =>
  value.replace(userInfo, "$1***@").replace(secretParameter, "$1***")
