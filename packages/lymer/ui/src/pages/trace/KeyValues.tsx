/** Attributes as a table: key, value, copy; JSON inside a string is shown indented. */

import type { ReactNode } from "react";

import { useLocale } from "../../i18n/index.ts";
import { CopyButton } from "../../kit/buttons.tsx";
import { settings } from "../../app/config.ts";
import { OutIcon } from "../../kit/icons.tsx";
import type { JaegerKeyValue } from "../../model/jaeger.ts";
import { attributeLinks, type PatternLink, type Variables } from "../../model/linkPatterns.ts";
import { safeUrl } from "../../model/uiConfig.ts";

/** Longer values are shown cut off until they are unfolded, characters. */
const LONG_CHARS = 400;
const JSON_CHARS_MAX = 100_000;

/** Return indented text if the value is a JSON object or array, else the text itself. */
export function readable(value: JaegerKeyValue["value"]): string {
  const text = String(value);
  const first = text.charAt(0);
  if ((first !== "{" && first !== "[") || text.length > JSON_CHARS_MAX) return text;
  try {
    return JSON.stringify(JSON.parse(text), null, 2);
  } catch {
    return text;
  }
}

interface KeyValuesProps {
  readonly pairs: readonly JaegerKeyValue[];
  /** Which of a site's link patterns apply. */
  readonly type: "attributes" | "resource" | "events";
  readonly variables: Variables;
}

export function KeyValues({ pairs, type, variables }: KeyValuesProps): ReactNode {
  const { t } = useLocale();
  return (
    <table className="ly-kv">
      <colgroup>
        <col className="ly-kv-key" />
        <col />
        <col className="ly-kv-tools" />
      </colgroup>
      <thead className="ly-hidden">
        <tr>
          <th scope="col">{t.trace.detail.key}</th>
          <th scope="col">{t.trace.detail.value}</th>
          <td />
        </tr>
      </thead>
      <tbody>
        {pairs.map((pair, index) => (
          <tr key={`${pair.key}/${index}`} data-type={pair.type}>
            <th scope="row">{pair.key}</th>
            <td>
              <Value pair={pair} />
              <Patterns links={attributeLinks(settings.linkPatterns, type, pair.key, String(pair.value), variables)} />
            </td>
            <td className="ly-kv-copy">
              <CopyButton text={String(pair.value)} label={t.trace.detail.copyValue(pair.key)} />
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}

/** Links that a site has configured for an attribute. */
function Patterns(props: { readonly links: readonly PatternLink[] }): ReactNode {
  return props.links
    .filter(({ url }) => safeUrl(url))
    .map(({ url, text }) => (
      <a key={url} className="ly-pattern-link" href={url} target="_blank" rel="noreferrer">
        <OutIcon />
        {text}
      </a>
    ));
}

const WEB_ADDRESS = /^https?:\/\/[^\s"<>]+$/i;

function Value(props: { readonly pair: JaegerKeyValue }): ReactNode {
  const text = readable(props.pair.value);
  if (WEB_ADDRESS.test(text) && text.length <= LONG_CHARS) {
    return (
      <a className="ly-value" href={text} target="_blank" rel="noreferrer">
        {text}
      </a>
    );
  }
  if (text.length <= LONG_CHARS) return <span className="ly-value">{text}</span>;
  return (
    <details className="ly-long-value">
      <summary className="ly-value">{text.slice(0, LONG_CHARS)}…</summary>
      <span className="ly-value">{text}</span>
    </details>
  );
}
