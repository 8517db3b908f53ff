/** Where the time of many traces goes: their paths merged, and the costs of each operation. */

import { useMemo, type ReactNode } from "react";

import { pathNodes, type OperationCost, type Profile } from "../../api/diagnosis.ts";
import { useParams } from "../../app/url.ts";
import { FlameCanvas } from "../../canvas/FlameCanvas.tsx";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { OperationCell } from "../../kit/service.tsx";
import { Notice } from "../../kit/states.tsx";
import { ColumnsMenu, Table, type Column } from "../../kit/table.tsx";
import { costDeltas, grownPaths } from "../../model/costDelta.ts";
import { formatDuration } from "../../model/duration.ts";
import { paletteIndex } from "../../model/palette.ts";
import { sorting, whole } from "../../model/params.ts";
import { CostTable } from "./why/CostTable.tsx";

const FOCUS_PARAMS = { focus: whole(-1, 0, 10_000_000) };
const SORT_PARAMS = { costs: sorting(["self", "critical", "perTrace", "perSecond", "errors", "p50", "p95", "p99", "name"]) };
type Figure = "self" | "critical" | "perTrace" | "perSecond" | "errors" | "p50" | "p95" | "p99";

export function ProfileView({ profile, before }: { readonly profile: Profile; readonly before: Profile | null }): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(FOCUS_PARAMS);
  const nodes = useMemo(() => pathNodes(profile), [profile]);
  const grown = useMemo(() => allGrown(before ? grownPaths(profile, before) : []), [profile, before]);
  const palette = useMemo(
    () => new Map(profile.names.map(([service]) => [service, paletteIndex(service)])),
    [profile],
  );
  if (profile.operations.length === 0) {
    return (
      <Notice title={t.diagnose.noSpansTitle}>
        <p>{t.diagnose.noSpansText}</p>
      </Notice>
    );
  }
  const focus = params.focus < nodes.length ? params.focus : -1;
  return (
    <>
      <section className="ly-merged" aria-label={t.flame.graph}>
        <div className="ly-pane-bar">
          <h2>{t.flame.graph}</h2>
          <span className="ly-muted">{t.flame.hint}</span>
          {focus >= 0 && (
            <Button kind="quiet" onClick={() => setParams({ focus: -1 })}>
              {t.flame.whole}
            </Button>
          )}
        </div>
        <FlameCanvas nodes={nodes} palette={palette} focus={focus} onFocus={(to) => setParams({ focus: to })} matches={grown} />
        {grown && <p className="ly-muted">{t.why.incident.grown}</p>}
        {profile.pathsLeftOut > 0 && <p className="ly-muted">{t.diagnose.leftOut(profile.pathsLeftOut)}</p>}
      </section>
      {before ? (
        <CostTable deltas={costDeltas(profile, before)} names={[t.why.incident.now, t.why.incident.before]} />
      ) : (
        <Costs profile={profile} />
      )}
    </>
  );
}

/** Where nothing grew, nothing is dimmed. */
function allGrown(grown: readonly boolean[]): readonly boolean[] | null {
  return grown.some(Boolean) ? grown : null;
}

function Costs({ profile }: { readonly profile: Profile }): ReactNode {
  const { t, percent, compact } = useLocale();
  const [{ costs: sort }, setParams] = useParams(SORT_PARAMS);
  const self = profile.operations.reduce((sum, one) => sum + one.selfNano, 0) || 1;
  const critical = profile.operations.reduce((sum, one) => sum + one.criticalNano, 0) || 1;
  const figures: Readonly<Record<Figure, (one: OperationCost) => number>> = {
    self: (one) => one.selfNano / self,
    critical: (one) => one.criticalNano / critical,
    perTrace: (one) => one.perTrace,
    perSecond: (one) => one.perSecond,
    errors: (one) => one.errors / Math.max(1, one.spans),
    p50: (one) => one.p50Nano,
    p95: (one) => one.p95Nano,
    p99: (one) => one.p99Nano,
  };
  const rows = profile.operations.toSorted((a, b) => {
    const by =
      sort.column === "name"
        ? `${a.service} ${a.operation}`.localeCompare(`${b.service} ${b.operation}`)
        : figures[sort.column as Figure](a) - figures[sort.column as Figure](b);
    return sort.descending ? -by : by;
  });
  const share = (value: number): ReactNode => (
    <span className="ly-share">
      <span className="ly-share-bar" aria-hidden="true">
        <span style={{ width: `${value * 100}%` }} />
      </span>
      {percent(value)}
    </span>
  );
  const number = (id: Figure, label: string, show: (value: number) => ReactNode, width: number, from?: number): Column<OperationCost> => ({
    id,
    label,
    width,
    numeric: true,
    first: "descending",
    ...(from === undefined ? {} : { from }),
    cell: (one) => show(figures[id](one)),
  });
  const columns: Column<OperationCost>[] = [
    {
      id: "name",
      label: t.stats.operation,
      always: true,
      first: "ascending",
      title: ({ service, operation }) => `${service}: ${operation}`,
      cell: ({ service, operation }) => <OperationCell service={service} operation={operation} />,
    },
    number("self", t.stats.self, share, 130),
    number("critical", t.diagnose.critical, share, 130, 620),
    number("perTrace", t.diagnose.perTrace, compact, 96, 520),
    number("perSecond", t.diagnose.perSecond, compact, 96, 820),
    number("errors", t.monitor.errorRate, percent, 84, 700),
    number("p50", "p50", formatDuration, 84, 900),
    number("p95", "p95", formatDuration, 84),
    number("p99", "p99", formatDuration, 84, 900),
  ];
  return (
    <section className="ly-operations" aria-label={t.monitor.operations}>
      <div className="ly-pane-bar">
        <h2>{t.monitor.operations}</h2>
        <span className="ly-top-space" />
        <ColumnsMenu name="profile" columns={columns} />
      </div>
      <Table
        label={t.monitor.operations}
        remember="profile"
        rows={rows}
        columns={columns}
        rowKey={({ service, operation }) => `${service} ${operation}`}
        sort={sort}
        onSort={(costs) => setParams({ costs })}
      />
    </section>
  );
}
