/** A graph of boxes and arrows to move, zoom and walk with the keyboard. */

import { useElementSize, useMergedRef } from "@mantine/hooks";
import { useEffect, useMemo, useRef, useState, type KeyboardEvent, type PointerEvent, type ReactNode } from "react";

import "../styles/graph.css";

import { useLocale } from "../i18n/index.ts";
import type { GraphLayout, LayoutNode, Point } from "../model/layered.ts";
import { shortNames } from "../model/shortNames.ts";
import { IconButton } from "./buttons.tsx";
import { FitIcon, MinusIcon, PlusIcon } from "./icons.tsx";

export type Tone = "plain" | "same" | "more" | "less" | "added" | "removed" | "error";

export interface GraphNode extends LayoutNode {
  readonly id: string;
  readonly title: string;
  readonly lines: readonly string[];
  /** All of it in words: tooltip, and what is read out. */
  readonly label: string;
  /** Palette index of the service's colour, or null. */
  readonly color?: number | null;
  readonly shape?: "box" | "database" | "queue" | "outside";
  readonly tone?: Tone;
  /** 0 to 1: how strongly the box is tinted. */
  readonly heat?: number;
  readonly dim?: boolean;
}

export interface GraphEdge {
  readonly from: number;
  readonly to: number;
  readonly text?: string;
  readonly label: string;
  /** 0 to 1. */
  readonly weight?: number;
  readonly failed?: boolean;
}

interface GraphProps {
  readonly label: string;
  readonly nodes: readonly GraphNode[];
  readonly edges: readonly GraphEdge[];
  readonly layout: GraphLayout;
  readonly selected: string | null;
  readonly onSelect: (id: string | null) => void;
}

const PAD_PX = 24;
/** With more lines than this, only those of the selected box have their text. */
const TEXTS_MAX = 60;
const SCALE_MIN = 0.08;
const READABLE_SCALE = 0.65;
const SCALE_MAX = 3;
const DRAG_FROM_PX = 4;
const TITLE_PX = 17;
const LINE_PX = 15;
const CHAR_PX = 6.7;
const LINE_CHAR_PX = 5.9;
const BOX_WIDTH_MAX = 250;

/** Return the size a box needs for its texts, so that layout can go before drawing. */
export function boxSize(title: string, lines: readonly string[]): LayoutNode {
  const widest = lines.reduce((most, line) => Math.max(most, textPx(line, LINE_CHAR_PX)), textPx(title, CHAR_PX));
  return {
    width: Math.round(Math.min(BOX_WIDTH_MAX, Math.max(84, widest + 30))),
    height: 12 + TITLE_PX + lines.length * LINE_PX,
  };
}

const WIDE = new Set("mwMW@%");

/** Width of text, roughly: signs of East Asia are twice as wide, some letters half as wide again. */
function textPx(text: string, charPx: number): number {
  let px = 0;
  for (const sign of text) px += charPx * (sign.charCodeAt(0) > 0x1100 ? 1.75 : WIDE.has(sign) ? 1.5 : 1);
  return px;
}

function fit(text: string, width: number, charPx: number): string {
  if (textPx(text, charPx) <= width) return text;
  let kept = "";
  for (const sign of text) {
    if (textPx(kept + sign, charPx) > width - charPx) break;
    kept += sign;
  }
  return `${kept}…`;
}

interface View {
  readonly x: number;
  readonly y: number;
  readonly scale: number;
}

function wholeView(layout: GraphLayout, width: number, height: number): View {
  const scale = Math.min(
    1.15,
    (width - 2 * PAD_PX) / Math.max(1, layout.width),
    (height - 2 * PAD_PX) / Math.max(1, layout.height),
  );
  // Smaller than this nobody can read it: then the beginning is shown, and one moves on from there.
  const kept = Math.max(READABLE_SCALE, scale);
  const start = (room: number, length: number): number => Math.max(PAD_PX, (room - length * kept) / 2);
  return {
    x: start(width, layout.width),
    y: layout.height * kept > height ? (height - layout.height * kept) / 2 : start(height, layout.height),
    scale: kept,
  };
}

