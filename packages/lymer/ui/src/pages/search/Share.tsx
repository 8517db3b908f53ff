/** The present question for others: as a link, for a terminal, as text. */

import { useClipboard } from "@mantine/hooks";
import type { ReactNode } from "react";

import type { LanguageAsk } from "../../api/language.ts";
import { serverUrl } from "../../app/config.ts";
import { useLocale } from "../../i18n/index.ts";
import { LinkIcon } from "../../kit/icons.tsx";
import { Menu } from "../../kit/menu.tsx";
import { cliCommand, curlCommand } from "../../model/share.ts";

interface ShareProps {
  readonly ask: LanguageAsk;
  readonly limit: number;
}

export function Share({ ask, limit }: ShareProps): ReactNode {
  const { t } = useLocale();
  const clipboard = useClipboard({ timeout: 2000 });
  const base = serverUrl("").replace(/\/$/, "");
  const entry = (label: string, text: () => string) => ({ label, onClick: () => clipboard.copy(text()) });
  return (
    <>
      <Menu
        label={t.why.share.title}
        icon={<LinkIcon />}
        groups={[
          {
            entries: [
              entry(t.why.share.link, () => window.location.href),
              entry(t.why.share.query, () => ask.query),
              entry(t.why.share.curl, () => curlCommand(base, ask, limit)),
              entry(t.why.share.cli, () => cliCommand(base, ask, limit)),
            ],
          },
        ]}
      />
      <span role="status" className="ly-muted">
        {clipboard.copied ? t.common.copied : ""}
      </span>
    </>
  );
}
