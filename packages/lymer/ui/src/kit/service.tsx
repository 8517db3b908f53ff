/** A service as people recognise it: a swatch of its colour and its name. */

import type { ReactNode } from "react";

import { useLocale } from "../i18n/index.ts";
import { paletteIndex } from "../model/palette.ts";
import type { ServiceCount } from "../model/summary.ts";
import { ErrorIcon } from "./icons.tsx";

export function Swatch(props: { readonly index: number }): ReactNode {
  return <span className="ly-swatch" data-color={props.index} aria-hidden="true" />;
}

/** A service with its number of spans, and a mark if some of them failed. */
export function ServicePill(props: { readonly service: ServiceCount; /** What to show of the name, if not all of it. */ readonly short?: string | undefined }): ReactNode {
  const { t, number } = useLocale();
  const { name, spans, errors } = props.service;
  const title = errors > 0 ? `${t.counts.spans(spans)}, ${t.counts.errors(errors)}` : t.counts.spans(spans);
  return (
    <span className="ly-pill" title={`${name}: ${title}`}>
      <Swatch index={paletteIndex(name)} />
      <span className="ly-pill-name">{props.short || name || t.common.unnamed}</span>
      <span className="ly-pill-count">{number(spans)}</span>
      {errors > 0 && (
        <span className="ly-error-mark">
          <ErrorIcon />
          <span className="ly-hidden">{t.counts.errors(errors)}</span>
        </span>
      )}
    </span>
  );
}

/** An operation of a service, as a cell of a table. */
export function OperationCell({ service, operation }: { readonly service: string; readonly operation: string }): ReactNode {
  const { t } = useLocale();
  return (
    <span className="ly-cell-service">
      <Swatch index={paletteIndex(service)} />
      <span>
        <strong>{service}</strong> {operation || t.common.unnamed}
      </span>
    </span>
  );
}
