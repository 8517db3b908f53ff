/** `/deep-dependencies`: the ways through the system that pass one service, several steps up and down. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type ReactNode } from "react";
import { Link } from "wouter";

import { deepPathsQuery, operationsQuery, servicesQuery } from "../../api/queries.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { SelectField, SuggestField, Switch, TextField } from "../../kit/fields.tsx";
import { boxSize, Graph, type GraphEdge, type GraphNode } from "../../kit/graph.tsx";
import { ErrorText, Failed, Loading, Notice } from "../../kit/states.tsx";
import { deepGraph, DENSITIES, type DeepGraph } from "../../model/deepPaths.ts";
import { includesTerm, parseFind } from "../../model/find.ts";
import { layeredLayout } from "../../model/layered.ts";
import { oneOf, text, whole } from "../../model/params.ts";
import { lookbackMicros } from "../../model/question.ts";
import { paletteIndex } from "../../model/palette.ts";
import { lookbackLabel } from "../search/lookback.ts";

/** The first is what Jaeger looks at. */
const WINDOWS = ["2d", "15m", "1h", "6h", "24h", "7d"] as const;
const DEEP_PARAMS = {
  service: text(),
  operation: text(),
  density: oneOf(DENSITIES),
  /** Without it, operations are told apart if one was asked for. */
  showOp: oneOf(["", "0", "1"]),
  up: whole(2, 0, 20),
  down: whole(2, 0, 20),
  lookback: oneOf(WINDOWS),
  uiFind: text(),
};
/** Ids of examples in a link at most: addresses have a limit. */
const EXAMPLES_MAX = 20;

function tellsOperations({ showOp, operation }: { readonly showOp: string; readonly operation: string }): boolean {
  return showOp === "" ? operation !== "" : showOp === "1";
}

export default function DeepPage(): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(DEEP_PARAMS);
  const services = useQuery(servicesQuery());
  const operations = useQuery(operationsQuery(params.service));
  const query = useQuery(deepPathsQuery(params.service, params.operation, lookbackMicros(params.lookback)));
  useEffect(() => {
    document.title = `${t.nav.deep} · ${t.common.appName}`;
  }, [t]);
  const graph = useMemo(() => {
    if (!query.data) return null;
    const { service, operation, density, up, down } = params;
    return deepGraph(query.data.paths, { service, operation, operations: tellsOperations(params), density, up, down });
  }, [query.data, params]);
  const names = services.data ?? [];
  const hops = (most: number): { value: string; label: string }[] =>
    Array.from({ length: Math.max(6, most) + 1 }, (_, hop) => ({ value: String(hop), label: t.map.steps(hop) }));
  const body = (): ReactNode => {
    if (!params.service) {
      return (
        <Notice title={t.deep.emptyTitle}>
          <p>{t.deep.emptyText}</p>
        </Notice>
      );
    }
    if (query.isPending) return <Loading label={t.deep.loading} />;
    if (query.isError || !graph) {
      return (
        <Notice alert title={t.deep.failed} actions={<Button onClick={() => void query.refetch()}>{t.common.retry}</Button>}>
          <ErrorText error={query.error} />
        </Notice>
      );
    }
    if (graph.nodes.length === 0) {
      return (
        <Notice title={t.deep.noneTitle}>
          <p>{t.map.noneText}</p>
        </Notice>
      );
    }
    return <DeepView graph={graph} find={params.uiFind} onFocus={(service) => setParams({ service, operation: "" })} />;
  };
  return (
    <div className="ly-page">
      <header className="ly-page-head">
        <h1>{t.nav.deep}</h1>
        <SelectField
          label={t.search.service}
          placeholder={t.deep.choose}
          value={params.service}
          options={names.includes(params.service) || !params.service ? names : [params.service, ...names]}
          onChange={(service) => setParams({ service, operation: "" })}
        />
        {services.isError && <Failed text={t.search.servicesFailed} error={services.error} onRetry={() => void services.refetch()} />}
        <SuggestField label={t.search.operation} placeholder={t.search.allOperations} value={params.operation} options={operations.data ?? []} onChange={(operation) => setParams({ operation }, "run")} />
        {operations.isError && <Failed text={t.search.operationsFailed} error={operations.error} onRetry={() => void operations.refetch()} />}
        <SelectField label={t.deep.up} value={String(params.up)} options={hops(graph?.up ?? 0)} onChange={(value) => setParams({ up: Number(value) })} />
        <SelectField label={t.deep.down} value={String(params.down)} options={hops(graph?.down ?? 0)} onChange={(value) => setParams({ down: Number(value) })} />
        <SelectField
          label={t.deep.density}
          value={params.density}
          options={DENSITIES.map((value) => ({ value, label: t.deep.densities[value] }))}
          onChange={(value) => setParams({ density: value as "ppe" })}
        />
        <SelectField
          label={t.search.lookback}
          value={params.lookback}
          options={WINDOWS.toSorted((a, b) => lookbackMicros(a) - lookbackMicros(b)).map((value) => ({ value, label: lookbackLabel(t, value) }))}
          onChange={(value) => setParams({ lookback: value as "2d" })}
        />
        <TextField label={t.trace.find} value={params.uiFind} onChange={(uiFind) => setParams({ uiFind }, "run")} />
        <Switch label={t.deep.operations} checked={tellsOperations(params)} onChange={(on) => setParams({ showOp: on ? "1" : "0" })} />
        {query.data?.sample !== undefined && <span className="ly-muted">{t.deep.sample(query.data.sample)}</span>}
      </header>
      <div className="ly-page-body">{body()}</div>
    </div>
  );
}

