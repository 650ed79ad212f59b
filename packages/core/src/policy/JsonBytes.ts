/**
 * How large a worker is on its way, without encoding it: its adapter does that, and once is enough.
 */
import type { Worker } from "../Worker.ts"

/** The names, brackets and numbers that every worker's JSON has, and its generation; at most 290. */
const frameBytes = 320

/** About as many bytes as a worker's JSON has, its generation included, and never fewer. */
export const jsonBytes = ({ capabilities, id, metadata }: Worker): number => {
  let bytes = frameBytes + id.length + textBytes(metadata.namespace)
  for (const name in capabilities.customResources) bytes += textBytes(name) + 28
  for (const name in metadata.labels) bytes += textBytes(name) + textBytes(metadata.labels[name] ?? "") + 6
  for (const tag of metadata.tags) bytes += textBytes(tag) + 3
  return bytes
}

const textBytes = (text: string): number => {
  let bytes = text.length
  for (let index = 0; index < text.length; index++) {
    const code = text.charCodeAt(index)
    if (code < 0x20) bytes += 5
    else if (code === 0x22 || code === 0x5c) bytes += 1
    else if (code >= 0x80) bytes += code < 0x800 ? 1 : 2
  }
  return bytes
}