export function Graph({ label, nodes, edges, layout, selected, onSelect }: GraphProps): ReactNode {
  const { t } = useLocale();
  const box = useRef<HTMLDivElement>(null);
  const { ref: sizeRef, width, height } = useElementSize<HTMLDivElement>();
  const ref = useMergedRef(box, sizeRef);
  const whole = useMemo(() => wholeView(layout, width, height), [layout, width, height]);
  const [moved, setMoved] = useState<{ readonly of: GraphLayout; readonly view: View } | null>(null);
  const view = moved?.of === layout ? moved.view : whole;
  const latest = useRef(view);
  useEffect(() => {
    latest.current = view;
  });
  const setView = (next: View): void => setMoved({ of: layout, view: next });
  const zoom = (factor: number, at: Point = { x: width / 2, y: height / 2 }): void => {
    const now = latest.current;
    const scale = Math.min(SCALE_MAX, Math.max(SCALE_MIN, now.scale * factor));
    const ratio = scale / now.scale;
    setMoved({ of: layout, view: { scale, x: at.x - (at.x - now.x) * ratio, y: at.y - (at.y - now.y) * ratio } });
  };
  const zoomLatest = useRef(zoom);
  useEffect(() => {
    zoomLatest.current = zoom;
  });
  useEffect(() => {
    const element = box.current;
    if (!element) return undefined;
    const wheel = (event: WheelEvent): void => {
      event.preventDefault();
      const place = element.getBoundingClientRect();
      const at = { x: event.clientX - place.left, y: event.clientY - place.top };
      zoomLatest.current(Math.exp(-event.deltaY * 0.0015), at);
    };
    element.addEventListener("wheel", wheel, { passive: false });
    return () => element.removeEventListener("wheel", wheel);
  }, []);

  const press = useRef<{ readonly x: number; readonly y: number; readonly view: View; moved: boolean } | null>(null);
  const onPointerDown = (event: PointerEvent): void => {
    if (event.button !== 0) return;
    press.current = { x: event.clientX, y: event.clientY, view, moved: false };
  };
  const onPointerMove = (event: PointerEvent): void => {
    const start = press.current;
    if (!start) return;
    const [dx, dy] = [event.clientX - start.x, event.clientY - start.y];
    if (!start.moved && Math.hypot(dx, dy) < DRAG_FROM_PX) return;
    if (!start.moved) event.currentTarget.setPointerCapture(event.pointerId);
    start.moved = true;
    setView({ ...start.view, x: start.view.x + dx, y: start.view.y + dy });
  };
  const titles = useMemo(() => shortNames(nodes.map(({ title }) => title)), [nodes]);
  const near = useMemo(() => neighbours(nodes, edges, selected), [nodes, edges, selected]);
  const chosen = selected === null ? -1 : nodes.findIndex(({ id }) => id === selected);
  return (
    <div className="ly-graph">
      <div
        ref={ref}
        className="ly-graph-box"
        onPointerDown={onPointerDown}
        onPointerMove={onPointerMove}
        onPointerUp={() => (press.current = null)}
        onPointerCancel={() => (press.current = null)}
      >
        <svg className="ly-graph-svg" role="group" aria-label={label} width={width} height={height}>
          <defs>
            <marker id="ly-arrow" viewBox="0 0 8 8" refX="7" refY="4" markerUnits="userSpaceOnUse" markerWidth="9" markerHeight="9" orient="auto-start-reverse">
              <path d="M0.5 1 7 4 0.5 7Z" className="ly-arrow" />
            </marker>
          </defs>
          <g transform={`translate(${view.x} ${view.y}) scale(${view.scale})`}>
            {edges.map((edge, at) => (
              <Edge key={at} edge={edge} route={layout.routes[at]} near={near} chosen={chosen} roomy={edges.length <= TEXTS_MAX} place={layout.places} nodes={nodes} />
            ))}
            {nodes.map((node, at) => (
              <Box
                key={node.id}
                node={node}
                title={titles.get(node.title) ?? node.title}
                place={layout.places[at]}
                selected={node.id === selected}
                dim={node.dim === true || (near !== null && !near.has(at))}
                onSelect={() => onSelect(node.id === selected ? null : node.id)}
              />
            ))}
          </g>
        </svg>
      </div>
      <div className="ly-graph-tools">
        <IconButton label={t.graph.zoomIn} onClick={() => zoom(1.3)}>
          <PlusIcon />
        </IconButton>
        <IconButton label={t.graph.zoomOut} onClick={() => zoom(1 / 1.3)}>
          <MinusIcon />
        </IconButton>
        <IconButton label={t.graph.fit} onClick={() => setMoved(null)}>
          <FitIcon />
        </IconButton>
      </div>
    </div>
  );
}

/** The selected node and those it is linked with, or null if none is selected. */
function neighbours(
  nodes: readonly GraphNode[],
  edges: readonly GraphEdge[],
  selected: string | null,
): ReadonlySet<number> | null {
  const at = selected === null ? -1 : nodes.findIndex(({ id }) => id === selected);
  if (at < 0) return null;
  const near = new Set([at]);
  for (const { from, to } of edges) {
    if (from === at) near.add(to);
    if (to === at) near.add(from);
  }
  return near;
}

interface BoxProps {
  readonly node: GraphNode;
  /** What is written on the box; its label says the whole name. */
  readonly title: string;
  readonly place: Point;
  readonly selected: boolean;
  readonly dim: boolean;
  readonly onSelect: () => void;
}

