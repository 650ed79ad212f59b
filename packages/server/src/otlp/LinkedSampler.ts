/**
 * What a caller has decided about its trace holds for the calls to the scheduler that come of it, too. Those are traces
 * of their own, since they may be made hours later, so the decision comes along in their link instead of a parent.
 */
import {
  type Context,
  type Link,
  type SpanKind,
  trace,
  TraceFlags,
  type Attributes
} from "@opentelemetry/api"
import {
  AlwaysOffSampler,
  AlwaysOnSampler,
  ParentBasedSampler,
  type Sampler,
  type SamplingResult,
  TraceIdRatioBasedSampler
} from "@opentelemetry/sdk-trace"
import type { SamplerSettings } from "./OtlpSettings.ts"

export const makeSampler = ({ isParentBased, ratio }: SamplerSettings): Sampler => {
  const root = new TraceIdRatioBasedSampler(ratio)
  return isParentBased ? new LinkedSampler(root) : root
}

const on = new AlwaysOnSampler()
const off = new AlwaysOffSampler()

class LinkedSampler implements Sampler {
  private readonly root: Sampler
  private readonly children: Sampler

  constructor(root: Sampler) {
    this.root = root
    this.children = new ParentBasedSampler({ root })
  }

  shouldSample(
    context: Context,
    traceId: string,
    spanName: string,
    spanKind: SpanKind,
    attributes: Attributes,
    links: Array<Link>
  ): SamplingResult {
    if (links.length === 0 || trace.getSpanContext(context) !== undefined) {
      return this.children.shouldSample(context, traceId, spanName, spanKind, attributes, links)
    }
    // A batch has several: one that somebody wants to see is enough.
    return links.some(({ context }) => (context.traceFlags & TraceFlags.SAMPLED) !== 0)
      ? on.shouldSample()
      : off.shouldSample()
  }

  toString(): string {
    return `LinkedSampler{${this.root.toString()}}`
  }
}
