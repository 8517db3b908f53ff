/** Providers and routes. */

import { MantineProvider } from "@mantine/core";
import { QueryClient, QueryClientProvider } from "@tanstack/react-query";
import { lazy, Suspense, useEffect, useMemo, useState, type ReactNode } from "react";
import { Redirect, Route, Router, Switch } from "wouter";

import { ApiError } from "../api/client.ts";
import {
  initialLanguage,
  LocaleContext,
  makeLocale,
  storeLanguage,
  useLocale,
  type Language,
} from "../i18n/index.ts";
import { Loading } from "../kit/states.tsx";
import { theme } from "../kit/theme.ts";
import { NotFoundPage } from "../pages/NotFoundPage.tsx";
import { SearchPage } from "../pages/search/SearchPage.tsx";
import { basePath } from "./config.ts";
import { CrashGuard } from "./CrashGuard.tsx";
import { Shell } from "./Shell.tsx";

const TracePage = lazy(() => import("../pages/trace/TracePage.tsx"));

const RETRIES_MAX = 2;

const queries = new QueryClient({
  defaultOptions: {
    queries: {
      refetchOnWindowFocus: false,
      retry: (failures, error) =>
        failures < RETRIES_MAX && !(error instanceof ApiError && error.status < 500),
      retryDelay: 400,
    },
  },
});

export function App(): ReactNode {
  const [language, setLanguage] = useState<Language>(initialLanguage);
  const locale = useMemo(() => {
    return makeLocale(language, (next) => {
      storeLanguage(next);
      setLanguage(next);
    });
  }, [language]);
  useEffect(() => {
    document.documentElement.lang = language;
  }, [language]);
  return (
    <MantineProvider
      theme={theme}
      defaultColorScheme="auto"
      withCssVariables={false}
      withGlobalClasses={false}
    >
      <LocaleContext value={locale}>
        <QueryClientProvider client={queries}>
          <Router base={basePath}>
            <Shell>
              <CrashGuard>
                <Routes />
              </CrashGuard>
            </Shell>
          </Router>
        </QueryClientProvider>
      </LocaleContext>
    </MantineProvider>
  );
}

function Routes(): ReactNode {
  const { t } = useLocale();
  return (
    <Suspense fallback={<Loading label={t.common.loading} />}>
      <Switch>
        <Route path="/">
          <Redirect to="/search" replace />
        </Route>
        <Route path="/search">
          <SearchPage />
        </Route>
        <Route path="/trace/:id">
          {({ id }) => <TracePage key={id.toLowerCase()} traceId={id.trim().toLowerCase()} />}
        </Route>
        <Route>
          <NotFoundPage />
        </Route>
      </Switch>
    </Suspense>
  );
}
