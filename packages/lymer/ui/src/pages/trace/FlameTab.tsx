/** The flame graph of a trace: spans merged by path, the widest first; beside it the same as a table. */

import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useCallback, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { canvasFont, CanvasView, type Draw } from "../../canvas/CanvasView.tsx";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { Choice } from "../../kit/fields.tsx";
import { Swatch } from "../../kit/service.tsx";
import { Table, type Column } from "../../kit/table.tsx";
import { formatDuration } from "../../model/duration.ts";
import { oneOf, whole } from "../../model/params.ts";
import { flameRects, type FlameRect, type PathNode } from "../../model/paths.ts";
import { useShownTrace } from "./context.ts";
import type { TabProps } from "./TraceView.tsx";

const ROW_PX = 21;
/** Narrower rectangles are not drawn, CSS pixels. */
const WIDTH_PX_MIN = 0.6;
const TEXT_PX_MIN = 34;
const FLAME_PARAMS = { flame: oneOf(["both", "graph", "table"]), focus: whole(-1, 0, 10_000_000) };

export default function FlameTab({ found, onSpan }: TabProps): ReactNode {
  const { t } = useLocale();
  const { analysis, trace } = useShownTrace();
  const [params, setParams] = useParams(FLAME_PARAMS);
  const nodes = analysis.paths;
  const focus = params.focus < nodes.length ? params.focus : -1;
  const setFocus = (node: number): void => setParams({ focus: node });
  const matches = useMemo(
    () => (found.active ? nodes.map((node) => node.spans.some((span) => found.flags[span] === 1)) : null),
    [nodes, found],
  );
  const longest = (node: PathNode): number =>
    node.spans.reduce((best, span) => (trace.duration[span] > trace.duration[best] ? span : best));
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        <Choice
          label={t.flame.show}
          value={params.flame}
          options={[
            { value: "both", label: t.flame.both },
            { value: "graph", label: t.flame.graph },
            { value: "table", label: t.flame.table },
          ]}
          onChange={(value) => setParams({ flame: value as "both" }, "replace")}
        />
        <span className="ly-muted">{t.flame.hint}</span>
        <span className="ly-top-space" />
        {focus >= 0 && (
          <>
            <button type="button" className="ly-linklike" onClick={() => onSpan(longest(nodes[focus]))}>
              {t.graph.toSpan(`${nodes[focus].service} ${nodes[focus].operation}`)}
            </button>
            <Button kind="quiet" onClick={() => setFocus(-1)}>
              {t.flame.whole}
            </Button>
          </>
        )}
      </div>
      <div className="ly-flame-split" data-show={params.flame}>
        {params.flame !== "graph" && <FlameTable nodes={nodes} onFocus={setFocus} matches={matches} />}
        {params.flame !== "table" && <FlameCanvas nodes={nodes} focus={focus} onFocus={setFocus} matches={matches} />}
      </div>
    </div>
  );
}

interface FlameProps {
  readonly nodes: readonly PathNode[];
  readonly onFocus: (node: number) => void;
  readonly matches: readonly boolean[] | null;
}

/** The nodes of one service and operation together, as Jaeger's table has them. */
interface Symbol {
  readonly service: string;
  readonly operation: string;
  readonly node: number;
  count: number;
  self: number;
  total: number;
}

function symbolsOf(nodes: readonly PathNode[]): Symbol[] {
  const symbols = new Map<string, Symbol>();
  for (const node of nodes) {
    const key = JSON.stringify([node.service, node.operation]);
    let symbol = symbols.get(key);
    if (!symbol) {
      symbol = { service: node.service, operation: node.operation, node: node.id, count: 0, self: 0, total: 0 };
      symbols.set(key, symbol);
    }
    symbol.count += node.spans.length;
    symbol.self += node.self;
    symbol.total += node.total;
  }
  return [...symbols.values()];
}

