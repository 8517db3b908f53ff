/** Buttons, menus and what copies to the clipboard. */

import { ActionIcon, Button as MantineButton, Menu as MantineMenu } from "@mantine/core";
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
  readonly icon?: ReactNode;
}

export function Button(props: ButtonProps): ReactNode {
  return (
    <MantineButton
      size="sm"
      type={props.submit ? "submit" : "button"}
      variant={props.kind === "quiet" ? "default" : "filled"}
      loading={props.busy ?? false}
      fullWidth={props.full ?? false}
      leftSection={props.icon}
      {...(props.onClick ? { onClick: props.onClick } : {})}
    >
      {props.children}
    </MantineButton>
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
    <ActionIcon
      variant="subtle"
      color="gray"
      size={props.small ? 24 : 30}
      aria-label={props.label}
      title={props.label}
      disabled={props.disabled ?? false}
      {...(props.onClick ? { onClick: props.onClick } : {})}
    >
      {props.children}
    </ActionIcon>
  );
}

/** Copies `text`; says so for a moment. */
export function CopyButton(props: { readonly text: string; readonly label?: string }): ReactNode {
  const { t } = useLocale();
  const clipboard = useClipboard({ timeout: 1500 });
  const label = clipboard.copied ? t.common.copied : (props.label ?? t.common.copy);
  return (
    <IconButton small label={label} onClick={() => clipboard.copy(props.text)}>
      {clipboard.copied ? <CheckIcon /> : <CopyIcon />}
    </IconButton>
  );
}

export interface MenuEntry {
  readonly label: string;
  readonly onClick?: () => void;
  readonly href?: string;
  readonly download?: string;
  readonly checked?: boolean;
}

/** A button that opens a list. Entries in one inner array stand together. */
export function Menu(props: {
  readonly label: string;
  readonly icon: ReactNode;
  readonly groups: readonly { readonly title?: string; readonly entries: readonly MenuEntry[] }[];
}): ReactNode {
  return (
    <MantineMenu position="bottom-end" shadow="md" withinPortal withInitialFocusPlaceholder={false} transitionProps={{ duration: 0 }}>
      <MantineMenu.Target>
        <ActionIcon variant="subtle" color="gray" size={30} aria-label={props.label} title={props.label}>
          {props.icon}
        </ActionIcon>
      </MantineMenu.Target>
      <MantineMenu.Dropdown>
        {props.groups.map((group, index) => (
          <div key={group.title ?? index} role="group" aria-label={group.title ?? props.label}>
            {index > 0 && <MantineMenu.Divider />}
            {group.title && <MantineMenu.Label>{group.title}</MantineMenu.Label>}
            {group.entries.map((entry) => (
              <MenuLine key={entry.label} {...entry} />
            ))}
          </div>
        ))}
      </MantineMenu.Dropdown>
    </MantineMenu>
  );
}

function MenuLine(entry: MenuEntry): ReactNode {
  const mark =
    entry.checked === undefined ? null : (
      <span className="ly-menu-mark">{entry.checked && <CheckIcon />}</span>
    );
  if (entry.href) {
    const link = { href: entry.href, ...(entry.download ? { download: entry.download } : {}) };
    return (
      <MantineMenu.Item component="a" {...(entry.download ? {} : { target: "_blank" })} {...link}>
        {entry.label}
      </MantineMenu.Item>
    );
  }
  return (
    <MantineMenu.Item leftSection={mark} {...(entry.onClick ? { onClick: entry.onClick } : {})}>
      {entry.label}
    </MantineMenu.Item>
  );
}
