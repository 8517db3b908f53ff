/** Search results as a table; a click on a heading sorts. */

import { useMediaQuery } from "@mantine/hooks";
import type { ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { useEmbed } from "../../app/embed.ts";
import { useLocale } from "../../i18n/index.ts";
import { Table, type Column } from "../../kit/table.tsx";
import { displayTraceId } from "../../model/columns.ts";
import type { Sort, Summary } from "../../model/summary.ts";
import { traceHref } from "./hrefs.ts";
import { DurationBar, ErrorCount, Incomplete, Pick, Services, Started, TraceName, type ResultRowsProps } from "./parts.tsx";

const ROW_PX = 40;
/** Below this width of the window names and services get the room of ids and of how long ago. */
const WIDE = "(min-width: 1400px)";

/** Column → its two sort orders. */
const ORDERS: Readonly<Record<string, { readonly ascending: Sort; readonly descending: Sort }>> = {
  trace: { ascending: "NAME_A_Z", descending: "NAME_Z_A" },
  spans: { ascending: "LEAST_SPANS", descending: "MOST_SPANS" },
  errors: { ascending: "LEAST_ERRORS", descending: "MOST_ERRORS" },
  duration: { ascending: "SHORTEST_FIRST", descending: "LONGEST_FIRST" },
  start: { ascending: "OLDEST_FIRST", descending: "MOST_RECENT" },
};

/** The columns, also for the menu that hides them. */
export function useResultColumns(props: ResultRowsProps): Column<Summary>[] {
  const { t, number } = useLocale();
  const { keep, embedded } = useEmbed();
  const wide = useMediaQuery(WIDE, true, { getInitialValueInEffect: false }) ?? true;
  const longest = props.longest;
  const pick: Column<Summary>[] = embedded ? [] : [
    { id: "pick", label: t.compare.pick, width: 40, always: true, cell: (summary) => <Pick summary={summary} picked={props.picked} onPick={props.onPick} /> },
  ];
  return [
    ...pick,
    {
      id: "trace",
      label: t.search.column.trace,
      always: true,
      first: "ascending",
      title: ({ service, operation, traceId }) => `${service}: ${operation} (${displayTraceId(traceId)})`,
      cell: (summary) => (
        <div className="ly-trace-cell" data-wide={wide}>
          <Link href={keep(traceHref(summary, props.question))}>
            <TraceName summary={summary} />
          </Link>
          <Incomplete orphans={summary.orphans} />
        </div>
      ),
    },
    { id: "services", label: t.search.column.services, width: wide ? 350 : 300, from: 900, cell: ({ services }) => <Services services={services} max={wide ? 3 : 2} /> },
    { id: "spans", label: t.search.column.spans, width: 78, numeric: true, first: "descending", from: 560, cell: ({ spans }) => number(spans) },
    { id: "errors", label: t.search.column.errors, width: 78, numeric: true, first: "descending", from: 560, cell: ({ errors }) => <ErrorCount errors={errors} /> },
    { id: "duration", label: t.search.column.duration, width: 126, first: "descending", cell: ({ durationNano }) => <DurationBar nanos={durationNano} longest={longest} /> },
    { id: "start", label: t.search.column.start, width: wide ? 178 : 118, first: "descending", from: 700, cell: ({ startMicros }) => <Started micros={startMicros} short={!wide} /> },
  ];
}

interface ResultTableProps extends ResultRowsProps {
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

export function ResultTable(props: ResultTableProps): ReactNode {
  const { t } = useLocale();
  const { keep } = useEmbed();
  const [, navigate] = useLocation();
  const columns = useResultColumns(props);
  const sorted = Object.entries(ORDERS).find(([, orders]) => orders.ascending === props.sort || orders.descending === props.sort);
  return (
    <Table
      label={t.counts.traces(props.summaries.length)}
      remember="search"
      rows={props.summaries}
      columns={columns}
      rowHeight={ROW_PX}
      rowKey={({ traceId }) => traceId}
      rowState={({ traceId }) => (props.picked.includes(traceId) ? "chosen" : undefined)}
      onRow={(summary) => navigate(keep(traceHref(summary, props.question)))}
      scroller={props.scroller}
      {...(sorted ? { sort: { column: sorted[0], descending: sorted[1].descending === props.sort } } : {})}
      onSort={({ column, descending }) => props.onSort(ORDERS[column][descending ? "descending" : "ascending"])}
    />
  );
}
