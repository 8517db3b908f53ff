/** Providers and routes. */

import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo, useState, type ReactNode } from "react";
import { Redirect, Route, Router, Switch, useLocation } from "wouter";

import { ApiError } from "../api/client.ts";
import { traceQuery } from "../api/queries.ts";
import {
  initialLanguage,
  LocaleContext,
  makeLocale,
  storeLanguage,
  useLocale,
  type Language,
} from "../i18n/index.ts";
import { Loading } from "../kit/states.tsx";
import { NotFoundPage } from "../pages/NotFoundPage.tsx";
import { SearchPage } from "../pages/search/SearchPage.tsx";
import { basePath, settings } from "./config.ts";
import { CrashGuard } from "./CrashGuard.tsx";
import { useApplyScheme } from "./scheme.ts";
import { Shell } from "./Shell.tsx";

const TracePage = lazy(() => import("../pages/trace/TracePage.tsx"));
const ComparePage = lazy(() => import("../pages/compare/ComparePage.tsx"));
const MapPage = lazy(() => import("../pages/map/MapPage.tsx"));
const DeepPage = lazy(() => import("../pages/deep/DeepPage.tsx"));
const MonitorPage = lazy(() => import("../pages/monitor/MonitorPage.tsx"));
const DiagnosePage = lazy(() => import("../pages/diagnose/DiagnosePage.tsx"));
const TailPage = lazy(() => import("../pages/tail/TailPage.tsx"));
const QualityPage = lazy(() => import("../pages/quality/QualityPage.tsx"));

const RETRIES_MAX = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < RETRIES_MAX && !(error instanceof ApiError && (error.status < 500 || error.status === 501)),
      retryDelay: 400,
    },
  },
});

/** A trace is asked for before its page is loaded: the server works while the browser does. */
function askEarly(): void {
  const id = /\/trace\/([0-9a-fA-F]{1,32})$/.exec(window.location.pathname)?.[1];
  if (id) void queries.prefetchQuery(traceQuery(id.toLowerCase()));
}

askEarly();

export function App(): ReactNode {
  const [language, setLanguage] = useState<Language>(initialLanguage);
  const locale = useMemo(() => {
    return makeLocale(language, (next) => {
      storeLanguage(next);
      setLanguage(next);
    }, settings.useOpenTelemetryTerms);
  }, [language]);
  useApplyScheme();
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  return (
      <LocaleContext value={locale}>
        <QueryClientProvider client={queries}>
          <Router base={basePath}>
            <Shell>
              <Routes />
            </Shell>
          </Router>
        </QueryClientProvider>
      </LocaleContext>
  );
}

function Routes(): ReactNode {
  const { t } = useLocale();
  const [path] = useLocation();
  return (
    <CrashGuard key={path}>
    <Suspense fallback={<Loading label={t.common.loading} />}>
      <Switch>
        <Route path="/">
          <Redirect to="/search" replace />
        </Route>
        <Route path="/search">
          <SearchPage />
        </Route>
        <Route path="/trace/:id">{({ id }) => <TraceRoute id={id.trim().toLowerCase()} />}</Route>
        <Route path="/dependencies">
          <MapPage />
        </Route>
        <Route path="/deep-dependencies">
          <DeepPage />
        </Route>
        <Route path="/monitor">
          <MonitorPage />
        </Route>
        <Route path="/diagnose">
          <DiagnosePage />
        </Route>
        <Route path="/tail">
          <TailPage />
        </Route>
        <Route path="/quality-metrics">
          <QualityPage />
        </Route>
        <Route>
          <NotFoundPage />
        </Route>
      </Switch>
    </Suspense>
    </CrashGuard>
  );
}

/** Two traces with three points between them are a comparison; either may be missing yet. */
function TraceRoute({ id }: { readonly id: string }): ReactNode {
  if (!id.includes("...")) return <TracePage key={id} traceId={id} />;
  const [before, after] = id.split("...");
  return <ComparePage before={before} after={after} />;
}
