/** What follows from a trace and is only worked out when somebody looks at it. */

import type { TraceColumns } from "./columns.ts";
import { criticalPath, withSums, type CriticalPath } from "./critical.ts";
import { mergePaths, type PathNode } from "./paths.ts";
import { selfTimes } from "./selfTime.ts";
import type { SpanTree } from "./tree.ts";

export class Analysis {
  readonly #trace: TraceColumns;
  readonly #tree: SpanTree;
  #self: Float64Array | null = null;
  #critical: CriticalPath | null = null;
  #paths: PathNode[] | null = null;

  constructor(trace: TraceColumns, tree: SpanTree) {
    this.#trace = trace;
    this.#tree = tree;
  }

  /** Self time of each span, nanoseconds. */
  get self(): Float64Array {
    return (this.#self ??= this.#trace.self ?? selfTimes(this.#trace, this.#tree));
  }

  get critical(): CriticalPath {
    return (this.#critical ??= this.#trace.criticalSections
      ? withSums(this.#trace.criticalSections, this.#trace.count)
      : criticalPath(this.#trace, this.#tree));
  }

  /** Spans merged by path. */
  get paths(): readonly PathNode[] {
    return (this.#paths ??= mergePaths(this.#trace, this.#tree, this.self, this.critical.bySpan));
  }
}
