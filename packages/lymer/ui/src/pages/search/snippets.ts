/** What to run so that a program of a language sends its spans here. */

export const SNIPPETS = ["env", "python", "node", "java", "go", "dotnet", "ruby", "php"] as const;
export type SnippetKind = (typeof SNIPPETS)[number];

/** Names of languages are the same in every language. */
export const SNIPPET_NAMES: Readonly<Record<Exclude<SnippetKind, "env">, string>> = {
  python: "Python",
  node: "Node.js",
  java: "Java",
  go: "Go",
  dotnet: ".NET",
  ruby: "Ruby",
  php: "PHP",
};

/** Where spans are sent: a URL each. */
export interface Receivers {
  readonly grpc: string;
  readonly http: string;
}

function named(endpoint: string, ...more: readonly string[]): string[] {
  return ["OTEL_SERVICE_NAME=my-service \\", `OTEL_EXPORTER_OTLP_ENDPOINT=${endpoint} \\`, ...more.map((line) => `${line} \\`)];
}

/** Return the lines. Every variable is OpenTelemetry's own. */
export function snippetOf(kind: SnippetKind, { grpc, http }: Receivers): string {
  const lines: Readonly<Record<SnippetKind, readonly string[]>> = {
    env: [
      "export OTEL_SERVICE_NAME=my-service",
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}`,
      "export OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf",
      "export OTEL_TRACES_EXPORTER=otlp",
    ],
    python: [
      "pip install opentelemetry-distro opentelemetry-exporter-otlp",
      "opentelemetry-bootstrap -a install",
      "",
      ...named(grpc),
      "opentelemetry-instrument python app.py",
    ],
    node: [
      "npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node",
      "",
      ...named(http),
      "node --require @opentelemetry/auto-instrumentations-node/register app.js",
    ],
    java: [
      "# opentelemetry-javaagent.jar: releases of opentelemetry-java-instrumentation",
      ...named(http),
      "java -javaagent:opentelemetry-javaagent.jar -jar app.jar",
    ],
    go: [
      "go get go.opentelemetry.io/otel/sdk go.opentelemetry.io/otel/exporters/otlp/otlptrace/otlptracehttp",
      "",
      "exporter, err := otlptracehttp.New(ctx)",
      "if err != nil {",
      "	log.Fatal(err)",
      "}",
      "provider := sdktrace.NewTracerProvider(sdktrace.WithBatcher(exporter))",
      "defer provider.Shutdown(ctx)",
      "otel.SetTracerProvider(provider)",
      "",
      ...named(http),
      "go run .",
    ],
    dotnet: [
      "dotnet add package OpenTelemetry.Extensions.Hosting",
      "dotnet add package OpenTelemetry.Exporter.OpenTelemetryProtocol",
      "dotnet add package OpenTelemetry.Instrumentation.AspNetCore",
      "",
      "builder.Services.AddOpenTelemetry().WithTracing(tracing => tracing",
      "    .AddAspNetCoreInstrumentation()",
      "    .AddOtlpExporter());",
      "",
      ...named(grpc),
      "dotnet run",
    ],
    ruby: [
      "gem install opentelemetry-sdk opentelemetry-exporter-otlp opentelemetry-instrumentation-all",
      "",
      'require "opentelemetry/sdk"',
      'require "opentelemetry/exporter/otlp"',
      'require "opentelemetry/instrumentation/all"',
      "OpenTelemetry::SDK.configure { |config| config.use_all }",
      "",
      ...named(http),
      "ruby app.rb",
    ],
    php: [
      "pecl install opentelemetry",
      "composer require open-telemetry/sdk open-telemetry/exporter-otlp",
      "",
      ...named(http, "OTEL_PHP_AUTOLOAD_ENABLED=true", "OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf"),
      "php app.php",
    ],
  };
  return lines[kind].join("\n");
}
