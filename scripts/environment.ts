/**
 * The environment for a process that a test starts as a user would: nothing of the npx, pnpm and vitest around the
 * test, but what this machine needs to reach its registry.
 */
const isOfTheTestRun = /^(npm_|pnpm_|NODE_|MUSTER_|VITEST|INIT_CWD$)/i
const reachesTheRegistry = /^(NODE_EXTRA_CA_CERTS|npm_config_(registry|cafile|proxy|https?_proxy|noproxy))$/i

export const outerEnvironment = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => reachesTheRegistry.test(name) || !isOfTheTestRun.test(name))
)
