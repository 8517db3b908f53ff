/** Catches what a page throws, so that the frame around it stays usable. */

import { Component, type ReactNode } from "react";

import { useLocale } from "../i18n/index.ts";
import { Button } from "../kit/buttons.tsx";
import { ErrorText, Notice } from "../kit/states.tsx";

interface State {
  readonly error: unknown;
}

export class CrashGuard extends Component<{ readonly children: ReactNode }, State> {
  override state: State = { error: null };

  static getDerivedStateFromError(error: unknown): State {
    return { error };
  }

  override render(): ReactNode {
    return this.state.error === null ? this.props.children : <Crash error={this.state.error} />;
  }
}

function Crash(props: { readonly error: unknown }): ReactNode {
  const { t } = useLocale();
  return (
    <Notice
      alert
      title={t.common.crashTitle}
      actions={<Button onClick={() => window.location.reload()}>{t.common.reload}</Button>}
    >
      <p>{t.common.crashText}</p>
      <ErrorText error={props.error} />
    </Notice>
  );
}
