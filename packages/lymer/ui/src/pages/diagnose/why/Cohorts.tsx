/** Two sets of traces against each other: by version, by time, by any two questions. */

import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";

import { profileQuery, type DiagnosisAsk } from "../../../api/diagnosis.ts";
import { useParams } from "../../../app/url.ts";
import { useLocale } from "../../../i18n/index.ts";
import { Button } from "../../../kit/buttons.tsx";
import { SelectField } from "../../../kit/fields.tsx";
import { ErrorText, Loading, Notice } from "../../../kit/states.tsx";
import { costDeltas } from "../../../model/costDelta.ts";
import { oneOf, text } from "../../../model/params.ts";
import { QueryBar } from "../../search/ask/QueryBar.tsx";
import { CostTable } from "./CostTable.tsx";

export const COHORT_PARAMS = { other: text(), when: oneOf(["before", "same"]) };

export function Cohorts({ ask }: { readonly ask: DiagnosisAsk }): ReactNode {
  const { t, number } = useLocale();
  const [params, setParams] = useParams(COHORT_PARAMS);
  const length = ask.end - ask.start;
  const otherAsk: DiagnosisAsk = {
    ...ask,
    ...(params.when === "before" ? { start: ask.start - length, end: ask.start } : {}),
    question: params.other || ask.question,
  };
  const one = useQuery(profileQuery(ask, true));
  const other = useQuery(profileQuery(otherAsk, true));
  const deltas = useMemo(() => (one.data && other.data ? costDeltas(one.data, other.data) : []), [one.data, other.data]);
  const error = one.error ?? other.error;
  return (
    <>
      <form
        className="ly-cohort-form"
        onSubmit={(event) => event.preventDefault()}
      >
        <SelectField
          label={t.why.incident.against}
          value={params.when}
          options={[
            { value: "before", label: t.why.incident.timeBefore },
            { value: "same", label: t.why.incident.sameTime },
          ]}
          onChange={(when) => setParams({ when: when as "before" })}
        />
      </form>
      <QueryBar label={t.why.incident.otherQuestion} question={params.other} busy={false} optional onAsk={(other) => setParams({ other })} />
      {error ? (
        <Notice
          alert
          title={t.diagnose.failed}
          actions={<Button onClick={() => [one, other].forEach((side) => side.isError && void side.refetch())}>{t.common.retry}</Button>}
        >
          <ErrorText error={error} />
        </Notice>
      ) : !one.data || !other.data ? (
        <Loading label={t.diagnose.loading} />
      ) : deltas.length === 0 ? (
        <Notice title={t.diagnose.noSpansTitle}>
          <p>{t.diagnose.noSpansText}</p>
        </Notice>
      ) : (
        <>
          <p className="ly-muted">{t.why.incident.sides(number(one.data.sample.traces), number(other.data.sample.traces))}</p>
          <CostTable deltas={deltas} names={[t.why.incident.these, t.why.incident.others]} />
        </>
      )}
    </>
  );
}
