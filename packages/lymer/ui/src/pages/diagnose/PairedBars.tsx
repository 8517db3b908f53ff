/** How often a fact is there, in a selection and in what it is compared with. */

import type { ReactNode } from "react";

import type { Finding } from "../../api/diagnosis.ts";
import { useLocale } from "../../i18n/index.ts";

export function PairedBars(props: {
  readonly finding: Finding;
  readonly selection: string;
  readonly baseline: string;
}): ReactNode {
  const { percent } = useLocale();
  const { finding } = props;
  const rows = [
    { label: props.selection, value: finding.inSelection, tone: "selection" },
    { label: props.baseline, value: finding.inBaseline, tone: "baseline" },
  ];
  return (
    <span className="ly-paired">
      {rows.map(({ label, value, tone }) => (
        <span key={tone} className="ly-paired-row" data-tone={tone}>
          <span className="ly-paired-bar" aria-hidden="true">
            <span style={{ width: `${Math.min(1, value) * 100}%` }} />
          </span>
          <span>
            {percent(value)} <span className="ly-muted">{label}</span>
          </span>
        </span>
      ))}
    </span>
  );
}
