/** Search results as a table; a click on a heading sorts. */

import { useMemo, useRef, type ReactNode } from "react";
import { Link, useLocation } from "wouter";

import { useLocale } from "../../i18n/index.ts";
import { DownIcon, UpIcon } from "../../kit/icons.tsx";
import type { Question } from "../../model/question.ts";
import type { Sort, Summary } from "../../model/summary.ts";
import {
  DurationBar,
  ErrorCount,
  Incomplete,
  Services,
  Started,
  TraceName,
  useRows,
  type ResultRowsProps,
} from "./parts.tsx";
import { traceHref } from "./Results.tsx";

const ROW_PX = 40;
const PILLS_MAX = 3;

/** Column → its sort order on the first click, and on the second. */
const COLUMNS = [
  ["trace", "NAME_A_Z", "NAME_Z_A"],
  ["services", null, null],
  ["spans", "MOST_SPANS", "LEAST_SPANS"],
  ["errors", "MOST_ERRORS", "LEAST_ERRORS"],
  ["duration", "LONGEST_FIRST", "SHORTEST_FIRST"],
  ["start", "MOST_RECENT", "OLDEST_FIRST"],
] as const;

const ASCENDING: readonly Sort[] = ["NAME_A_Z", "LEAST_SPANS", "LEAST_ERRORS", "SHORTEST_FIRST", "OLDEST_FIRST"];

interface ResultTableProps extends ResultRowsProps {
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

export function ResultTable(props: ResultTableProps): ReactNode {
  const body = useRef<HTMLTableSectionElement>(null);
  const rows = useRows(props, body, ROW_PX);
  const longest = useMemo(
    () => props.summaries.reduce((most, { durationNano }) => Math.max(most, durationNano), 0),
    [props.summaries],
  );
  const shown = rows.getVirtualItems();
  const margin = rows.options.scrollMargin;
  const above = shown.length > 0 ? shown[0].start - margin : 0;
  const below = shown.length > 0 ? rows.getTotalSize() + margin - shown[shown.length - 1].end - margin : 0;
  return (
    <table className="ly-table" aria-rowcount={props.summaries.length + 1}>
      <thead>
        <tr aria-rowindex={1}>
          {COLUMNS.map(([name, first, second]) => (
            <Heading key={name} name={name} first={first} second={second} {...props} />
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        <Spacer height={above} />
        {shown.map(({ index }) => (
          <Row
            key={props.summaries[index].traceId}
            index={index}
            summary={props.summaries[index]}
            question={props.question}
            longest={longest}
          />
        ))}
        <Spacer height={below} />
      </tbody>
    </table>
  );
}

function Spacer(props: { readonly height: number }): ReactNode {
  if (props.height <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td className="ly-spacer" colSpan={COLUMNS.length} style={{ height: props.height }} />
    </tr>
  );
}

interface HeadingProps {
  readonly name: (typeof COLUMNS)[number][0];
  readonly first: Sort | null;
  readonly second: Sort | null;
  readonly sort: Sort;
  readonly onSort: (sort: Sort) => void;
}

function Heading({ name, first, second, sort, onSort }: HeadingProps): ReactNode {
  const { t } = useLocale();
  const label = t.search.column[name];
  if (first === null || second === null) {
    return (
      <th scope="col" className={`ly-col-${name}`}>
        {label}
      </th>
    );
  }
  const active = sort === first || sort === second;
  const ascending = ASCENDING.includes(sort);
  return (
    <th
      scope="col"
      className={`ly-col-${name}`}
      aria-sort={active ? (ascending ? "ascending" : "descending") : "none"}
    >
      <button type="button" onClick={() => onSort(sort === first ? second : first)}>
        {label}
        {active && (ascending ? <UpIcon /> : <DownIcon />)}
      </button>
    </th>
  );
}

interface RowProps {
  readonly index: number;
  readonly summary: Summary;
  readonly question: Question;
  readonly longest: number;
}

function Row({ index, summary, question, longest }: RowProps): ReactNode {
  const { number } = useLocale();
  const [, navigate] = useLocation();
  const href = traceHref(summary, question);
  return (
    <tr
      aria-rowindex={index + 2}
      className="ly-row"
      onClick={(event) => {
        const onLink = event.target instanceof Element && event.target.closest("a") !== null;
        const selecting = (window.getSelection()?.toString() ?? "") !== "";
        if (!onLink && !selecting) navigate(href);
      }}
    >
      <td className="ly-col-trace">
        <div className="ly-trace-cell">
          <Link href={href}>
            <TraceName summary={summary} />
          </Link>
          <Incomplete orphans={summary.orphans} />
        </div>
      </td>
      <td className="ly-col-services">
        <Services services={summary.services} max={PILLS_MAX} />
      </td>
      <td className="ly-col-spans">{number(summary.spans)}</td>
      <td className="ly-col-errors">
        <ErrorCount errors={summary.errors} />
      </td>
      <td className="ly-col-duration">
        <DurationBar nanos={summary.durationNano} longest={longest} />
      </td>
      <td className="ly-col-start">
        <Started micros={summary.startMicros} />
      </td>
    </tr>
  );
}
