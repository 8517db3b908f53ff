/** What a search found: plot, then table or list. */

import { useMemo, useRef, type ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { Choice, SelectField } from "../../kit/fields.tsx";
import { spreadsWide } from "../../model/plot.ts";
import type { Question } from "../../model/question.ts";
import { SORTS, sortSummaries, type Sort, type Summary } from "../../model/summary.ts";
import { ResultList } from "./ResultList.tsx";
import { ResultTable } from "./ResultTable.tsx";
import { Scatter } from "./Scatter.tsx";

/** Scale of the plot; `auto` chooses by the spread of the durations. */
export type PlotKind = "auto" | "linear" | "log" | "off";

export interface ResultsView {
  readonly sort: Sort;
  readonly view: "table" | "list";
  readonly plot: PlotKind;
}

interface ResultsProps {
  readonly summaries: readonly Summary[];
  readonly question: Question;
  readonly view: ResultsView;
  readonly onShow: (name: "sort" | "view" | "plot", value: string) => void;
}

/** Return the address of a trace's page, with the spans marked that the search named. */
export function traceHref(summary: Summary, question: Question): string {
  const marked = question.spans[summary.traceId];
  return `/trace/${summary.traceId}${marked ? `?uiFind=${encodeURIComponent(marked)}` : ""}`;
}

export function Results({ summaries, question, view, onShow }: ResultsProps): ReactNode {
  const { t } = useLocale();
  const scroller = useRef<HTMLDivElement>(null);
  const sorted = useMemo(() => sortSummaries(summaries, view.sort), [summaries, view.sort]);
  const plot = view.plot === "auto" ? (spreadsWide(summaries) ? "log" : "linear") : view.plot;
  const full = question.traceIds.length === 0 && summaries.length >= question.limit;
  const shared = { summaries: sorted, question, scroller };
  return (
    <div className="ly-results-scroll" ref={scroller}>
      <div className="ly-results-bar">
        <h2 aria-live="polite">{t.counts.traces(summaries.length)}</h2>
        {full && <span className="ly-muted">{t.search.newest(question.limit)}</span>}
        <span className="ly-top-space" />
        <span className="ly-labelled">
          <span aria-hidden="true">{t.search.plot}</span>
          <Choice
            label={t.search.plot}
            value={plot}
            options={[
              { value: "linear", label: t.search.plotLinear },
              { value: "log", label: t.search.plotLog },
              { value: "off", label: t.search.plotOff },
            ]}
            onChange={(value) => onShow("plot", value)}
          />
        </span>
        <div className="ly-sort">
          <SelectField
            label={t.search.sort}
            value={view.sort}
            options={SORTS.map((value) => ({ value, label: t.search.sorts[value] }))}
            onChange={(value) => onShow("sort", value)}
          />
        </div>
        <Choice
          label={t.search.view}
          value={view.view}
          options={[
            { value: "table", label: t.search.viewTable },
            { value: "list", label: t.search.viewList },
          ]}
          onChange={(value) => onShow("view", value)}
        />
      </div>
      {plot !== "off" && <Scatter summaries={summaries} question={question} log={plot === "log"} />}
      {view.view === "table" ? (
        <ResultTable {...shared} sort={view.sort} onSort={(sort) => onShow("sort", sort)} />
      ) : (
        <ResultList {...shared} />
      )}
    </div>
  );
}
