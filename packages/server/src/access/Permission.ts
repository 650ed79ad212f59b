/**
 * What each route asks of its caller, and who has that.
 */
import type { Api } from "../http/Api.ts"
import { type Identity, isRestricted } from "./Identity.ts"

/**
 * `public`: everybody. `identity`: whoever has a credential. `look`: the fleet as a whole. `lookAtOwn`: a worker, where
 * it is one of the caller's. `provision`: to register, and what belongs to it. `keep`: heartbeats and termination, which
 * a machine may send for itself. `operate`: everything else.
 */
export type Permission = "public" | "identity" | "look" | "lookAtOwn" | "provision" | "keep" | "operate"

type Groups = typeof Api.groups
export type Endpoint = {
  [Group in keyof Groups]: keyof Groups[Group]["endpoints"]
}[keyof Groups]

/** Every route has its line: one that is new does not compile without. */
export const permissions: Readonly<Record<Endpoint, Permission>> = {
  registerWorker: "provision",
  registerBatch: "provision",
  listWorkers: "look",
  getWorker: "lookAtOwn",
  getTimeline: "lookAtOwn",
  terminateWorker: "keep",
  workerReady: "provision",
  checkWorker: "operate",
  retryWorker: "operate",
  workerHeartbeat: "keep",
  listDeadLetters: "look",
  retryDeadLetters: "operate",
  dropDeadLetters: "operate",
  retryDeadLetter: "operate",
  dropDeadLetter: "operate",
  receiveEvents: "provision",
  followEvents: "look",
  getOverview: "look",
  getHistory: "look",
  getScheduler: "look",
  listSchedulerWorkers: "look",
  getCluster: "look",
  health: "public",
  ready: "public",
  metrics: "look",
  exportFleet: "look",
  importFleet: "operate",
  getSession: "identity",
  signIn: "public",
  signOut: "public",
  listTokens: "operate",
  createToken: "operate",
  rotateToken: "operate",
  revokeToken: "operate",
  createJoinToken: "provision",
  join: "public",
  listAudit: "operate"
}

const byName: ReadonlyMap<string, Permission> = new Map(Object.entries(permissions))

/** Of a route that has no line: what the fewest have. */
export const permissionOf = (endpoint: string): Permission => byName.get(endpoint) ?? "operate"

/** Whether a caller may ask for what needs this, as far as that does not depend on the worker. */
export const allows = (
  identity: Pick<Identity, "kind" | "role" | "namespaces" | "ownWorkers" | "worker">,
  permission: Permission
): boolean => {
  if (permission === "public" || permission === "identity") return true
  if (identity.kind === "machine") return permission === "keep"
  switch (identity.role) {
    case "operator":
      return true
    case "viewer":
      return permission === "look" || permission === "lookAtOwn"
    case "provisioner":
      if (permission === "look") return !isRestricted(identity)
      return permission !== "operate"
  }
}
