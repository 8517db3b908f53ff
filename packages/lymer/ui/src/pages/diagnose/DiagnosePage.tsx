/** `/diagnose`: what went wrong and where it began, what is different, where the time goes, what jumped. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo, useState, type ReactNode } from "react";

import "../../styles/diagnose.css";

import {
  changesQuery,
  explanationQuery,
  profileQuery,
  rootCauseQuery,
  type DiagnosisAsk,
  type Sample,
} from "../../api/diagnosis.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { SelectField, Switch } from "../../kit/fields.tsx";
import { ErrorText, Failed, Loading, Notice } from "../../kit/states.tsx";
import { Tabs } from "../../kit/tabs.tsx";
import { flag, oneOf, text, whole } from "../../model/params.ts";
import { lookbackMicros } from "../../model/question.ts";
import { QueryBar } from "../search/ask/QueryBar.tsx";
import { lookbackLabel } from "../search/lookback.ts";
import { Causes } from "./Causes.tsx";
import { Changes } from "./Changes.tsx";
import { Cohorts } from "./why/Cohorts.tsx";
import { Exceptions } from "./why/Exceptions.tsx";
import { ChangeTimeline } from "./why/Timeline.tsx";
import { Findings } from "./Findings.tsx";
import { ProfileView } from "./ProfileView.tsx";

const Practise = lazy(async () => ({ default: (await import("../search/Practise.tsx")).Practise }));

const VIEWS = ["cause", "different", "profile", "compare", "exceptions", "changes"] as const;
type View = (typeof VIEWS)[number];
const FRAMES = ["2m", "5m", "15m", "30m", "1h", "3h", "6h", "24h"] as const;
/** `end` is in microseconds, 0 for now. */
const DIAGNOSE_PARAMS = {
  view: oneOf(VIEWS),
  last: oneOf(["15m", ...FRAMES.filter((frame) => frame !== "15m")]),
  end: whole(0, 0, 9_000_000_000_000_000),
  q: text(),
  slowest: oneOf(["all", "1%", "5%", "10%"]),
  errors: flag(),
  against: oneOf(["nothing", "before"]),
};

export default function DiagnosePage(): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(DIAGNOSE_PARAMS);
  const [now, setNow] = useState(() => Date.now());
  useEffect(() => {
    document.title = `${t.nav.diagnose} · ${t.common.appName}`;
  }, [t]);
  const end = params.end || now * 1000;
  const ask: DiagnosisAsk = useMemo(
    () => ({
      start: end - lookbackMicros(params.last),
      end,
      question: params.q,
      slowest: params.slowest === "all" ? "" : params.slowest,
      errors: params.errors,
    }),
    [end, params.last, params.q, params.slowest, params.errors],
  );
  const narrows = params.view === "different" || params.view === "profile" || params.view === "compare" || params.view === "exceptions";
  return (
    <div className="ly-page ly-page-tabbed">
      <header className="ly-page-head">
        <h1>{t.nav.diagnose}</h1>
        <SelectField
          label={t.search.lookback}
          value={params.last}
          options={FRAMES.map((value) => ({ value, label: lookbackLabel(t, value) }))}
          onChange={(last) => setParams({ last: last as (typeof FRAMES)[number] })}
        />
        {params.end > 0 ? (
          <Button kind="quiet" onClick={() => setParams({ end: 0 })}>
            {t.monitor.now}
          </Button>
        ) : (
          <Button kind="quiet" onClick={() => setNow(Date.now())}>
            {t.diagnose.again}
          </Button>
        )}
        {params.view === "profile" && (
          <Switch
            label={t.why.incident.againstBefore}
            checked={params.against === "before"}
            onChange={(on) => setParams({ against: on ? "before" : "nothing" })}
          />
        )}
        {params.view === "different" && (
          <>
            <SelectField
              label={t.diagnose.slowest}
              value={params.slowest}
              options={[
                { value: "all", label: t.diagnose.allSpans },
                { value: "1%", label: "1 %" },
                { value: "5%", label: "5 %" },
                { value: "10%", label: "10 %" },
              ]}
              onChange={(slowest) => setParams({ slowest: slowest as "all" | "5%" })}
            />
            <Switch label={t.diagnose.onlyErrors} checked={params.errors} onChange={(errors) => setParams({ errors })} />
          </>
        )}
      </header>
      <Tabs<View>
        label={t.nav.diagnose}
        panel="ly-diagnose"
        value={params.view}
        tabs={VIEWS.map((value) => ({ value, label: value === "compare" ? t.why.incident.compare : value === "exceptions" ? t.why.exceptions.title : t.diagnose.views[value] }))}
        onChange={(view) => setParams({ view })}
      />
      <div id="ly-diagnose" role="tabpanel" aria-labelledby={`ly-tab-${params.view}`} className="ly-page-body ly-diagnose">
        {narrows && <QueryBar question={params.q} busy={false} optional onAsk={(q) => setParams({ q })} />}
        <Panel view={params.view} ask={ask} against={params.against === "before"} />
      </div>
    </div>
  );
}

