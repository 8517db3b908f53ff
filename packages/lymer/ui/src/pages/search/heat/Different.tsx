/** What is different about a marked part of the spans: ranked, each with its distribution. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";
import { Link } from "wouter";

import type { Finding } from "../../../api/diagnosis.ts";
import { differentQuery, type Selection } from "../../../api/heat.ts";
import type { LanguageAsk } from "../../../api/language.ts";
import { useLocale } from "../../../i18n/index.ts";
import { Button } from "../../../kit/buttons.tsx";
import { Failed, Loading } from "../../../kit/states.tsx";
import { fieldText } from "../../../model/completion.ts";
import { isOwn, withCondition } from "../../../model/narrow.ts";
import { Distribution } from "./Distribution.tsx";

const SHOWN_MAX = 12;

interface DifferentProps {
  readonly ask: LanguageAsk;
  readonly selection: Selection;
  readonly onAsk: (query: string) => void;
  readonly onZoom?: () => void;
}

export function Different({ ask, selection, onAsk, onZoom }: DifferentProps): ReactNode {
  const { t, number } = useLocale();
  const answer = useQuery(differentQuery(ask, selection));
  const found = answer.data;
  return (
    <section className="ly-different" aria-label={t.why.heat.different}>
      <div className="ly-heat-head">
        <h3>{t.why.heat.different}</h3>
        {found && <span className="ly-muted">{t.diagnose.compared(number(found.selected), number(found.baseline))}</span>}
        <span className="ly-top-space" />
        {onZoom && (
          <Button kind="quiet" onClick={onZoom}>
            {t.why.heat.onlyPart}
          </Button>
        )}
      </div>
      {answer.isError ? (
        <Failed error={answer.error} onRetry={() => void answer.refetch()} />
      ) : !found ? (
        <Loading label={t.diagnose.loading} />
      ) : found.findings.length === 0 ? (
        <p className="ly-muted">{found.selected === 0 ? t.why.heat.nothingIn : t.diagnose.sameText}</p>
      ) : (
        <ol className="ly-different-list">
          {found.findings.slice(0, SHOWN_MAX).map((finding) => (
            <li key={`${finding.scope} ${finding.key} ${finding.value}`}>
              <FindingCard finding={finding} question={ask.query} onAsk={onAsk} />
            </li>
          ))}
        </ol>
      )}
      {found && found.sample.spans < found.sample.ofSpans && (
        <p className="ly-muted">{t.diagnose.lookedAtPart(number(found.sample.traces), number(found.sample.ofTraces))}</p>
      )}
    </section>
  );
}

function FindingCard({ finding, question, onAsk }: { readonly finding: Finding; readonly question: string; readonly onAsk: (query: string) => void }): ReactNode {
  const { t, number } = useLocale();
  const isAttribute = finding.scope === "span" || finding.scope === "resource";
  const name = `${finding.key} ${finding.value}`;
  return (
    <article className="ly-different-card">
      <h4>
        <span className="ly-muted">{t.diagnose.scopes[finding.scope] ?? finding.scope}</span> {finding.key}{" "}
        <strong>{finding.value || t.common.unnamed}</strong>
      </h4>
      <Distribution finding={finding} />
      <p className="ly-finding-links">
        {isAttribute && (
          <>
            <Button kind="quiet" onClick={() => onAsk(withCondition(question, finding, false))}>
              {t.diagnose.only}
              <span className="ly-hidden">: {name}</span>
            </Button>
            <Button kind="quiet" onClick={() => onAsk(withCondition(question, finding, true))}>
              {t.diagnose.without}
              <span className="ly-hidden">: {name}</span>
            </Button>
            {isOwn(finding) && (
              <Button kind="quiet" onClick={() => onAsk(`${question} | rate() by (${fieldText({ scope: finding.scope, name: finding.key })})`)}>
                {t.why.heat.groupBy}
                <span className="ly-hidden">: {finding.key}</span>
              </Button>
            )}
          </>
        )}
        {finding.exampleTraceId && (
          <Link href={`/trace/${finding.exampleTraceId}`}>
            {t.diagnose.example}
            <span className="ly-hidden">: {name}</span>
          </Link>
        )}
        <span className="ly-muted">{t.diagnose.support(number(finding.support), number(finding.sample))}</span>
      </p>
      {finding.along.length > 0 && (
        <p className="ly-muted">
          {t.diagnose.along} {finding.along.slice(0, 4).map(({ key, value }) => `${key}=${value}`).join(", ")}
        </p>
      )}
    </article>
  );
}
