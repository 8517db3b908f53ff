/** An address nobody serves; one that Jaeger has and we have not says so. */

import { useEffect, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { useLocale } from "../i18n/index.ts";
import { Notice } from "../kit/states.tsx";

/** Beginnings of the addresses of Jaeger UI 2.20 that have no page here. */
const NOT_YET = ["/plexus-demo", "/ai", "/assistant"];

export function NotFoundPage(): ReactNode {
  const { t } = useLocale();
  const [path] = useLocation();
  const notYet = NOT_YET.some((beginning) => path === beginning || path.startsWith(`${beginning}/`));
  useEffect(() => {
    document.title = `404 · ${t.common.appName}`;
  }, [t]);
  return (
    <Notice
      title={notYet ? t.common.notYetTitle : t.common.notFoundTitle}
      actions={
        <Link href="/search" className="ly-button-link">
          {t.common.goToSearch}
        </Link>
      }
    >
      <p>{notYet ? t.common.notYetText : t.common.notFoundText}</p>
    </Notice>
  );
}
