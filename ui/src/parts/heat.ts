// The geometry of a latency heatmap: columns of time, rows of duration, and a box of whole cells in it. No screen here.
import type { HeatmapAnswer } from "../types";

export interface Heat {
  startNs: bigint;
  stepNs: bigint;
  columns: number;
  /** Of durations in nanoseconds, ascending: one more than there are rows. */
  bounds: number[];
  /** By column, then by row from the fastest. */
  counts: Float64Array;
  errors: Float64Array;
  most: number;
  total: number;
}

/** Whole cells, the ends not included. */
export interface Cells {
  x0: number;
  x1: number;
  y0: number;
  y1: number;
}

/** What a box means: a range of start times, and of durations; null is without an end. */
export interface Box {
  t0: bigint;
  t1: bigint;
  d0: number;
  d1: number | null;
}

/** A gap between the bands of two cells is drawn as so many rows at most: nobody needs to see how empty it is. */
const GAP_ROWS_MAX = 8;

/** The bounds of all rows: of the bands that something is in, and of those between them. */
function boundsOf(bands: [number, number][]): number[] {
  const sorted = [...bands].sort((a, b) => a[0] - b[0]);
  const bounds: number[] = [];
  for (const [from, to] of sorted) {
    const below = bounds.at(-1);
    if (below === undefined) bounds.push(from);
    else if (below < from) {
      const rows = Math.max(1, Math.min(GAP_ROWS_MAX, Math.round(Math.log(from / below) / Math.log(to / from))));
      for (let row = 1; row <= rows; row++) bounds.push(row === rows ? from : Math.round(below * (from / below) ** (row / rows)));
    }
    if ((bounds.at(-1) as number) < to) bounds.push(to);
  }
  return bounds;
}

const nsOf = (ms: number): number => Math.round(ms * 1e6);

export function heatOf(answer: HeatmapAnswer): Heat {
  const bands = new Map(answer.cells.map(({ from_ms, to_ms }) => [nsOf(from_ms), nsOf(to_ms)]));
  const bounds = boundsOf([...bands]);
  const rows = new Map(bounds.map((bound, row) => [bound, row]));
  const height = Math.max(0, bounds.length - 1);
  const heat: Heat = {
    startNs: BigInt(answer.start_unix_ns),
    stepNs: BigInt(answer.step_ns),
    columns: answer.steps,
    bounds,
    counts: new Float64Array(answer.steps * height),
    errors: new Float64Array(answer.steps * height),
    most: 0,
    total: 0,
  };
  for (const { step, from_ms, count, errors } of answer.cells) {
    const at = Math.min(step, answer.steps - 1) * height + (rows.get(nsOf(from_ms)) as number);
    heat.counts[at] += count;
    heat.errors[at] += errors;
    heat.most = Math.max(heat.most, heat.counts[at]);
    heat.total += count;
  }
  return heat;
}

export const rowsOf = (heat: Heat): number => Math.max(0, heat.bounds.length - 1);
export const endNs = (heat: Heat): bigint => heat.startNs + heat.stepNs * BigInt(heat.columns);

export function inside(heat: Heat, { x0, x1, y0, y1 }: Cells): { spans: number; errors: number } {
  let [spans, errors] = [0, 0];
  for (let x = x0; x < x1; x++) {
    for (let y = y0; y < y1; y++) {
      spans += heat.counts[x * rowsOf(heat) + y];
      errors += heat.errors[x * rowsOf(heat) + y];
    }
  }
  return { spans, errors };
}

/** At the edge of the picture a box has no end: nothing is there, and what comes belongs to it. */
export function boxOf(heat: Heat, { x0, x1, y0, y1 }: Cells): Box {
  const at = (x: number): bigint => heat.startNs + heat.stepNs * BigInt(x);
  return { t0: at(x0), t1: at(x1), d0: y0 === 0 ? 0 : heat.bounds[y0], d1: y1 >= rowsOf(heat) ? null : heat.bounds[y1] };
}

/** The cells of a box; null when it lies outside of the picture. */
export function cellsOf(heat: Heat, box: Box): Cells | null {
  const column = (t: bigint): number => Math.round(Number(t - heat.startNs) / Number(heat.stepNs));
  const row = (duration: number): number => {
    const at = heat.bounds.findIndex((bound) => bound >= duration);
    return at < 0 ? rowsOf(heat) : at;
  };
  const clamp = (value: number, most: number): number => Math.max(0, Math.min(most, value));
  const cells = {
    x0: clamp(column(box.t0), heat.columns),
    x1: clamp(column(box.t1), heat.columns),
    y0: row(box.d0),
    y1: box.d1 === null ? rowsOf(heat) : row(box.d1),
  };
  return cells.x0 < cells.x1 && cells.y0 < cells.y1 ? cells : null;
}

/** `box=t0,d0,t1,d1` in nanoseconds; without an end, d1 is left out. */
export const boxParam = ({ t0, t1, d0, d1 }: Box): string => `${t0},${d0},${t1},${d1 ?? ""}`;

export function parseBox(param: string | null): Box | null {
  const match = /^(\d{1,19}),(\d{1,16}),(\d{1,19}),(\d{0,16})$/.exec(param ?? "");
  if (!match) return null;
  const box = { t0: BigInt(match[1]), d0: Number(match[2]), t1: BigInt(match[3]), d1: match[4] === "" ? null : Number(match[4]) };
  return box.t0 < box.t1 && (box.d1 === null || box.d0 < box.d1) ? box : null;
}

/** The rows of the slowest: as few as hold this part of all spans, over the whole time. */
export function slowest(heat: Heat, part: number): Cells | null {
  if (heat.total === 0) return null;
  const all = { x0: 0, x1: heat.columns, y1: rowsOf(heat) };
  for (let y0 = rowsOf(heat) - 1; y0 >= 0; y0--) {
    if (inside(heat, { ...all, y0 }).spans >= part * heat.total) return { ...all, y0 };
  }
  return null;
}

/** Two corners that were dragged, in either order, as cells; both are in it. */
export function between(a: [number, number], b: [number, number]): Cells {
  return { x0: Math.min(a[0], b[0]), x1: Math.max(a[0], b[0]) + 1, y0: Math.min(a[1], b[1]), y1: Math.max(a[1], b[1]) + 1 };
}

/** The box one step further; it keeps its size and stays in the picture. */
export function moved(heat: Heat, cells: Cells, dx: number, dy: number): Cells {
  const [x, y] = [Math.max(-cells.x0, Math.min(heat.columns - cells.x1, dx)), Math.max(-cells.y0, Math.min(rowsOf(heat) - cells.y1, dy))];
  return { x0: cells.x0 + x, x1: cells.x1 + x, y0: cells.y0 + y, y1: cells.y1 + y };
}

/** Its later and its faster edge, moved: the slow ones are what one looks at. */
export function sized(heat: Heat, cells: Cells, dx: number, dy: number): Cells {
  return { ...cells, x1: Math.max(cells.x0 + 1, Math.min(heat.columns, cells.x1 + dx)), y0: Math.max(0, Math.min(cells.y1 - 1, cells.y0 + dy)) };
}
