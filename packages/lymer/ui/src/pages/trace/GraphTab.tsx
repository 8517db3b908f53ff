/** The graph of a trace: spans merged by their path, boxes from left to right. */

import { useMemo, useState, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Choice } from "../../kit/fields.tsx";
import { boxSize, Graph, type GraphEdge, type GraphNode } from "../../kit/graph.tsx";
import { formatDuration } from "../../model/duration.ts";
import { layeredLayout } from "../../model/layered.ts";
import { oneOf } from "../../model/params.ts";
import { useShownTrace } from "./context.ts";
import type { TabProps } from "./TraceView.tsx";

/** More boxes than this nobody can read; the widest paths are kept. */
const NODES_MAX = 250;
const GRAPH_PARAMS = { color: oneOf(["service", "time", "self"]) };

export default function GraphTab({ found, onSpan }: TabProps): ReactNode {
  const { t, number, percent } = useLocale();
  const { analysis, trace, colors } = useShownTrace();
  const [{ color }, setParams] = useParams(GRAPH_PARAMS);
  const [selected, setSelected] = useState<string | null>(null);
  const palette = useMemo(() => new Map(trace.services.map((name, at) => [name, colors[at]])), [trace, colors]);
  const { nodes, edges, layout, hidden } = useMemo(() => {
    const all = analysis.paths;
    const most = Math.max(1, ...all.map((node) => (color === "self" ? node.self : node.total)));
    const order = all.toSorted((a, b) => a.depth - b.depth || b.total - a.total);
    const kept = new Map(order.slice(0, NODES_MAX).map(({ id }, place) => [id, place]));
    const shown = order.slice(0, NODES_MAX);
    const boxes = shown.map((node): GraphNode => {
      const time = formatDuration(node.total);
      const self = formatDuration(node.self);
      const lines = [
        node.operation,
        `${t.counts.spans(node.spans.length)} · ${time}`,
        `${t.stats.self} ${self} · ${percent(node.self / trace.durationNano)}`,
      ];
      const value = color === "time" ? node.total : color === "self" ? node.self : 0;
      return {
        ...boxSize(node.service, lines),
        id: String(node.id),
        title: node.service,
        lines,
        label: [node.service, ...lines, node.errors > 0 ? t.counts.errors(node.errors) : ""].filter(Boolean).join(", "),
        color: palette.get(node.service) ?? null,
        tone: node.errors > 0 ? "error" : "plain",
        heat: value / most,
        dim: found.active && !node.spans.some((span) => found.flags[span] === 1),
      };
    });
    const lines = shown.flatMap((node, to): GraphEdge[] => {
      const from = kept.get(node.parent);
      if (from === undefined) return [];
      return [{ from, to, label: `${shown[from].operation} → ${node.operation}: ${number(node.spans.length)}`, text: node.spans.length > 1 ? `×${number(node.spans.length)}` : "" }];
    });
    return { nodes: boxes, edges: lines, layout: layeredLayout(boxes, lines), hidden: all.length - shown.length };
  }, [analysis, trace, palette, color, found, t, number, percent]);
  const chosen = selected === null ? null : analysis.paths[Number(selected)];
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        <Choice
          label={t.graph.color}
          value={color}
          options={[
            { value: "service", label: t.trace.detail.service },
            { value: "time", label: t.trace.duration },
            { value: "self", label: t.stats.self },
          ]}
          onChange={(value) => setParams({ color: value as "service" })}
        />
        {hidden > 0 && <span className="ly-muted">{t.graph.hidden(hidden)}</span>}
        <span className="ly-top-space" />
        {chosen && (
          <button type="button" className="ly-linklike" onClick={() => onSpan(longest(chosen.spans, trace.duration))}>
            {t.graph.toSpan(`${chosen.service} ${chosen.operation}`)}
          </button>
        )}
      </div>
      <Graph label={t.trace.views.graph} nodes={nodes} edges={edges} layout={layout} selected={selected} onSelect={setSelected} />
    </div>
  );
}

function longest(spans: readonly number[], duration: Float64Array): number {
  return spans.reduce((best, span) => (duration[span] > duration[best] ? span : best), spans[0]);
}
