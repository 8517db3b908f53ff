/** One row of the timeline: the span's name in words; its bar is on the canvas behind. */

import { memo, type CSSProperties, type ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { BrokenIcon, CaretIcon, ErrorIcon, ErrorInsideIcon, WarningIcon } from "../../kit/icons.tsx";
import { STATUS_ERROR } from "../../model/columns.ts";
import { formatDuration } from "../../model/duration.ts";
import { useShownTrace } from "./context.ts";

/** What a row is of repeated calls: all of them in one line, the first of those shown, or nothing. */
export type RunState = "none" | "folded" | "opened";

interface SpanRowProps {
  readonly row: number;
  /** CSS pixels from the top of the grid. */
  readonly top: number;
  /** Place among the lines on screen, from 0. */
  readonly place: number;
  readonly folded: boolean;
  readonly run: RunState;
  /** How many repeated calls begin here; 0: none. */
  readonly calls: number;
  /** First row after what the row stands for. */
  readonly end: number;
  readonly open: boolean;
  readonly found: boolean;
  readonly dimmed: boolean;
  readonly tab: boolean;
  readonly active: boolean;
  readonly onFold: (row: number) => void;
  readonly onOpen: (row: number) => void;
  readonly onActive: (row: number) => void;
  /** Zoom to the span of a row. */
  readonly onZoom: (row: number) => void;
  readonly onRun: (row: number) => void;
}

export const SpanRow = memo(function SpanRow(props: SpanRowProps): ReactNode {
  const { t, number } = useLocale();
  const { trace, tree, serviceNames, colors } = useShownTrace();
  const { row, folded, open, run, calls } = props;
  const span = tree.order[row];
  const depth = tree.depth[row];
  const parent = trace.parent[span];
  const children = tree.children[row];
  const service = trace.services[trace.service[span]];
  const name = trace.names[trace.name[span]] || t.common.unnamed;
  const style = { transform: `translateY(${props.top}px)`, "--ly-depth": depth } as CSSProperties;
  const state = [open && "open", props.found && "found", props.dimmed && "dimmed", props.active && "active"];
  return (
    <div
      role="row"
      className="ly-span"
      data-row={row}
      data-same={parent >= 0 && trace.service[parent] === trace.service[span]}
      data-state={state.filter(Boolean).join(" ")}
      data-color={colors[trace.service[span]]}
      aria-level={depth + 1}
      aria-rowindex={props.place + 1}
      {...(children > 0 || run !== "none" ? { "aria-expanded": run === "folded" ? false : !folded } : {})}
      tabIndex={props.tab ? 0 : -1}
      style={style}
      onFocus={() => props.onActive(row)}
      onClick={() => (run === "folded" ? props.onRun(row) : props.onOpen(row))}
    >
      <div role="gridcell" className="ly-span-name">
        <span className="ly-guides" aria-hidden="true" />
        {children > 0 && run !== "folded" ? (
          <span
            className="ly-caret"
            data-folded={folded}
            title={folded ? t.trace.expandRow : t.trace.collapseRow}
            onClick={(event) => {
              event.stopPropagation();
              props.onFold(row);
            }}
          >
            <CaretIcon />
          </span>
        ) : (
          <span className="ly-caret" />
        )}
        <span className="ly-stripe" aria-hidden="true" />
        {run !== "none" && (
          <span
            className="ly-run"
            data-run={run}
            title={run === "folded" ? t.why.runs.open(number(calls)) : t.why.runs.fold(number(calls))}
            onClick={(event) => {
              event.stopPropagation();
              props.onRun(row);
            }}
          >
            ×{number(calls)}
            <CaretIcon />
          </span>
        )}
        <span className="ly-span-text" title={`${service}: ${name}`}>
          <strong>{serviceNames[trace.service[span]] || t.common.unnamed}</strong> <span>{name}</span>
        </span>
        <Marks span={span} row={row} end={props.end} folded={folded || run === "folded"} />
        {children > 0 && folded && run !== "folded" && (
          <span className="ly-child-count" title={t.counts.children(children)}>
            {number(tree.end[row] - row - 1)}
          </span>
        )}
      </div>
      <div role="gridcell" className="ly-span-bar" onDoubleClick={() => props.onZoom(row)}>
        <span className="ly-hidden">
          {formatDuration(trace.duration[span])}, +{formatDuration(trace.start[span])}
        </span>
      </div>
    </div>
  );
});

interface MarksProps {
  readonly span: number;
  readonly row: number;
  readonly end: number;
  readonly folded: boolean;
}

function Marks({ span, row, end, folded }: MarksProps): ReactNode {
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const failed = trace.status[span] === STATUS_ERROR;
  const hiddenErrors = folded ? tree.errorsBefore[end] - tree.errorsBefore[row + 1] : 0;
  const warnings = trace.warnings.get(span);
  return (
    <>
      {failed && (
        <Mark className="ly-error-mark" text={t.trace.errorMark}>
          <ErrorIcon />
        </Mark>
      )}
      {!failed && hiddenErrors > 0 && (
        <Mark className="ly-error-mark" text={`${t.trace.errorInside}: ${hiddenErrors}`}>
          <ErrorInsideIcon />
        </Mark>
      )}
      {warnings && (
        <Mark className="ly-warning-mark" text={`${t.trace.warningMark}: ${warnings.map(t.trace.warningText).join("; ")}`}>
          <WarningIcon />
        </Mark>
      )}
      {trace.orphan[span] === 1 && (
        <Mark className="ly-warning-mark" text={t.trace.orphanMark}>
          <BrokenIcon />
        </Mark>
      )}
    </>
  );
}

function Mark(props: { readonly className: string; readonly text: string; readonly children: ReactNode }): ReactNode {
  return (
    <span className={props.className} title={props.text}>
      {props.children}
      <span className="ly-hidden">{props.text}</span>
    </span>
  );
}
