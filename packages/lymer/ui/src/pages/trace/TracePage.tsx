/** `/trace/:id`: loads the skeleton, then shows it. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, type ReactNode } from "react";
import { Link } from "wouter";

import "../../styles/trace.css";
import "../../styles/timeline.css";
import "../../styles/detail.css";

import { ApiError } from "../../api/client.ts";
import { traceQuery } from "../../api/queries.ts";
import { TraceIndex } from "../../api/traceIndex.ts";
import { uploadOf } from "../../api/uploads.ts";
import { lastSearchHref } from "../../app/lastSearch.ts";
import { useParams } from "../../app/url.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { Analysis } from "../../model/analysis.ts";
import { paletteIndexes } from "../../model/palette.ts";
import { text } from "../../model/params.ts";
import { shortNames } from "../../model/shortNames.ts";
import { decodeServices, onlyServices } from "../../model/serviceFilter.ts";
import { buildTree } from "../../model/tree.ts";
import type { ShownTrace } from "./context.ts";
import { TraceView } from "./TraceView.tsx";

const FILTER_PARAMS = { svcFilter: text() };

/** Put together what the page shows, anew when the trace or the filter changes. */
function useShown(traceId: string, whole: ShownTrace["whole"] | undefined): ShownTrace | null {
  const [{ svcFilter }] = useParams(FILTER_PARAMS);
  const index = useMemo(() => new TraceIndex(traceId, uploadOf(traceId)), [traceId]);
  useEffect(() => () => index.close(), [index]);
  return useMemo(() => {
    if (!whole) return null;
    const trace = onlyServices(whole, decodeServices(whole.services, svcFilter));
    const tree = buildTree(trace);
    const analysis = new Analysis(trace, tree);
    const colors = paletteIndexes(whole.services);
    const short = shortNames(whole.services);
    const serviceNames = whole.services.map((name) => short.get(name) ?? name);
    return { trace, tree, analysis, serviceNames, colors, whole, index, uploaded: uploadOf(traceId) !== null };
  }, [whole, svcFilter, index, traceId]);
}

export default function TracePage(props: { readonly traceId: string }): ReactNode {
  const { t } = useLocale();
  const query = useQuery(traceQuery(props.traceId));
  const shown = useShown(props.traceId, query.data);

  useEffect(() => {
    const name = shown ? shown.trace.names[shown.trace.name[shown.tree.root]] : props.traceId;
    document.title = `${name} · ${t.common.appName}`;
  }, [shown, props.traceId, t]);

  if (query.isPending) return <Loading label={t.trace.loading} />;
  if (query.isError || !shown || shown.whole.count === 0) {
    const missing =
      !query.isError || (query.error instanceof ApiError && query.error.status === 404);
    return (
      <Notice
        alert={!missing}
        title={missing ? t.trace.notFoundTitle : t.trace.failed}
        actions={
          <>
            <Button onClick={() => void query.refetch()}>{t.common.retry}</Button>
            <Link href={lastSearchHref()} className="ly-button-link">
              {t.trace.back}
            </Link>
          </>
        }
      >
        {missing ? <p>{t.trace.notFoundText}</p> : <ErrorText error={query.error} />}
        <code>{props.traceId}</code>
      </Notice>
    );
  }
  return <TraceView key={`${shown.whole.traceId}/${shown.trace.count}`} {...shown} />;
}
