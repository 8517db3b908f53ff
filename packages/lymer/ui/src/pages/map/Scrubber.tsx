/** Which instant the map shows: now, or a time before, moved along a line. */

import type { ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";

interface ScrubberProps {
  /** Length of what is shown, milliseconds. */
  readonly window: number;
  /** Its end, 0: now. */
  readonly end: number;
  readonly onEnd: (end: number) => void;
}

const STEPS = 48;
/** Steps of one window: so many positions overlap. */
const STEPS_PER_WINDOW = 4;

export function Scrubber({ window, end, onEnd }: ScrubberProps): ReactNode {
  const { t, dateTime } = useLocale();
  const step = window / STEPS_PER_WINDOW;
  const now = Date.now();
  const back = end === 0 ? 0 : Math.min(STEPS, Math.max(1, Math.round((now - end) / step)));
  const said = end === 0 ? t.why.map.live : t.why.map.until(dateTime(end * 1000));
  return (
    <div className="ly-scrubber">
      <label>
        <span>{t.why.map.time}</span>
        <input
          type="range"
          min={0}
          max={STEPS}
          value={STEPS - back}
          aria-valuetext={said}
          onChange={(event) => {
            const steps = STEPS - Number(event.currentTarget.value);
            onEnd(steps === 0 ? 0 : Math.round(now - steps * step));
          }}
        />
      </label>
      <output>{said}</output>
      {end !== 0 && (
        <Button kind="quiet" onClick={() => onEnd(0)}>
          {t.monitor.now}
        </Button>
      )}
    </div>
  );
}
