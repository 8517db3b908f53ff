/** A table of any length: sorted by its headings, columns to choose and to resize. */

import { useLocalStorage } from "@mantine/hooks";
import { useVirtualizer } from "@tanstack/react-virtual";
import {
  useEffect,
  useLayoutEffect,
  useMemo,
  useRef,
  useState,
  type KeyboardEvent,
  type PointerEvent,
  type ReactNode,
  type RefObject,
} from "react";

import "../styles/table.css";

import { useLocale } from "../i18n/index.ts";
import { Menu } from "./menu.tsx";
import { ColumnsIcon, DownIcon, UpIcon } from "./icons.tsx";

export interface Column<T> {
  readonly id: string;
  readonly label: string;
  readonly cell: (row: T) => ReactNode;
  /** Shown on hover where the cell's own text may be cut off. */
  readonly title?: (row: T) => string;
  /** CSS pixels; a column without takes what is left. */
  readonly width?: number;
  readonly numeric?: boolean;
  /** Order on the first click on the heading; without it the column does not sort. */
  readonly first?: "ascending" | "descending";
  /** Left out where the table has less than this many CSS pixels. */
  readonly from?: number;
  /** Cannot be hidden. */
  readonly always?: boolean;
}

export interface TableSort {
  readonly column: string;
  readonly descending: boolean;
}

interface TableProps<T> {
  readonly label: string;
  readonly rows: readonly T[];
  readonly columns: readonly Column<T>[];
  readonly rowKey: (row: T, index: number) => string;
  readonly sort?: TableSort;
  readonly onSort?: (sort: TableSort) => void;
  /** Click on a row; the cells hold a link or button that does the same for the keyboard. */
  readonly onRow?: (row: T) => void;
  readonly rowState?: (row: T) => string | undefined;
  /** What scrolls, if the table stands in something larger. */
  readonly scroller?: RefObject<HTMLDivElement | null>;
  readonly rowHeight?: number;
  /** Name under which widths and hidden columns are remembered. */
  readonly remember: string;
}

interface Remembered {
  readonly hidden: readonly string[];
  readonly widths: Readonly<Record<string, number>>;
}

const NOTHING: Remembered = { hidden: [], widths: {} };
const WIDTH_MIN = 48;
const WIDTH_MAX = 1200;
const KEY_PX = 16;
const OVERSCAN = 12;

function readRemembered(text: string | undefined): Remembered {
  try {
    const value = JSON.parse(text ?? "null") as Partial<Remembered> | null;
    return { hidden: value?.hidden ?? [], widths: value?.widths ?? {} };
  } catch {
    return NOTHING;
  }
}

/** What a user has made of the columns of a table, kept by the browser. */
export function useColumns<T>(name: string, columns: readonly Column<T>[]) {
  const [kept, setKept] = useLocalStorage<Remembered>({
    key: `lymer.table.${name}`,
    defaultValue: NOTHING,
    getInitialValueInEffect: false,
    deserialize: readRemembered,
  });
  const toggle = (id: string): void => {
    const hidden = kept.hidden.includes(id) ? kept.hidden.filter((one) => one !== id) : [...kept.hidden, id];
    setKept({ ...kept, hidden });
  };
  const resize = (id: string, width: number): void => {
    const within = Math.round(Math.min(WIDTH_MAX, Math.max(WIDTH_MIN, width)));
    setKept({ ...kept, widths: { ...kept.widths, [id]: within } });
  };
  const shown = columns.filter(({ id, always }) => always === true || !kept.hidden.includes(id));
  return { shown, widths: kept.widths, toggle, resize, reset: () => setKept(NOTHING) };
}

/** The menu that hides and shows the columns of a table. */
export function ColumnsMenu<T>(props: { readonly name: string; readonly columns: readonly Column<T>[] }): ReactNode {
  const { t } = useLocale();
  const { shown, toggle, reset } = useColumns(props.name, props.columns);
  const ids = new Set(shown.map(({ id }) => id));
  return (
    <Menu
      label={t.table.columns}
      icon={<ColumnsIcon />}
      keepOpen
      groups={[
        {
          title: t.table.columns,
          entries: props.columns
            .filter(({ always }) => always !== true)
            .map(({ id, label }) => ({ label, checked: ids.has(id), onClick: () => toggle(id) })),
        },
        { entries: [{ label: t.table.reset, onClick: reset }] },
      ]}
    />
  );
}

