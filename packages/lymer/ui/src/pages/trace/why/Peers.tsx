/** Whether a span is slow for its operation: its place among the others, and a little histogram. */

import { useQuery } from "@tanstack/react-query";
import type { ReactNode } from "react";

import "../../../styles/peers.css";

import { heatQuery } from "../../../api/heat.ts";
import { useLocale } from "../../../i18n/index.ts";
import { Failed } from "../../../kit/states.tsx";
import { formatDuration } from "../../../model/duration.ts";
import { quoted } from "../../../model/narrow.ts";
import { peersOf } from "../../../model/peers.ts";
import { useShownTrace } from "../context.ts";

/** So long before and after the span others are looked for, microseconds. */
const AROUND_MICROS = 30 * 60e6;
const WIDTH = 120;
const HEIGHT = 24;

export default function Peers({ span }: { readonly span: number }): ReactNode {
  const { t, number, percent } = useLocale();
  const { trace, uploaded } = useShownTrace();
  const service = trace.services[trace.service[span]] ?? "";
  const name = trace.names[trace.name[span]] ?? "";
  const nanos = trace.duration[span];
  const at = Math.floor(Number(trace.startUnixNano / 1000n) / 60e6) * 60e6;
  const ask = {
    query: `{ resource.service.name = ${quoted(service)} && name = ${quoted(name)} }`,
    start: at - AROUND_MICROS,
    end: at + AROUND_MICROS,
  };
  const answer = useQuery(heatQuery(ask, 1, uploaded !== true && service !== "" && name !== ""));
  const peers = answer.data ? peersOf(answer.data, nanos) : null;
  if (answer.isError) return <Failed text={t.why.peers.failed} error={answer.error} onRetry={() => void answer.refetch()} />;
  if (!peers) return null;
  const most = Math.max(...peers.counts);
  const bar = WIDTH / peers.counts.length;
  const said = t.why.peers.slower(percent(peers.faster), number(peers.spans));
  return (
    <div className="ly-peers">
      <svg role="img" aria-label={t.why.peers.histogram(formatDuration(peers.low), formatDuration(peers.high))} viewBox={`0 0 ${WIDTH} ${HEIGHT}`} width={WIDTH} height={HEIGHT}>
        {peers.counts.map((count, place) => {
          const height = count === 0 ? 0 : Math.max(1.5, (count / most) * (HEIGHT - 4));
          return <rect key={place} data-own={place === peers.own} x={place * bar} width={Math.max(0.8, bar - 0.6)} y={HEIGHT - height} height={height} />;
        })}
        <path d={`M${(peers.own + 0.5) * bar - 3} 0h6l-3 4z`} />
      </svg>
      <span>{said}</span>
    </div>
  );
}
