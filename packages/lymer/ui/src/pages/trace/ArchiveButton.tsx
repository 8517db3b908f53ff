/** Keeps a trace longer than the others. */

import { useMutation } from "@tanstack/react-query";
import type { ReactNode } from "react";

import { archiveTrace } from "../../api/queries.ts";
import { config, settings } from "../../app/config.ts";
import { useLocale } from "../../i18n/index.ts";
import { IconButton } from "../../kit/buttons.tsx";
import { ArchiveIcon, CheckIcon } from "../../kit/icons.tsx";
import { useErrorWords } from "../../kit/states.tsx";
import { useShownTrace } from "./context.ts";

export function ArchiveButton(): ReactNode {
  const { t } = useLocale();
  const words = useErrorWords();
  const { trace, uploaded } = useShownTrace();
  const archive = useMutation({ mutationFn: () => archiveTrace(trace.traceId) });
  if (!settings.archiveEnabled || !config.capabilities.archiveStorage || uploaded) return null;
  const said = archive.isSuccess ? t.trace.archived : archive.isError ? t.trace.archiveFailed(words(archive.error)) : "";
  return (
    <span className="ly-archive">
      <span role="status" className={archive.isError ? "ly-error-mark" : "ly-muted"}>
        {said}
      </span>
      <IconButton label={t.trace.archive} disabled={archive.isPending || archive.isSuccess} onClick={() => archive.mutate()}>
        {archive.isSuccess ? <CheckIcon /> : <ArchiveIcon />}
      </IconButton>
    </span>
  );
}
