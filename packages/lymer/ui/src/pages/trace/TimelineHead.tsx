/** The head of the timeline: fold buttons, the edge of the name column, and the time scale. */

import { useElementSize, useLocalStorage } from "@mantine/hooks";
import { useRef, type Dispatch, type KeyboardEvent, type PointerEvent, type ReactNode, type SetStateAction } from "react";

import { useLocale } from "../../i18n/index.ts";
import { IconButton } from "../../kit/buttons.tsx";
import { CollapseAllIcon, CollapseOneIcon, ExpandAllIcon, ExpandOneIcon } from "../../kit/icons.tsx";
import { collapseAll, collapseOneLevel, expandAll, expandOneLevel } from "../../model/collapse.ts";
import { formatDuration } from "../../model/duration.ts";
import { rangeTicks, type Range } from "../../model/range.ts";
import { useShownTrace } from "./context.ts";

const NAME_PX = 380;
const NAME_PX_MIN = 160;
const NAME_PX_MAX = 900;
const KEY_PX = 16;
/** The last label needs this much room, CSS pixels, or it would be cut off. */
const LABEL_PX = 52;

function clampWidth(width: number): number {
  return Math.min(NAME_PX_MAX, Math.max(NAME_PX_MIN, width));
}

/** Width of the name column, CSS pixels, remembered by the browser. */
export function useNameWidth(): readonly [number, (width: number) => void] {
  const [width, setWidth] = useLocalStorage({
    key: "lymer.nameWidth",
    defaultValue: NAME_PX,
    getInitialValueInEffect: false,
  });
  return [clampWidth(Number(width) || NAME_PX), (next) => setWidth(clampWidth(next))];
}

interface TimelineHeadProps {
  readonly range: Range;
  readonly setCollapsed: Dispatch<SetStateAction<Uint8Array>>;
  readonly nameWidth: number;
  readonly onNameWidth: (width: number) => void;
}

export function TimelineHead({ range, setCollapsed, nameWidth, onNameWidth }: TimelineHeadProps): ReactNode {
  const { t } = useLocale();
  const { tree } = useShownTrace();
  const { ref, width } = useElementSize<HTMLDivElement>();
  const scale = width / (range.to - range.from);
  return (
    <div className="ly-timeline-head">
      <div className="ly-timeline-names">
        <span>{t.trace.nameColumn}</span>
        <span className="ly-fold-buttons">
          <IconButton small label={t.trace.expandAll} onClick={() => setCollapsed(expandAll(tree))}>
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
        {rangeTicks(range, width).map((nanos) => {
          const left = (nanos - range.from) * scale;
          if (left > width - LABEL_PX) return null;
          return (
            <span key={nanos} style={{ left }}>
              {formatDuration(nanos)}
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
