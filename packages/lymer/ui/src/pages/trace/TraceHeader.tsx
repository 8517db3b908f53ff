/** The top of the trace page: its name, what there is to say about it, views, find, and actions. */

import { useEffect, useRef, type ReactNode, type RefObject } from "react";
import { Link } from "wouter";

import { serverUrl, settings } from "../../app/config.ts";
import type { Embed } from "../../app/embed.ts";
import { lastSearchHref } from "../../app/lastSearch.ts";
import { useLocale } from "../../i18n/index.ts";
import { CopyButton, IconButton } from "../../kit/buttons.tsx";
import { Menu, type MenuEntry } from "../../kit/menu.tsx";
import { BackIcon, BrokenIcon, ErrorIcon, HelpIcon, MoreIcon, OutIcon } from "../../kit/icons.tsx";
import { Tabs } from "../../kit/tabs.tsx";
import { formatDuration } from "../../model/duration.ts";
import { traceLinks } from "../../model/linkPatterns.ts";
import { safeUrl } from "../../model/uiConfig.ts";
import { ArchiveButton } from "./ArchiveButton.tsx";
import { useShownTrace } from "./context.ts";
import { Find } from "./Find.tsx";
import { ServiceFilter } from "./ServiceFilter.tsx";
import { traceVariables } from "./patternLinks.ts";
import type { FindResult } from "./useFind.ts";
import { useTimelinePrefs, type View } from "./views.ts";

export interface TraceHeaderProps {
  readonly find: string;
  readonly onFind: (text: string) => void;
  readonly result: FindResult;
  /** Index of the match one is at, or -1. */
  readonly at: number;
  readonly onStep: (step: 1 | -1) => void;
  readonly onHelp: () => void;
  readonly findRef: RefObject<HTMLInputElement | null>;
  readonly view: View;
  readonly views: readonly View[];
  readonly onView: (view: View) => void;
  readonly embed: Embed;
}

export function TraceHeader(props: TraceHeaderProps): ReactNode {
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const title = useRef<HTMLHeadingElement>(null);
  // Whoever came here by a link is at the trace now, not at the top of the page.
  useEffect(() => {
    const at = document.activeElement;
    if (at === document.body || at?.id === "main") title.current?.focus({ preventScroll: true });
  }, []);
  const service = trace.services[trace.service[tree.root]];
  const operation = trace.names[trace.name[tree.root]] || t.common.unnamed;
  return (
    <header className="ly-trace-head">
      {!props.embed.collapseTitle && (
        <div className="ly-trace-title">
          <Link
            href={props.embed.keep(lastSearchHref())}
            className="ly-icon-link"
            aria-label={t.trace.back}
            title={t.trace.back}
          >
            <BackIcon />
          </Link>
          <h1 ref={title} tabIndex={-1} title={`${service}: ${operation}`}>
            <strong className="ly-trace-service">{service}</strong>{" "}
            <span className="ly-trace-operation">{operation}</span>
          </h1>
          <span className="ly-trace-id">
            <code>{trace.displayTraceId}</code>
            <CopyButton text={trace.displayTraceId} label={t.trace.copyId} />
          </span>
          <span className="ly-top-space" />
          <Links />
          <ArchiveButton />
          <span className="ly-trace-help">
            <IconButton label={t.common.help} onClick={props.onHelp}>
              <HelpIcon />
            </IconButton>
          </span>
          <More />
        </div>
      )}
      {!props.embed.hideSummary && <Facts />}
      <div className="ly-trace-bar">
        <Tabs
          label={t.trace.viewAs}
          panel="ly-trace-panel"
          value={props.view}
          tabs={props.views.map((view) => ({ value: view, label: t.trace.views[view] }))}
          onChange={props.onView}
        />
        <span className="ly-top-space" />
        <ServiceFilter />
        <Find {...props} />
      </div>
    </header>
  );
}

/** Links out of the trace that a site has configured. */
function Links(): ReactNode {
  const { t } = useLocale();
  const { trace, tree } = useShownTrace();
  const links = traceLinks(settings.linkPatterns, traceVariables(trace, tree)).filter(({ url }) => safeUrl(url));
  if (links.length === 0) return null;
  return (
    <Menu
      label={t.trace.links}
      icon={<OutIcon />}
      groups={[{ title: t.trace.links, entries: links.map(({ url, text }) => ({ label: text, href: url })) }]}
    />
  );
}

function More(): ReactNode {
  const { t } = useLocale();
  const { trace, uploaded } = useShownTrace();
  const [prefs, setPrefs] = useTimelinePrefs();
  const jsonUrl = serverUrl(`api/traces/${trace.traceId}?prettyPrint=true`);
  const view: MenuEntry[] = [
    ...(settings.criticalPathEnabled
      ? [{ label: t.trace.critical, checked: prefs.critical, onClick: () => setPrefs({ critical: !prefs.critical }) }]
      : []),
    ...(settings.traceTimeline.enableSidePanel
      ? [{ label: t.trace.sidePanel, checked: prefs.panel, onClick: () => setPrefs({ panel: !prefs.panel }) }]
      : []),
  ];
  const json: MenuEntry[] = [
    ...(settings.disableJsonView
      ? []
      : [
          { label: t.trace.json, href: jsonUrl },
          { label: t.trace.jsonRaw, href: `${jsonUrl}&raw=true` },
        ]),
    { label: t.trace.download, href: jsonUrl, download: `${trace.traceId}.json` },
  ];
  return (
    <Menu
      label={t.trace.more}
      icon={<MoreIcon />}
      groups={[{ entries: view }, ...(uploaded ? [] : [{ entries: json }])].filter(({ entries }) => entries.length > 0)}
    />
  );
}

function Facts(): ReactNode {
  const { t, number, dateTime } = useLocale();
  const { trace, tree, whole } = useShownTrace();
  const hidden = whole.count - trace.count;
  const facts = [
    [t.trace.start, dateTime(Number(trace.startUnixNano / 1000n))],
    [t.trace.duration, formatDuration(trace.durationNano)],
    [t.trace.services, number(new Set(trace.service).size)],
    [t.trace.depth, number(tree.maxDepth)],
    [t.trace.spans, hidden > 0 ? t.trace.spansOf(trace.count, whole.count) : number(trace.count)],
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
