/** Buttons, and what copies to the clipboard. */

import { useClipboard } from "@mantine/hooks";
import type { ReactNode } from "react";

import { useLocale } from "../i18n/index.ts";
import { CheckIcon, CopyIcon } from "./icons.tsx";

interface ButtonProps {
  readonly children: ReactNode;
  readonly onClick?: () => void;
  readonly kind?: "primary" | "quiet";
  readonly submit?: boolean;
  readonly busy?: boolean;
  readonly full?: boolean;
  readonly disabled?: boolean;
  readonly icon?: ReactNode;
}

export function Button(props: ButtonProps): ReactNode {
  return (
    <button
      type={props.submit ? "submit" : "button"}
      className="ly-button"
      data-kind={props.kind ?? "primary"}
      data-full={props.full === true}
      disabled={props.disabled ?? false}
      aria-busy={props.busy ?? false}
      onClick={props.onClick}
    >
      {props.icon}
      <span>{props.children}</span>
    </button>
  );
}

/** A button that shows only an icon; `label` is what is read out and shown on hover. */
export function IconButton(props: {
  readonly label: string;
  readonly children: ReactNode;
  readonly onClick?: () => void;
  readonly disabled?: boolean;
  readonly small?: boolean;
}): ReactNode {
  return (
    <button
      type="button"
      className="ly-icon-button"
      data-small={props.small === true}
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled ?? false}
      onClick={props.onClick}
    >
      {props.children}
    </button>
  );
}

/** Copies `text`; says so for a moment. */
export function CopyButton(props: {
  readonly text: string;
  readonly label?: string;
  readonly icon?: ReactNode;
}): ReactNode {
  const { t } = useLocale();
  const clipboard = useClipboard({ timeout: 1500 });
  const label = clipboard.copied ? t.common.copied : (props.label ?? t.common.copy);
  return (
    <IconButton small label={label} onClick={() => clipboard.copy(props.text)}>
      {clipboard.copied ? <CheckIcon /> : (props.icon ?? <CopyIcon />)}
    </IconButton>
  );
}
