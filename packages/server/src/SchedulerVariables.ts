/**
 * What the environment says of the scheduler beside its name: certificates, users and tokens. Each is read where the
 * scheduler that was named takes it.
 */
import { oneOf, text } from "./Variables.ts"

const aFile = "the path of a file"

/** In the order in which they are shown. */
export const schedulerVariables = {
  ca: text({
    name: "MUSTER_SCHEDULER_CA",
    description: "with TLS: a file with the certificates, in PEM, that the scheduler's is signed with",
    rule: aFile,
    defaultText: "those that Node trusts"
  }),
  cert: text({
    name: "MUSTER_SCHEDULER_CERT",
    description: "with TLS: a file with Muster's own certificate, in PEM",
    rule: aFile
  }),
  key: text({
    name: "MUSTER_SCHEDULER_KEY",
    description: "with TLS: a file with its private key, in PEM",
    rule: aFile,
    namesSecretFile: true
  }),
  serverName: text({
    name: "MUSTER_SCHEDULER_SERVER_NAME",
    description: "with TLS: the name in the scheduler's certificate, where it is not that of its address",
    rule: "a host name"
  }),
  user: text({
    name: "MUSTER_SCHEDULER_USER",
    description: "etcd: the user that Muster signs in as",
    rule: "the name of a user"
  }),
  password: text({
    name: "MUSTER_SCHEDULER_PASSWORD",
    description: "etcd: the user's password",
    rule: "a password",
    isSecret: true
  }),
  passwordFile: text({
    name: "MUSTER_SCHEDULER_PASSWORD_FILE",
    description: "etcd: a file with the password, read again at each sign-in",
    rule: aFile,
    namesSecretFile: true
  }),
  tokenFile: text({
    name: "MUSTER_HODEI_TOKEN_FILE",
    description: "Hodei: a file with the token, read again when it changes",
    rule: aFile,
    namesSecretFile: true
  }),
  tokenCommand: text({
    name: "MUSTER_HODEI_TOKEN_COMMAND",
    description: "Hodei: a program, and its arguments, that prints the token",
    rule: `a program and its arguments, with spaces between or as ["an", "array", "in JSON"]`,
    // Its arguments may hold what the program signs in with.
    isSecret: true
  }),
  hwpUnregister: oneOf({
    name: "MUSTER_HODEI_HWP_UNREGISTER",
    description: "Hodei over HWP, which cannot unregister: whether that fails or is left undone",
    values: ["reject", "leave"],
    fallback: "reject"
  }),
  slurmConf: text({
    name: "SLURM_CONF",
    flag: "slurm-conf",
    description: "Slurm: the cluster's slurm.conf",
    rule: aFile,
    defaultText: "where Slurm looks for it"
  })
}