interface DeepViewProps {
  readonly graph: DeepGraph;
  readonly find: string;
  readonly onFocus: (service: string) => void;
}

function DeepView({ graph, find, onFocus }: DeepViewProps): ReactNode {
  const { t, number } = useLocale();
  const [selected, setSelected] = useState<string | null>(null);
  const { nodes, edges, layout } = useMemo(() => {
    const { include } = parseFind(find);
    const most = graph.edges.reduce((max, { count }) => Math.max(max, count), 1);
    const boxes = graph.nodes.map((node): GraphNode => {
      const lines = [...(node.operation ? [node.operation] : []), t.deep.times(node.count)];
      return {
        ...boxSize(node.service, lines),
        id: node.key,
        title: node.service,
        lines,
        label: `${node.service} ${node.operation}, ${t.deep.hop(node.hop)}, ${t.deep.times(node.count)}`,
        color: paletteIndex(node.service),
        dim: include.length > 0 && !includesTerm(include, `${node.service} ${node.operation}`),
      };
    });
    const lines = graph.edges.map(
      (edge): GraphEdge => ({
        ...edge,
        text: number(edge.count),
        label: `${graph.nodes[edge.from].service} → ${graph.nodes[edge.to].service}: ${t.deep.times(edge.count)}`,
        weight: edge.count / most,
      }),
    );
    return { nodes: boxes, edges: lines, layout: layeredLayout(boxes, lines) };
  }, [graph, find, t, number]);
  const chosen = graph.nodes.find(({ key }) => key === selected) ?? null;
  const examples = chosen ? [...chosen.traceIds].slice(0, EXAMPLES_MAX) : [];
  return (
    <div className="ly-pane">
      {chosen && (
        <div className="ly-pane-bar" role="status">
          <strong>{chosen.service}</strong>
          <span className="ly-muted">{chosen.operation}</span>
          <Button kind="quiet" onClick={() => onFocus(chosen.service)}>
            {t.map.focusHere}
          </Button>
          {examples.length > 0 && (
            <Link href={`/search?${examples.map((id) => `traceID=${id}`).join("&")}`}>{t.quality.examples(examples.length)}</Link>
          )}
        </div>
      )}
      <Graph label={t.nav.deep} nodes={nodes} edges={edges} layout={layout} selected={selected} onSelect={setSelected} />
    </div>
  );
}
