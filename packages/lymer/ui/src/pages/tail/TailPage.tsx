/** `/tail`: spans as they are stored, with pause and a question; how many could not be shown is said. */

import { useEffect, useReducer, useRef, useState, type ReactNode } from "react";
import { Link } from "wouter";

import "../../styles/plain.css";
import "../../styles/tail.css";

import { serverUrl } from "../../app/config.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { useServerWords } from "../../i18n/serverWords.ts";
import { Button } from "../../kit/buttons.tsx";
import { ErrorIcon } from "../../kit/icons.tsx";
import { Swatch } from "../../kit/service.tsx";
import { formatDuration } from "../../model/duration.ts";
import { paletteIndex } from "../../model/palette.ts";
import { text } from "../../model/params.ts";
import { afterTail, TAIL_NOTHING, type TailSpan } from "../../model/tail.ts";
import { QueryBar } from "../search/ask/QueryBar.tsx";

const TAIL_PARAMS = { q: text() };
/** Spans a second that are shown. */
const RATE = 20;
/** What comes meanwhile is shown together, milliseconds. */
const TOGETHER_MS = 250;

export default function TailPage(): ReactNode {
  const { t, number, clock } = useLocale();
  const words = useServerWords();
  const [params, setParams] = useParams(TAIL_PARAMS);
  const [state, tell] = useReducer(afterTail, TAIL_NOTHING);
  const [paused, setPaused] = useState(false);
  const [link, setLink] = useState<"connecting" | "open" | "lost" | "closed">("connecting");
  const [tries, setTries] = useState(0);
  const waiting = useRef<TailSpan[]>([]);
  useEffect(() => {
    document.title = `${t.why.tail.title} · ${t.common.appName}`;
  }, [t]);
  useEffect(() => tell({ kind: "clear" }), [params.q]);
  useEffect(() => {
    if (paused) return undefined;
    setLink("connecting");
    const query = new URLSearchParams({ ...(params.q && { q: params.q }), rate: String(RATE) });
    const source = new EventSource(serverUrl(`api/tail?${query.toString()}`));
    source.addEventListener("open", () => setLink("open"));
    // The browser connects again by itself, unless somebody answered with something else.
    source.addEventListener("error", () => setLink(source.readyState === EventSource.CLOSED ? "closed" : "lost"));
    source.addEventListener("span", (event) => waiting.current.push(JSON.parse((event as MessageEvent<string>).data) as TailSpan));
    source.addEventListener("dropped", (event) => {
      const { dropped } = JSON.parse((event as MessageEvent<string>).data) as { readonly dropped: number };
      tell({ kind: "dropped", dropped });
    });
    source.addEventListener("problem", (event) => {
      const { message } = JSON.parse((event as MessageEvent<string>).data) as { readonly message: string };
      tell({ kind: "problem", problem: message });
    });
    const timer = setInterval(() => {
      if (waiting.current.length === 0) return;
      tell({ kind: "spans", spans: waiting.current });
      waiting.current = [];
    }, TOGETHER_MS);
    return () => {
      clearInterval(timer);
      source.close();
    };
  }, [params.q, paused, tries]);
  return (
    <div className="ly-page ly-tail">
      <header className="ly-page-head">
        <h1>{t.why.tail.title}</h1>
        <Button kind={paused ? "primary" : "quiet"} onClick={() => setPaused(!paused)}>
          {paused ? t.why.tail.resume : t.why.tail.pause}
        </Button>
        <span role="status" className="ly-muted">
          {paused ? t.why.tail.paused : t.why.tail.links[link]} · {t.counts.spans(state.seen)}
          {state.dropped > 0 && ` · ${t.why.tail.dropped(number(state.dropped))}`}
        </span>
        {link === "closed" && !paused && (
          <Button kind="quiet" onClick={() => setTries(tries + 1)}>
            {t.common.retry}
          </Button>
        )}
        {state.problem && (
          <span role="alert" className="ly-error-mark">
            {words(state.problem)}
          </span>
        )}
      </header>
      <div className="ly-page-body">
        <QueryBar question={params.q} busy={false} onAsk={(q) => setParams({ q })} />
        {params.q && (
          <p className="ly-series-note">
            <Button kind="quiet" onClick={() => setParams({ q: "" })}>
              {t.why.tail.everything}
            </Button>
          </p>
        )}
        {state.spans.length === 0 ? (
          <p className="ly-series-note">{t.why.tail.nothing}</p>
        ) : (
          <table className="ly-plain-table">
            <caption className="ly-hidden">{t.why.tail.title}</caption>
            <thead>
              <tr>
                <th scope="col">{t.stats.operation}</th>
                <th scope="col">{t.trace.duration}</th>
                <th scope="col">{t.logs.time}</th>
              </tr>
            </thead>
            <tbody>
              {state.spans.map((one) => (
                <tr key={`${one.traceID} ${one.spanID}`}>
                  <th scope="row">
                    <Swatch index={paletteIndex(one.service)} />{" "}
                    <Link href={`/trace/${one.traceID}?span=${one.spanID}`}>
                      {one.service} {one.name || t.common.unnamed}
                    </Link>
                    {one.status === "error" && (
                      <span className="ly-error-mark">
                        {" "}
                        <ErrorIcon />
                        <span className="ly-hidden">{t.map.errors}</span>
                      </span>
                    )}
                  </th>
                  <td>{formatDuration(Number(one.durationNanos))}</td>
                  <td>{clock(Number(BigInt(one.startTimeUnixNano) / 1000n))}</td>
                </tr>
              ))}
            </tbody>
          </table>
        )}
      </div>
    </div>
  );
}
