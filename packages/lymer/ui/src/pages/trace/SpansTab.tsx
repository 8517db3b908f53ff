/** Every span of a trace as a table. */

import { useMemo, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { SelectField, TextField } from "../../kit/fields.tsx";
import { ErrorIcon } from "../../kit/icons.tsx";
import { Swatch } from "../../kit/service.tsx";
import { ColumnsMenu, Table, type Column } from "../../kit/table.tsx";
import { STATUS_ERROR } from "../../model/columns.ts";
import { formatDuration } from "../../model/duration.ts";
import { oneOf, text } from "../../model/params.ts";
import { useShownTrace } from "./context.ts";
import type { TabProps } from "./TraceView.tsx";

const SORTS = ["start", "service", "operation", "duration", "self", "kind", "spanId"] as const;
type SortColumn = (typeof SORTS)[number];
const SPAN_PARAMS = { spanService: text(), spanName: text(), spanSort: oneOf([...SORTS, ...SORTS.map((name) => `-${name}`)]) };

export default function SpansTab({ found, onSpan }: TabProps): ReactNode {
  const { t } = useLocale();
  const { trace, analysis, colors } = useShownTrace();
  const [params, setParams] = useParams(SPAN_PARAMS);
  const descending = params.spanSort.startsWith("-");
  const sort = params.spanSort.replace(/^-/, "") as SortColumn;
  const rows = useMemo(() => {
    const name = params.spanName.toLowerCase();
    const names = trace.names.map((one) => one.toLowerCase().includes(name));
    const spans: number[] = [];
    for (let span = 0; span < trace.count; span++) {
      if (params.spanService && trace.services[trace.service[span]] !== params.spanService) continue;
      if (names[trace.name[span]] && (!found.active || found.flags[span])) spans.push(span);
    }
    const by: Readonly<Record<SortColumn, (a: number, b: number) => number>> = {
      start: (a, b) => trace.start[a] - trace.start[b],
      service: (a, b) => trace.services[trace.service[a]].localeCompare(trace.services[trace.service[b]]),
      operation: (a, b) => trace.names[trace.name[a]].localeCompare(trace.names[trace.name[b]]),
      duration: (a, b) => trace.duration[a] - trace.duration[b],
      self: (a, b) => analysis.self[a] - analysis.self[b],
      kind: (a, b) => trace.kind[a] - trace.kind[b],
      spanId: (a, b) => trace.spanId.at(a).localeCompare(trace.spanId.at(b)),
    };
    const sign = descending ? -1 : 1;
    return spans.sort((a, b) => sign * by[sort](a, b) || a - b);
  }, [trace, analysis, params.spanService, params.spanName, found, sort, descending]);

  const service = (span: number): string => trace.services[trace.service[span]] || t.common.unnamed;
  const operation = (span: number): string => trace.names[trace.name[span]] || t.common.unnamed;
  const columns: Column<number>[] = [
    {
      id: "service",
      label: t.trace.detail.service,
      width: 180,
      first: "ascending",
      from: 560,
      title: service,
      cell: (span) => (
        <span className="ly-cell-service">
          <Swatch index={colors[trace.service[span]]} />
          <span>{service(span)}</span>
        </span>
      ),
    },
    {
      id: "operation",
      label: t.stats.operation,
      first: "ascending",
      always: true,
      title: (span) => `${service(span)}: ${operation(span)}`,
      cell: (span) => (
        <span className="ly-cell-service">
          {trace.status[span] === STATUS_ERROR && (
            <span className="ly-error-mark">
              <ErrorIcon />
              <span className="ly-hidden">{t.trace.errorMark}</span>
            </span>
          )}
          <button type="button" className="ly-linklike" onClick={() => onSpan(span)}>
            {operation(span)}
          </button>
        </span>
      ),
    },
    { id: "kind", label: t.trace.detail.kind, width: 92, first: "ascending", from: 900, cell: (span) => t.trace.kinds[trace.kind[span]] },
    { id: "spanId", label: t.trace.detail.spanId, width: 150, first: "ascending", from: 1000, cell: (span) => <code>{trace.spanId.at(span)}</code> },
    { id: "start", label: t.trace.detail.startsAfter, width: 96, numeric: true, first: "ascending", from: 420, cell: (span) => formatDuration(trace.start[span]) },
    { id: "self", label: t.stats.self, width: 96, numeric: true, first: "descending", from: 760, cell: (span) => formatDuration(analysis.self[span]) },
    { id: "duration", label: t.trace.duration, width: 96, numeric: true, first: "descending", cell: (span) => formatDuration(trace.duration[span]) },
  ];
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        <SelectField
          label={t.trace.detail.service}
          placeholder={t.search.allServices}
          clearable
          value={params.spanService}
          options={trace.services.toSorted((a, b) => a.localeCompare(b))}
          onChange={(value) => setParams({ spanService: value })}
        />
        <TextField label={t.stats.operation} value={params.spanName} onChange={(value) => setParams({ spanName: value }, "run")} />
        <span className="ly-muted" role="status">
          {t.counts.spans(rows.length)}
        </span>
        <span className="ly-top-space" />
        <ColumnsMenu name="spans" columns={columns} />
      </div>
      <Table
        label={t.trace.views.spans}
        remember="spans"
        rows={rows}
        columns={columns}
        rowKey={(span) => String(span)}
        onRow={onSpan}
        sort={{ column: sort, descending }}
        onSort={(next) => setParams({ spanSort: `${next.descending ? "-" : ""}${next.column}` as SortColumn })}
      />
    </div>
  );
}
