/** One service of the map: its figures, who calls it, whom it calls, and where to go on. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import { useLocale } from "../../i18n/index.ts";
import { Button, IconButton } from "../../kit/buttons.tsx";
import { CloseIcon } from "../../kit/icons.tsx";
import { Swatch } from "../../kit/service.tsx";
import type { CallEdge, CallGraph, CallNode } from "../../model/callGraph.ts";
import { formatDuration } from "../../model/duration.ts";
import { lookbackMicros } from "../../model/question.ts";
import { paletteIndex } from "../../model/palette.ts";
import { Meanwhile } from "./Meanwhile.tsx";

interface ServicePanelProps {
  readonly node: CallNode;
  readonly graph: CallGraph;
  readonly lookback: string;
  /** End of what is shown, milliseconds. */
  readonly end: number;
  readonly onFocus: () => void;
  readonly onClose: () => void;
}

export function ServicePanel({ node, graph, lookback, end, onFocus, onClose }: ServicePanelProps): ReactNode {
  const { t, number, percent } = useLocale();
  const time = (nanos: number | null): string => (nanos === null ? "" : formatDuration(nanos));
  const facts = [
    [t.map.callsLabel, number(node.calls)],
    [t.map.errors, node.errors === null || node.calls === 0 ? "" : percent(node.errors / node.calls)],
    [t.why.map.before, node.before ? `${number(node.before.calls)} · p95 ${time(node.before.p95) || "–"}` : ""],
    ["p50", time(node.p50)],
    ["p95", time(node.p95)],
    ["p99", time(node.p99)],
  ].filter(([, value]) => value !== "");
  const search = `/search?service=${encodeURIComponent(node.name)}&lookback=${lookback}`;
  return (
    <aside className="ly-map-panel" aria-label={node.name}>
      <header>
        <h2>
          {node.kind === "service" && <Swatch index={paletteIndex(node.name)} />}
          {node.name}
        </h2>
        <IconButton small label={t.common.close} onClick={onClose}>
          <CloseIcon />
        </IconButton>
      </header>
      <p className="ly-muted">{t.map.kinds[node.kind]}</p>
      <dl className="ly-fact-list">
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
      </dl>
      {node.kind === "service" && (
        <nav className="ly-map-links" aria-label={t.map.goOn}>
          <Button kind="quiet" onClick={onFocus}>
            {t.map.focusHere}
          </Button>
          <Link href={search}>{t.map.traces}</Link>
          <Link href={`${search}&tags=${encodeURIComponent('{"error":"true"}')}`}>{t.map.failedTraces}</Link>
          <Link href={`/monitor?service=${encodeURIComponent(node.name)}`}>{t.nav.monitor}</Link>
        </nav>
      )}
      {node.kind === "service" && <Meanwhile service={node.name} start={end * 1000 - lookbackMicros(lookback)} end={end * 1000} />}
      <Ends title={t.map.calledBy} edges={graph.edges.filter(({ to }) => to === node.id)} end="from" />
      <Ends title={t.map.callsOut} edges={graph.edges.filter(({ from }) => from === node.id)} end="to" />
    </aside>
  );
}

function Ends(props: { readonly title: string; readonly edges: readonly CallEdge[]; readonly end: "from" | "to" }): ReactNode {
  const { number } = useLocale();
  if (props.edges.length === 0) return null;
  return (
    <section>
      <h3>{props.title}</h3>
      <ul>
        {props.edges
          .toSorted((a, b) => b.calls - a.calls)
          .map((edge) => (
            <li key={edge[props.end]}>
              <span>{edge[props.end]}</span>
              <span className="ly-count">
                {number(edge.calls)}
                {edge.p95 !== null && ` · p95 ${formatDuration(edge.p95)}`}
              </span>
            </li>
          ))}
      </ul>
    </section>
  );
}
