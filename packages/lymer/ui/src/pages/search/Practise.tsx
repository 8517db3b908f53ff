/** Buttons that start demo traffic and plant an incident to find, where this server has them. */

import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState, type ReactNode } from "react";
import { Link } from "wouter";

import "../../styles/practise.css";

import { practiceQuery, practise, type Order, type PracticeState } from "../../api/practice.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { SelectField } from "../../kit/fields.tsx";
import { Failed } from "../../kit/states.tsx";

export function Practise(): ReactNode {
  const { t } = useLocale();
  const client = useQueryClient();
  const state = useQuery(practiceQuery());
  const [kind, setKind] = useState("any");
  const order = useMutation({
    mutationFn: (what: Order) => practise(what),
    onSuccess: () => {
      void client.invalidateQueries({ queryKey: practiceQuery().queryKey });
      void client.invalidateQueries({ queryKey: ["services"] });
    },
  });
  if (!state.data?.available) return null;
  const { traffic, kinds, incidents } = state.data;
  const sending = incidents?.some(({ state: now }) => now === "sending") === true;
  return (
    <section className="ly-practise" aria-label={t.why.practise.title}>
      <h2>{t.why.practise.title}</h2>
      <p>{t.why.practise.text}</p>
      <div className="ly-practise-row">
        <Button kind={traffic ? "quiet" : "primary"} busy={order.isPending} onClick={() => order.mutate({ do: traffic ? "stop" : "traffic" })}>
          {traffic ? t.why.practise.stop : t.why.practise.start}
        </Button>
        <SelectField
          label={t.why.practise.kind}
          value={kind}
          options={[{ value: "any", label: t.why.practise.any }, ...(kinds ?? []).map((value) => ({ value, label: t.why.practise.kinds[value] ?? value }))]}
          onChange={setKind}
        />
        <Button busy={sending || order.isPending} disabled={sending} onClick={() => order.mutate({ do: "incident", kind: kind === "any" ? "" : kind })}>
          {t.why.practise.plant}
        </Button>
      </div>
      {order.isError && (
        <Failed error={order.error} onRetry={() => order.variables && order.mutate(order.variables)} />
      )}
      <ol className="ly-planted" aria-live="polite">
        {(incidents ?? []).map((one) => (
          <Planted key={`${one.kind} ${one.seed}`} one={one} />
        ))}
      </ol>
    </section>
  );
}

type Incident = NonNullable<PracticeState["incidents"]>[number];

/** What is true about an incident, as the generator wrote it. */
interface Truth {
  readonly service?: string;
  readonly operation?: string | null;
  readonly attribute?: string | null;
  readonly value?: string | null;
  readonly end_unix_nano?: number;
}

function Planted({ one }: { readonly one: Incident }): ReactNode {
  const { t } = useLocale();
  const truth = one.truth as Truth | null;
  const end = truth?.end_unix_nano;
  if (one.state === "sending") return <li role="status">{t.why.practise.sending}…</li>;
  if (one.state === "failed") return <li>{t.why.practise.failed}</li>;
  return (
    <li>
      <span>{t.why.practise.planted}</span>
      <Link href={`/diagnose?last=15m${end ? `&end=${Math.ceil(end / 1000) + 1_000_000}` : ""}`}>{t.why.practise.find}</Link>
      <details>
        <summary>{t.why.practise.answer}</summary>
        <p>
          {t.why.practise.kinds[one.kind] ?? one.kind}: <strong>{truth?.service}</strong> {truth?.operation ?? ""}{" "}
          {truth?.attribute && (
            <code>
              {truth.attribute}={truth.value}
            </code>
          )}
        </p>
      </details>
    </li>
  );
}
