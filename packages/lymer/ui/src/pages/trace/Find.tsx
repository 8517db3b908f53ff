/** Find in trace: the box, what was found, and the way from match to match. */

import type { ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { IconButton } from "../../kit/buttons.tsx";
import { CloseIcon, DownIcon, SearchIcon, UpIcon } from "../../kit/icons.tsx";
import type { TraceHeaderProps } from "./TraceHeader.tsx";

type FindProps = Pick<TraceHeaderProps, "find" | "onFind" | "result" | "at" | "onStep" | "findRef">;

export function Find({ find, onFind, result, at, onStep, findRef }: FindProps): ReactNode {
  const { t } = useLocale();
  const none = result.rows.length === 0;
  const status = !result.active
    ? ""
    : none
      ? result.state === "busy"
        ? t.trace.findBusy
        : t.trace.findNone
      : t.trace.findCount(at + 1, result.rows.length);
  return (
    <div className="ly-find" role="search" aria-label={t.trace.find}>
      <SearchIcon />
      <input
        ref={findRef}
        aria-label={t.trace.find}
        title={t.trace.findHint}
        placeholder={t.trace.findPlaceholder}
        value={find}
        spellCheck={false}
        autoComplete="off"
        onChange={(event) => onFind(event.currentTarget.value)}
        onKeyDown={(event) => {
          if (event.nativeEvent.isComposing) return; // Enter ends a Korean syllable, not the search
          if (event.key === "Enter") onStep(event.shiftKey ? -1 : 1);
          if (event.key === "Escape") {
            onFind("");
            event.currentTarget.blur();
          }
        }}
      />
      <span className="ly-find-state" role="status" data-busy={result.state === "busy"}>
        {status}
        {result.state === "failed" && <span className="ly-error-mark"> {t.trace.findFailed}</span>}
      </span>
      {find !== "" && (
        <>
          <IconButton small label={t.trace.findPrevious} disabled={none} onClick={() => onStep(-1)}>
            <UpIcon />
          </IconButton>
          <IconButton small label={t.trace.findNext} disabled={none} onClick={() => onStep(1)}>
            <DownIcon />
          </IconButton>
          <IconButton small label={t.trace.findClear} onClick={() => onFind("")}>
            <CloseIcon />
          </IconButton>
        </>
      )}
    </div>
  );
}
