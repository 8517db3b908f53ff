/** Groups of failed spans out of series by service, exception and message. */

interface Labelled {
  readonly labels: readonly Readonly<Record<string, unknown>>[];
  readonly samples: readonly { readonly timestampMs: string | number; readonly value?: number | string }[];
}

export interface ExceptionGroup {
  readonly service: string;
  readonly type: string;
  readonly message: string;
  readonly count: number;
  readonly values: readonly number[];
}

/** Return the text of a label; what is absent is empty. */
function labelOf({ labels }: Labelled, key: string): string {
  const found = labels.find((one) => one["key"] === key);
  const value = (found?.["value"] as { readonly stringValue?: string } | undefined)?.stringValue ?? "";
  return value === "nil" ? "" : value;
}

/** Return the groups, the most frequent first. */
export function readExceptions(series: readonly unknown[]): ExceptionGroup[] {
  return (series as readonly Labelled[])
    .map((one) => {
      const values = one.samples.map(({ value }) => Number(value ?? 0) || 0);
      return {
        service: labelOf(one, "resource.service.name"),
        type: labelOf(one, "event.exception.type"),
        message: labelOf(one, "statusMessage"),
        count: Math.round(values.reduce((sum, value) => sum + value, 0)),
        values,
      };
    })
    .filter(({ count }) => count > 0)
    .toSorted((a, b) => b.count - a.count);
}
