/** The services as a graph; what is known of rate, errors and duration stands in the boxes. */

import { useMemo, type ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { boxSize, Graph, type GraphEdge, type GraphNode } from "../../kit/graph.tsx";
import { slowdown, type CallEdge, type CallGraph, type CallNode } from "../../model/callGraph.ts";
import { formatDuration } from "../../model/duration.ts";
import { forceLayout } from "../../model/force.ts";
import { layeredLayout } from "../../model/layered.ts";
import { paletteIndex } from "../../model/palette.ts";

const SHAPES = { service: "box", database: "database", messaging: "queue", external: "outside" } as const;
/** From this share of failed calls on, a service or a link is drawn as failing. */
const FAILING_SHARE = 0.05;
/** From this factor on a duration is shown as changed against before. */
const CHANGED_FACTOR = 1.2;

interface MapGraphProps {
  readonly graph: CallGraph;
  readonly kind: "dag" | "force";
  readonly selected: string | null;
  readonly onSelect: (id: string | null) => void;
}

export function MapGraph({ graph, kind, selected, onSelect }: MapGraphProps): ReactNode {
  const { t, compact, percent } = useLocale();
  const { nodes, edges, layout } = useMemo(() => {
    const place = new Map(graph.nodes.map(({ id }, at) => [id, at]));
    const most = graph.edges.reduce((max, { calls }) => Math.max(max, calls), 1);
    const errorsOf = (part: CallNode | CallEdge): string =>
      part.errors === null || part.calls === 0 ? "" : ` · ${percent(part.errors / part.calls)} ${t.map.errors}`;
    // Where nothing at all was before, nothing is new among the old.
    const hasBefore = graph.nodes.some(({ before }) => before !== null && before !== undefined);
    const slower = (part: CallNode | CallEdge): string => {
      const factor = slowdown(part);
      if (factor === null || (factor < CHANGED_FACTOR && factor > 1 / CHANGED_FACTOR)) return "";
      return ` ${factor > 1 ? "▲ +" : "▼ −"}${percent(Math.abs(factor - 1))}`;
    };
    const boxes = graph.nodes.map((node): GraphNode => {
      const lines = [
        `${t.map.calls(compact(node.calls))}${errorsOf(node)}`,
        ...(node.p95 === null ? [] : [`p95 ${formatDuration(node.p95)}${slower(node)}`]),
        ...(hasBefore && node.before === null ? [t.why.map.fresh] : []),
      ];
      return {
        ...boxSize(node.name, lines),
        id: node.id,
        title: node.name,
        lines,
        label: [node.name, t.map.kinds[node.kind], ...lines].join(", "),
        color: node.kind === "service" ? paletteIndex(node.name) : null,
        shape: SHAPES[node.kind],
        tone: failing(node) ? "error" : "plain",
      };
    });
    const lines = graph.edges.map((edge): GraphEdge => {
      const p95 = edge.p95 === null ? "" : ` · p95 ${formatDuration(edge.p95)}${slower(edge)}`;
      return {
        from: place.get(edge.from) ?? 0,
        to: place.get(edge.to) ?? 0,
        text: `${compact(edge.calls)}${slower(edge)}`,
        label: `${edge.from} → ${edge.to}: ${t.map.calls(compact(edge.calls))}${errorsOf(edge)}${p95}`,
        weight: Math.log1p(edge.calls) / Math.log1p(most),
        failed: failing(edge),
      };
    });
    return { nodes: boxes, edges: lines, layout: (kind === "force" ? forceLayout : layeredLayout)(boxes, lines) };
  }, [graph, kind, t, compact, percent]);
  return <Graph label={t.nav.map} nodes={nodes} edges={edges} layout={layout} selected={selected} onSelect={onSelect} />;
}

function failing(part: CallNode | CallEdge): boolean {
  return part.errors !== null && part.calls > 0 && part.errors / part.calls >= FAILING_SHARE;
}
