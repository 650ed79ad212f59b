/**
 * All that is kept in one database with SQL.
 */
import { FleetStore } from "@muster/core/fleet"
import { Context } from "effect"
import { AuditLog } from "../access/AuditLog.ts"
import { TokenStore } from "../access/TokenStore.ts"
import { makeSqlAuditLog } from "./SqlAuditLog.ts"
import { makeSqlFleetStore } from "./SqlFleetStore.ts"
import { makeSqlTokenStore } from "./SqlTokenStore.ts"
import type { Attempt } from "./StoreAttempt.ts"
import type { StoreDatabase } from "./StoreDatabase.ts"

/** The services that a store of any kind gives. */
export type StoreServices = FleetStore | TokenStore | AuditLog

export const makeSqlStores = (database: StoreDatabase, attempt: Attempt): Context.Context<StoreServices> =>
  Context.make(FleetStore, makeSqlFleetStore(database, attempt)).pipe(
    Context.add(TokenStore, makeSqlTokenStore(database, attempt)),
    Context.add(AuditLog, makeSqlAuditLog(database, attempt))
  )
