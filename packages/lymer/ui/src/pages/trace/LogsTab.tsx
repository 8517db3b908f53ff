/** The events of all spans of a trace, in order of time. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { TextField } from "../../kit/fields.tsx";
import { Swatch } from "../../kit/service.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { Table, type Column } from "../../kit/table.tsx";
import type { TraceEvent } from "../../model/attributeIndex.ts";
import { formatDuration } from "../../model/duration.ts";
import { sorting, text } from "../../model/params.ts";
import { placesOf, plainId } from "../../model/spanIds.ts";
import { traceEvents } from "./attributes.ts";
import { useShownTrace } from "./context.ts";
import type { TabProps } from "./TraceView.tsx";

const SORT_PARAMS = { events: sorting(["time", "service", "event"], true), filter: text() };
const PREVIEW_CHARS = 200;

function preview(event: TraceEvent): string {
  return event.fields
    .filter(({ key }) => key !== "event")
    .map(({ key, value }) => `${key}=${String(value).slice(0, PREVIEW_CHARS)}`)
    .join("  ");
}

export default function LogsTab({ onSpan }: TabProps): ReactNode {
  const { t, dateTime } = useLocale();
  const { trace, index, colors } = useShownTrace();
  const query = useQuery(traceEvents(index, trace.traceId));
  const [{ events: sort, filter }, setParams] = useParams(SORT_PARAMS);
  const spans = useMemo(() => placesOf(new Set(query.data?.events.map(({ spanId }) => spanId)), trace), [query.data, trace]);
  const palette = useMemo(() => new Map(trace.services.map((name, at) => [name, colors[at]])), [trace, colors]);
  const rows = useMemo(() => {
    const wanted = filter.toLowerCase();
    const shown = (query.data?.events ?? []).filter(
      (event) =>
        spans.has(plainId(event.spanId)) &&
        `${event.service} ${event.operation} ${event.name} ${preview(event)}`.toLowerCase().includes(wanted),
    );
    const by = sort.column === "event" ? (a: TraceEvent, b: TraceEvent) => a.name.localeCompare(b.name) : sort.column === "service" ? (a: TraceEvent, b: TraceEvent) => a.service.localeCompare(b.service) : (a: TraceEvent, b: TraceEvent) => a.micros - b.micros;
    return shown.toSorted((a, b) => (sort.descending ? -1 : 1) * by(a, b));
  }, [query.data, filter, spans, sort]);
  if (query.isPending) return <Loading label={t.logs.loading} />;
  if (query.isError) {
    return (
      <Notice alert title={t.logs.failed} actions={<Button onClick={() => void query.refetch()}>{t.common.retry}</Button>}>
        <ErrorText error={query.error} />
      </Notice>
    );
  }
  if (query.data.count === 0) {
    return (
      <Notice title={t.logs.none}>
        <p>{t.logs.noneText}</p>
      </Notice>
    );
  }
  const startMicros = Number(trace.startUnixNano / 1000n);
  const open = (event: TraceEvent): void => onSpan(spans.get(plainId(event.spanId)) ?? 0);
  const columns: Column<TraceEvent>[] = [
    {
      id: "time",
      label: t.logs.time,
      width: 96,
      numeric: true,
      first: "ascending",
      always: true,
      title: (event) => dateTime(event.micros),
      cell: (event) => `+${formatDuration((event.micros - startMicros) * 1000)}`,
    },
    {
      id: "service",
      label: t.trace.detail.service,
      width: 210,
      first: "ascending",
      from: 640,
      title: (event) => `${event.service}: ${event.operation}`,
      cell: (event) => (
        <span className="ly-cell-service">
          <Swatch index={palette.get(event.service) ?? 0} />
          <span>
            {event.service} <span className="ly-muted">{event.operation}</span>
          </span>
        </span>
      ),
    },
    {
      id: "event",
      label: t.logs.event,
      width: 190,
      first: "ascending",
      always: true,
      title: (event) => event.name,
      cell: (event) => (
        <button type="button" className="ly-linklike" onClick={() => open(event)}>
          {event.name || t.common.unnamed}
        </button>
      ),
    },
    { id: "fields", label: t.trace.detail.attributes, title: preview, cell: (event) => <code className="ly-muted">{preview(event)}</code> },
  ];
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        <TextField label={t.logs.filter} value={filter} onChange={(next) => setParams({ filter: next }, "run")} />
        <span className="ly-muted" role="status">
          {t.counts.events(rows.length)}
          {query.data.count > query.data.events.length && ` · ${t.logs.capped(query.data.events.length)}`}
        </span>
      </div>
      <Table label={t.trace.views.logs} remember="logs" rows={rows} columns={columns} rowKey={(event, at) => `${event.spanId}/${event.micros}/${at}`} sort={sort} onSort={(events) => setParams({ events })} onRow={open} />
    </div>
  );
}

