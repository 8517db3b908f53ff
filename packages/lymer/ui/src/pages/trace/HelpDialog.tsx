/** The list of keys. */

import type { ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { Dialog } from "../../kit/dialog.tsx";
import { KEYMAP, type Action } from "../../model/keymap.ts";

const SIGNS: Readonly<Record<string, string>> = {
  arrowleft: "←",
  arrowright: "→",
  arrowup: "↑",
  arrowdown: "↓",
  escape: "Esc",
  shift: "Shift",
  ctrl: "Ctrl",
};

function Keys(props: { readonly text: string }): ReactNode {
  return props.text.split("+").map((key) => <kbd key={key}>{SIGNS[key] ?? key.toUpperCase()}</kbd>);
}

export function HelpDialog(props: { readonly onClose: () => void }): ReactNode {
  const { t } = useLocale();
  const actions = Object.entries(KEYMAP) as [Action, readonly string[]][];
  return (
    <Dialog title={t.keys.title} onClose={props.onClose}>
      <dl className="ly-keys">
        {actions.map(([action, keys]) => (
          <div key={action}>
            <dt>{t.keys[action]}</dt>
            <dd>
              {keys.map((text, index) => (
                <span key={text}>
                  {index > 0 && <em>{t.keys.or}</em>}
                  <Keys text={text} />
                </span>
              ))}
            </dd>
          </div>
        ))}
      </dl>
      <p className="ly-muted">{t.keys.mouse}</p>
      <p className="ly-muted">{t.keys.rows}</p>
    </Dialog>
  );
}
