/** The timeline: rows of names as a tree grid, bars on a canvas beside them, both virtual. */

import { useElementSize } from "@mantine/hooks";
import { useCallback, useMemo, useRef, type CSSProperties, type ReactNode, type Ref } from "react";

import { useLocale } from "../../i18n/index.ts";
import { toggleRow } from "../../model/collapse.ts";
import { spanRange } from "../../model/range.ts";
import { itemRow, timelineItems } from "../../model/timelineItems.ts";
import { Bars } from "./Bars.tsx";
import { useShownTrace } from "./context.ts";
import { SpanDetail } from "./SpanDetail.tsx";
import { SpanRow, type RunState } from "./SpanRow.tsx";
import { TimelineHead, useNameWidth } from "./TimelineHead.tsx";
import { useBarGestures } from "./useBarGestures.ts";
import type { FindResult } from "./useFind.ts";
import { useGridKeys } from "./useGridKeys.ts";
import { useLines, type TimelineHandle } from "./useLines.ts";
import type { ViewState } from "./useViewState.ts";

const INDENT_PX = 12;
const GUIDE_PX_MIN = 4;
const NO_ROWS: ReadonlySet<number> = new Set();
/** Part of the name column that indentation may take; deeper trees get narrower steps. */
const INDENT_SHARE = 0.45;

interface TimelineProps {
  readonly ref: Ref<TimelineHandle>;
  readonly view: ViewState;
  readonly visible: Int32Array;
  /** The row that has or would get the focus; -1 if nobody has been anywhere yet. */
  readonly active: number;
  readonly onActive: (row: number) => void;
  readonly found: FindResult;
  /** Whether details stand open below their rows, or somewhere else. */
  readonly inline: boolean;
  readonly critical: boolean;
}

/** What can be done to a row; the functions stay the same from render to render. */
interface RowActions {
  readonly onOpen: (row: number) => void;
  readonly onFold: (row: number) => void;
  /** Open or fold the repeated calls that begin at a row. */
  readonly onRun: (row: number) => void;
  readonly onZoom: (row: number) => void;
}

function useRowActions(view: ViewState, onActive: (row: number) => void, inline: boolean): RowActions {
  const { trace, tree } = useShownTrace();
  const { setOpen, setCollapsed, setOpened, setRange, runs } = view;
  const onOpen = useCallback(
    (row: number) => {
      const span = tree.order[row];
      onActive(row);
      setOpen((now) => {
        if (now.includes(span)) return now.filter((other) => other !== span);
        return inline ? [...now, span] : [span];
      });
    },
    [tree, setOpen, onActive, inline],
  );
  const onFold = useCallback(
    (row: number) => {
      onActive(row);
      setCollapsed((now) => toggleRow(now, row));
    },
    [setCollapsed, onActive],
  );
  const onRun = useCallback(
    (row: number) => {
      onActive(row);
      setOpened((now) => toggleRow(now, runs.at[row]));
    },
    [setOpened, runs, onActive],
  );
  const onZoom = useCallback(
    (row: number) => setRange(spanRange(trace, tree.order[row])),
    [trace, tree, setRange],
  );
  return { onOpen, onFold, onRun, onZoom };
}

/** Whether a row stands for repeated calls, is the first of some that stand one by one, or neither. */
function runOf({ runs, opened }: ViewState, row: number): RunState {
  const run = runs.at[row];
  return run < 0 ? "none" : opened[run] ? "opened" : "folded";
}

export function Timeline(props: TimelineProps): ReactNode {
  const { ref, view, visible, active, onActive, found, inline, critical } = props;
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const { range, setRange, collapsed, setCollapsed, open, runs } = view;
  const scroller = useRef<HTMLDivElement>(null);
  const { ref: sizeRef, width } = useElementSize<HTMLDivElement>();
  const [nameWidth, setNameWidth] = useNameWidth(width);
  const openRows = useMemo(() => new Set(open.map((span) => tree.rowOf[span])), [open, tree]);
  const items = useMemo(
    () => timelineItems(visible, inline ? openRows : NO_ROWS),
    [visible, openRows, inline],
  );
  const { lines, show } = useLines({ ref, scroller, items, active });
  const gestures = useBarGestures({ scroller, nameWidth, range, setRange });
  const actions = useRowActions(view, onActive, inline);
  const onMove = (row: number): void => {
    onActive(row);
    show(row, "auto");
  };
  const { onKeyDown, ...keys } = useGridKeys({
    scroller, tree, visible, collapsed, active, runOf: (row) => runOf(view, row), onMove, ...actions,
  });

  const shown = lines.getVirtualItems();
  const shownRows = shown.map(({ index }) => items[index]).filter((item) => item >= 0);
  const tabRow = shownRows.includes(active) ? active : (shownRows[0] ?? -1);
  const step = Math.min(INDENT_PX, (nameWidth * INDENT_SHARE) / Math.max(1, tree.maxDepth));
  // Lines closer together than this would be a grey block.
  const guides = step >= GUIDE_PX_MIN;
  const style = { "--ly-name-width": `${nameWidth}px`, "--ly-indent": `${step}px` } as CSSProperties;
  const dims = found.active && found.rows.length > 0;
  const isFound = (row: number): boolean => {
    const end = runOf(view, row) === "folded" ? runs.end[runs.at[row]] : row + 1;
    for (let at = row; at < end; at++) if (found.flags[tree.order[at]] === 1) return true;
    return false;
  };
  return (
    <div className="ly-timeline" data-guides={guides} style={style} ref={sizeRef}>
      <TimelineHead range={range} setCollapsed={setCollapsed} onExpandAll={view.expandAll} nameWidth={nameWidth} onNameWidth={setNameWidth} />
      <div className="ly-timeline-view">
        <div ref={scroller} className="ly-timeline-scroll" {...keys} {...gestures.handlers}>
          <div
            role="treegrid"
            aria-label={t.trace.grid}
            aria-rowcount={items.length}
            aria-colcount={2}
            className="ly-grid"
            style={{ height: lines.getTotalSize() }}
            onKeyDown={onKeyDown}
          >
            {shown.map(({ index, start }) => {
              const item = items[index];
              const row = itemRow(item);
              const span = tree.order[row];
              return item < 0 ? (
                <div
                  key={item}
                  ref={lines.measureElement}
                  data-index={index}
                  className="ly-detail-row"
                  role="row"
                  aria-rowindex={index + 1}
                  style={{ transform: `translateY(${start}px)` }}
                >
                  <div role="gridcell" aria-colspan={2}>
                    <SpanDetail span={span} onRange={setRange} />
                  </div>
                </div>
              ) : (
                <SpanRow
                  key={item}
                  row={row}
                  top={start}
                  place={index}
                  folded={collapsed[row] === 1}
                  run={runOf(view, row)}
                  calls={runs.at[row] < 0 ? 0 : runs.calls[runs.at[row]]}
                  end={runOf(view, row) === "folded" ? runs.end[runs.at[row]] : tree.end[row]}
                  open={openRows.has(row)}
                  found={found.active && isFound(row)}
                  dimmed={dims && !isFound(row)}
                  tab={row === tabRow}
                  active={row === active}
                  onActive={onActive}
                  {...actions}
                />
              );
            })}
          </div>
          <Bars
            shownRows={shown}
            items={items}
            range={range}
            collapsed={collapsed}
            runs={runs}
            opened={view.opened}
            trace={trace}
            found={found}
            critical={critical}
          />
        </div>
        {gestures.selection}
      </div>
    </div>
  );
}