function FlameTable({ nodes, onFocus, matches }: FlameProps): ReactNode {
  const { t, number } = useLocale();
  const { trace, colors } = useShownTrace();
  const [sort, setSort] = useState({ column: "self", descending: true });
  const palette = useMemo(() => new Map(trace.services.map((name, at) => [name, colors[at]])), [trace, colors]);
  const rows = useMemo(() => {
    const key = sort.column as "self" | "total" | "count";
    const sign = sort.descending ? -1 : 1;
    const compare = (a: Symbol, b: Symbol): number =>
      sort.column === "name" ? `${a.service} ${a.operation}`.localeCompare(`${b.service} ${b.operation}`) : a[key] - b[key];
    return symbolsOf(nodes).sort((a, b) => sign * compare(a, b));
  }, [nodes, sort]);
  const columns: Column<Symbol>[] = [
    {
      id: "name",
      label: t.trace.nameColumn,
      always: true,
      first: "ascending",
      title: ({ service, operation }) => `${service}: ${operation}`,
      cell: (row) => (
        <span className="ly-cell-service">
          <Swatch index={palette.get(row.service) ?? 0} />
          <button type="button" className="ly-linklike" onClick={() => onFocus(row.node)}>
            <strong>{row.service}</strong> {row.operation || t.common.unnamed}
          </button>
        </span>
      ),
    },
    { id: "self", label: t.stats.self, width: 84, numeric: true, first: "descending", cell: ({ self }) => formatDuration(self) },
    { id: "total", label: t.stats.columns.total, width: 84, numeric: true, first: "descending", cell: ({ total }) => formatDuration(total) },
    { id: "count", label: t.stats.columns.count, width: 72, numeric: true, first: "descending", cell: ({ count }) => number(count) },
  ];
  return (
    <Table
      label={t.flame.table}
      remember="flame"
      rows={rows}
      columns={columns}
      rowKey={(row) => String(row.node)}
      rowState={(row) => (matches?.[row.node] ? "marked" : undefined)}
      sort={sort}
      onSort={setSort}
    />
  );
}

