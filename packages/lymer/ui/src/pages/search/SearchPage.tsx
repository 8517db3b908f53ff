/** `/search`: the form, and what it finds. All state is in the URL. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, type ReactNode } from "react";
import { useLocation, useSearch } from "wouter";

import { searchQuery, servicesQuery } from "../../api/queries.ts";
import { rememberSearch } from "../../app/lastSearch.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { askedAt, readQuestion, writeQuestion, type Question } from "../../model/question.ts";
import { readSort } from "../../model/summary.ts";
import { FirstSteps } from "./FirstSteps.tsx";
import { Results, type ResultsView } from "./Results.tsx";
import { SearchForm } from "./SearchForm.tsx";

const PLOTS = ["linear", "log", "off"] as const;
/** Parameters that say how results are shown; a new search keeps them. */
const KEPT = ["sort", "view", "plot"] as const;

export function SearchPage(): ReactNode {
  const { t } = useLocale();
  const text = useSearch();
  const [, navigate] = useLocation();
  const params = useMemo(() => new URLSearchParams(text), [text]);
  const question = useMemo(() => readQuestion(params), [params]);
  const services = useQuery(servicesQuery());
  const fresh = services.data?.length === 0 && question.traceIds.length === 0;
  const search = useQuery(searchQuery(question, !fresh));

  useEffect(() => rememberSearch(text), [text]);
  useEffect(() => {
    document.title = `${question.service || t.search.title} · ${t.common.appName}`;
  }, [question.service, t]);

  const ask = (next: Question): void => {
    const nextParams = writeQuestion(askedAt(next, Date.now() * 1000));
    for (const name of KEPT) {
      const value = params.get(name);
      if (value) nextParams.set(name, value);
    }
    navigate(`/search?${nextParams.toString()}`);
  };
  const show = (name: (typeof KEPT)[number], value: string): void => {
    const nextParams = new URLSearchParams(params);
    nextParams.set(name, value);
    navigate(`/search?${nextParams.toString()}`, { replace: true });
  };

  const view: ResultsView = {
    sort: readSort(params.get("sort")) ?? "MOST_RECENT",
    view: params.get("view") === "list" ? "list" : "table",
    plot: PLOTS.find((kind) => kind === params.get("plot")) ?? "auto",
  };
  return (
    <div className="ly-search">
      <SearchForm
        key={writeQuestion(question).toString()}
        question={question}
        services={services.data ?? []}
        busy={search.isFetching}
        onAsk={ask}
      />
      <div className="ly-results">
        {fresh ? (
          <FirstSteps />
        ) : search.isError ? (
          <Notice
            alert
            title={t.search.failed}
            actions={<Button onClick={() => void search.refetch()}>{t.common.retry}</Button>}
          >
            <ErrorText error={search.error} />
          </Notice>
        ) : search.data === undefined || services.isPending ? (
          <Loading label={t.common.loading} />
        ) : search.data.length === 0 ? (
          <Nothing onWiden={() => ask({ ...question, traceIds: [], lookback: "2d" })} />
        ) : (
          <Results summaries={search.data} question={question} view={view} onShow={show} />
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
