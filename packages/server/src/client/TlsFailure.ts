/**
 * Why a service cannot be spoken to by HTTPS, in words that say what to do. `undefined` where it is for another reason.
 */
import { Predicate } from "effect"

export const tlsFailure = (error: unknown): string | undefined => {
  const code = Predicate.hasProperty(error, "code") && Predicate.isString(error.code) ? error.code : ""
  if (unknownSigner.has(code)) {
    return "its certificate is not signed by a CA that is known here. Name the file with the CA's certificate in MUSTER_CA"
  }
  if (code === "CERT_HAS_EXPIRED") {
    return "its certificate has expired. Replace it there (MUSTER_TLS_CERT); the service needs no restart"
  }
  if (code === "CERT_NOT_YET_VALID") return "its certificate is not valid yet: compare the clocks"
  if (code === "ERR_TLS_CERT_ALTNAME_INVALID") {
    return `its certificate is not for this name${namesOf(error)}. Use one of its names, or a certificate for this one`
  }
  if (code === "ERR_SSL_WRONG_VERSION_NUMBER") {
    return "it does not speak TLS, so its address begins with http:// rather than https://"
  }
  if (/^ERR_SSL_TLSV1\d?_ALERT_CERTIFICATE_REQUIRED$/.test(code)) {
    return "it asks who is calling. Name files with a certificate and its key in MUSTER_CLIENT_CERT and MUSTER_CLIENT_KEY"
  }
  if (/^ERR_SSL_.*_ALERT_(?:UNKNOWN_CA|BAD_CERTIFICATE|CERTIFICATE_\w+|HANDSHAKE_FAILURE)$/.test(code)) {
    return "it refuses the certificate in MUSTER_CLIENT_CERT: look whether its CA is the one in the service's MUSTER_TLS_CLIENT_CA, and whether it has expired"
  }
  return code.startsWith("ERR_SSL_") || code === "EPROTO"
    ? `TLS failed (${code}). Look whether both sides speak TLS 1.2 or newer`
    : undefined
}

const unknownSigner = new Set([
  "DEPTH_ZERO_SELF_SIGNED_CERT",
  "SELF_SIGNED_CERT_IN_CHAIN",
  "UNABLE_TO_GET_ISSUER_CERT",
  "UNABLE_TO_GET_ISSUER_CERT_LOCALLY",
  "UNABLE_TO_VERIFY_LEAF_SIGNATURE"
])

const namesOf = (error: unknown): string => {
  const names = Predicate.hasProperty(error, "cert") ? error.cert : undefined
  return Predicate.hasProperty(names, "subjectaltname") && Predicate.isString(names.subjectaltname)
    ? `, but for ${names.subjectaltname.slice(0, 200)}`
    : ""
}
