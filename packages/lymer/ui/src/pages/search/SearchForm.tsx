/** The search form. */

import { useQuery, type UseQueryResult } from "@tanstack/react-query";
import { useState, type FormEvent, type ReactNode } from "react";

import { operationsQuery } from "../../api/queries.ts";
import { settings } from "../../app/config.ts";
import { useLocale, type Dictionary } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { SelectField, SuggestField, TextField, type Option } from "../../kit/fields.tsx";
import { CodeIcon, SearchIcon } from "../../kit/icons.tsx";
import { Failed } from "../../kit/states.tsx";
import { languageOf } from "../../model/formLanguage.ts";
import { CUSTOM, lookbackMicros, LOOKBACKS, type Question } from "../../model/question.ts";
import { lookbackLabel } from "./lookback.ts";
import { checkDraft, draftOf, EMPTY_QUESTION, type Draft, type Faults } from "./draft.ts";

function lookbackOptions(t: Dictionary, chosen: string): Option[] {
  const most = lookbackMicros(settings.search.maxLookback.value);
  const values: string[] = LOOKBACKS.filter((value) => lookbackMicros(value) <= most);
  if (chosen !== CUSTOM && !values.includes(chosen)) values.unshift(chosen);
  const options = values.map((value) => ({ value, label: lookbackLabel(t, value) }));
  return [...options, { value: CUSTOM, label: t.search.custom }];
}

interface SearchFormProps {
  readonly question: Question;
  readonly services: UseQueryResult<string[]>;
  readonly busy: boolean;
  readonly onAsk: (question: Question) => void;
  /** Told whether the form holds what cannot be asked. */
  readonly onFaulty: (faulty: boolean) => void;
  /** Asks the same in the search language. */
  readonly onLanguage: (query: string) => void;
}

export function SearchForm({ question, services, busy, onAsk, onFaulty, onLanguage }: SearchFormProps): ReactNode {
  const { t } = useLocale();
  const [draft, setDraft] = useState<Draft>(() => draftOf(question, Date.now() * 1000));
  const [faults, setFaults] = useState<Faults>({});
  const operations = useQuery(operationsQuery(draft.service));

  const set = (name: keyof Draft) => (value: string): void => {
    setDraft((old) => ({ ...old, [name]: value }));
    setFaults((old) => ({ ...old, [name]: undefined }) as Faults);
    onFaulty(false);
  };
  const field = (name: keyof Draft) => ({
    value: draft[name],
    onChange: set(name),
    error: faults[name] ?? null,
  });
  const submit = (event: FormEvent): void => {
    event.preventDefault();
    const checked = checkDraft(draft, t, settings.search.maxLimit);
    if ("faults" in checked) {
      setFaults(checked.faults);
      onFaulty(true);
    } else onAsk(checked.question);
  };
  const toLanguage = (): void => {
    const checked = checkDraft(draft, t, settings.search.maxLimit);
    if ("faults" in checked) {
      setFaults(checked.faults);
      onFaulty(true);
    } else onLanguage(languageOf(checked.question));
  };
  const names = services.data ?? [];
  const known = names.includes(draft.service) || !draft.service ? names : [draft.service, ...names];

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
      {services.isError && <Failed text={t.search.servicesFailed} error={services.error} onRetry={() => void services.refetch()} />}
      <SuggestField
        label={t.search.operation}
        placeholder={t.search.allOperations}
        options={operations.data ?? []}
        {...field("operation")}
      />
      {operations.isError && <Failed text={t.search.operationsFailed} error={operations.error} onRetry={() => void operations.refetch()} />}
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
        {...(settings.search.adjustEndTime && draft.lookback !== CUSTOM ? { description: t.search.endsBefore(settings.search.adjustEndTime) } : {})}
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
      <TextField label={t.search.limit} type="number" min={1} max={settings.search.maxLimit} {...field("limit")} />
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
      <Button kind="quiet" icon={<CodeIcon />} onClick={toLanguage}>
        {t.why.ask.toLanguage}
      </Button>
    </form>
  );
}
