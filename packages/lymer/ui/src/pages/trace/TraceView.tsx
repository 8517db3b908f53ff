/** The trace page once there is a trace: state, keys, and how the parts stand together. */

import { useCallback, useEffect, useMemo, useRef, useState, type ReactNode } from "react";

import { collapseAll, collapseOneLevel, expandAll, expandOneLevel, revealRow } from "../../model/collapse.ts";
import { nextMatch } from "../../model/find.ts";
import { isWhole, panRange, zoomRange } from "../../model/range.ts";
import { visiblePosition, visibleRows } from "../../model/tree.ts";
import { ShownTraceContext, type ShownTrace } from "./context.ts";
import { HelpDialog } from "./HelpDialog.tsx";
import { Minimap } from "./Minimap.tsx";
import { Timeline } from "./Timeline.tsx";
import { TraceHeader } from "./TraceHeader.tsx";
import { useFind } from "./useFind.ts";
import { useKeys } from "./useKeys.ts";
import type { TimelineHandle } from "./useLines.ts";
import { useViewState } from "./useViewState.ts";

const PAN = 0.1;
const PAN_FAST = 0.5;
const ZOOM = 0.8;
const ZOOM_FAST = 0.4;

export function TraceView(shown: ShownTrace): ReactNode {
  const { trace, tree, colors } = shown;
  const context = useMemo(() => ({ trace, tree, colors }), [trace, tree, colors]);
  const view = useViewState(trace, tree);
  const { range, setRange, collapsed, setCollapsed, open, find, setFind } = view;
  const result = useFind(context, find);
  const [active, setActive] = useState(() => (open.length > 0 ? tree.rowOf[open[0]] : -1));
  const [help, setHelp] = useState(false);
  const timeline = useRef<TimelineHandle>(null);
  const findRef = useRef<HTMLInputElement>(null);
  const visible = useMemo(() => visibleRows(tree, collapsed), [tree, collapsed]);
  const total = trace.durationNano;

  const goTo = useCallback(
    (row: number, align: "auto" | "center") => {
      setCollapsed((now) => revealRow(tree, now, row));
      setActive(row);
      timeline.current?.show(row, align);
    },
    [tree, setCollapsed],
  );

  const step = (by: 1 | -1): void => {
    const next = nextMatch(result.rows, active, by);
    if (next >= 0) goTo(next, "center");
  };
  // A new text leads to its first match, once: what the worker finds later does not move the view.
  const shownFor = useRef(open.length > 0 ? find : "");
  const firstMatch = result.rows[0] ?? -1;
  useEffect(() => {
    if (shownFor.current === result.text || firstMatch < 0) return;
    shownFor.current = result.text;
    goTo(firstMatch, "center");
  }, [result.text, firstMatch, goTo]);

  const neighbour = (by: 1 | -1): void => {
    const from = active < 0 ? -1 : visiblePosition(visible, active);
    for (let place = from + by; place >= 0 && place < visible.length; place += by) {
      const span = tree.order[visible[place]];
      const inRange = trace.start[span] <= range.to && trace.start[span] + trace.duration[span] >= range.from;
      if (inRange && (!result.active || result.flags[span])) {
        goTo(visible[place], "auto");
        return;
      }
    }
  };
  const pan = (fraction: number) => (): void => setRange((now) => panRange(now, fraction, total));
  const zoom = (factor: number) => (): void => setRange((now) => zoomRange(now, factor, 0.5, total));

  useKeys({
    scrollDown: () => timeline.current?.scroll(1),
    scrollUp: () => timeline.current?.scroll(-1),
    nextSpan: () => neighbour(1),
    previousSpan: () => neighbour(-1),
    panLeft: pan(-PAN),
    panLeftFast: pan(-PAN_FAST),
    panRight: pan(PAN),
    panRightFast: pan(PAN_FAST),
    zoomIn: zoom(ZOOM),
    zoomInFast: zoom(ZOOM_FAST),
    zoomOut: zoom(1 / ZOOM),
    zoomOutFast: zoom(1 / ZOOM_FAST),
    collapseAll: () => setCollapsed(collapseAll(tree)),
    expandAll: () => setCollapsed(expandAll(tree)),
    collapseOne: () => setCollapsed((now) => collapseOneLevel(tree, now)),
    expandOne: () => setCollapsed((now) => expandOneLevel(tree, now)),
    find: () => findRef.current?.select(),
    clear: () => {
      if (find !== "") setFind("");
      else if (!isWhole(range, total)) setRange({ from: 0, to: total });
    },
    help: () => setHelp(true),
  });

  return (
    <ShownTraceContext value={context}>
      <div className="ly-trace">
        <TraceHeader
          find={find}
          onFind={setFind}
          result={result}
          at={result.rows.indexOf(active)}
          onStep={step}
          onHelp={() => setHelp(true)}
          findRef={findRef}
        />
        <Minimap range={range} onRange={setRange} />
        <Timeline ref={timeline} view={view} visible={visible} active={active} onActive={setActive} found={result} />
      </div>
      {help && <HelpDialog onClose={() => setHelp(false)} />}
    </ShownTraceContext>
  );
}
