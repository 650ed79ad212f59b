/**
 * How large a worker can be.
 */

/**
 * The bounds that no worker exceeds, however hostile its sender. The numbers are far above any real machine or
 * label set (Kubernetes stops at 63 characters a label value); they exist so that memory, rows and pages have a
 * known largest size.
 */
export const WorkerLimits = {
  /** Most CPU cores of one worker. */
  cpuCores: 1_000_000,
  /** Most memory of one worker in MiB: one exbibyte. */
  memoryMb: 2 ** 40,
  /** Most custom resources of one worker. */
  customResources: 128,
  /** Largest amount of one custom resource: the largest safe integer. */
  customResourceAmount: Number.MAX_SAFE_INTEGER,
  /** Longest name of a custom resource, label or tag, in characters: a DNS prefix, a slash and a name of 63. */
  name: 317,
  /** Longest namespace, in characters. */
  namespace: 253,
  /** Most labels of one worker. */
  labels: 256,
  /** Longest value of a label, in characters. */
  labelValue: 1024,
  /** Most tags of one worker. */
  tags: 256
} as const
