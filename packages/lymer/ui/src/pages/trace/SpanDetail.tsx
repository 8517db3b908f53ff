/** The details of one span, open below its row; loaded when they are opened. */

import { useQuery } from "@tanstack/react-query";
import { lazy, Suspense, type ReactNode } from "react";

import { spanQuery } from "../../api/queries.ts";
import { serverUrl, settings } from "../../app/config.ts";
import { useLocale } from "../../i18n/index.ts";
import { CopyButton, IconButton } from "../../kit/buttons.tsx";
import { LinkIcon, WarningIcon, ZoomIcon } from "../../kit/icons.tsx";
import { Failed } from "../../kit/states.tsx";
import { formatDuration } from "../../model/duration.ts";
import type { JaegerKeyValue, JaegerSpan, JaegerTrace } from "../../model/jaeger.ts";
import { spanRange, type Range } from "../../model/range.ts";
import { isZeroLength } from "../../model/zeroLength.ts";
import { useShownTrace } from "./context.ts";
import { EventList, LinkList } from "./EventsAndLinks.tsx";
import { KeyValues } from "./KeyValues.tsx";
import { spanVariables, traceVariables } from "./patternLinks.ts";

interface SpanDetailProps {
  readonly span: number;
  readonly onRange: (range: Range) => void;
}

export function SpanDetail({ span, onRange }: SpanDetailProps): ReactNode {
  const { t } = useLocale();
  const { trace, colors } = useShownTrace();
  const query = useQuery(spanQuery(trace.traceId, trace.spanId.at(span)));
  const name = trace.names[trace.name[span]] || t.common.unnamed;
  return (
    // No landmark: several may be open, of spans that are called the same.
    <div
      role="group"
      className="ly-detail"
      aria-label={t.trace.detail.label(name)}
      data-color={colors[trace.service[span]]}
    >
      <DetailHead span={span} onRange={onRange} />
      {query.isError ? (
        <Failed text={t.trace.detail.failed} error={query.error} onRetry={() => void query.refetch()} />
      ) : (
        <DetailBody span={span} loaded={query.data ?? null} busy={query.isPending} />
      )}
    </div>
  );
}

function DetailHead({ span, onRange }: SpanDetailProps): ReactNode {
  const { t } = useLocale();
  const { trace, analysis } = useShownTrace();
  const start = trace.start[span];
  const duration = trace.duration[span];
  const spanId = trace.spanId.at(span);
  const facts = [
    [t.trace.detail.service, trace.services[trace.service[span]]],
    [t.trace.duration, formatDuration(duration)],
    [t.trace.detail.self, formatDuration(analysis.self[span])],
    [t.trace.detail.startsAfter, formatDuration(start)],
    [t.trace.detail.kind, t.trace.kinds[trace.kind[span]] ?? ""],
    [t.trace.detail.status, t.trace.statuses[trace.status[span]] ?? ""],
  ] as const;
  const zoom = (): void => onRange(spanRange(trace, span));
  return (
    <header className="ly-detail-head">
      <h2>{trace.names[trace.name[span]] || t.common.unnamed}</h2>
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        <div>
          <dt>{t.trace.detail.spanId}</dt>
          <dd>
            <code>{spanId}</code>
            <CopyButton text={spanId} label={t.trace.detail.copySpanId} />
          </dd>
        </div>
      </dl>
      <span className="ly-detail-actions">
        <IconButton small label={t.trace.detail.zoomTo} onClick={zoom}>
          <ZoomIcon />
        </IconButton>
        <CopyButton
          label={t.trace.detail.copyLink}
          icon={<LinkIcon />}
          text={serverUrl(`trace/${trace.displayTraceId}?span=${spanId}`)}
        />
      </span>
    </header>
  );
}

const Peers = lazy(() => import("./why/Peers.tsx"));

interface DetailBodyProps {
  readonly span: number;
  readonly loaded: JaegerTrace | null;
  readonly busy: boolean;
}

/** Jaeger's answer may hold two spans with one id (client and server); take the one of this row. */
function pickSpan(loaded: JaegerTrace, service: string): JaegerSpan | undefined {
  const own = loaded.spans.find(({ processID }) => loaded.processes[processID]?.serviceName === service);
  return own ?? loaded.spans[0];
}

function DetailBody({ span, loaded, busy }: DetailBodyProps): ReactNode {
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const found = loaded && pickSpan(loaded, trace.services[trace.service[span]]);
  const warnings = (found?.warnings ?? trace.warnings.get(span) ?? []).filter((text) => !isZeroLength(text));
  const traceStartMicros = Number(trace.startUnixNano / 1000n);
  if (!found) return <p className="ly-muted">{busy ? `${t.common.loading}…` : t.trace.detail.none}</p>;
  const resource = loaded?.processes[found.processID]?.tags ?? [];
  const pairs = [...found.tags, ...resource];
  const variables = spanVariables(pairs, traceVariables(trace, tree));
  const links = found.references.filter(
    ({ refType, spanID }) => refType !== "CHILD_OF" || spanID !== parentId(trace, span),
  );
  return (
    <div className="ly-detail-body">
      {warnings.length > 0 && (
        <ul className="ly-detail-warnings" aria-label={t.trace.detail.warnings}>
          {warnings.map((text) => (
            <li key={text}>
              <WarningIcon />
              {t.trace.warningText(text)}
            </li>
          ))}
        </ul>
      )}
      <Suspense fallback={null}>
        <Peers span={span} />
      </Suspense>
      <Section title={t.trace.detail.attributes} count={found.tags.length} open>
        <KeyValues pairs={topFirst(found.tags)} type="attributes" variables={variables} />
      </Section>
      <Section title={t.trace.detail.resource} count={resource.length}>
        <KeyValues pairs={topFirst(resource)} type="resource" variables={variables} />
      </Section>
      <Section title={t.trace.detail.events} count={found.logs.length} open>
        <EventList events={found.logs} traceStartMicros={traceStartMicros} variables={variables} />
      </Section>
      <Section title={t.trace.detail.links} count={links.length} open>
        <LinkList links={links} />
      </Section>
    </div>
  );
}

/** Put the attributes first that a site cares for most; the rest keeps its order. */
function topFirst(pairs: readonly JaegerKeyValue[]): readonly JaegerKeyValue[] {
  const prefixes = settings.topTagPrefixes;
  if (prefixes.length === 0) return pairs;
  const rank = ({ key }: JaegerKeyValue): number => {
    const at = prefixes.findIndex((prefix) => key.startsWith(prefix));
    return at < 0 ? prefixes.length : at;
  };
  return pairs.toSorted((a, b) => rank(a) - rank(b));
}

function parentId(trace: ReturnType<typeof useShownTrace>["trace"], span: number): string {
  const parent = trace.parent[span];
  return parent >= 0 ? trace.spanId.at(parent) : "";
}

interface SectionProps {
  readonly title: string;
  readonly count: number;
  readonly open?: boolean;
  readonly children: ReactNode;
}

/** A part that can be folded; left out when it is empty. */
function Section({ title, count, open, children }: SectionProps): ReactNode {
  const { number } = useLocale();
  if (count === 0) return null;
  return (
    <details className="ly-section" open={open ?? false}>
      <summary>
        {title} <span className="ly-count">{number(count)}</span>
      </summary>
      {children}
    </details>
  );
}
