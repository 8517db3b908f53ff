/** `/search`: the form, and what it finds. All state is in the address. */

import { useMediaQuery } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo, useState, type ReactNode } from "react";
import { useLocation, useSearch } from "wouter";

import "../../styles/search.css";

import { checkQuery, languageSearchQuery, type FormFields, type LanguageAsk } from "../../api/language.ts";
import { searchQuery, servicesQuery, uploadsQuery } from "../../api/queries.ts";
import { settings } from "../../app/config.ts";
import { useEmbed } from "../../app/embed.ts";
import { rememberSearch } from "../../app/lastSearch.ts";
import { keep, kept } from "../../app/storage.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { Tabs } from "../../kit/tabs.tsx";
import { languageOf } from "../../model/formLanguage.ts";
import type { Box } from "../../model/heat.ts";
import { withDurations } from "../../model/narrow.ts";
import { oneOf, queryText, text, texts } from "../../model/params.ts";
import { askedAt, CUSTOM, questionRange, readQuestion, writeQuestion, type Question } from "../../model/question.ts";
import { readSort, SORTS, type Summary } from "../../model/summary.ts";
import { EMPTY_QUESTION } from "./draft.ts";
import { FirstSteps } from "./FirstSteps.tsx";
import { Results, type ResultsView } from "./Results.tsx";
import { Share } from "./Share.tsx";
import { SearchForm } from "./SearchForm.tsx";
import { Upload } from "./Upload.tsx";

const QueryBar = lazy(async () => ({ default: (await import("./ask/QueryBar.tsx")).QueryBar }));
const HeatPanel = lazy(() => import("./heat/HeatPanel.tsx"));
const SeriesView = lazy(() => import("./ask/SeriesView.tsx"));

const SHOW_PARAMS = {
  sort: text(),
  view: oneOf(["table", "list"]),
  plot: oneOf(["heat", "auto", "linear", "log", "off"]),
  pick: texts(),
  from: oneOf(["store", "file"]),
};
/** Parameters that say how results are shown, or that the page is embedded; a new search keeps them. */
const DROPPED = ["box", "failed", "q", "service", "operation", "tags", "tag", "lookback", "start", "end", "minDuration", "maxDuration", "limit", "traceID", "span", "pick", "from"];
/** How often the first traces are looked for, milliseconds. */
const FIRST_TRACES_POLL_MS = 2_000;
const SORT_KEY = "lymer.sort";

