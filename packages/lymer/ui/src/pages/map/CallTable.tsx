/** The map as a table: every link between two services, for who would rather read than look. */

import { useMemo, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Table, type Column } from "../../kit/table.tsx";
import type { CallEdge, CallGraph } from "../../model/callGraph.ts";
import { formatDuration } from "../../model/duration.ts";
import { sorting } from "../../model/params.ts";

interface CallTableProps {
  readonly graph: CallGraph;
  readonly onService: (id: string) => void;
}

const ORDERS: Readonly<Record<string, (a: CallEdge, b: CallEdge) => number>> = {
  from: (a, b) => a.from.localeCompare(b.from) || a.to.localeCompare(b.to),
  to: (a, b) => a.to.localeCompare(b.to) || a.from.localeCompare(b.from),
  calls: (a, b) => a.calls - b.calls,
  errors: (a, b) => (a.errors ?? 0) / a.calls - (b.errors ?? 0) / b.calls,
  p50: (a, b) => (a.p50 ?? 0) - (b.p50 ?? 0),
  p95: (a, b) => (a.p95 ?? 0) - (b.p95 ?? 0),
  p99: (a, b) => (a.p99 ?? 0) - (b.p99 ?? 0),
};

const SORT_PARAMS = { calls: sorting(["calls", ...Object.keys(ORDERS)]) };

export function CallTable({ graph, onService }: CallTableProps): ReactNode {
  const { t, number, percent } = useLocale();
  const [{ calls: sort }, setParams] = useParams(SORT_PARAMS);
  const rows = useMemo(
    () => graph.edges.toSorted((a, b) => (sort.descending ? -1 : 1) * ORDERS[sort.column](a, b)),
    [graph, sort],
  );
  const service = (id: string): ReactNode => (
    <button type="button" className="ly-linklike" onClick={() => onService(id)}>
      {id}
    </button>
  );
  const time = (id: "p50" | "p95" | "p99", from: number): Column<CallEdge> => ({
    id,
    label: id,
    width: 84,
    numeric: true,
    first: "descending",
    from,
    cell: (edge) => (edge[id] === null ? "–" : formatDuration(edge[id])),
  });
  const known = graph.edges.some(({ p95 }) => p95 !== null);
  const columns: Column<CallEdge>[] = [
    { id: "from", label: t.map.caller, always: true, first: "ascending", title: ({ from }) => from, cell: ({ from }) => service(from) },
    { id: "to", label: t.map.callee, always: true, first: "ascending", title: ({ to }) => to, cell: ({ to }) => service(to) },
    { id: "calls", label: t.map.callsLabel, width: 96, numeric: true, first: "descending", cell: ({ calls }) => number(calls) },
    ...(known
      ? [
          {
            id: "errors",
            label: t.map.errors,
            width: 84,
            numeric: true,
            first: "descending" as const,
            cell: (edge: CallEdge) => (edge.errors === null ? "–" : percent(edge.errors / Math.max(1, edge.calls))),
          },
          time("p50", 700),
          time("p95", 520),
          time("p99", 820),
        ]
      : []),
  ];
  return <Table label={t.nav.map} remember="map" rows={rows} columns={columns} rowKey={({ from, to }) => JSON.stringify([from, to])} sort={sort} onSort={(calls) => setParams({ calls })} />;
}
