/** `/search`: the form, and what it finds. All state is in the address. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { useLocation, useSearch } from "wouter";

import "../../styles/search.css";

import { searchQuery, servicesQuery, uploadsQuery } from "../../api/queries.ts";
import { settings } from "../../app/config.ts";
import { useEmbed } from "../../app/embed.ts";
import { rememberSearch } from "../../app/lastSearch.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { Tabs } from "../../kit/tabs.tsx";
import { oneOf, queryText, text, texts } from "../../model/params.ts";
import { askedAt, readQuestion, writeQuestion, type Question } from "../../model/question.ts";
import { readSort, SORTS, type Summary } from "../../model/summary.ts";
import { FirstSteps } from "./FirstSteps.tsx";
import { Results, type ResultsView } from "./Results.tsx";
import { SearchForm } from "./SearchForm.tsx";
import { Upload } from "./Upload.tsx";

const SHOW_PARAMS = {
  sort: text(),
  view: oneOf(["table", "list"]),
  plot: oneOf(["auto", "linear", "log", "off"]),
  pick: texts(),
  from: oneOf(["store", "file"]),
};
/** Parameters that say how results are shown, or that the page is embedded; a new search keeps them. */
const DROPPED = ["service", "operation", "tags", "tag", "lookback", "start", "end", "minDuration", "maxDuration", "limit", "traceID", "span", "pick", "from"];
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
  const services = useQuery(servicesQuery());
  const fresh = services.data?.length === 0 && question.traceIds.length === 0 && !fromFile;
  const found = useQuery(searchQuery(question, !fresh && !fromFile));
  const uploads = useQuery(uploadsQuery(fromFile));
  const answer = fromFile ? uploads : found;

  useEffect(() => rememberSearch(search), [search]);
  useEffect(() => {
    document.title = `${question.service || t.search.title} · ${t.common.appName}`;
  }, [question.service, t]);

  const ask = (next: Question): void => {
    const params = writeQuestion(askedAt(next, Date.now() * 1000));
    for (const [name, value] of new URLSearchParams(search)) if (!DROPPED.includes(name)) params.set(name, value);
    setFaulty(false);
    navigate(`/search?${queryText(params)}`);
  };
  const view: ResultsView = {
    sort: readSort(shown.sort) ?? readSort(localStorage.getItem(SORT_KEY)) ?? SORTS[0],
    view: shown.view,
    plot: shown.plot,
    pick: shown.pick,
  };
  const show = (patch: Partial<ResultsView>): void => {
    if (patch.sort) localStorage.setItem(SORT_KEY, patch.sort);
    setShown(patch, "replace");
  };
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
      <Results summaries={summaries} question={question} view={view} onShow={show} />
    );
  return (
    <div className="ly-search" data-embedded={embed.embedded}>
      {!embed.embedded && (
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
                key={writeQuestion(question).toString()}
                question={question}
                services={services}
                busy={found.isFetching}
                onAsk={ask}
                onFaulty={setFaulty}
              />
            )}
          </div>
        </div>
      )}
      <div className="ly-results">
        {fresh ? (
          <FirstSteps />
        ) : faulty ? (
          <Notice title={t.search.faultyTitle}>
            <p>{t.search.faultyText}</p>
          </Notice>
        ) : answer.isError ? (
          <Notice
            alert
            title={t.search.failed}
            actions={<Button onClick={() => void answer.refetch()}>{t.common.retry}</Button>}
          >
            <ErrorText error={answer.error} />
          </Notice>
        ) : answer.data === undefined ? (
          <Loading label={t.search.searching} />
        ) : (
          results(answer.data)
        )}
      </div>
    </div>
  );
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
