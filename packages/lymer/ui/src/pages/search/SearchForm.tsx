/** The search form. */

import { useQuery } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";

import { operationsQuery } from "../../api/queries.ts";
import { useLocale, type Dictionary } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { SelectField, SuggestField, TextField, type Option } from "../../kit/fields.tsx";
import { SearchIcon } from "../../kit/icons.tsx";
import { CUSTOM, LIMIT_MAX, LOOKBACKS, type Question } from "../../model/question.ts";
import { checkDraft, draftOf, EMPTY_QUESTION, type Draft, type Faults } from "./draft.ts";

const UNITS = { m: "minute", h: "hour", d: "day", w: "week" } as const;

function lookbackOptions(t: Dictionary, chosen: string): Option[] {
  const values: string[] = [...LOOKBACKS];
  if (chosen !== CUSTOM && !values.includes(chosen)) values.unshift(chosen);
  const options = values.map((value) => {
    const unit = UNITS[value.slice(-1) as keyof typeof UNITS];
    const label = unit ? t.search.lookbackLast(Number.parseInt(value, 10), unit) : value;
    return { value, label };
  });
  return [...options, { value: CUSTOM, label: t.search.custom }];
}

interface SearchFormProps {
  readonly question: Question;
  readonly services: readonly string[];
  readonly busy: boolean;
  readonly onAsk: (question: Question) => void;
}

export function SearchForm({ question, services, busy, onAsk }: SearchFormProps): ReactNode {
  const { t } = useLocale();
  const [draft, setDraft] = useState<Draft>(() => draftOf(question, Date.now() * 1000));
  const [faults, setFaults] = useState<Faults>({});
  const operations = useQuery(operationsQuery(draft.service));

  const set = (name: keyof Draft) => (value: string): void => {
    setDraft((old) => ({ ...old, [name]: value }));
    setFaults((old) => ({ ...old, [name]: undefined }) as Faults);
  };
  const field = (name: keyof Draft) => ({
    value: draft[name],
    onChange: set(name),
    error: faults[name] ?? null,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const checked = checkDraft(draft, t);
    if ("faults" in checked) setFaults(checked.faults);
    else onAsk(checked.question);
  };
  const known = services.includes(draft.service) || !draft.service ? services : [draft.service, ...services];

  return (
    <form className="ly-form" aria-label={t.search.title} onSubmit={submit} noValidate>
      <h1>{t.search.title}</h1>
      <SelectField
        label={t.search.service}
        placeholder={t.search.allServices}
        options={known}
        clearable
        {...field("service")}
      />
      <SuggestField
        label={t.search.operation}
        placeholder={t.search.allOperations}
        options={operations.data ?? []}
        {...field("operation")}
      />
      <TextField
        label={t.search.tags}
        placeholder={t.search.tagsExample}
        description={t.search.tagsHint}
        mono
        {...field("tags")}
      />
      <SelectField
        label={t.search.lookback}
        options={lookbackOptions(t, draft.lookback)}
        {...field("lookback")}
      />
      {draft.lookback === CUSTOM && (
        <>
          <TextField label={t.search.from} type="datetime-local" step={1} {...field("from")} />
          <TextField label={t.search.to} type="datetime-local" step={1} {...field("to")} />
        </>
      )}
      <div className="ly-form-pair">
        <TextField label={t.search.minDuration} placeholder="1.2s, 100ms" {...field("minDuration")} />
        <TextField label={t.search.maxDuration} placeholder="500us" {...field("maxDuration")} />
      </div>
      <TextField label={t.search.limit} type="number" min={1} max={LIMIT_MAX} {...field("limit")} />
      <div className="ly-form-actions">
        <Button submit busy={busy} full icon={<SearchIcon />}>
          {t.search.find}
        </Button>
        <Button
          kind="quiet"
          onClick={() => {
            setDraft(draftOf(EMPTY_QUESTION, Date.now() * 1000));
            setFaults({});
          }}
        >
          {t.search.reset}
        </Button>
      </div>
    </form>
  );
}
