/** Events of a span with their time since the start of the trace, and links to other spans. */

import { useState, type ReactNode } from "react";
import { Link } from "wouter";

import { useLocale } from "../../i18n/index.ts";
import { displayTraceId } from "../../model/columns.ts";
import { Button } from "../../kit/buttons.tsx";
import { formatDuration } from "../../model/duration.ts";
import type { JaegerLog, JaegerReference } from "../../model/jaeger.ts";
import type { Variables } from "../../model/linkPatterns.ts";
import { useShownTrace } from "./context.ts";
import { KeyValues } from "./KeyValues.tsx";

/** More events than this are shown only when asked for: each is a row to lay out. */
const EVENTS_SHOWN = 100;
/** At most this much of one value is in the preview of an event, characters. */
const PREVIEW_CHARS = 120;

interface EventListProps {
  readonly events: readonly JaegerLog[];
  readonly traceStartMicros: number;
  readonly variables: Variables;
}

function eventName(event: JaegerLog): string {
  const field = event.fields.find(({ key }) => key === "event") ?? event.fields[0];
  return field ? String(field.value) : "";
}

/** The other fields on one line, as far as they fit. */
function eventPreview(event: JaegerLog): string {
  return event.fields
    .filter(({ key }) => key !== "event")
    .map(({ key, value }) => `${key}=${String(value).slice(0, PREVIEW_CHARS)}`)
    .join("  ");
}

export function EventList({ events, traceStartMicros, variables }: EventListProps): ReactNode {
  const { t, dateTime } = useLocale();
  const [all, setAll] = useState(false);
  const shown = all ? events : events.slice(0, EVENTS_SHOWN);
  return (
    <>
      <ul className="ly-events">
        {shown.map((event, index) => (
          <li key={index}>
            <details>
              <summary>
                <time title={dateTime(event.timestamp)}>
                  +{formatDuration((event.timestamp - traceStartMicros) * 1000)}
                </time>
                <span>{eventName(event)}</span>
                <span className="ly-event-preview">{eventPreview(event)}</span>
              </summary>
              <KeyValues pairs={event.fields} type="events" variables={variables} />
            </details>
          </li>
        ))}
      </ul>
      {shown.length < events.length && (
        <Button kind="quiet" onClick={() => setAll(true)}>
          {t.trace.detail.allEvents(events.length)}
        </Button>
      )}
    </>
  );
}

export function LinkList(props: { readonly links: readonly JaegerReference[] }): ReactNode {
  const { t } = useLocale();
  const { trace } = useShownTrace();
  return (
    <ul className="ly-links">
      {props.links.map(({ refType, traceID, spanID }) => {
        const same = traceID.padStart(32, "0") === trace.traceId;
        return (
          <li key={`${traceID}/${spanID}`}>
            <span className="ly-muted">
              {refType === "CHILD_OF" ? t.trace.detail.childOf : t.trace.detail.followsFrom}
            </span>
            <Link href={`/trace/${traceID}?span=${spanID}`}>
              <code>
                {same ? t.trace.detail.sameTrace : displayTraceId(traceID)} · {spanID}
              </code>
            </Link>
          </li>
        );
      })}
    </ul>
  );
}
