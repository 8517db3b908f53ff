/** The difference of two traces as a graph: a box for each path, its colour says more or fewer. */

import { useMemo, useState, type ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { boxSize, Graph, type GraphEdge, type GraphNode } from "../../kit/graph.tsx";
import { includesTerm, parseFind } from "../../model/find.ts";
import { layeredLayout } from "../../model/layered.ts";
import { diffKind, type DiffNode } from "../../model/paths.ts";
import { paletteIndex } from "../../model/palette.ts";

const NODES_MAX = 250;

/** `3 → 5` and by how much that is more or less. */
export function changeText(node: DiffNode, percent: (share: number) => string): string {
  if (node.before === node.after) return `${node.before}`;
  const share = node.before > 0 && node.after > 0 ? ` (${node.after > node.before ? "+" : "−"}${percent(Math.abs(node.after / node.before - 1))})` : "";
  return `${node.before} → ${node.after}${share}`;
}

export function DiffGraph(props: { readonly nodes: readonly DiffNode[]; readonly find: string }): ReactNode {
  const { t, percent } = useLocale();
  const [selected, setSelected] = useState<string | null>(null);
  const { boxes, edges, layout, hidden } = useMemo(() => {
    const { include } = parseFind(props.find);
    const order = props.nodes.toSorted((a, b) => rank(a) - rank(b) || a.id - b.id).slice(0, NODES_MAX);
    const kept = withAncestors(props.nodes, order);
    const place = new Map(kept.map(({ id }, at) => [id, at]));
    const shown = kept.map((node): GraphNode => {
      const lines = [node.operation, `${t.counts.spansLabel} ${changeText(node, percent)}`];
      const kind = diffKind(node);
      return {
        ...boxSize(node.service, lines),
        id: String(node.id),
        title: node.service,
        lines,
        label: `${node.service} ${node.operation}: ${t.compare.kinds[kind]}, ${changeText(node, percent)}`,
        color: paletteIndex(node.service),
        tone: kind,
        dim: include.length > 0 && !includesTerm(include, `${node.service} ${node.operation}`),
      };
    });
    const links = kept.flatMap((node, to): GraphEdge[] => {
      const from = place.get(node.parent);
      return from === undefined ? [] : [{ from, to, label: `${kept[from].operation} → ${node.operation}` }];
    });
    return { boxes: shown, edges: links, layout: layeredLayout(shown, links), hidden: props.nodes.length - kept.length };
  }, [props.nodes, props.find, t, percent]);
  return (
    <div className="ly-graph-holder">
      {hidden > 0 && <p className="ly-muted">{t.graph.hidden(hidden)}</p>}
      <Graph label={t.compare.title} nodes={boxes} edges={edges} layout={layout} selected={selected} onSelect={setSelected} />
    </div>
  );
}

/** What differs is kept first. */
function rank(node: DiffNode): number {
  return diffKind(node) === "same" ? 1 : 0;
}

function withAncestors(all: readonly DiffNode[], some: readonly DiffNode[]): DiffNode[] {
  const kept = new Set<number>();
  for (const node of some) {
    for (let id = node.id; id >= 0 && !kept.has(id); id = all[id].parent) kept.add(id);
  }
  return all.filter(({ id }) => kept.has(id));
}
