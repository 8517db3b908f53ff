/** What a fresh install shows instead of results: where to send spans, and how. */

import { lazy, Suspense, useState, type ReactNode } from "react";
import { Link } from "wouter";

import { config } from "../../app/config.ts";
import { useLocale } from "../../i18n/index.ts";
import { CopyButton } from "../../kit/buttons.tsx";
import { SelectField } from "../../kit/fields.tsx";
import { Logo } from "../../kit/icons.tsx";
import { SNIPPETS, SNIPPET_NAMES, snippetOf, type SnippetKind } from "./snippets.ts";

const Practise = lazy(async () => ({ default: (await import("./Practise.tsx")).Practise }));

function CodeBlock(props: { readonly text: string }): ReactNode {
  return (
    <div className="ly-code">
      <pre tabIndex={0}>{props.text}</pre>
      <CopyButton text={props.text} />
    </div>
  );
}

export function FirstSteps(): ReactNode {
  const { t } = useLocale();
  const [kind, setKind] = useState<SnippetKind>("env");
  const endpoints = [
    [t.empty.grpc, config.otlpGrpc],
    [t.empty.http, `${config.otlpHttp}/v1/traces`],
  ] as const;
  return (
    <section className="ly-first">
      <header>
        <Logo />
        <h1>{t.empty.title}</h1>
        <p>{t.empty.text}</p>
      </header>
      <p>
        <Link href="/search?tour=1">{t.why.tour.start}</Link>
      </p>
      <Suspense fallback={null}>
        <Practise />
      </Suspense>
      <h2>{t.empty.endpoints}</h2>
      <dl className="ly-endpoints">
        {endpoints.map(([name, address]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>
              <code>{address}</code>
              <CopyButton text={address} />
            </dd>
          </div>
        ))}
      </dl>
      <div className="ly-first-head">
        <h2>{t.empty.snippets}</h2>
        <SelectField
          label={t.why.practise.language}
          value={kind}
          options={SNIPPETS.map((value) => ({ value, label: value === "env" ? t.empty.env : SNIPPET_NAMES[value] }))}
          onChange={(value) => setKind(value as SnippetKind)}
        />
      </div>
      <CodeBlock text={snippetOf(kind, { grpc: `http://${config.otlpGrpc}`, http: config.otlpHttp })} />
      <p className="ly-first-demo">{t.empty.demo}</p>
      <CodeBlock text="lymer demo" />
    </section>
  );
}
