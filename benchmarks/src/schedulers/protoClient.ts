/** grpc-js as its documentation shows it: a .proto file is loaded, and its methods are called. */
import { credentials, loadPackageDefinition, type ServiceClientConstructor } from "@grpc/grpc-js"
import { loadSync } from "@grpc/proto-loader"
import { dirname, join } from "node:path"
import { fileURLToPath } from "node:url"

export const serverFolder = dirname(fileURLToPath(import.meta.resolve("@muster/server/package.json")))

/** What is run as `muster`. */
export const bin = join(serverFolder, "src/bin.js")

export interface ProtoClient {
  readonly call: (method: string, request: object) => Promise<unknown>
  readonly close: () => void
}

const isService = (value: unknown): value is ServiceClientConstructor => typeof value === "function"

/**
 * `service` by its full name, such as `muster.scheduler.v1.SchedulerService`. With `deadlineMillis` no call is waited
 * for longer than that.
 */
export const protoClient = (
  file: string,
  service: string,
  address: string,
  deadlineMillis?: number
): ProtoClient => {
  const folder = join(serverFolder, "proto")
  const definition = loadSync(join(folder, file), { includeDirs: [folder], longs: Number, defaults: true })
  let found: unknown = loadPackageDefinition(definition)
  for (const name of service.split(".")) found = Object(found)[name]
  if (!isService(found)) throw new Error(`${file} has no ${service}`)
  const client = new found(address, credentials.createInsecure())
  return {
    call: (name, request) => {
      const method = client[name]
      if (typeof method !== "function") throw new Error(`${service} has no ${name}`)
      const options = deadlineMillis === undefined ? {} : { deadline: Date.now() + deadlineMillis }
      return new Promise((resolve, reject) =>
        method.call(client, request, options, (error: Error | null, answer: unknown) =>
          error === null ? resolve(answer) : reject(error)
        )
      )
    },
    close: () => client.close()
  }
}
