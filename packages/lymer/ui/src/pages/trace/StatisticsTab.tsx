/** Statistics of a trace: its spans by service, operation or any attribute, in one or two levels. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, useState, type ReactNode } from "react";

import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { CaretIcon } from "../../kit/icons.tsx";
import { SelectField } from "../../kit/fields.tsx";
import { Swatch } from "../../kit/service.tsx";
import { ColumnsMenu, Table, type Column } from "../../kit/table.tsx";
import { formatDuration } from "../../model/duration.ts";
import { oneOf, text } from "../../model/params.ts";
import { sortStats, STAT_COLUMNS, statGroups, statValue, type StatColumn, type StatGroup } from "../../model/statistics.ts";
import { useShownTrace } from "./context.ts";
import type { TabProps } from "./TraceView.tsx";
import { attributeValues, attributeKeys } from "./attributes.ts";

const SERVICE = "service";
const OPERATION = "operation";
const STAT_PARAMS = { by: text(), by2: text(), statSort: oneOf(["-total", ...STAT_COLUMNS, ...STAT_COLUMNS.map((name) => `-${name}`)]) };

interface Line extends StatGroup {
  readonly key: string;
  readonly level: 0 | 1;
  readonly open: boolean | null;
}

export default function StatisticsTab({ found, onSpan }: TabProps): ReactNode {
  const { t, number, percent } = useLocale();
  const { trace, analysis, colors, index } = useShownTrace();
  const [params, setParams] = useParams(STAT_PARAMS);
  const by = params.by || SERVICE;
  const then = params.by2 === "none" ? "" : params.by2 || (by === SERVICE ? OPERATION : "");
  const keys = useQuery(attributeKeys(index, trace.traceId));
  const first = useQuery(attributeValues(index, trace.traceId, by));
  const second = useQuery(attributeValues(index, trace.traceId, then));
  const [folded, setFolded] = useState<ReadonlySet<string>>(new Set());
  const descending = params.statSort.startsWith("-");
  const column = params.statSort.replace(/^-/, "") as StatColumn;

  const lines = useMemo(() => {
    const nameOf = (what: string, values: ReadonlyMap<string, string> | undefined) => (span: number): string | null => {
      if (what === SERVICE) return trace.services[trace.service[span]];
      if (what === OPERATION) return trace.names[trace.name[span]];
      return values?.get(trace.spanId.at(span)) ?? null;
    };
    const times = { self: analysis.self, critical: analysis.critical.bySpan };
    const spans = Array.from({ length: trace.count }, (_, span) => span);
    const total = trace.durationNano;
    const order = (groups: StatGroup[]): StatGroup[] => sortStats(groups, column, descending, total);
    return order(statGroups(trace, times, spans, nameOf(by, first.data))).flatMap((group): Line[] => {
      const key = JSON.stringify(group.name);
      if (!then) return [{ ...group, key, level: 0, open: null }];
      const open = !folded.has(key);
      const below = open ? order(statGroups(trace, times, group.spans, nameOf(then, second.data))) : [];
      return [
        { ...group, key, level: 0, open },
        ...below.map((inner): Line => ({ ...inner, key: `${key}/${JSON.stringify(inner.name)}`, level: 1, open: null })),
      ];
    });
  }, [trace, analysis, by, then, first.data, second.data, column, descending, folded]);

  const toggle = (key: string): void =>
    setFolded((now) => {
      const next = new Set(now);
      if (!next.delete(key)) next.add(key);
      return next;
    });
  const palette = new Map(trace.services.map((name, at) => [name, colors[at]]));
  const columns = useColumnsOf(trace.durationNano, (line) => {
    const what = line.level === 0 ? by : then;
    const name = line.name ?? t.stats.without(what);
    const color = what === SERVICE ? palette.get(line.name ?? "") : undefined;
    return (
      <span className="ly-stat-name" data-level={line.level}>
        {line.open === null ? (
          <span className="ly-caret" />
        ) : (
          <button
            type="button"
            className="ly-caret"
            data-folded={!line.open}
            aria-expanded={line.open}
            aria-label={`${line.open ? t.trace.collapseRow : t.trace.expandRow}: ${name}`}
            onClick={() => toggle(line.key)}
          >
            <CaretIcon />
          </button>
        )}
        {color !== undefined && <Swatch index={color} />}
        <button
          type="button"
          className="ly-linklike"
          title={t.stats.toLongest(name)}
          onClick={() => onSpan(line.spans.reduce((best, span) => (trace.duration[span] > trace.duration[best] ? span : best)))}
        >
          {name || t.common.unnamed}
        </button>
      </span>
    );
  }, number, percent);
  const options = [
    { value: SERVICE, label: t.trace.detail.service },
    { value: OPERATION, label: t.stats.operation },
    ...(keys.data ?? []).map(({ key }) => ({ value: key, label: key })),
  ];
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        <SelectField label={t.stats.groupBy} value={by} options={withChosen(options, by)} onChange={(value) => setParams({ by: value, by2: "" })} />
        <SelectField
          label={t.stats.thenBy}
          value={then || "none"}
          options={[{ value: "none", label: t.stats.nothing }, ...withChosen(options, then).filter(({ value }) => value !== by)]}
          onChange={(value) => setParams({ by2: value })}
        />
        {keys.isFetching && <span className="ly-muted">{t.stats.loadingKeys}…</span>}
        {keys.isError && (
          <span role="alert" className="ly-error-mark">
            {t.stats.keysFailed}
            <button type="button" className="ly-linklike" onClick={() => void keys.refetch()}>
              {t.common.retry}
            </button>
          </span>
        )}
        <span className="ly-top-space" />
        <ColumnsMenu name="statistics" columns={columns} />
      </div>
      <Table
        label={t.trace.views.statistics}
        remember="statistics"
        rows={lines}
        columns={columns}
        rowKey={({ key }) => key}
        rowState={({ spans }) => (found.active && spans.some((span) => found.flags[span]) ? "marked" : undefined)}
        sort={{ column, descending }}
        onSort={(sort) => setParams({ statSort: `${sort.descending ? "-" : ""}${sort.column}` as "-total" })}
      />
    </div>
  );
}

function withChosen(options: readonly { value: string; label: string }[], chosen: string) {
  return !chosen || options.some(({ value }) => value === chosen) ? [...options] : [...options, { value: chosen, label: chosen }];
}

/** Widths at which the less important columns appear, CSS pixels. */
const FROM: Readonly<Partial<Record<StatColumn, number>>> = {
  errors: 520, avg: 520, min: 900, max: 700, selfTotal: 420, selfAvg: 1000, selfMin: 1200, selfMax: 1100, selfShare: 640, criticalShare: 760,
};