function FlameCanvas({ nodes, focus, onFocus, matches }: FlameProps & { readonly focus: number }): ReactNode {
  const { t, percent } = useLocale();
  const { trace, colors } = useShownTrace();
  const palette = useMemo(() => new Map(trace.services.map((name, at) => [name, colors[at]])), [trace, colors]);
  const rects = useMemo(() => flameRects(nodes, focus), [nodes, focus]);
  const depth = useMemo(() => rects.reduce((most, rect) => Math.max(most, rect.depth), 0) + 1, [rects]);
  const box = useRef<HTMLDivElement>(null);
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>();
  const ref = useMergedRef(box, sizeRef);
  const [hover, setHover] = useState<FlameRect | null>(null);
  const [at, setAt] = useState(0);

  const draw = useCallback<Draw>(
    (context, size, canvas) => {
      context.font = canvasFont(11);
      context.textBaseline = "middle";
      for (const rect of rects) {
        const px = rect.width * size.width;
        if (px < WIDTH_PX_MIN) continue;
        const node = nodes[rect.node];
        const x = rect.x * size.width;
        const y = rect.depth * ROW_PX;
        context.globalAlpha = matches && !matches[rect.node] ? 0.25 : 1;
        context.fillStyle = canvas.services[palette.get(node.service) ?? 0];
        context.fillRect(x, y, Math.max(0.6, px - 1), ROW_PX - 1);
        if (node.errors > 0) {
          context.fillStyle = canvas.error;
          context.fillRect(x, y + ROW_PX - 4, Math.max(0.6, px - 1), 3);
        }
        if (px < TEXT_PX_MIN) continue;
        context.save();
        context.beginPath();
        context.rect(x, y, px - 4, ROW_PX);
        context.clip();
        context.fillStyle = canvas.surface;
        context.fillText(`${node.operation || node.service} ${formatDuration(node.total)}`, x + 5, y + ROW_PX / 2);
        context.restore();
      }
      context.globalAlpha = 1;
      const marked = rects[at];
      if (marked && document.activeElement === box.current) {
        context.strokeStyle = canvas.text;
        context.lineWidth = 2;
        context.strokeRect(marked.x * size.width + 1, marked.depth * ROW_PX + 1, marked.width * size.width - 3, ROW_PX - 3);
      }
    },
    [rects, nodes, palette, matches, at],
  );
  const find = (event: PointerEvent): FlameRect | null => {
    const place = box.current?.getBoundingClientRect();
    if (!place) return null;
    const x = (event.clientX - place.left) / place.width;
    const row = Math.floor((event.clientY - place.top) / ROW_PX);
    return rects.find((rect) => rect.depth === row && x >= rect.x && x < rect.x + rect.width) ?? null;
  };
  const move = (event: KeyboardEvent): void => {
    const here = rects[at] ?? rects[0];
    const same = rects.map((rect, place) => ({ rect, place })).filter(({ rect }) => rect.width * width >= WIDTH_PX_MIN);
    const best = (wanted: (rect: FlameRect) => boolean, order: (a: FlameRect, b: FlameRect) => number): number =>
      same.filter(({ rect }) => wanted(rect)).sort((a, b) => order(a.rect, b.rect))[0]?.place ?? at;
    const next = {
      ArrowDown: () => best((rect) => rect.depth === here.depth + 1 && rect.x >= here.x - 1e-9 && rect.x < here.x + here.width, (a, b) => a.x - b.x),
      ArrowUp: () => best((rect) => rect.depth === here.depth - 1 && rect.x <= here.x + 1e-9 && rect.x + rect.width > here.x, (a, b) => a.x - b.x),
      ArrowRight: () => best((rect) => rect.depth === here.depth && rect.x > here.x, (a, b) => a.x - b.x),
      ArrowLeft: () => best((rect) => rect.depth === here.depth && rect.x < here.x, (a, b) => b.x - a.x),
    }[event.key];
    if (next) setAt(next());
    else if (event.key === "Enter" || event.key === " ") onFocus(here.node);
    else if (event.key === "Escape") onFocus(-1);
    else return;
    event.preventDefault();
  };
  const words = (rect: FlameRect | undefined): string => {
    if (!rect) return "";
    const node = nodes[rect.node];
    return `${node.service} ${node.operation}: ${t.counts.spans(node.spans.length)}, ${t.stats.columns.total} ${formatDuration(node.total)}, ${t.stats.self} ${formatDuration(node.self)}, ${percent(rect.width)}`;
  };
  const tip = hover ? nodes[hover.node] : null;
  return (
    <div className="ly-flame-scroll">
      <div
        ref={ref}
        className="ly-flame-box"
        style={{ height: depth * ROW_PX }}
        role="application"
        tabIndex={0}
        aria-label={`${t.flame.graph}: ${words(rects[at])}`}
        onKeyDown={move}
        onFocus={() => setAt((now) => Math.min(now, rects.length - 1))}
        onPointerMove={(event) => setHover(find(event))}
        onPointerLeave={() => setHover(null)}
        onClick={() => hover && onFocus(hover.node === focus ? -1 : hover.node)}
      >
        <CanvasView draw={draw} label={t.flame.graph} className="ly-flame-canvas" />
        {hover && tip && (
          <div
            className="ly-tip"
            data-side={hover.x + hover.width / 2 > 0.5 ? "left" : "right"}
            style={{ left: Math.min(width, Math.max(0, (hover.x + hover.width / 2) * width)), top: (hover.depth + 1) * ROW_PX + 20 }}
          >
            <strong>
              {tip.service}: {tip.operation}
            </strong>
            <span>
              {t.counts.spans(tip.spans.length)} · {formatDuration(tip.total)} · {t.stats.self} {formatDuration(tip.self)} · {percent(hover.width)}
            </span>
          </div>
        )}
      </div>
    </div>
  );
}
