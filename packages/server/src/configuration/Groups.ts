/**
 * All variables that the service and the commands declare.
 */
import { accessVariables } from "../access/AccessSettings.ts"
import { joinTokenVariable, tokenVariable } from "../client/ClientToken.ts"
import { serverVariable } from "../client/ServiceAddress.ts"
import { clientTlsVariables } from "../client/ServiceHttpClient.ts"
import { clusterVariables } from "../cluster/ClusterSettings.ts"
import { fleetVariables } from "../FleetSettings.ts"
import { limitVariables } from "../LimitSettings.ts"
import { tlsVariables } from "../http/TlsSettings.ts"
import { logLevelVariable } from "../LogLevel.ts"
import { policyVariables } from "../PolicySettings.ts"
import { schedulerVariables } from "../SchedulerVariables.ts"
import { serviceVariables } from "../ServeSettings.ts"
import { type AnyVariable, fileVariable } from "../Variables.ts"
import { registrationVariables } from "./RegistrationVariables.ts"

export interface Group {
  readonly title: string
  readonly variables: ReadonlyArray<AnyVariable>
}

const declared: ReadonlyArray<Group> = [
  {
    title: "Service",
    variables: [...Object.values(serviceVariables), ...Object.values(tlsVariables), logLevelVariable]
  },
  { title: "Cluster", variables: Object.values(clusterVariables) },
  { title: "Scheduler", variables: Object.values(schedulerVariables) },
  { title: "Fleet", variables: Object.values(fleetVariables) },
  { title: "Policies", variables: Object.values(policyVariables) },
  { title: "Access", variables: Object.values(accessVariables) },
  { title: "Limits", variables: Object.values(limitVariables) },
  { title: "Registration", variables: registrationVariables },
  {
    title: "Commands",
    variables: [serverVariable, tokenVariable, joinTokenVariable, ...Object.values(clientTlsVariables)]
  }
]

const names = new Set(declared.flatMap(({ variables }) => variables.map(({ name }) => name)))

/** The variables, in the order in which they are shown: after each secret, the one that can name a file with it. */
export const groups: ReadonlyArray<Group> = declared.map(({ title, variables }) => ({
  title,
  variables: variables.flatMap((variable) => {
    const file = fileVariable(variable)
    return file === undefined || names.has(file.name) ? [variable] : [variable, file]
  })
}))
