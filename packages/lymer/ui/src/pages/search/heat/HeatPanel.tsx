/** The heatmap of a result, what can be marked in it, and what is different about that. */

import { useElementSize } from "@mantine/hooks";
import { useQuery } from "@tanstack/react-query";
import { useMemo, type ReactNode } from "react";

import "../../../styles/heat.css";

import { heatQuery } from "../../../api/heat.ts";
import type { LanguageAsk } from "../../../api/language.ts";
import { useParams } from "../../../app/url.ts";
import { useLocale } from "../../../i18n/index.ts";
import { Button } from "../../../kit/buttons.tsx";
import { Failed } from "../../../kit/states.tsx";
import { occupied, readBox, readHeat, slowest, writeBox, type Box } from "../../../model/heat.ts";
import { flag, text } from "../../../model/params.ts";
import { Different } from "./Different.tsx";
import { Heatmap } from "./Heatmap.tsx";

const SELECTION_PARAMS = { box: text(), failed: flag() };
/** One column for so many CSS pixels. */
const COLUMN_PX = 9;
const SLOW_PART = 0.05;

interface HeatPanelProps {
  readonly ask: LanguageAsk;
  readonly onAsk: (query: string) => void;
  /** Asks for a part of time, microseconds, and a question with it. */
  readonly onZoom: (box: Box) => void;
}

export default function HeatPanel({ ask, onAsk, onZoom }: HeatPanelProps): ReactNode {
  const { t } = useLocale();
  const [params, setParams] = useParams(SELECTION_PARAMS);
  const { ref, width } = useElementSize<HTMLDivElement>();
  const columns = width === 0 ? 0 : Math.max(20, Math.min(160, Math.floor((width - 72) / COLUMN_PX)));
  const whole = useQuery(heatQuery(ask, columns, true));
  // What happened within a small part of the range is shown by itself.
  const part = useMemo(() => (whole.data ? occupied(readHeat(whole.data, ask.start, ask.end)) : null), [whole.data, ask]);
  const near = useQuery(heatQuery({ ...ask, start: part?.[0] ?? 0, end: part?.[1] ?? 0 }, columns, part !== null));
  const wire = part === null ? whole.data : near.data;
  const heat = useMemo(() => {
    if (!wire) return null;
    return part ? readHeat(wire, part[0], part[1]) : readHeat(wire, ask.start, ask.end);
  }, [wire, part, ask]);
  const box = readBox(params.box);
  const error = whole.error ?? near.error;
  const select = (patch: { readonly box?: Box | null; readonly failed?: boolean }): void =>
    setParams({
      ...(patch.box === undefined ? {} : { box: writeBox(patch.box) }),
      ...(patch.failed === undefined ? {} : { failed: patch.failed }),
    });
  return (
    <section className="ly-heatmap" aria-label={t.why.heat.title}>
      <div className="ly-heat-head">
        <h3>{t.why.heat.title}</h3>
        {heat && (
          <span className="ly-muted">
            {t.counts.spans(heat.spans)}{" "}
            {heat.errors > 0 && <span className="ly-error-mark"> · {t.counts.errors(heat.errors)}</span>}
          </span>
        )}
        <span className="ly-top-space" />
        {heat && heat.spans > 0 && (
          <>
            <Button kind="quiet" onClick={() => select({ box: slowest(heat, SLOW_PART), failed: false })}>
              {t.why.heat.slowest}
            </Button>
            {heat.errors > 0 && (
              <Button kind="quiet" onClick={() => select({ box: null, failed: true })}>
                {t.why.heat.failed}
              </Button>
            )}
          </>
        )}
        {(box !== null || params.failed) && (
          <Button kind="quiet" onClick={() => select({ box: null, failed: false })}>
            {t.why.heat.clear}
          </Button>
        )}
      </div>
      <div ref={ref} className="ly-heat-frame" aria-busy={whole.isFetching || near.isFetching}>
        {error ? (
          <Failed error={error} onRetry={() => void (whole.isError ? whole : near).refetch()} />
        ) : heat ? (
          <Heatmap heat={heat} box={box} onBox={(next) => select({ box: next })} />
        ) : (
          <span className="ly-muted">{t.common.loading}…</span>
        )}
      </div>
      {wire && !wire.complete && wire.reason && <p className="ly-series-note">{t.why.ask.incomplete(wire.reason)}</p>}
      {heat && !box && !params.failed && <p className="ly-heat-hint">{t.why.heat.hint}</p>}
      {(box !== null || params.failed) && (
        <Different
          ask={ask}
          selection={{ box, failed: params.failed }}
          onAsk={onAsk}
          {...(box ? { onZoom: () => onZoom(box) } : {})}
        />
      )}
    </section>
  );
}
