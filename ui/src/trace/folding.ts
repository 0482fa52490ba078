// `closed=` in the URL: rows that are folded, by number; `all,-3` is all but row 3.
import { rowsWithChildren, type TraceModel } from "./model";

/** A longer list would make the URL too long for other tools; further folds are then not kept. */
const LISTED_MAX = 60;

export function parseClosed(param: string | null, model: TraceModel): ReadonlySet<number> {
  if (!param) return new Set();
  const parts = param.split(",");
  const closed = parts.includes("all") ? rowsWithChildren(model) : new Set<number>();
  for (const part of parts) {
    const row = Number(part);
    if (!Number.isInteger(row) || Math.abs(row) >= model.count) continue;
    if (part.startsWith("-")) closed.delete(-row);
    else if (model.size[row] > 1) closed.add(row);
  }
  return closed;
}

export function closedParam(closed: ReadonlySet<number>, model: TraceModel): string | null {
  if (closed.size === 0) return null;
  if (closed.size <= LISTED_MAX) return [...closed].sort((a, b) => a - b).join(",");
  const open = [...rowsWithChildren(model)].filter((row) => !closed.has(row));
  return open.length <= LISTED_MAX ? ["all", ...open.map((row) => `-${row}`)].join(",") : [...closed].slice(0, LISTED_MAX).join(",");
}
