/** 404. */

import { useEffect, type ReactNode } from "react";
import { Link } from "wouter";

import { useLocale } from "../i18n/index.ts";
import { Notice } from "../kit/states.tsx";

export function NotFoundPage(): ReactNode {
  const { t } = useLocale();
  useEffect(() => {
    document.title = `404 · ${t.common.appName}`;
  }, [t]);
  return (
    <Notice
      title={t.common.notFoundTitle}
      actions={
        <Link href="/search" className="ly-button-link">
          {t.common.goToSearch}
        </Link>
      }
    >
      <p>{t.common.notFoundText}</p>
    </Notice>
  );
}