function useColumnsOf(
  traceNanos: number,
  name: (line: Line) => ReactNode,
  number: (value: number) => string,
  percent: (share: number) => string,
): Column<Line>[] {
  const { t } = useLocale();
  return STAT_COLUMNS.map((id): Column<Line> => {
    if (id === "name") return { id, label: t.stats.columns.name, cell: name, first: "ascending", always: true };
    const cell = (line: Line): ReactNode => {
      const value = statValue(line, id, traceNanos);
      if (id === "count") return number(value);
      if (id === "errors") return value === 0 ? <span className="ly-faint">0</span> : <span className="ly-error-mark">{number(value)}</span>;
      if (id === "selfShare" || id === "criticalShare") return <Share value={value} text={percent(value)} />;
      return formatDuration(value);
    };
    const from = FROM[id];
    return {
      id,
      label: t.stats.columns[id],
      numeric: true,
      first: "descending",
      width: id === "selfShare" || id === "criticalShare" ? 112 : 84,
      cell,
      ...(from === undefined ? {} : { from }),
    };
  });
}

/** A share with a bar behind it. */
function Share(props: { readonly value: number; readonly text: string }): ReactNode {
  return (
    <span className="ly-share">
      <span className="ly-share-bar" aria-hidden="true">
        <span style={{ width: `${Math.min(100, props.value * 100)}%` }} />
      </span>
      {props.text}
    </span>
  );
}
