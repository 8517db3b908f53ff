/** `/trace/a...b`: two traces laid over each other, with a cohort to choose them from. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type FormEvent, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import "../../styles/compare.css";

import { ApiError } from "../../api/client.ts";
import { cohortQuery, traceQuery } from "../../api/queries.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { Choice, SelectField, TextField } from "../../kit/fields.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { Analysis } from "../../model/analysis.ts";
import { displayTraceId, type TraceColumns } from "../../model/columns.ts";
import { formatDuration } from "../../model/duration.ts";
import { oneOf, text, texts } from "../../model/params.ts";
import { diffPaths, type DiffNode } from "../../model/paths.ts";
import { TRACE_ID } from "../../model/question.ts";
import { summarize, type Summary } from "../../model/summary.ts";
import { buildTree } from "../../model/tree.ts";
import { DiffGraph } from "./DiffGraph.tsx";
import { DiffTable } from "./DiffTable.tsx";

const COMPARE_PARAMS = { cohort: texts(), uiFind: text(), view: oneOf(["graph", "table"]) };

function valid(id: string): string {
  return TRACE_ID.test(id) ? id : "";
}

export default function ComparePage(props: { readonly before: string; readonly after: string }): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(COMPARE_PARAMS);
  const [, navigate] = useLocation();
  const ids = { before: valid(props.before), after: valid(props.after) };
  const before = useQuery({ ...traceQuery(ids.before), enabled: ids.before !== "" });
  const after = useQuery({ ...traceQuery(ids.after), enabled: ids.after !== "" });
  const cohortIds = params.cohort.map((id) => id.toLowerCase()).filter((id) => TRACE_ID.test(id));
  const cohort = useQuery(cohortQuery([...new Set([...cohortIds, ids.before, ids.after].filter(Boolean))]));
  const nodes = useDiff(before.data, after.data);
  useEffect(() => {
    document.title = `${t.compare.title} · ${t.common.appName}`;
  }, [t]);
  const choose = (side: "before" | "after", id: string): void => {
    const next = { ...ids, [side]: id };
    navigate(`/trace/${next.before}...${next.after}${window.location.search}`);
  };
  const swap = (): void => navigate(`/trace/${ids.after}...${ids.before}${window.location.search}`);
  return (
    <div className="ly-compare">
      <header className="ly-compare-head">
        <h1>{t.compare.title}</h1>
        <Side label="A" id={ids.before} query={before} cohort={cohort.data ?? []} onChoose={(id) => choose("before", id)} />
        <Button kind="quiet" disabled={!ids.before && !ids.after} onClick={swap}>
          {t.compare.swap}
        </Button>
        <Side label="B" id={ids.after} query={after} cohort={cohort.data ?? []} onChoose={(id) => choose("after", id)} />
      </header>
      {nodes ? (
        <Difference nodes={nodes} find={params.uiFind} view={params.view} onFind={(uiFind) => setParams({ uiFind }, "run")} onView={(view) => setParams({ view })} />
      ) : (
        <Missing ids={ids} queries={[before, after]} />
      )}
    </div>
  );
}

function useDiff(before: TraceColumns | undefined, after: TraceColumns | undefined): DiffNode[] | null {
  return useMemo(() => {
    if (!before || !after) return null;
    const paths = (trace: TraceColumns) => {
      const tree = buildTree(trace);
      return new Analysis(trace, tree).paths;
    };
    return diffPaths(paths(before), paths(after));
  }, [before, after]);
}

interface MissingProps {
  readonly ids: { readonly before: string; readonly after: string };
  readonly queries: readonly UseQueryResult<TraceColumns>[];
}

/** What stands in place of the comparison while a trace is not there. */
function Missing({ ids, queries }: MissingProps): ReactNode {
  const { t } = useLocale();
  const failed = queries.find(({ isError }) => isError);
  if (failed) {
    const missing = failed.error instanceof ApiError && failed.error.status === 404;
    return (
      <Notice
        alert
        title={missing ? t.trace.notFoundTitle : t.trace.failed}
        actions={<Button onClick={() => queries.forEach((query) => query.isError && void query.refetch())}>{t.common.retry}</Button>}
      >
        {missing ? <p>{t.trace.notFoundText}</p> : <ErrorText error={failed.error} />}
      </Notice>
    );
  }
  if (ids.before && ids.after) return <Loading label={t.trace.loading} />;
  return (
    <Notice
      title={t.compare.emptyTitle}
      actions={
        <Link href="/search" className="ly-button-link">
          {t.common.goToSearch}
        </Link>
      }
    >
      <p>{t.compare.emptyText}</p>
    </Notice>
  );
}

