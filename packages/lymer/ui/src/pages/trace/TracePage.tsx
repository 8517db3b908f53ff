/** `/trace/:id`: loads the skeleton, then shows it. */

import { useQuery } from "@tanstack/react-query";
import { useEffect, useMemo, type ReactNode } from "react";
import { Link } from "wouter";

import "../../styles/trace.css";
import "../../styles/timeline.css";
import "../../styles/detail.css";

import { ApiError } from "../../api/client.ts";
import { traceQuery } from "../../api/queries.ts";
import { lastSearchHref } from "../../app/lastSearch.ts";
import { useLocale } from "../../i18n/index.ts";
import { Button } from "../../kit/buttons.tsx";
import { ErrorText, Loading, Notice } from "../../kit/states.tsx";
import { paletteIndexes } from "../../model/palette.ts";
import { buildTree } from "../../model/tree.ts";
import { TraceView } from "./TraceView.tsx";

export default function TracePage(props: { readonly traceId: string }): ReactNode {
  const { t } = useLocale();
  const query = useQuery(traceQuery(props.traceId));
  const shown = useMemo(() => {
    const trace = query.data;
    return trace && { trace, tree: buildTree(trace), colors: paletteIndexes(trace.services) };
  }, [query.data]);

  useEffect(() => {
    const name = shown ? shown.trace.names[shown.trace.name[shown.tree.root]] : props.traceId;
    document.title = `${name} · ${t.common.appName}`;
  }, [shown, props.traceId, t]);

  if (query.isPending) return <Loading label={t.trace.loading} />;
  if (query.isError || !shown || shown.trace.count === 0) {
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
  return <TraceView key={shown.trace.traceId} {...shown} />;
}
