/** What a fresh install shows instead of results: where to send spans, and how. */

import { useState, type ReactNode } from "react";

import { config } from "../../app/config.ts";
import { useLocale } from "../../i18n/index.ts";
import { CopyButton } from "../../kit/buttons.tsx";
import { Choice } from "../../kit/fields.tsx";
import { Logo } from "../../kit/icons.tsx";

type Kind = "env" | "python" | "node";

function snippet(kind: Kind): string {
  const grpc = `http://${config.otlpGrpc}`;
  if (kind === "env") {
    return [
      "export OTEL_SERVICE_NAME=my-service",
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${config.otlpHttp}`,
      "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
      "export OTEL_TRACES_EXPORTER=otlp",
    ].join("\n");
  }
  if (kind === "python") {
    return [
      "pip install opentelemetry-distro opentelemetry-exporter-otlp",
      "opentelemetry-bootstrap -a install",
      "",
      "OTEL_SERVICE_NAME=my-service \\",
      `OTEL_EXPORTER_OTLP_ENDPOINT=${grpc} \\`,
      "opentelemetry-instrument python app.py",
    ].join("\n");
  }
  return [
    "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node",
    "",
    "OTEL_SERVICE_NAME=my-service \\",
    `OTEL_EXPORTER_OTLP_ENDPOINT=${config.otlpHttp} \\`,
    "node --require @opentelemetry/auto-instrumentations-node/register app.js",
  ].join("\n");
}

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
  const [kind, setKind] = useState<Kind>("env");
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
        <Choice
          label={t.empty.snippets}
          value={kind}
          options={[
            { value: "env", label: t.empty.env },
            { value: "python", label: t.empty.python },
            { value: "node", label: t.empty.node },
          ]}
          onChange={(value) => setKind(value as Kind)}
        />
      </div>
      <CodeBlock text={snippet(kind)} />
      <p className="ly-first-demo">{t.empty.demo}</p>
      <CodeBlock text="lymer demo" />
    </section>
  );
}