export function Table<T>(props: TableProps<T>): ReactNode {
  const { rows, rowKey, rowHeight = 34 } = props;
  const own = useRef<HTMLDivElement>(null);
  const scroller = props.scroller ?? own;
  const body = useRef<HTMLTableSectionElement>(null);
  const [place, setPlace] = useState({ margin: 0, width: 0 });
  const { shown, widths, resize } = useColumns(props.remember, props.columns);
  useLayoutEffect(() => {
    const element = scroller.current;
    if (!element) return undefined;
    const measure = (): void => {
      const margin = body.current?.offsetTop ?? 0;
      const width = element.clientWidth;
      setPlace((now) => (now.margin === margin && now.width === width ? now : { margin, width }));
    };
    measure();
    const watch = new ResizeObserver(measure);
    watch.observe(element);
    return () => watch.disconnect();
  }, [scroller, rows]);
  const columns = shown.filter(({ from }) => from === undefined || place.width === 0 || place.width >= from);
  const lines = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => rowHeight,
    overscan: OVERSCAN,
    scrollMargin: place.margin,
  });
  useEffect(() => lines.measure(), [lines, rowHeight]);
  const visible = lines.getVirtualItems();
  const above = visible.length > 0 ? visible[0].start - place.margin : 0;
  const below = visible.length > 0 ? lines.getTotalSize() - (visible[visible.length - 1].end - place.margin) : 0;
  const table = (
    <table className="ly-table" aria-label={props.label} aria-rowcount={rows.length + 1}>
      <colgroup>
        {columns.map(({ id, width }) => {
          const chosen = widths[id] ?? width;
          return <col key={id} {...(chosen === undefined ? {} : { style: { width: chosen } })} />;
        })}
      </colgroup>
      <thead>
        <tr aria-rowindex={1}>
          {columns.map((column) => (
            <Heading key={column.id} column={column} sort={props.sort} onSort={props.onSort} onWidth={resize} />
          ))}
        </tr>
      </thead>
      <tbody ref={body}>
        <Spacer height={above} columns={columns.length} />
        {visible.map(({ index }) => (
          <Row key={rowKey(rows[index], index)} row={rows[index]} index={index} columns={columns} height={rowHeight} onRow={props.onRow} state={props.rowState?.(rows[index])} />
        ))}
        <Spacer height={below} columns={columns.length} />
      </tbody>
    </table>
  );
  if (props.scroller) return table;
  return (
    <div className="ly-table-scroll" ref={own} tabIndex={0} role="group" aria-label={props.label}>
      {table}
    </div>
  );
}

function Spacer(props: { readonly height: number; readonly columns: number }): ReactNode {
  if (props.height <= 0) return null;
  return (
    <tr aria-hidden="true">
      <td className="ly-spacer" colSpan={props.columns} style={{ height: props.height }} />
    </tr>
  );
}

interface RowProps<T> {
  readonly row: T;
  readonly index: number;
  readonly columns: readonly Column<T>[];
  readonly height: number;
  readonly onRow: ((row: T) => void) | undefined;
  readonly state: string | undefined;
}

function Row<T>({ row, index, columns, height, onRow, state }: RowProps<T>): ReactNode {
  return (
    <tr
      aria-rowindex={index + 2}
      className="ly-row"
      data-state={state}
      data-click={onRow !== undefined}
      style={{ height }}
      onClick={(event) => {
        const onControl = event.target instanceof Element && event.target.closest("a, button, input, label") !== null;
        const selecting = (window.getSelection()?.toString() ?? "") !== "";
        if (!onControl && !selecting) onRow?.(row);
      }}
    >
      {columns.map((column) => (
        <td key={column.id} data-column={column.id} data-numeric={column.numeric === true} title={column.title?.(row)}>
          {column.cell(row)}
        </td>
      ))}
    </tr>
  );
}

interface HeadingProps<T> {
  readonly column: Column<T>;
  readonly sort: TableSort | undefined;
  readonly onSort: ((sort: TableSort) => void) | undefined;
  readonly onWidth: (id: string, width: number) => void;
}

function Heading<T>({ column, sort, onSort, onWidth }: HeadingProps<T>): ReactNode {
  const active = sort?.column === column.id;
  const click = (): void => {
    const descending = active ? !sort.descending : column.first === "descending";
    onSort?.({ column: column.id, descending });
  };
  const order = active ? (sort.descending ? "descending" : "ascending") : "none";
  const sorts = column.first !== undefined && onSort !== undefined;
  return (
    <th scope="col" data-column={column.id} data-numeric={column.numeric === true} {...(sorts ? { "aria-sort": order } : {})}>
      {sorts ? (
        <button type="button" onClick={click} title={column.label}>
          <span>{column.label}</span>
          {active && (sort.descending ? <DownIcon /> : <UpIcon />)}
        </button>
      ) : (
        <span title={column.label}>{column.label}</span>
      )}
      <ColumnEdge label={column.label} onWidth={(width) => onWidth(column.id, width)} />
    </th>
  );
}

/** The right edge of a heading: drag it, or move it with arrow keys. */
function ColumnEdge(props: { readonly label: string; readonly onWidth: (width: number) => void }): ReactNode {
  const { t } = useLocale();
  const start = useRef<{ readonly x: number; readonly width: number } | null>(null);
  const [now, setNow] = useState(0);
  const widthOf = (target: EventTarget): number => (target as HTMLElement).parentElement?.offsetWidth ?? 0;
  const label = useMemo(() => t.table.width(props.label), [t, props.label]);
  return (
    <span
      className="ly-column-handle"
      role="separator"
      aria-orientation="vertical"
      aria-label={label}
      aria-valuemin={WIDTH_MIN}
      aria-valuemax={WIDTH_MAX}
      aria-valuenow={now}
      tabIndex={0}
      onFocus={(event) => setNow(widthOf(event.currentTarget))}
      onKeyDown={(event: KeyboardEvent) => {
        const direction = event.key === "ArrowLeft" ? -1 : event.key === "ArrowRight" ? 1 : 0;
        if (direction === 0) return;
        event.preventDefault();
        const width = widthOf(event.currentTarget) + direction * KEY_PX;
        setNow(width);
        props.onWidth(width);
      }}
      onPointerDown={(event: PointerEvent) => {
        event.currentTarget.setPointerCapture(event.pointerId);
        start.current = { x: event.clientX, width: widthOf(event.currentTarget) };
      }}
      onPointerMove={(event: PointerEvent) => {
        if (start.current) props.onWidth(start.current.width + event.clientX - start.current.x);
      }}
      onPointerUp={() => (start.current = null)}
      onPointerCancel={() => (start.current = null)}
      onClick={(event) => event.stopPropagation()}
    />
  );
}
