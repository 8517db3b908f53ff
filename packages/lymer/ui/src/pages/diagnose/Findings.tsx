/** What is different about a selection, the largest effect first; each narrows the question. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { DiagnosisAsk, Explanation, Finding } from "../../api/diagnosis.ts";
import { useLocale } from "../../i18n/index.ts";
import { Notice } from "../../kit/states.tsx";
import { withCondition } from "../../model/narrow.ts";
import { PairedBars } from "./PairedBars.tsx";

export function Findings({ found, ask }: { readonly found: Explanation; readonly ask: DiagnosisAsk }): ReactNode {
  const { t, number } = useLocale();
  if (found.findings.length === 0) {
    return (
      <Notice title={t.diagnose.sameTitle}>
        <p>{t.diagnose.sameText}</p>
      </Notice>
    );
  }
  return (
    <>
      <p>{t.diagnose.compared(number(found.selected), number(found.baseline))}</p>
      <ol className="ly-findings">
        {found.findings.map((finding) => (
          <li key={`${finding.scope} ${finding.key} ${finding.value}`}>
            <FindingRow finding={finding} ask={ask} />
          </li>
        ))}
      </ol>
    </>
  );
}

function FindingRow({ finding, ask }: { readonly finding: Finding; readonly ask: DiagnosisAsk }): ReactNode {
  const { t, number } = useLocale();
  const isAttribute = finding.scope === "span" || finding.scope === "resource";
  const href = (excluding: boolean): string => {
    const params = new URLSearchParams(window.location.search);
    params.set("q", withCondition(ask.question, finding, excluding));
    return `/diagnose?${params.toString()}`;
  };
  return (
    <article className="ly-finding">
      <h2>
        <span className="ly-muted">{t.diagnose.scopes[finding.scope] ?? finding.scope}</span> {finding.key}{" "}
        <strong>{finding.value || t.common.unnamed}</strong>
      </h2>
      <PairedBars finding={finding} selection={t.diagnose.ofSelection} baseline={t.diagnose.ofOthers} />
      <p className="ly-finding-links">
        <span className="ly-muted">{t.diagnose.support(number(finding.support), number(finding.sample))}</span>
        {isAttribute && (
          <>
            <Link href={href(false)}>{t.diagnose.only}</Link>
            <Link href={href(true)}>{t.diagnose.without}</Link>
          </>
        )}
        {finding.exampleTraceId && <Link href={`/trace/${finding.exampleTraceId}`}>{t.diagnose.example}</Link>}
      </p>
      {finding.along.length > 0 && (
        <p className="ly-muted">
          {t.diagnose.along} {finding.along.slice(0, 6).map(({ key, value }) => `${key}=${value}`).join(", ")}
        </p>
      )}
    </article>
  );
}
