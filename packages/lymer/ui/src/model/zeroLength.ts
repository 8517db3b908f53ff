/** Spans that took no time: Jaeger's rule makes them one nanosecond long and calls them negative. */

const SANITIZED =
  /^Negative duration detected.*Original end timestamp: (.+?), adjusted to: (.+)$/;

/** Return nanoseconds within the second that Go's text of an instant names. */
function parts(text: string): readonly [string, number] {
  const match = /^(\S+ \S+?)(?:\.(\d{1,9}))?(?: .*)?$/.exec(text.trim());
  return [match?.[1] ?? "", Number((match?.[2] ?? "").padEnd(9, "0"))];
}

/** Whether a warning is about a span that ended in the nanosecond it began in. */
export function isZeroLength(warning: string): boolean {
  const match = SANITIZED.exec(warning);
  if (!match) return false;
  const [second, end] = parts(match[1]);
  const [adjustedSecond, adjusted] = parts(match[2]);
  return second !== "" && second === adjustedSecond && adjusted - end === 1;
}
