/** The workers that everyone is sent: the same but for their ids, some 250 bytes of JSON each. */

const id = (sequence: number): string => `ci-${String(sequence).padStart(12, "0")}`

const capabilities = { cpuCores: 8, memoryMb: 16_384, customResources: { gpu: 1 } }

const metadata = {
  workerType: "dynamic",
  namespace: "ci",
  labels: { zone: "eu-west-1a", pool: "linux-large" },
  tags: ["linux", "x64"],
  provisionedAt: "2026-01-31T12:00:00.000Z"
}

/** A worker as a program has it before it sends it. */
export const workerInput = (sequence: number) => ({ id: id(sequence), capabilities, metadata })

const rest = JSON.stringify({ capabilities, metadata }).slice(1)

/** The JSON of {@link workerInput}, in ASCII. */
export const workerJson = (sequence: number): string => `{"id":"${id(sequence)}",${rest}`

/** Workers in one line each. */
export const workerLines = (first: number, count: number): string =>
  Array.from({ length: count }, (_, index) => workerJson(first + index) + "\n").join("")
