/** What a search found: plot, then table or list. */

import { useMediaQuery } from "@mantine/hooks";
import { useLayoutEffect, useMemo, useRef, useState, type ReactNode } from "react";
import { useLocation } from "wouter";

import { fetchJaegerTrace } from "../../api/queries.ts";
import { useEmbed } from "../../app/embed.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button, IconButton } from "../../kit/buttons.tsx";
import { Choice, SelectField } from "../../kit/fields.tsx";
import { CompareIcon, DownloadIcon } from "../../kit/icons.tsx";
import { ColumnsMenu } from "../../kit/table.tsx";
import { spreadsWide } from "../../model/plot.ts";
import type { Question } from "../../model/question.ts";
import { SORTS, sortSummaries, type Sort, type Summary } from "../../model/summary.ts";
import { compareHref } from "./hrefs.ts";
import type { ResultRowsProps } from "./parts.tsx";
import { ResultList } from "./ResultList.tsx";
import { ResultTable, useResultColumns } from "./ResultTable.tsx";
import { Scatter } from "./Scatter.tsx";

/** Scale of the plot; `auto` chooses by the spread of the durations. */
export type PlotKind = "heat" | "auto" | "linear" | "log" | "off";

export interface ResultsView {
  readonly sort: Sort;
  readonly view: "table" | "list";
  readonly plot: PlotKind;
  /** Traces chosen to be compared. */
  readonly pick: readonly string[];
}

interface ResultsProps {
  readonly summaries: readonly Summary[];
  readonly question: Question;
  readonly view: ResultsView;
  readonly onShow: (patch: Partial<ResultsView>) => void;
  /** The heatmap of all that match; null where only these traces are known. */
  readonly heat: ReactNode;
  /** Offers the question to others. */
  readonly share: ReactNode;
}

/** Where each list of results was scrolled to, by the address; for the way back. */
const scrolled = new Map<string, number>();
/** So many of the traces are fetched at a time for a download. */
const PARALLEL_DOWNLOADS = 6;

export function Results({ summaries, question, view, onShow, heat, share }: ResultsProps): ReactNode {
  const { t } = useLocale();
  const embed = useEmbed();
  const narrow = useMediaQuery("(max-width: 820px)", false, { getInitialValueInEffect: false }) ?? false;
  const scroller = useRef<HTMLDivElement>(null);
  const sorted = useMemo(() => sortSummaries(summaries, view.sort), [summaries, view.sort]);
  const longest = useMemo(() => summaries.reduce((most, { durationNano }) => Math.max(most, durationNano), 1), [summaries]);
  const kind = view.plot === "heat" && !heat ? "auto" : view.plot;
  const plot = kind === "auto" ? (spreadsWide(summaries) ? "log" : "linear") : kind;
  const full = question.traceIds.length === 0 && summaries.length >= question.limit;
  useLayoutEffect(() => {
    const key = window.location.search;
    const element = scroller.current;
    if (element) element.scrollTop = scrolled.get(key) ?? 0;
    const keep = (): void => {
      if (element) scrolled.set(key, element.scrollTop);
    };
    element?.addEventListener("scroll", keep, { passive: true });
    return () => element?.removeEventListener("scroll", keep);
  }, []);
  const onPick = (traceId: string): void => {
    const pick = view.pick.includes(traceId) ? view.pick.filter((id) => id !== traceId) : [...view.pick, traceId];
    onShow({ pick });
  };
  const shared: ResultRowsProps = { summaries: sorted, question, scroller, longest, picked: view.pick, onPick };
  const columns = useResultColumns(shared);
  const list = narrow || view.view === "list";
  return (
    <div className="ly-results-scroll" ref={scroller}>
      <div className="ly-results-bar">
        <h2 aria-live="polite">{t.counts.traces(summaries.length)}</h2>
        {full && <span className="ly-muted">{t.search.newest(question.limit)}</span>}
        <span className="ly-top-space" />
        <CompareButton pick={view.pick} onClear={() => onShow({ pick: [] })} />
        {share}
        <Download summaries={sorted} />
        <span className="ly-labelled">
          <span aria-hidden="true">{t.search.plot}</span>
          <Choice
            label={t.search.plot}
            value={plot}
            options={[
              ...(heat ? [{ value: "heat", label: t.why.heat.kind }] : []),
              { value: "linear", label: t.search.plotLinear },
              { value: "log", label: t.search.plotLog },
              { value: "off", label: t.search.plotOff },
            ]}
            onChange={(value) => onShow({ plot: value as PlotKind })}
          />
        </span>
        <div className="ly-sort">
          <SelectField
            label={t.search.sort}
            value={view.sort}
            options={SORTS.map((value) => ({ value, label: t.search.sorts[value] }))}
            onChange={(value) => onShow({ sort: value as Sort })}
          />
        </div>
        {!narrow && (
          <>
            <Choice
              label={t.search.view}
              value={view.view}
              options={[
                { value: "table", label: t.search.viewTable },
                { value: "list", label: t.search.viewList },
              ]}
              onChange={(value) => onShow({ view: value as "table" })}
            />
            {!list && <ColumnsMenu name="search" columns={columns} />}
          </>
        )}
      </div>
      {plot === "heat" && !embed.hideGraph && heat}
      {plot !== "heat" && plot !== "off" && !embed.hideGraph && <Scatter summaries={summaries} question={question} log={plot === "log"} />}
      {list ? (
        <ResultList {...shared} narrow={narrow} />
      ) : (
        <ResultTable {...shared} sort={view.sort} onSort={(sort) => onShow({ sort })} />
      )}
    </div>
  );
}

function CompareButton(props: { readonly pick: readonly string[]; readonly onClear: () => void }): ReactNode {
  const { t } = useLocale();
  const [, navigate] = useLocation();
  if (props.pick.length === 0) return null;
  return (
    <span className="ly-labelled">
      <Button kind="primary" disabled={props.pick.length < 2} icon={<CompareIcon />} onClick={() => navigate(compareHref(props.pick))}>
        {t.compare.compare(props.pick.length)}
      </Button>
      <Button kind="quiet" onClick={props.onClear}>
        {t.compare.clear}
      </Button>
    </span>
  );
}

/** Saves all traces of the list in one file, as Jaeger does. */
function Download(props: { readonly summaries: readonly Summary[] }): ReactNode {
  const { t } = useLocale();
  const [state, setState] = useState<"idle" | "busy" | "failed">("idle");
  const save = async (): Promise<void> => {
    setState("busy");
    try {
      const data = [];
      for (let at = 0; at < props.summaries.length; at += PARALLEL_DOWNLOADS) {
        const some = props.summaries.slice(at, at + PARALLEL_DOWNLOADS);
        data.push(...(await Promise.all(some.map(({ traceId }) => fetchJaegerTrace(traceId)))));
      }
      const url = URL.createObjectURL(new Blob([JSON.stringify({ data: data.filter(Boolean) })], { type: "application/json" }));
      const link = document.createElement("a");
      link.href = url;
      link.download = "traces.json";
      link.click();
      URL.revokeObjectURL(url);
      setState("idle");
    } catch {
      setState("failed");
    }
  };
  return (
    <>
      {state === "failed" && (
        <span role="alert" className="ly-error-mark">
          {t.search.downloadFailed}
        </span>
      )}
      {state === "busy" && (
        <span role="status" className="ly-muted">
          {t.search.downloading}…
        </span>
      )}
      <IconButton label={t.search.download} disabled={state === "busy"} onClick={() => void save()}>
        <DownloadIcon />
      </IconButton>
    </>
  );
}
