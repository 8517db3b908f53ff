/** Costs of operations of two sets of traces, what grew most first. */

import { type ReactNode } from "react";

import { useParams } from "../../../app/url.ts";
import { useLocale } from "../../../i18n/index.ts";
import { OperationCell } from "../../../kit/service.tsx";
import { Table, type Column } from "../../../kit/table.tsx";
import type { CostDelta } from "../../../model/costDelta.ts";
import { formatDuration } from "../../../model/duration.ts";
import { sorting } from "../../../model/params.ts";

type Figure = "delta" | "self" | "selfBefore" | "calls" | "p95" | "errors";

const FIGURES: Readonly<Record<Figure, (one: CostDelta) => number>> = {
  delta: (one) => one.change,
  self: (one) => one.self,
  selfBefore: (one) => one.selfBefore,
  calls: (one) => one.calls - one.callsBefore,
  p95: (one) => (one.p95 ?? 0) - (one.p95Before ?? 0),
  errors: (one) => one.errors - one.errorsBefore,
};

const SORT_PARAMS = { deltas: sorting([...Object.keys(FIGURES), "name"]) };

interface CostTableProps {
  readonly deltas: readonly CostDelta[];
  /** What the two sides are called. */
  readonly names: readonly [string, string];
}

export function CostTable({ deltas, names }: CostTableProps): ReactNode {
  const { t, compact, percent } = useLocale();
  const [{ deltas: sort }, setParams] = useParams(SORT_PARAMS);
  const figure = FIGURES[sort.column as Figure] as ((one: CostDelta) => number) | undefined;
  const rows = deltas.toSorted((a, b) => {
    const by = figure ? figure(a) - figure(b) : `${a.service} ${a.operation}`.localeCompare(`${b.service} ${b.operation}`);
    return sort.descending ? -by : by;
  });
  const signed = (nanos: number): ReactNode => (
    <span className="ly-delta" data-sign={nanos > 0 ? "more" : nanos < 0 ? "less" : "same"}>
      {nanos > 0 ? "▲ +" : nanos < 0 ? "▼ " : ""}
      {formatDuration(nanos)}
    </span>
  );
  const pair = (now: string, was: string): ReactNode => (
    <>
      {now} <span className="ly-muted">({was})</span>
    </>
  );
  const number = (id: Figure, label: string, width: number, cell: (one: CostDelta) => ReactNode, from?: number): Column<CostDelta> => ({
    id, label, width, numeric: true, first: "descending", ...(from === undefined ? {} : { from }), cell,
  });
  const columns: Column<CostDelta>[] = [
    {
      id: "name",
      label: t.stats.operation,
      always: true,
      first: "ascending",
      title: ({ service, operation }) => `${service}: ${operation}`,
      cell: ({ service, operation }) => <OperationCell service={service} operation={operation} />,
    },
    number("delta", t.why.incident.change, 116, (one) => signed(one.change)),
    number("self", names[0], 96, (one) => formatDuration(one.self), 620),
    number("selfBefore", names[1], 96, (one) => formatDuration(one.selfBefore), 620),
    number("calls", t.diagnose.perTrace, 120, (one) => pair(compact(one.calls), compact(one.callsBefore)), 820),
    number("p95", "p95", 150, (one) => pair(one.p95 === null ? "–" : formatDuration(one.p95), one.p95Before === null ? "–" : formatDuration(one.p95Before)), 920),
    number("errors", t.monitor.errorRate, 120, (one) => pair(percent(one.errors), percent(one.errorsBefore)), 1060),
  ];
  return (
    <section className="ly-operations" aria-label={t.why.incident.costs}>
      <div className="ly-pane-bar">
        <h2>{t.why.incident.costs}</h2>
        <span className="ly-muted">{t.why.incident.perTraceSelf}</span>
      </div>
      <Table
        label={t.why.incident.costs}
        remember="costs"
        rows={rows}
        columns={columns}
        rowKey={({ service, operation }) => `${service} ${operation}`}
        sort={sort}
        onSort={(deltas) => setParams({ deltas })}
      />
    </section>
  );
}
