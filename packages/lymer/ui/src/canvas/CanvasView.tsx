/** A canvas that fills its box, is sharp on every screen, and is drawn by one function. */

import { useElementSize } from "@mantine/hooks";
import { useLayoutEffect, useRef, type HTMLAttributes, type ReactNode } from "react";

import { CANVAS_COLORS, type CanvasColors } from "../model/palette.ts";
import { useScheme } from "../app/scheme.ts";

/** Draws on a clean canvas of `width` by `height` CSS pixels. */
export type Draw = (
  context: CanvasRenderingContext2D,
  size: { readonly width: number; readonly height: number },
  colors: CanvasColors,
) => void;

/** Font of text on a canvas, at `size` CSS pixels. */
export function canvasFont(size: number): string {
  return `${size}px ${getComputedStyle(document.body).fontFamily}`;
}

interface CanvasViewProps extends HTMLAttributes<HTMLDivElement> {
  readonly draw: Draw;
  readonly label: string;
}

/** `draw` runs again whenever it, the size or the colour scheme changes. */
export function CanvasView({ draw, label, children, ...box }: CanvasViewProps): ReactNode {
  const scheme = useScheme();
  const { ref, width, height } = useElementSize<HTMLDivElement>();
  const canvas = useRef<HTMLCanvasElement>(null);
  useLayoutEffect(() => {
    const element = canvas.current;
    const context = element?.getContext("2d");
    if (!element || !context || width === 0 || height === 0) return;
    const ratio = window.devicePixelRatio || 1;
    const deviceWidth = Math.round(width * ratio);
    const deviceHeight = Math.round(height * ratio);
    if (element.width !== deviceWidth) element.width = deviceWidth;
    if (element.height !== deviceHeight) element.height = deviceHeight;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.clearRect(0, 0, width, height);
    draw(context, { width, height }, CANVAS_COLORS[scheme]);
  }, [draw, width, height, scheme]);
  return (
    <div ref={ref} {...box}>
      <canvas ref={canvas} className="ly-canvas" role="img" aria-label={label} />
      {children}
    </div>
  );
}
