/** `/dependencies`: services and who calls whom, as a graph in layers or by forces, or as a table. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, useState, type ReactNode } from "react";

import "../../styles/live.css";

import { liveGraphQuery } from "../../api/liveMap.ts";
import { settings } from "../../app/config.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { Choice, SelectField } from "../../kit/fields.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { aroundService, busyPart } from "../../model/callGraph.ts";
import { oneOf, text, whole } from "../../model/params.ts";
import { lookbackMicros } from "../../model/question.ts";
import { lookbackLabel } from "../search/lookback.ts";
import { CallTable } from "./CallTable.tsx";
import { MapGraph } from "./MapGraph.tsx";
import { Scrubber } from "./Scrubber.tsx";
import { ServicePanel } from "./ServicePanel.tsx";

const WINDOWS = ["7d", "15m", "1h", "6h", "24h", "2d", "4w"] as const;
const MAP_PARAMS = {
  layout: oneOf(["dag", "force", "table"]),
  service: text(),
  depth: whole(2, 0, 10),
  minCalls: whole(1, 1, 1_000_000_000),
  lookback: oneOf(WINDOWS),
  selected: text(),
  /** Milliseconds; 0: now. */
  end: whole(0, 0, 9_000_000_000_000),
};

export default function MapPage(): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(MAP_PARAMS);
  const lookback = lookbackMicros(params.lookback) / 1000;
  const query = useQuery(liveGraphQuery(lookback, params.end));
  const [anyway, setAnyway] = useState(false);
  useEffect(() => {
    document.title = `${t.nav.map} · ${t.common.appName}`;
  }, [t]);
  const graph = useMemo(() => {
    if (!query.data) return null;
    return busyPart(aroundService(query.data, params.service, params.depth), params.minCalls);
  }, [query.data, params.service, params.depth, params.minCalls]);
  const crowded = graph !== null && graph.nodes.length > settings.dependencies.dagMaxNumServices && !anyway;
  const names = useMemo(() => (query.data?.nodes ?? []).map(({ id }) => id).toSorted((a, b) => a.localeCompare(b)), [query.data]);
  const select = (selected: string | null): void => setParams({ selected: selected ?? "" });
  const chosen = graph?.nodes.find(({ id }) => id === params.selected) ?? null;

  const body = (): ReactNode => {
    if (query.isPending) return <Loading label={t.map.loading} />;
    if (query.isError || !graph) {
      return (
        <Notice alert title={t.map.failed} actions={<Button onClick={() => void query.refetch()}>{t.common.retry}</Button>}>
          <ErrorText error={query.error} />
        </Notice>
      );
    }
    if (graph.nodes.length === 0) {
      return (
        <Notice title={t.map.none}>
          <p>{t.map.noneText}</p>
        </Notice>
      );
    }
    if (params.layout === "table") return <CallTable graph={graph} onService={(service) => setParams({ service })} />;
    if (crowded) {
      return (
        <Notice
          title={t.map.crowded(graph.nodes.length)}
          actions={
            <>
              <Button onClick={() => setParams({ layout: "table" })}>{t.search.viewTable}</Button>
              <Button kind="quiet" onClick={() => setAnyway(true)}>
                {t.map.anyway}
              </Button>
            </>
          }
        >
          <p>{t.map.crowdedText}</p>
        </Notice>
      );
    }
    return (
      <div className="ly-map-split" data-panel={chosen !== null}>
        <MapGraph graph={graph} kind={params.layout} selected={params.selected || null} onSelect={select} />
        {chosen && (
          <ServicePanel
            node={chosen}
            graph={query.data}
            lookback={params.lookback}
            end={params.end || Math.floor(Date.now() / 60_000) * 60_000}
            onFocus={() => setParams({ service: chosen.id })}
            onClose={() => select(null)}
          />
        )}
      </div>
    );
  };
  return (
    <div className="ly-page">
      <header className="ly-page-head">
        <h1>{t.nav.map}</h1>
        <Choice
          label={t.map.layout}
          value={params.layout}
          options={[
            { value: "dag", label: t.map.layers },
            { value: "force", label: t.map.forces },
            { value: "table", label: t.search.viewTable },
          ]}
          onChange={(value) => setParams({ layout: value as "dag" })}
        />
        <SelectField label={t.map.focus} placeholder={t.search.allServices} clearable value={params.service} options={names} onChange={(service) => setParams({ service })} />
        {params.service && (
          <SelectField
            label={t.map.depth}
            value={String(params.depth)}
            options={[...[1, 2, 3, 4, 5].map((depth) => ({ value: String(depth), label: t.map.steps(depth) })), { value: "0", label: t.map.allSteps }]}
            onChange={(depth) => setParams({ depth: Number(depth) })}
          />
        )}
        <SelectField
          label={t.search.lookback}
          value={params.lookback}
          options={WINDOWS.toSorted((a, b) => lookbackMicros(a) - lookbackMicros(b)).map((value) => ({ value, label: lookbackLabel(t, value) }))}
          onChange={(value) => setParams({ lookback: value as "7d" })}
        />
        <SelectField
          label={t.map.minCalls}
          value={String(params.minCalls)}
          options={[1, 10, 100, 1000, 10_000].map((calls) => ({ value: String(calls), label: calls === 1 ? t.map.allCalls : `≥ ${calls}` }))}
          onChange={(value) => setParams({ minCalls: Number(value) })}
        />
      </header>
      {query.data && <Scrubber window={lookback} end={params.end} onEnd={(end) => setParams({ end }, "run")} />}
      <div className="ly-page-body">{body()}</div>
    </div>
  );
}
