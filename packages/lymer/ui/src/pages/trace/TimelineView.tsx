/** The timeline with its overview and its keys. */

import { useMediaQuery } from "@mantine/hooks";
import {
  useCallback,
  useEffect,
  useMemo,
  useRef,
  type Dispatch,
  type ReactNode,
  type RefObject,
  type SetStateAction,
} from "react";

import { useLocale } from "../../i18n/index.ts";
import { IconButton } from "../../kit/buttons.tsx";
import { CloseIcon } from "../../kit/icons.tsx";
import { collapseAll, collapseOneLevel, expandOneLevel } from "../../model/collapse.ts";
import { nextMatch } from "../../model/find.ts";
import { isWhole, panRange, zoomRange } from "../../model/range.ts";
import { foldRuns } from "../../model/runs.ts";
import { visiblePosition, visibleRows } from "../../model/tree.ts";
import { useShownTrace } from "./context.ts";
import { Minimap } from "./Minimap.tsx";
import { SpanDetail } from "./SpanDetail.tsx";
import { Timeline } from "./Timeline.tsx";
import type { FindResult } from "./useFind.ts";
import { useKeys } from "./useKeys.ts";
import type { TimelineHandle } from "./useLines.ts";
import type { ViewState } from "./useViewState.ts";
import { useTimelinePrefs } from "./views.ts";

const PAN = 0.1;
const PAN_FAST = 0.5;
const ZOOM = 0.8;
const ZOOM_FAST = 0.4;
/** A link with `uiFind` opens the details of what it finds, of so many spans at most. */
const OPENED_BY_LINK_MAX = 10;

interface TimelineViewProps {
  readonly view: ViewState;
  readonly result: FindResult;
  readonly active: number;
  readonly setActive: Dispatch<SetStateAction<number>>;
  /** Filled with how to go to the next match. */
  readonly stepsRef: RefObject<((by: 1 | -1) => void) | null>;
  readonly findRef: RefObject<HTMLInputElement | null>;
  readonly onHelp: () => void;
  readonly hideMinimap: boolean;
}

export function TimelineView(props: TimelineViewProps): ReactNode {
  const { view, result, active, setActive, findRef } = props;
  const { trace, tree } = useShownTrace();
  const { range, setRange, collapsed, setCollapsed, open, setOpen, find, setFind, arrivals, reveal } = view;
  const [prefs] = useTimelinePrefs();
  const wide = useMediaQuery("(min-width: 900px)", true, { getInitialValueInEffect: false }) ?? true;
  const panel = prefs.panel && wide;
  const timeline = useRef<TimelineHandle>(null);
  const visible = useMemo(
    () => foldRuns(visibleRows(tree, collapsed), view.runs, view.opened),
    [tree, collapsed, view.runs, view.opened],
  );
  const total = trace.durationNano;

  const goTo = useCallback(
    (row: number, align: "auto" | "center") => {
      reveal(row);
      setActive(row);
      timeline.current?.show(row, align);
    },
    [reveal, setActive],
  );
  useEffect(() => {
    props.stepsRef.current = (by) => {
      const next = nextMatch(result.rows, active, by);
      if (next >= 0) goTo(next, "center");
    };
  });
  // The address asked for another span: a link within the trace, or Back.
  const first = open[open.length - 1] ?? -1;
  const arrived = useRef(arrivals);
  useEffect(() => {
    if (arrived.current === arrivals || first < 0) return;
    arrived.current = arrivals;
    goTo(tree.rowOf[first], "center");
  }, [arrivals, first, tree, goTo]);
  // A new text leads to its first match, once: what the worker finds later does not move the view.
  const shownFor = useRef(open.length > 0 ? find : "");
  const firstMatch = result.rows[0] ?? -1;
  useEffect(() => {
    if (shownFor.current === result.text || firstMatch < 0) return;
    shownFor.current = result.text;
    goTo(firstMatch, "center");
  }, [result.text, firstMatch, goTo]);

  // As in Jaeger, a link that looks for something shows the details of what it finds.
  const linked = useRef(open.length === 0 ? find.trim() : "");
  const { show } = view;
  useEffect(() => {
    const text = linked.current;
    if (text === "" || result.state === "busy" || result.text.trim() !== text) return;
    linked.current = "";
    const rows = [...result.rows.subarray(0, panel ? 1 : OPENED_BY_LINK_MAX)];
    show(rows.map((row) => tree.order[row]));
    for (const row of rows) reveal(row);
  }, [result, tree, panel, show, reveal]);

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
    expandAll: view.expandAll,
    collapseOne: () => setCollapsed((now) => collapseOneLevel(tree, now)),
    expandOne: () => setCollapsed((now) => expandOneLevel(tree, now)),
    find: () => findRef.current?.select(),
    clear: () => {
      if (find !== "") setFind("");
      else if (!isWhole(range, total)) setRange({ from: 0, to: total });
    },
    help: props.onHelp,
  });

  const inPanel = panel ? first : -1;
  return (
    <div className="ly-tab ly-timeline-tab" role="tabpanel" id="ly-trace-panel" aria-labelledby="ly-tab-timeline">
      {!props.hideMinimap && <Minimap range={range} onRange={setRange} />}
      <div className="ly-timeline-split" data-panel={inPanel >= 0}>
        <Timeline
          ref={timeline}
          view={view}
          visible={visible}
          active={active}
          onActive={setActive}
          found={result}
          inline={!panel}
          critical={prefs.critical}
        />
        {inPanel >= 0 && <SidePanel span={inPanel} view={view} onClose={() => setOpen([])} />}
      </div>
    </div>
  );
}

interface SidePanelProps {
  readonly span: number;
  readonly view: ViewState;
  readonly onClose: () => void;
}

function SidePanel({ span, view, onClose }: SidePanelProps): ReactNode {
  const { t } = useLocale();
  return (
    <aside className="ly-side-panel" aria-label={t.trace.sidePanel}>
      <span className="ly-side-close">
        <IconButton small label={t.common.close} onClick={onClose}>
          <CloseIcon />
        </IconButton>
      </span>
      <SpanDetail key={span} span={span} onRange={view.setRange} />
    </aside>
  );
}
