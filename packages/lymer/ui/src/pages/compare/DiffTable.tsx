/** The difference of two traces as a table: spans and time by path, before and after. */

import { useMemo, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { OperationCell } from "../../kit/service.tsx";
import { Table, type Column } from "../../kit/table.tsx";
import { formatDuration } from "../../model/duration.ts";
import { includesTerm, parseFind } from "../../model/find.ts";
import { diffKind, type DiffNode } from "../../model/paths.ts";
import { sorting } from "../../model/params.ts";

const ORDERS: Readonly<Record<string, (a: DiffNode, b: DiffNode) => number>> = {
  path: (a, b) => a.id - b.id,
  spansA: (a, b) => a.before - b.before,
  spansB: (a, b) => a.after - b.after,
  change: (a, b) => a.after - a.before - (b.after - b.before),
  timeA: (a, b) => a.beforeNanos - b.beforeNanos,
  timeB: (a, b) => a.afterNanos - b.afterNanos,
  timeChange: (a, b) => a.afterNanos - a.beforeNanos - (b.afterNanos - b.beforeNanos),
};

const SORT_PARAMS = { paths: sorting(["path", ...Object.keys(ORDERS)], true) };

export function DiffTable(props: { readonly nodes: readonly DiffNode[]; readonly find: string }): ReactNode {
  const { t, number } = useLocale();
  const [{ paths: sort }, setParams] = useParams(SORT_PARAMS);
  const rows = useMemo(() => {
    const { include } = parseFind(props.find);
    const shown = props.nodes.filter(
      ({ service, operation }) => include.length === 0 || includesTerm(include, `${service} ${operation}`),
    );
    return shown.sort((a, b) => (sort.descending ? -1 : 1) * ORDERS[sort.column](a, b) || a.id - b.id);
  }, [props.nodes, props.find, sort]);
  const signed = (value: number, text: string): string => (value > 0 ? `+${text}` : value < 0 ? `−${text}` : "0");
  const columns: Column<DiffNode>[] = [
    {
      id: "path",
      label: t.trace.nameColumn,
      always: true,
      first: "ascending",
      title: ({ service, operation }) => `${service}: ${operation}`,
      cell: ({ service, operation }) => <OperationCell service={service} operation={operation} />,
    },
    { id: "kind", label: t.compare.legend, width: 110, from: 640, cell: (node) => <span className="ly-diff" data-tone={diffKind(node)}>{t.compare.kinds[diffKind(node)]}</span> },
    { id: "spansA", label: t.compare.spans("A"), width: 84, numeric: true, first: "descending", cell: ({ before }) => number(before) },
    { id: "spansB", label: t.compare.spans("B"), width: 84, numeric: true, first: "descending", cell: ({ after }) => number(after) },
    { id: "change", label: t.compare.change, width: 84, numeric: true, first: "descending", from: 560, cell: ({ before, after }) => signed(after - before, number(Math.abs(after - before))) },
    { id: "timeA", label: t.compare.time("A"), width: 96, numeric: true, first: "descending", from: 760, cell: ({ beforeNanos }) => formatDuration(beforeNanos) },
    { id: "timeB", label: t.compare.time("B"), width: 96, numeric: true, first: "descending", from: 760, cell: ({ afterNanos }) => formatDuration(afterNanos) },
    {
      id: "timeChange",
      label: t.compare.timeChange,
      width: 128,
      numeric: true,
      first: "descending",
      from: 900,
      cell: ({ beforeNanos, afterNanos }) => signed(afterNanos - beforeNanos, formatDuration(Math.abs(afterNanos - beforeNanos))),
    },
  ];
  return (
    <Table label={t.compare.title} remember="compare" rows={rows} columns={columns} rowKey={({ id }) => String(id)} sort={sort} onSort={(paths) => setParams({ paths })} />
  );
}
