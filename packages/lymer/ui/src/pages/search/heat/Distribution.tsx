/** The values of one key, each with its part of the selection and of the rest. */

import type { ReactNode } from "react";

import type { Finding } from "../../../api/diagnosis.ts";
import { useLocale } from "../../../i18n/index.ts";

/** A finding of an attribute has the other values of its key, too. */
export type WithValues = Finding & {
  readonly values?: readonly { readonly value: string; readonly inSelection: number; readonly inBaseline: number }[];
};

export function Distribution({ finding }: { readonly finding: WithValues }): ReactNode {
  const { t, percent } = useLocale();
  const rows = finding.values ?? [{ value: finding.value, inSelection: finding.inSelection, inBaseline: finding.inBaseline }];
  return (
    <table className="ly-distribution">
      <caption className="ly-hidden">{finding.key}</caption>
      <thead className="ly-hidden">
        <tr>
          <th scope="col">{finding.key}</th>
          <th scope="col">{t.diagnose.ofSelection}</th>
          <th scope="col">{t.diagnose.ofOthers}</th>
        </tr>
      </thead>
      <tbody>
        {rows.map(({ value, inSelection, inBaseline }) => (
          <tr key={value} data-found={value === finding.value}>
            <th scope="row" title={value}>
              {value || t.common.unnamed}
            </th>
            <td>
              <span className="ly-part" data-tone="selection" style={{ width: `${Math.min(1, inSelection) * 60}%` }} aria-hidden="true" />
              {percent(inSelection)}
            </td>
            <td>
              <span className="ly-part" data-tone="baseline" style={{ width: `${Math.min(1, inBaseline) * 60}%` }} aria-hidden="true" />
              {percent(inBaseline)}
            </td>
          </tr>
        ))}
      </tbody>
    </table>
  );
}