export function SearchPage(): ReactNode {
  const { t } = useLocale();
  const search = useSearch();
  const [, navigate] = useLocation();
  const embed = useEmbed();
  const [shown, setShown] = useParams(SHOW_PARAMS);
  const question = useMemo(() => {
    return readQuestion(new URLSearchParams(search), {
      lookback: settings.search.defaultLookback,
      limitMax: settings.search.maxLimit,
    });
  }, [search]);
  const [faulty, setFaulty] = useState(false);
  const [side, setSide] = useState<"search" | "upload">(shown.from === "file" ? "upload" : "search");
  const fromFile = shown.from === "file";
  const narrow = useMediaQuery("(max-width: 820px)", false, { getInitialValueInEffect: false }) ?? false;
  const [unfolded, setUnfolded] = useState(search === "");
  const services = useQuery(servicesQuery());
  const fresh = services.data?.length === 0 && question.traceIds.length === 0 && !fromFile;
  // The first traces of all come while one looks: then it is asked again until there are some.
  const [wasFresh, setWasFresh] = useState(false);
  if (fresh && !wasFresh) setWasFresh(true);
  const [waiting, setWaiting] = useState(false);
  const [now] = useStable(`${search} ${fresh} ${waiting}`, () => Date.now() * 1000);
  const asks = useMemo((): LanguageAsk => {
    const [start, end] = questionRange(question, now);
    return { query: languageOf(question), start, end };
  }, [question, now]);
  const inLanguage = question.query !== "" && question.traceIds.length === 0 && !fromFile;
  const checked = useQuery(checkQuery(inLanguage ? question.query : ""));
  const numbers = inLanguage && checked.data?.valid === true && checked.data.asks === "numbers";
  const found = useQuery({
    ...searchQuery(question, !fresh && !fromFile && !inLanguage),
    refetchInterval: ({ state }) => (wasFresh && state.data?.length === 0 ? FIRST_TRACES_POLL_MS : false),
  });
  const stillWaiting = wasFresh && found.data?.length === 0;
  if (stillWaiting !== waiting) setWaiting(stillWaiting);
  const spansets = useQuery(languageSearchQuery(asks, question.limit, inLanguage && !fresh && checked.isSuccess && !numbers));
  const uploads = useQuery(uploadsQuery(fromFile));
  // What a question asks for is known once it was checked; that may fail too.
  const asked = checked.isError ? checked : spansets;
  const answer = fromFile ? uploads : inLanguage ? asked : found;
  const summaries = fromFile ? uploads.data : inLanguage ? spansets.data?.summaries : found.data;
  const marked = useMemo(() => (spansets.data && inLanguage ? { ...question, spans: spansets.data.marks } : question), [question, spansets.data, inLanguage]);

  useEffect(() => rememberSearch(search), [search]);
  useEffect(() => {
    document.title = `${question.service || t.search.title} · ${t.common.appName}`;
  }, [question.service, t]);

  const ask = (next: Question): void => {
    const params = writeQuestion(askedAt(next, Date.now() * 1000, settings.search.adjustEndTime));
    for (const [name, value] of new URLSearchParams(search)) if (!DROPPED.includes(name)) params.set(name, value);
    setFaulty(false);
    setUnfolded(false);
    navigate(`/search?${queryText(params)}`);
  };
  const askLanguage = (query: string): void => ask({ ...EMPTY_QUESTION, query, lookback: question.lookback, startMicros: question.startMicros, endMicros: question.endMicros, limit: question.limit });
  const zoom = ({ from, to, shortest, longest }: Box): void =>
    ask({
      ...EMPTY_QUESTION,
      query: withDurations(languageOf(question), shortest, longest),
      lookback: CUSTOM,
      startMicros: from,
      endMicros: to,
      limit: question.limit,
    });
  const askForm = (form: FormFields): void => ask({ ...question, ...form, query: "" });
  const view: ResultsView = {
    sort: readSort(shown.sort) ?? readSort(kept(SORT_KEY)) ?? SORTS[0],
    view: shown.view,
    plot: shown.plot,
    pick: shown.pick,
  };
  const show = (patch: Partial<ResultsView>): void => {
    if (patch.sort) keep(SORT_KEY, patch.sort);
    setShown(patch);
  };
  const known = fromFile || question.traceIds.length > 0;
  const heat = known ? null : (
    <Suspense fallback={<div className="ly-heat-space" />}>
      <HeatPanel ask={asks} onAsk={askLanguage} onZoom={zoom} />
    </Suspense>
  );
  const results = (summaries: readonly Summary[]): ReactNode =>
    summaries.length === 0 ? (
      fromFile ? (
        <Notice title={t.upload.goneTitle}>
          <p>{t.upload.goneText}</p>
        </Notice>
      ) : (
        <Nothing onWiden={() => ask({ ...question, traceIds: [], startMicros: null, endMicros: null, lookback: "2d" })} />
      )
    ) : (
      <Results summaries={summaries} question={marked} view={view} onShow={show} heat={heat} share={known ? null : <Share ask={asks} limit={question.limit} />} />
    );
  return (
    <div className="ly-search" data-embedded={embed.embedded}>
      {!embed.embedded && narrow && !unfolded && !fresh ? (
        <div className="ly-search-fold">
          <h1 className="ly-hidden">{t.search.title}</h1>
          <Button kind="quiet" onClick={() => setUnfolded(true)}>
            {t.search.unfold}
          </Button>
        </div>
      ) : (
        !embed.embedded && (
        <div className="ly-search-side">
          {!settings.disableFileUploadControl && (
            <Tabs
              label={t.search.title}
              panel="ly-search-side"
              value={side}
              tabs={[
                { value: "search", label: t.common.search },
                { value: "upload", label: t.upload.title },
              ]}
              onChange={setSide}
            />
          )}
          <div id="ly-search-side" {...(settings.disableFileUploadControl ? {} : { role: "tabpanel", "aria-labelledby": `ly-tab-${side}` })}>
            {side === "upload" ? (
              <Upload />
            ) : (
              <SearchForm
                key={writeQuestion(question).toString() + String(checked.data?.valid === true && checked.data.form !== null)}
                question={checked.data?.valid && checked.data.form ? { ...question, ...checked.data.form } : question}
                services={services}
                busy={answer.isFetching}
                onAsk={ask}
                onLanguage={askLanguage}
                onFaulty={setFaulty}
              />
            )}
          </div>
        </div>
        )
      )}
      <div className="ly-results">
        {!embed.embedded && !fresh && !fromFile && (
          <Suspense fallback={<div className="ly-query-space" />}>
            <QueryBar
              question={question.traceIds.length > 0 ? "" : languageOf(question)}
              busy={answer.isFetching}
              onAsk={askLanguage}
              {...(question.query ? { onForm: askForm } : {})}
            />
          </Suspense>
        )}
        {inLanguage && spansets.data && !spansets.data.complete && <p className="ly-series-note">{t.why.ask.incomplete(spansets.data.reason)}</p>}
        {fresh ? (
          <FirstSteps />
        ) : faulty ? (
          <Notice title={t.search.faultyTitle}>
            <p>{t.search.faultyText}</p>
          </Notice>
        ) : numbers ? (
          <Suspense fallback={<Loading label={t.search.searching} />}>
            <SeriesView
              ask={asks}
              onRange={(start, end) => ask({ ...question, lookback: CUSTOM, startMicros: Math.floor(start), endMicros: Math.ceil(end) })}
            />
          </Suspense>
        ) : answer.isError ? (
          <Notice
            alert
            title={t.search.failed}
            actions={<Button onClick={() => void answer.refetch()}>{t.common.retry}</Button>}
          >
            <ErrorText error={answer.error} />
          </Notice>
        ) : summaries === undefined ? (
          <Loading label={t.search.searching} />
        ) : (
          results(summaries)
        )}
      </div>
    </div>
  );
}

/** Return what `make` makes, anew when `key` changes: the instant at which an address was opened. */
function useStable<T>(key: string, make: () => T): readonly [T] {
  const [kept, setKept] = useState(() => ({ key, value: make() }));
  if (kept.key === key) return [kept.value];
  const next = { key, value: make() };
  setKept(next);
  return [next.value];
}

function Nothing(props: { readonly onWiden: () => void }): ReactNode {
  const { t } = useLocale();
  return (
    <Notice
      title={t.search.noneTitle}
      actions={
        <Button kind="quiet" onClick={props.onWiden}>
          {t.search.noneWiden}
        </Button>
      }
    >
      <p>{t.search.noneText}</p>
    </Notice>
  );
}
