/** What a page shows when it has nothing to show: loading, failure, nothing found. */

import type { ReactNode } from "react";

import { UnreachableError } from "../api/client.ts";
import { useLocale } from "../i18n/index.ts";
import { useServerWords } from "../i18n/serverWords.ts";
import { Button } from "./buttons.tsx";
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

/** Return what says in words why something failed. */
export function useErrorWords(): (error: unknown) => string {
  const { t } = useLocale();
  const words = useServerWords();
  return (error) => {
    if (error instanceof UnreachableError) return t.common.unreachable;
    return error instanceof Error ? words(error.message) : t.common.crashTitle;
  };
}

/** The message of an error, as the server gave it; in our words if nobody answered. */
export function ErrorText(props: { readonly error: unknown }): ReactNode {
  const words = useErrorWords();
  const Tag = props.error instanceof UnreachableError ? "p" : "code";
  return <Tag className="ly-error-text">{words(props.error)}</Tag>;
}

interface FailedProps {
  /** What could not be loaded, if the place where it is said does not tell. */
  readonly text?: string;
  readonly error: unknown;
  readonly onRetry: () => void;
}

/** A part of a page that could not be loaded: what, why, and the offer to try again. */
export function Failed({ text, error, onRetry }: FailedProps): ReactNode {
  const { t } = useLocale();
  return (
    <div className="ly-failed" role="alert">
      {text} <ErrorText error={error} />
      <Button kind="quiet" onClick={onRetry}>
        {t.common.retry}
      </Button>
    </div>
  );
}