function outline(node: GraphNode): ReactNode {
  const { width, height } = node;
  if (node.shape === "database") {
    const d = `M0 7a${width / 2} 6 0 0 1 ${width} 0v${height - 14}a${width / 2} 6 0 0 1 ${-width} 0Z`;
    return (
      <>
        <path className="ly-box" d={d} />
        <path className="ly-box-line" d={`M0 7a${width / 2} 6 0 0 0 ${width} 0`} />
      </>
    );
  }
  const radius = node.shape === "queue" ? height / 2 : 5;
  return <rect className="ly-box" data-shape={node.shape ?? "box"} width={width} height={height} rx={radius} />;
}

function Box({ node, title, place, selected, dim, onSelect }: BoxProps): ReactNode {
  const room = node.width - 24;
  const onKeyDown = (event: KeyboardEvent): void => {
    if (event.key !== "Enter" && event.key !== " ") return;
    event.preventDefault();
    onSelect();
  };
  // The texts stand beside the button, not in it: its name says them in full.
  return (
    <g
      className="ly-node"
      data-tone={node.tone ?? "plain"}
      data-dim={dim}
      data-selected={selected}
      {...(node.color === undefined || node.color === null ? {} : { "data-color": node.color })}
      transform={`translate(${place.x} ${place.y})`}
    >
      <g role="button" tabIndex={0} aria-pressed={selected} aria-label={node.label} onClick={onSelect} onKeyDown={onKeyDown}>
        <title>{node.label}</title>
        {outline(node)}
      </g>
      {node.heat !== undefined && node.heat > 0 && (
        <rect className="ly-heat" width={node.width} height={node.height} rx={5} opacity={0.08 + node.heat * 0.42} />
      )}
      {node.color !== undefined && node.color !== null && (
        <rect className="ly-box-stripe" x={node.shape === "queue" ? 10 : 0} y={5} width={4} height={node.height - 10} rx={2} />
      )}
      <text aria-hidden="true" className="ly-box-title" x={14} y={6 + TITLE_PX - 4}>
        {fit(title, room, CHAR_PX)}
      </text>
      {node.lines.map((line, at) => (
        <text key={at} aria-hidden="true" className="ly-box-text" x={14} y={6 + TITLE_PX + (at + 1) * LINE_PX - 4}>
          {fit(line, room, LINE_CHAR_PX)}
        </text>
      ))}
    </g>
  );
}

function path(route: readonly Point[]): string {
  const [first, ...rest] = route;
  let d = `M${first.x} ${first.y}`;
  let last = first;
  for (const point of rest) {
    const half = (last.x + point.x) / 2;
    d += ` C${half} ${last.y} ${half} ${point.y} ${point.x} ${point.y}`;
    last = point;
  }
  return d;
}

interface EdgeProps {
  readonly edge: GraphEdge;
  readonly route: readonly Point[];
  readonly near: ReadonlySet<number> | null;
  /** The selected box, or -1. */
  readonly chosen: number;
  /** Whether every line may have its text. */
  readonly roomy: boolean;
  readonly place: readonly Point[];
  readonly nodes: readonly GraphNode[];
}

/** A call of a service to itself is a loop over its upper edge. */
function loop(place: Point, node: GraphNode): string {
  const x = place.x + node.width / 2;
  return `M${x - 16} ${place.y} C${x - 24} ${place.y - 26} ${x + 24} ${place.y - 26} ${x + 16} ${place.y}`;
}

function Edge({ edge, route, near, chosen, roomy, place, nodes }: EdgeProps): ReactNode {
  const { from, to } = edge;
  const straight = route.length === 2 && from !== to && route[0].x !== route[1].x && isSloped(route, place, nodes, edge);
  const d = from === to ? loop(place[from], nodes[from]) : straight ? `M${route[0].x} ${route[0].y} L${route[1].x} ${route[1].y}` : path(route);
  const middle = from === to ? { x: place[from].x + nodes[from].width / 2, y: place[from].y - 22 } : between(route);
  const dim = near !== null && !(from === chosen || to === chosen);
  return (
    <g className="ly-edge-line" data-dim={dim} data-failed={edge.failed === true}>
      <path d={d} strokeWidth={1 + 2.5 * (edge.weight ?? 0)} markerEnd="url(#ly-arrow)">
        <title>{edge.label}</title>
      </path>
      {edge.text && (roomy || (near !== null && !dim)) && (
        <text x={middle.x} y={middle.y - 4}>
          {edge.text}
        </text>
      )}
    </g>
  );
}

/** Lines of a force layout end at borders, not at the middle of the left and right side. */
function isSloped(route: readonly Point[], place: readonly Point[], nodes: readonly GraphNode[], edge: GraphEdge): boolean {
  return Math.abs(route[0].x - (place[edge.from].x + nodes[edge.from].width)) > 1;
}

function between(route: readonly Point[]): Point {
  const at = Math.floor((route.length - 1) / 2);
  const next = Math.min(route.length - 1, at + 1);
  return { x: (route[at].x + route[next].x) / 2, y: (route[at].y + route[next].y) / 2 };
}
