/** Where it began: candidates with their evidence, the likeliest first. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { Candidate, RootCause } from "../../api/diagnosis.ts";
import { useLocale } from "../../i18n/index.ts";
import { Swatch } from "../../kit/service.tsx";
import { Notice } from "../../kit/states.tsx";
import { paletteIndex } from "../../model/palette.ts";
import { NextSteps } from "./why/NextSteps.tsx";
import { PairedBars } from "./PairedBars.tsx";

const SHOWN_MAX = 8;

export function Causes({ found }: { readonly found: RootCause }): ReactNode {
  const { t, dateTime } = useLocale();
  if (found.candidates.length === 0) {
    return (
      <Notice title={t.diagnose.quietTitle}>
        <p>{t.diagnose.quietText}</p>
      </Notice>
    );
  }
  return (
    <>
      <p className="ly-window">
        {t.diagnose.window(dateTime(found.start_unix_nano / 1000), dateTime(found.end_unix_nano / 1000))}
      </p>
      <ol className="ly-causes">
        {found.candidates.slice(0, SHOWN_MAX).map((one) => (
          <li key={`${one.service} ${one.operation} ${one.evidence.what}`}>
            <Cause one={one} window={[found.start_unix_nano / 1000, found.end_unix_nano / 1000]} />
          </li>
        ))}
      </ol>
      {found.byRule.length > 0 && (
        <p className="ly-muted">
          {t.diagnose.rule(
            found.byRule
              .slice(0, 3)
              .map(({ service, operation }) => `${service} ${operation ?? ""}`)
              .join(", "),
          )}
        </p>
      )}
    </>
  );
}

function Cause({ one, window }: { readonly one: Candidate; readonly window: readonly [number, number] }): ReactNode {
  const { t, percent, number } = useLocale();
  const { evidence } = one;
  const part = evidence.chances > 0 ? evidence.events / evidence.chances : 0;
  return (
    <article className="ly-cause">
      <h2>
        <Swatch index={paletteIndex(one.service)} />
        <strong>{one.service}</strong> {one.operation ?? t.diagnose.allOperations}
        {evidence.key !== null && (
          <>
            {" "}
            <code>
              {evidence.key}={evidence.value}
            </code>
          </>
        )}
      </h2>
      <p>
        {t.diagnose.what[evidence.what](evidence.calls ?? "")}: {t.diagnose.instead(percent(part), number(evidence.chances), percent(evidence.usual))}
      </p>
      {evidence.attributes.length > 0 && (
        <ul className="ly-pairs" aria-label={t.diagnose.attributes}>
          {evidence.attributes.map((finding) => (
            <li key={`${finding.scope} ${finding.key} ${finding.value}`}>
              <span className="ly-pair-name">
                <span className="ly-muted">{finding.key}</span> {finding.value}
              </span>
              <PairedBars finding={finding} selection={t.diagnose.ofIt} baseline={t.diagnose.ofCalls} />
            </li>
          ))}
        </ul>
      )}
      {evidence.spreadThrough.length > 0 && (
        <p className="ly-muted">
          {t.diagnose.waits} {evidence.spreadThrough.map(({ service, operation }) => `${service} ${operation ?? ""}`).join(" ← ")}
        </p>
      )}
      <NextSteps one={one} window={window} />
      {evidence.traceIds.length > 0 && (
        <p className="ly-example-list">
          {t.diagnose.examples}{" "}
          {evidence.traceIds.map((id) => (
            <Link key={id} href={`/trace/${id}`}>
              {id.slice(-7)}
            </Link>
          ))}
        </p>
      )}
    </article>
  );
}
