/** The trace as Jaeger's API gives it: lines of JSON, only those on screen in the page. */

import { useQuery } from "@tanstack/react-query";
import { useVirtualizer } from "@tanstack/react-virtual";
import { useMemo, useRef, type ReactNode } from "react";

import { traceTextQuery } from "../../api/queries.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button, CopyButton } from "../../kit/buttons.tsx";
import { Choice } from "../../kit/fields.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { oneOf } from "../../model/params.ts";
import { useShownTrace } from "./context.ts";

const LINE_PX = 19;
const JSON_PARAMS = { json: oneOf(["adjusted", "raw"]) };

export default function JsonTab(): ReactNode {
  const { t, number } = useLocale();
  const { trace, uploaded } = useShownTrace();
  const [{ json }, setParams] = useParams(JSON_PARAMS);
  const query = useQuery(traceTextQuery(trace.traceId, json === "raw"));
  const lines = useMemo(() => (query.data ?? "").split("\n"), [query.data]);
  const scroller = useRef<HTMLDivElement>(null);
  const rows = useVirtualizer({
    count: lines.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => LINE_PX,
    overscan: 20,
  });
  if (query.isPending) return <Loading label={t.json.loading} />;
  if (query.isError) {
    return (
      <Notice alert title={t.json.failed} actions={<Button onClick={() => void query.refetch()}>{t.common.retry}</Button>}>
        <ErrorText error={query.error} />
      </Notice>
    );
  }
  return (
    <div className="ly-pane">
      <div className="ly-pane-bar">
        {!uploaded && (
          <Choice
            label={t.json.which}
            value={json}
            options={[
              { value: "adjusted", label: t.json.adjusted },
              { value: "raw", label: t.json.raw },
            ]}
            onChange={(value) => setParams({ json: value as "adjusted" })}
          />
        )}
        <span className="ly-muted">{t.json.lines(lines.length)}</span>
        <span className="ly-top-space" />
        <CopyButton text={query.data} label={t.json.copy} />
      </div>
      <div ref={scroller} className="ly-json" tabIndex={0} role="group" aria-label={t.trace.views.json}>
        <div style={{ height: rows.getTotalSize() }}>
          {rows.getVirtualItems().map(({ index, start }) => (
            <div key={index} className="ly-json-line" style={{ transform: `translateY(${start}px)` }}>
              <span className="ly-json-number" aria-hidden="true">
                {number(index + 1)}
              </span>
              <JsonLine text={lines[index]} />
            </div>
          ))}
        </div>
      </div>
    </div>
  );
}

/** One line, its key apart from its value. */
function JsonLine({ text }: { readonly text: string }): ReactNode {
  const match = /^(\s*)("(?:[^"\\]|\\.)*")(:\s?)(.*)$/.exec(text);
  if (!match) return <code>{text}</code>;
  return (
    <code>
      {match[1]}
      <span className="ly-json-key">{match[2]}</span>
      {match[3]}
      {match[4]}
    </code>
  );
}
