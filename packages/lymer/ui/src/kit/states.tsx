/** What a page shows when it has nothing to show: loading, failure, nothing found. */

import type { ReactNode } from "react";

import { UnreachableError } from "../api/client.ts";
import { useLocale } from "../i18n/index.ts";
import { Logo } from "./icons.tsx";

export function Loading(props: { readonly label: string }): ReactNode {
  return (
    <div className="ly-loading" role="status">
      <span className="ly-loading-bar" aria-hidden="true" />
      {props.label}…
    </div>
  );
}

/** A message in the middle of the page, with what one can do about it. */
export function Notice(props: {
  readonly title: string;
  readonly children?: ReactNode;
  readonly actions?: ReactNode;
  readonly alert?: boolean;
}): ReactNode {
  return (
    <section className="ly-notice" {...(props.alert ? { role: "alert" } : {})}>
      <Logo />
      <h1>{props.title}</h1>
      <div className="ly-notice-text">{props.children}</div>
      {props.actions && <div className="ly-notice-actions">{props.actions}</div>}
    </section>
  );
}

/** The message of an error, as the server or the browser gave it. */
export function ErrorText(props: { readonly error: unknown }): ReactNode {
  const { t } = useLocale();
  if (props.error instanceof UnreachableError) return <p className="ly-error-text">{t.common.unreachable}</p>;
  const text = props.error instanceof Error ? props.error.message : t.common.crashTitle;
  return <code className="ly-error-text">{text}</code>;
}