interface SideProps {
  readonly label: string;
  readonly id: string;
  readonly query: UseQueryResult<TraceColumns>;
  readonly cohort: readonly Summary[];
  readonly onChoose: (id: string) => void;
}

/** One of the two traces: what it is, and which other could be there. */
function Side({ label, id, query, cohort, onChoose }: SideProps): ReactNode {
  const { t, dateTime } = useLocale();
  const [draft, setDraft] = useState<string | null>(null);
  const [bad, setBad] = useState(false);
  const summary = useMemo(() => (query.data ? summarize(query.data) : null), [query.data]);
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const wanted = (draft ?? "").trim().toLowerCase();
    if (!TRACE_ID.test(wanted)) {
      setBad(true);
      return;
    }
    setDraft(null);
    onChoose(wanted);
  };
  const options = cohort.map((one) => ({
    value: one.traceId,
    label: `${one.service} ${one.operation} · ${formatDuration(one.durationNano)} · ${displayTraceId(one.traceId).slice(0, 7)}`,
  }));
  return (
    <section className="ly-compare-side" data-side={label} aria-label={t.compare.side(label)}>
      <span className="ly-compare-letter" aria-hidden="true">
        {label}
      </span>
      <div className="ly-compare-choose">
        {options.length > 0 && (
          <SelectField
            label={t.compare.fromCohort}
            placeholder={t.compare.choose}
            value={options.some(({ value }) => value === id.padStart(32, "0")) ? id.padStart(32, "0") : ""}
            options={options}
            onChange={onChoose}
          />
        )}
        <form onSubmit={submit}>
          <TextField
            label={t.common.lookupPlaceholder}
            mono
            value={draft ?? displayTraceId(id.padStart(id ? 32 : 0, "0"))}
            error={bad ? t.common.lookupBad : null}
            onChange={(value) => {
              setDraft(value);
              setBad(false);
            }}
          />
        </form>
      </div>
      {summary && (
        <p className="ly-compare-facts">
          <Link href={`/trace/${id}`} title={`${summary.service}: ${summary.operation}`}>
            <strong>{summary.service}</strong> {summary.operation}
          </Link>
          <span className="ly-muted">
            {dateTime(summary.startMicros)} · {formatDuration(summary.durationNano)} · {t.counts.spans(summary.spans)}
            {summary.errors > 0 && ` · ${t.counts.errors(summary.errors)}`}
          </span>
        </p>
      )}
    </section>
  );
}

interface DifferenceProps {
  readonly nodes: readonly DiffNode[];
  readonly find: string;
  readonly view: "graph" | "table";
  readonly onFind: (text: string) => void;
  readonly onView: (view: "graph" | "table") => void;
}

function Difference({ nodes, find, view, onFind, onView }: DifferenceProps): ReactNode {
  const { t } = useLocale();
  const kinds = ["added", "more", "same", "less", "removed"] as const;
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        <Choice
          label={t.trace.viewAs}
          value={view}
          options={[
            { value: "graph", label: t.trace.views.graph },
            { value: "table", label: t.search.viewTable },
          ]}
          onChange={(value) => onView(value as "graph")}
        />
        <TextField label={t.trace.find} value={find} onChange={onFind} />
        <span className="ly-top-space" />
        <ul className="ly-legend" aria-label={t.compare.legend}>
          {kinds.map((kind) => (
            <li key={kind} data-tone={kind}>
              {t.compare.kinds[kind]}
            </li>
          ))}
        </ul>
      </div>
      {view === "graph" ? <DiffGraph nodes={nodes} find={find} /> : <DiffTable nodes={nodes} find={find} />}
    </div>
  );
}
