// Latency as a heatmap, failures in red, and a box that is dragged with the pointer or moved with the arrow keys.
import { useLayoutEffect, useRef, useState } from "preact/hooks";
import { clock, count, duration, plural } from "../format";
import { dark, now, zone } from "../prefs";
import { prepare, useWidth } from "./canvas";
import { between, inside, moved, rowsOf, sized, slowest, type Cells, type Heat } from "./heat";

const HEIGHT = 196;
const PAD = { left: 58, right: 8, top: 6, bottom: 20 };
const SLOW_PART = 0.05;

interface Place {
  cell: number;
  row: number;
  x: (column: number) => number;
  y: (row: number) => number;
}

function place(heat: Heat, width: number): Place {
  const cell = (width - PAD.left - PAD.right) / heat.columns;
  const row = (HEIGHT - PAD.top - PAD.bottom) / rowsOf(heat);
  return { cell, row, x: (column) => PAD.left + column * cell, y: (at) => HEIGHT - PAD.bottom - at * row };
}

/** The cell under a point, the nearest one when it is outside. */
function cellAt(heat: Heat, { cell, row }: Place, x: number, y: number): [number, number] {
  const clamp = (value: number, most: number): number => Math.max(0, Math.min(most, Math.floor(value)));
  return [clamp((x - PAD.left) / cell, heat.columns - 1), clamp((HEIGHT - PAD.bottom - y) / row, rowsOf(heat) - 1)];
}

const timeOf = (heat: Heat, column: number): string => clock(heat.startNs + heat.stepNs * BigInt(column), zone.value, now.value);

function paint(canvas: HTMLCanvasElement, heat: Heat, width: number, isDark: boolean): void {
  const context = prepare(canvas, width, HEIGHT);
  if (!context) return;
  const at = place(heat, width);
  const [text, plain, error] = isDark ? ["#9aa6b5", "79, 209, 197", "255, 123, 114"] : ["#55606e", "12, 106, 98", "192, 40, 28"];
  const height = rowsOf(heat);
  for (let column = 0; column < heat.columns; column++) {
    for (let row = 0; row < height; row++) {
      const spans = heat.counts[column * height + row];
      if (spans === 0) continue;
      const failing = heat.errors[column * height + row] / spans;
      const shade = 0.18 + (0.82 * Math.log1p(spans)) / Math.log1p(heat.most);
      const [x, y, wide, high] = [at.x(column), at.y(row + 1), Math.max(1, at.cell - 1), Math.max(1, at.row - 1)];
      context.fillStyle = `rgba(${plain}, ${shade})`;
      context.fillRect(x, y, wide, high);
      if (failing === 0) continue;
      context.fillStyle = `rgb(${error})`;
      context.fillRect(x, y, Math.max(2, wide * failing), high);
    }
  }
  context.font = "11px system-ui, sans-serif";
  context.fillStyle = text;
  context.textAlign = "right";
  context.textBaseline = "middle";
  const every = Math.max(1, Math.ceil(18 / at.row));
  for (let row = 0; row <= height; row += every) context.fillText(heat.bounds[row] === 0 ? "0" : duration(heat.bounds[row]), PAD.left - 6, Math.max(8, at.y(row)));
  context.textBaseline = "alphabetic";
  context.fillText(timeOf(heat, heat.columns), width - PAD.right, HEIGHT - 5);
  context.textAlign = "left";
  context.fillText(timeOf(heat, 0), PAD.left, HEIGHT - 5);
}

/** "16:20:10 to 16:20:30, over 250 ms: 42 spans, 3 failed" */
export function tellCells(heat: Heat, cells: Cells): string {
  const { spans, errors } = inside(heat, cells);
  const [low, high] = [duration(heat.bounds[cells.y0]), duration(heat.bounds[cells.y1])];
  const durations = cells.y1 === rowsOf(heat) ? (cells.y0 === 0 ? "all durations" : `from ${low}`) : cells.y0 === 0 ? `under ${high}` : `${low} to ${high}`;
  return `${timeOf(heat, cells.x0)} to ${timeOf(heat, cells.x1)}, ${durations}: ${plural(spans, "span")}${errors > 0 ? `, ${count(errors)} failed` : ""}`;
}

const ARROWS: Record<string, [number, number]> = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] };

interface Props {
  heat: Heat;
  box: Cells | null;
  onBox: (cells: Cells | null) => void;
}

export function Heatmap({ heat, box, onBox }: Props) {
  const canvas = useRef<HTMLCanvasElement>(null);
  const width = useWidth(canvas);
  const [drag, setDrag] = useState<{ from: [number, number]; to: [number, number] } | null>(null);
  const [hover, setHover] = useState<[number, number] | null>(null);
  const isDark = dark();
  const at = width > 0 ? place(heat, width) : null;
  useLayoutEffect(() => {
    if (canvas.current && width > 0) paint(canvas.current, heat, width, isDark);
  }, [heat, width, isDark, zone.value]);
  const shown = drag ? between(drag.from, drag.to) : box;
  const pointed = hover && !drag && inside(heat, between(hover, hover)).spans > 0 ? between(hover, hover) : null;
  const under = (event: PointerEvent): [number, number] => cellAt(heat, at as Place, event.offsetX, event.offsetY);
  const onKey = (event: KeyboardEvent) => {
    const arrow = ARROWS[event.key];
    if (!arrow && !(event.key === "Escape" && box)) return;
    event.preventDefault();
    if (!arrow) onBox(null);
    else onBox(box ? (event.shiftKey ? sized : moved)(heat, box, ...arrow) : slowest(heat, SLOW_PART));
  };
  return (
    <div class="heatmap" tabIndex={0} role="group" aria-label="Latency heatmap. Arrow keys move a box, with Shift they size it, Escape takes it away." onKeyDown={onKey}>
      <canvas
        ref={canvas}
        role="img"
        aria-label={`${plural(heat.total, "span")} by time and duration`}
        style={{ height: `${HEIGHT}px` }}
        onPointerDown={(event) => {
          if (event.button !== 0 || !at) return;
          event.currentTarget.setPointerCapture(event.pointerId);
          setDrag({ from: under(event), to: under(event) });
        }}
        onPointerMove={(event) => at && (drag ? setDrag({ ...drag, to: under(event) }) : setHover(under(event)))}
        onPointerLeave={() => setHover(null)}
        onPointerUp={() => {
          if (drag) onBox(between(drag.from, drag.to));
          setDrag(null);
        }}
        onPointerCancel={() => setDrag(null)}
      />
      {shown && at && (
        <div class="heat-box" style={{ left: `${at.x(shown.x0)}px`, top: `${at.y(shown.y1)}px`, width: `${(shown.x1 - shown.x0) * at.cell}px`, height: `${(shown.y1 - shown.y0) * at.row}px` }} />
      )}
      {(drag ? shown : pointed) && at && (
        <span class="tip" style={{ left: `${Math.max(4, Math.min(at.x((drag ? shown : pointed)?.x0 ?? 0), width - 330))}px`, top: `${at.y((drag ? shown : pointed)?.y0 ?? 0) + 8}px` }}>
          {tellCells(heat, (drag ? shown : pointed) as Cells)}
        </span>
      )}
    </div>
  );
}
