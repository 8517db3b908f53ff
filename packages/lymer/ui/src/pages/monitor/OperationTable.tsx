/** The operations of a service with what they cost. */

import { useCallback, useMemo, type ReactNode } from "react";

import { CanvasView, type Draw } from "../../canvas/CanvasView.tsx";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { TextField } from "../../kit/fields.tsx";
import { ColumnsMenu, Table, type Column } from "../../kit/table.tsx";
import { formatDuration } from "../../model/duration.ts";
import type { OperationLine, Series } from "../../model/metrics.ts";
import { sorting, text } from "../../model/params.ts";

interface OperationTableProps {
  readonly lines: readonly OperationLine[];
  readonly onTraces: (operation: string) => void;
}

const ORDERS: Readonly<Record<string, (a: OperationLine, b: OperationLine) => number>> = {
  name: (a, b) => a.name.localeCompare(b.name),
  p95: (a, b) => (a.p95 ?? -1) - (b.p95 ?? -1),
  rate: (a, b) => (a.rate ?? -1) - (b.rate ?? -1),
  errors: (a, b) => (a.errors ?? -1) - (b.errors ?? -1),
  impact: (a, b) => a.impact - b.impact,
};

const SORT_PARAMS = { operations: sorting(["impact", ...Object.keys(ORDERS)]), filter: text() };

export function OperationTable({ lines, onTraces }: OperationTableProps): ReactNode {
  const { t, percent, compact } = useLocale();
  const [{ operations: sort, filter }, setParams] = useParams(SORT_PARAMS);
  const rows = useMemo(
    () =>
      lines
        .filter(({ name }) => name.toLowerCase().includes(filter.toLowerCase()))
        .sort((a, b) => (sort.descending ? -1 : 1) * ORDERS[sort.column](a, b) || a.name.localeCompare(b.name)),
    [lines, filter, sort],
  );
  const columns: Column<OperationLine>[] = [
    {
      id: "name",
      label: t.stats.operation,
      always: true,
      first: "ascending",
      title: ({ name }) => name,
      cell: ({ name }) => (
        <button type="button" className="ly-linklike" onClick={() => onTraces(name)} title={t.monitor.traces(name)}>
          {name || t.common.unnamed}
        </button>
      ),
    },
    { id: "spark", label: t.monitor.course, width: 130, from: 700, cell: ({ latency, p95 }) => <Sparkline series={latency} label={p95 === null ? "" : formatDuration(p95 * 1e6)} /> },
    { id: "p95", label: t.monitor.p95, width: 92, numeric: true, first: "descending", cell: ({ p95 }) => (p95 === null ? "–" : formatDuration(p95 * 1e6)) },
    { id: "rate", label: t.monitor.requestRate, width: 110, numeric: true, first: "descending", from: 440, cell: ({ rate }) => (rate === null ? "–" : `${compact(rate)}${t.monitor.perSecond}`) },
    { id: "errors", label: t.monitor.errorRate, width: 92, numeric: true, first: "descending", cell: ({ errors }) => (errors === null ? "–" : percent(errors)) },
    {
      id: "impact",
      label: t.monitor.impact,
      width: 130,
      numeric: true,
      first: "descending",
      from: 560,
      cell: ({ impact }) => (
        <span className="ly-share">
          <span className="ly-share-bar" aria-hidden="true">
            <span style={{ width: `${impact * 100}%` }} />
          </span>
          {percent(impact)}
        </span>
      ),
    },
  ];
  return (
    <section className="ly-operations" aria-label={t.monitor.operations}>
      <div className="ly-pane-bar">
        <h2>{t.monitor.operations}</h2>
        <TextField label={t.logs.filter} value={filter} onChange={(next) => setParams({ filter: next }, "run")} />
        <span className="ly-top-space" />
        <ColumnsMenu name="operations" columns={columns} />
      </div>
      <Table label={t.monitor.operations} remember="operations" rows={rows} columns={columns} rowKey={({ name }) => name} sort={sort} onSort={(operations) => setParams({ operations })} />
    </section>
  );
}

/** A little line without axes. */
function Sparkline(props: { readonly series: Series; readonly label: string }): ReactNode {
  const { times, values } = props.series;
  const draw = useCallback<Draw>(
    (context, { width, height }, colors) => {
      const known = values.filter((value) => value !== null);
      if (known.length === 0) return;
      const most = Math.max(...known, Number.MIN_VALUE);
      const first = times[0];
      const span = Math.max(1, times[times.length - 1] - first);
      context.strokeStyle = colors.accent;
      context.lineWidth = 1.2;
      context.beginPath();
      let down = false;
      values.forEach((value, at) => {
        const x = 1 + ((times[at] - first) / span) * (width - 2);
        if (value === null) down = false;
        else {
          const y = height - 2 - (value / most) * (height - 4);
          if (down) context.lineTo(x, y);
          else context.moveTo(x, y);
          down = true;
        }
      });
      context.stroke();
    },
    [times, values],
  );
  return <CanvasView draw={draw} label={props.label} className="ly-spark" />;
}
