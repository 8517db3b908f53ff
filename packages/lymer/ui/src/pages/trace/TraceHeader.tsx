/** The top of the trace page: its name, what there is to say about it, find, and actions. */

import type { ReactNode, RefObject } from "react";
import { Link } from "wouter";

import { serverUrl } from "../../app/config.ts";
import { lastSearchHref } from "../../app/lastSearch.ts";
import { useLocale } from "../../i18n/index.ts";
import { CopyButton, IconButton, Menu } from "../../kit/buttons.tsx";
import {
  BackIcon,
  BrokenIcon,
  CloseIcon,
  DownIcon,
  ErrorIcon,
  HelpIcon,
  MoreIcon,
  SearchIcon,
  UpIcon,
} from "../../kit/icons.tsx";
import { formatDuration } from "../../model/duration.ts";
import { useShownTrace } from "./context.ts";
import type { FindResult } from "./useFind.ts";

interface TraceHeaderProps {
  readonly find: string;
  readonly onFind: (text: string) => void;
  readonly result: FindResult;
  /** Index of the match one is at, or -1. */
  readonly at: number;
  readonly onStep: (step: 1 | -1) => void;
  readonly onHelp: () => void;
  readonly findRef: RefObject<HTMLInputElement | null>;
}

export function TraceHeader(props: TraceHeaderProps): ReactNode {
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const jsonUrl = serverUrl(`api/traces/${trace.traceId}?prettyPrint=true`);
  return (
    <header className="ly-trace-head">
      <div className="ly-trace-title">
        <Link href={lastSearchHref()} className="ly-icon-link" aria-label={t.trace.back} title={t.trace.back}>
          <BackIcon />
        </Link>
        <h1>
          <strong className="ly-trace-service">{trace.services[trace.service[tree.root]]}</strong>{" "}
          <span className="ly-trace-operation">
            {trace.names[trace.name[tree.root]] || t.common.unnamed}
          </span>
        </h1>
        <code className="ly-trace-id">{trace.displayTraceId}</code>
        <CopyButton text={trace.displayTraceId} />
        <span className="ly-top-space" />
        <Find {...props} />
        <IconButton label={t.common.help} onClick={props.onHelp}>
          <HelpIcon />
        </IconButton>
        <Menu
          label={t.trace.more}
          icon={<MoreIcon />}
          groups={[
            {
              entries: [
                { label: t.trace.json, href: jsonUrl },
                { label: t.trace.jsonRaw, href: `${jsonUrl}&raw=true` },
                { label: t.trace.download, href: jsonUrl, download: `${trace.traceId}.json` },
              ],
            },
          ]}
        />
      </div>
      <Facts />
    </header>
  );
}

function Facts(): ReactNode {
  const { t, number, dateTime } = useLocale();
  const { trace, tree } = useShownTrace();
  const facts = [
    [t.trace.start, dateTime(Number(trace.startUnixNano / 1000n))],
    [t.trace.duration, formatDuration(trace.durationNano)],
    [t.trace.services, number(trace.services.length)],
    [t.trace.depth, number(tree.maxDepth)],
    [t.trace.spans, number(trace.count)],
  ] as const;
  return (
    <div className="ly-facts">
      <dl>
        {facts.map(([name, value]) => (
          <div key={name}>
            <dt>{name}</dt>
            <dd>{value}</dd>
          </div>
        ))}
        {trace.errorCount > 0 && (
          <div className="ly-fact-error">
            <dt>{t.trace.errors}</dt>
            <dd>
              <ErrorIcon />
              {number(trace.errorCount)}
            </dd>
          </div>
        )}
      </dl>
      {trace.orphanCount > 0 && (
        <span className="ly-tag" title={t.trace.incompleteHint(trace.orphanCount)}>
          <BrokenIcon />
          {t.trace.incomplete}
        </span>
      )}
    </div>
  );
}

function Find({ find, onFind, result, at, onStep, findRef }: TraceHeaderProps): ReactNode {
  const { t } = useLocale();
  const none = result.rows.length === 0;
  const status = !result.active
    ? ""
    : none
      ? result.state === "busy"
        ? t.trace.findBusy
        : t.trace.findNone
      : t.trace.findCount(at + 1, result.rows.length);
  return (
    <div className="ly-find" role="search" aria-label={t.trace.find}>
      <SearchIcon />
      <input
        ref={findRef}
        aria-label={t.trace.find}
        title={t.trace.findHint}
        placeholder={t.trace.findPlaceholder}
        value={find}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onFind(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") {
            onFind("");
            event.currentTarget.blur();
          }
        }}
      />
      <span className="ly-find-state" role="status" data-busy={result.state === "busy"}>
        {status}
        {result.state === "failed" && <span className="ly-error-mark"> {t.trace.findFailed}</span>}
      </span>
      {find !== "" && (
        <>
          <IconButton small label={t.trace.findPrevious} disabled={none} onClick={() => onStep(-1)}>
            <UpIcon />
          </IconButton>
          <IconButton small label={t.trace.findNext} disabled={none} onClick={() => onStep(1)}>
            <DownIcon />
          </IconButton>
          <IconButton small label={t.trace.findClear} onClick={() => onFind("")}>
            <CloseIcon />
          </IconButton>
        </>
      )}
    </div>
  );
}
