/** The flame graph of a trace: spans merged by path, the widest first; beside it the same as a table. */

import { useMemo, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { FlameCanvas } from "../../canvas/FlameCanvas.tsx";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { Choice } from "../../kit/fields.tsx";
import { Swatch } from "../../kit/service.tsx";
import { Table, type Column } from "../../kit/table.tsx";
import { formatDuration } from "../../model/duration.ts";
import { oneOf, sorting, whole } from "../../model/params.ts";
import type { PathNode } from "../../model/paths.ts";
import { useShownTrace } from "./context.ts";
import type { TabProps } from "./TraceView.tsx";

const SORT_PARAMS = { symbols: sorting(["self", "total", "count", "name"]) };
const FLAME_PARAMS = { flame: oneOf(["both", "graph", "table"]), focus: whole(-1, 0, 10_000_000) };

export default function FlameTab({ found, onSpan }: TabProps): ReactNode {
  const { t } = useLocale();
  const { analysis, trace, colors } = useShownTrace();
  const palette = useMemo(() => new Map(trace.services.map((name, at) => [name, colors[at]])), [trace, colors]);
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
          onChange={(value) => setParams({ flame: value as "both" })}
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
        {params.flame !== "table" && <FlameCanvas nodes={nodes} palette={palette} focus={focus} onFocus={setFocus} matches={matches} />}
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
  const [{ symbols: sort }, setParams] = useParams(SORT_PARAMS);
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
    { id: "self", label: t.stats.self, width: 96, numeric: true, first: "descending", cell: ({ self }) => formatDuration(self) },
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
      onSort={(symbols) => setParams({ symbols })}
    />
  );
}
