/** When rate, errors or latency jumped, the latest first; each leads to its cause. */

import type { ReactNode } from "react";
import { Link } from "wouter";

import type { Change } from "../../api/diagnosis.ts";
import { useLocale } from "../../i18n/index.ts";
import { Swatch } from "../../kit/service.tsx";
import { Notice } from "../../kit/states.tsx";
import { formatDuration } from "../../model/duration.ts";
import { paletteIndex } from "../../model/palette.ts";

/** The cause is looked for until so long after a jump, microseconds. */
const AFTER_MICROS = 10 * 60_000_000;

export function Changes({ changes }: { readonly changes: readonly Change[] }): ReactNode {
  const { t, dateTime, percent, compact } = useLocale();
  if (changes.length === 0) {
    return (
      <Notice title={t.diagnose.calmTitle}>
        <p>{t.diagnose.calmText}</p>
      </Notice>
    );
  }
  const show = {
    latency: formatDuration,
    errors: percent,
    rate: (value: number) => `${compact(value)}${t.monitor.perSecond}`,
  };
  return (
    <ol className="ly-changes">
      {changes.map((one) => {
        const at = one.atUnixNano / 1000;
        return (
          <li key={`${one.caller} ${one.service} ${one.operation} ${one.what} ${one.atUnixNano}`}>
            <time dateTime={new Date(at / 1000).toISOString()}>{dateTime(at)}</time>
            <span>
              {one.caller !== null && <>{one.caller} → </>}
              <Swatch index={paletteIndex(one.service)} /> <strong>{one.service}</strong> {one.operation}
            </span>
            <span>
              {t.diagnose.changed[one.what]} {show[one.what](one.before)} → <strong>{show[one.what](one.after)}</strong>
            </span>
            <Link href={`/diagnose?last=30m&end=${at + AFTER_MICROS}`}>{t.diagnose.why}</Link>
          </li>
        );
      })}
    </ol>
  );
}
