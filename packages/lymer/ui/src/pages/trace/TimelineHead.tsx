/** The head of the timeline: fold buttons, the edge of the name column, and the time scale. */

import { useElementSize, useLocalStorage } from "@mantine/hooks";
import { useRef, type Dispatch, type KeyboardEvent, type PointerEvent, type ReactNode, type SetStateAction } from "react";

import { useLocale } from "../../i18n/index.ts";
import { IconButton } from "../../kit/buttons.tsx";
import { CollapseAllIcon, CollapseOneIcon, ExpandAllIcon, ExpandOneIcon } from "../../kit/icons.tsx";
import { collapseAll, collapseOneLevel, expandOneLevel } from "../../model/collapse.ts";
import { rangeTicks, type Range } from "../../model/range.ts";
import { useShownTrace } from "./context.ts";

const NAME_PX = 380;
const NAME_PX_MIN = 120;
const NAME_PX_MAX = 900;
/** Part of the timeline that names may take at most: the bars need the rest. */
const NAME_SHARE_MAX = 0.6;
/** Part they take on a narrow screen, where nobody has chosen a width. */
const NAME_SHARE = 0.42;
const KEY_PX = 16;
/** The last label needs this much room, CSS pixels, or it would be cut off. */
const LABEL_PX = 52;

/**
 * Width of the name column, CSS pixels, remembered by the browser.
 *
 * `total` is the width of the whole timeline, 0 before it is known.
 */
export function useNameWidth(total: number): readonly [number, (width: number) => void] {
  const most = total > 0 ? Math.min(NAME_PX_MAX, total * NAME_SHARE_MAX) : NAME_PX_MAX;
  const clamp = (width: number): number => Math.round(Math.max(NAME_PX_MIN, Math.min(most, width)));
  const [chosen, setChosen] = useLocalStorage({
    key: "lymer.nameWidth",
    defaultValue: 0,
    getInitialValueInEffect: false,
  });
  const byDefault = total > 0 ? Math.min(NAME_PX, total * NAME_SHARE) : NAME_PX;
  return [clamp(Number(chosen) || byDefault), (next) => setChosen(clamp(next))];
}

interface TimelineHeadProps {
  readonly range: Range;
  readonly setCollapsed: Dispatch<SetStateAction<Uint8Array>>;
  readonly onExpandAll: () => void;
  readonly nameWidth: number;
  readonly onNameWidth: (width: number) => void;
}

export function TimelineHead({ range, setCollapsed, onExpandAll, nameWidth, onNameWidth }: TimelineHeadProps): ReactNode {
  const { t } = useLocale();
  const { tree } = useShownTrace();
  const { ref, width } = useElementSize<HTMLDivElement>();
  const scale = width / (range.to - range.from);
  return (
    <div className="ly-timeline-head">
      <div className="ly-timeline-names">
        <span>{t.trace.nameColumn}</span>
        <span className="ly-fold-buttons">
          <IconButton small label={t.trace.expandAll} onClick={onExpandAll}>
            <ExpandAllIcon />
          </IconButton>
          <IconButton small label={t.trace.collapseAll} onClick={() => setCollapsed(collapseAll(tree))}>
            <CollapseAllIcon />
          </IconButton>
          <IconButton small label={t.trace.expandOne} onClick={() => setCollapsed((now) => expandOneLevel(tree, now))}>
            <ExpandOneIcon />
          </IconButton>
          <IconButton small label={t.trace.collapseOne} onClick={() => setCollapsed((now) => collapseOneLevel(tree, now))}>
            <CollapseOneIcon />
          </IconButton>
        </span>
        <Edge width={nameWidth} onWidth={onNameWidth} />
      </div>
      <div className="ly-ticks" ref={ref}>
        {rangeTicks(range, width).map(({ nanos, label }) => {
          const left = (nanos - range.from) * scale;
          if (left > width - LABEL_PX) return null;
          return (
            <span key={nanos} style={{ left }}>
              {label}
            </span>
          );
        })}
      </div>
    </div>
  );
}

/** The edge of the name column: a separator that can be dragged or moved with arrow keys. */
function Edge(props: { readonly width: number; readonly onWidth: (width: number) => void }): ReactNode {
  const { t } = useLocale();
  const start = useRef<{ readonly x: number; readonly width: number } | null>(null);
  const onKeyDown = (event: KeyboardEvent): void => {
    const direction = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
    if (direction === 0) return;
    event.preventDefault();
    event.stopPropagation();
    props.onWidth(props.width + direction * KEY_PX);
  };
  return (
    <div
      className="ly-column-edge"
      role="separator"
      aria-orientation="vertical"
      aria-label={t.trace.resize}
      aria-valuemin={NAME_PX_MIN}
      aria-valuemax={NAME_PX_MAX}
      aria-valuenow={props.width}
      tabIndex={0}
      onKeyDown={onKeyDown}
      onPointerDown={(event: PointerEvent) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, width: props.width };
      }}
      onPointerMove={(event: PointerEvent) => {
        if (start.current) props.onWidth(start.current.width + event.clientX - start.current.x);
      }}
      onPointerUp={() => (start.current = null)}
      onPointerCancel={() => (start.current = null)}
    />
  );
}
