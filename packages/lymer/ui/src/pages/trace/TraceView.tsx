/** The trace page once there is a trace: which view of it, and what all of them share. */

import { lazy, Suspense, useCallback, useMemo, useRef, useState, type ReactNode } from "react";

import { useEmbed } from "../../app/embed.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Loading } from "../../kit/states.tsx";
import { ShownTraceContext, type ShownTrace } from "./context.ts";
import { HelpDialog } from "./HelpDialog.tsx";
import { TimelineView } from "./TimelineView.tsx";
import { TraceHeader } from "./TraceHeader.tsx";
import { useFind, type FindResult } from "./useFind.ts";
import { useViewState } from "./useViewState.ts";
import { offeredViews, VIEW_PARAM } from "./views.ts";

const Remarkable = lazy(() => import("./why/Remarkable.tsx"));
const GraphTab = lazy(() => import("./GraphTab.tsx"));
const StatisticsTab = lazy(() => import("./StatisticsTab.tsx"));
const SpansTab = lazy(() => import("./SpansTab.tsx"));
const FlameTab = lazy(() => import("./FlameTab.tsx"));
const LogsTab = lazy(() => import("./LogsTab.tsx"));
const JsonTab = lazy(() => import("./JsonTab.tsx"));

const TABS = {
  graph: GraphTab,
  statistics: StatisticsTab,
  spans: SpansTab,
  flame: FlameTab,
  logs: LogsTab,
  json: JsonTab,
};

/** What a view other than the timeline gets. */
export interface TabProps {
  readonly found: FindResult;
  /** Show a span in the timeline, its details open. */
  readonly onSpan: (span: number) => void;
}

export function TraceView(shown: ShownTrace): ReactNode {
  const { t } = useLocale();
  const { trace, tree, analysis, serviceNames, colors, whole, index, uploaded } = shown;
  const context = useMemo(
    () => ({ trace, tree, analysis, serviceNames, colors, whole, index, uploaded }),
    [trace, tree, analysis, serviceNames, colors, whole, index, uploaded],
  );
  const embed = useEmbed();
  const [{ view: chosen }, setView] = useParams(VIEW_PARAM);
  const view = useViewState(trace, tree);
  const { find, setFind, setOpen } = view;
  const result = useFind(context, find);
  const [help, setHelp] = useState(false);
  const [active, setActive] = useState(() => (view.open.length > 0 ? tree.rowOf[view.open[0]] : -1));
  const steps = useRef<((by: 1 | -1) => void) | null>(null);
  const findRef = useRef<HTMLInputElement>(null);
  const offered = offeredViews();
  const current = offered.includes(chosen) ? chosen : "timeline";
  const Tab = current === "timeline" ? null : TABS[current];
  const onSpan = useCallback(
    (span: number) => {
      setOpen([span]);
      setActive(tree.rowOf[span]);
      setView({ view: "timeline" });
    },
    [setOpen, setView, tree],
  );
  return (
    <ShownTraceContext value={context}>
      <div className="ly-trace" data-view={current}>
        <div className="ly-trace-top">
        <TraceHeader
          find={find}
          onFind={setFind}
          result={result}
          at={result.rows.indexOf(active)}
          onStep={(by) => steps.current?.(by)}
          onHelp={() => setHelp(true)}
          findRef={findRef}
          view={current}
          views={offered}
          onView={(next) => setView({ view: next })}
          embed={embed}
        />
        {!embed.embedded && (
          <Suspense fallback={null}>
            <Remarkable
              onFind={(text) => {
                setFind(text);
                setView({ view: "timeline" });
              }}
            />
          </Suspense>
        )}
        </div>
        {Tab === null ? (
          <TimelineView
            view={view}
            result={result}
            active={active}
            setActive={setActive}
            stepsRef={steps}
            findRef={findRef}
            onHelp={() => setHelp(true)}
            hideMinimap={embed.hideMinimap}
          />
        ) : (
          <div className="ly-tab" role="tabpanel" id="ly-trace-panel" aria-label={t.trace.views[current]}>
            <Suspense fallback={<Loading label={t.common.loading} />}>
              <Tab found={result} onSpan={onSpan} />
            </Suspense>
          </div>
        )}
      </div>
      {help && <HelpDialog onClose={() => setHelp(false)} />}
    </ShownTraceContext>
  );
}