function Panel({ view, ask, against }: { readonly view: View; readonly ask: DiagnosisAsk; readonly against: boolean }): ReactNode {
  const { t } = useLocale();
  const causes = useQuery(rootCauseQuery(ask, view === "cause"));
  const explanation = useQuery(explanationQuery(ask, view === "different"));
  const profile = useQuery(profileQuery(ask, view === "profile"));
  const changes = useQuery(changesQuery(ask, view === "changes" || view === "cause"));
  const length = ask.end - ask.start;
  const before = useQuery(profileQuery({ ...ask, start: ask.start - length, end: ask.start }, view === "profile" && against));
  switch (view) {
    case "cause":
      return (
        <Answer query={causes}>
          {(found) => (
            <>
              <SampleText sample={found.sample} />
              {changes.isError && <Failed text={t.diagnose.changesFailed} error={changes.error} onRetry={() => void changes.refetch()} />}
              <ChangeTimeline
                start={ask.start}
                end={ask.end}
                changes={changes.data?.changes ?? []}
                window={found.candidates.length > 0 ? [found.start_unix_nano / 1000, found.end_unix_nano / 1000] : null}
              />
              <Causes found={found} />
              <Suspense fallback={null}>
                <Practise />
              </Suspense>
            </>
          )}
        </Answer>
      );
    case "different":
      return <Answer query={explanation}>{(found) => <><SampleText sample={found.sample} /><Findings found={found} ask={ask} /></>}</Answer>;
    case "profile":
      return <Answer query={profile}>{(found) => <><SampleText sample={found.sample} />{against && before.isError && <Failed error={before.error} onRetry={() => void before.refetch()} />}<ProfileView profile={found} before={against ? (before.data ?? null) : null} /></>}</Answer>;
    case "compare":
      return <Cohorts ask={ask} />;
    case "exceptions":
      return <Exceptions ask={ask} />;
    case "changes":
      return <Answer query={changes}>{(found) => <Changes changes={found.changes} />}</Answer>;
  }
}

function Answer<T>(props: { readonly query: UseQueryResult<T>; readonly children: (found: T) => ReactNode }): ReactNode {
  const { t } = useLocale();
  const { query } = props;
  if (query.isError) {
    return (
      <Notice alert title={t.diagnose.failed} actions={<Button onClick={() => void query.refetch()}>{t.common.retry}</Button>}>
        <ErrorText error={query.error} />
      </Notice>
    );
  }
  if (query.isPending) return <Loading label={t.diagnose.loading} />;
  return props.children(query.data);
}

function SampleText({ sample }: { readonly sample: Sample }): ReactNode {
  const { t, number } = useLocale();
  const all = sample.spans >= sample.ofSpans;
  return (
    <p className="ly-muted">
      {all
        ? t.diagnose.lookedAt(number(sample.traces), number(sample.spans))
        : t.diagnose.lookedAtPart(number(sample.traces), number(sample.ofTraces))}
    </p>
  );
}
