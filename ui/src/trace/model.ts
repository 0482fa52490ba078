// A trace as typed columns, one row per span, depth first: a parent stands before its children and a subtree is one range
// of rows. Everything here is a linear pass without recursion: a chain 100,000 deep is a trace like any other.
import type { ColumnsAnswer } from "../types";
import { becameOf } from "./missing";

export const FLAG = { error: 1, orphan: 2, events: 4, links: 8, exception: 16, marked: 32, cycle: 64 } as const;
export const KINDS = ["", "internal", "server", "client", "producer", "consumer"] as const;

export interface TraceModel {
  traceId: string;
  count: number;
  startUnixNs: bigint;
  durationNs: number;
  spanId: string[];
  services: string[];
  operations: string[];
  service: Uint32Array;
  operation: Uint32Array;
  /** Relative to the trace's start, in nanoseconds; doubles hold these exactly. */
  start: Float64Array;
  duration: Float64Array;
  parent: Int32Array;
  depth: Int32Array;
  /** Rows of the subtree, the row itself included. */
  size: Int32Array;
  flags: Uint8Array;
  kind: Uint8Array;
  /** Rows with the error flag, ascending. */
  errors: Int32Array;
  orphans: Int32Array;
  /** errorsBefore[row] = error rows above it; has one entry more than there are rows. */
  errorsBefore: Int32Array;
  missingParent: Record<string, string>;
  /** What became of a missing parent, by its id. */
  missingBecause: Record<string, string>;
}

/** Row of the parent by the depth-first path, or -1 where the order does not hold (a span is then a root of its own). */
function parentsAndDepths(wanted: number[]): { parent: Int32Array; depth: Int32Array } {
  const parent = new Int32Array(wanted.length).fill(-1);
  const depth = new Int32Array(wanted.length);
  const path = new Int32Array(wanted.length + 1); // path[d] = the last row seen at depth d
  for (let row = 0; row < wanted.length; row++) {
    const above = wanted[row];
    if (above >= 0 && above < row && depth[above] <= depth[row - 1] && path[depth[above]] === above) {
      parent[row] = above;
      depth[row] = depth[above] + 1;
    }
    path[depth[row]] = row;
  }
  return { parent, depth };
}

function rowsWith(flags: Uint8Array, bit: number): Int32Array {
  let total = 0;
  for (let row = 0; row < flags.length; row++) if (flags[row] & bit) total++;
  const rows = new Int32Array(total);
  for (let row = 0, at = 0; row < flags.length; row++) if (flags[row] & bit) rows[at++] = row;
  return rows;
}

export function buildModel(answer: ColumnsAnswer): TraceModel {
  const count = answer.parent.length;
  const { parent, depth } = parentsAndDepths(answer.parent);
  const size = new Int32Array(count).fill(1);
  for (let row = count - 1; row >= 0; row--) if (parent[row] >= 0) size[parent[row]] += size[row];
  const flags = Uint8Array.from(answer.flags);
  const errorsBefore = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) errorsBefore[row + 1] = errorsBefore[row] + (flags[row] & FLAG.error);
  return {
    traceId: answer.trace_id,
    count,
    startUnixNs: BigInt(answer.start_time_unix_ns),
    durationNs: Math.max(1, Number(answer.duration_ns)),
    spanId: Array.from({ length: count }, (_none, row) => answer.span_ids.slice(row * 16, row * 16 + 16)),
    services: answer.services,
    operations: answer.operations,
    service: Uint32Array.from(answer.service),
    operation: Uint32Array.from(answer.operation),
    start: Float64Array.from(answer.start_ns),
    duration: Float64Array.from(answer.duration),
    parent,
    depth,
    size,
    flags,
    kind: Uint8Array.from(answer.kind),
    errors: rowsWith(flags, FLAG.error),
    orphans: rowsWith(flags, FLAG.orphan),
    errorsBefore,
    missingParent: answer.missing_parent ?? {},
    missingBecause: Object.fromEntries(answer.partial_reasons.map((reason) => [reason.parent_span_id ?? "", becameOf(reason)])),
  };
}

/** The trace's start needs all its digits; every other number of the columns is small. So JSON.parse may do the work. */
export function parseColumns(text: string): ColumnsAnswer {
  const answer = JSON.parse(text) as ColumnsAnswer;
  const digits = /"start_time_unix_ns"\s*:\s*(\d+)/.exec(text);
  if (digits) answer.start_time_unix_ns = BigInt(digits[1]);
  return answer;
}

/** Errors below a row, itself not counted: what a closed row bubbles up. */
export function errorsBelow(model: TraceModel, row: number): number {
  return model.errorsBefore[row + model.size[row]] - model.errorsBefore[row + 1];
}

export const isError = (model: TraceModel, row: number): boolean => (model.flags[row] & FLAG.error) !== 0;

/** The deepest error span with no failing child: where the failure began. The earliest of several; -1 without errors. */
export function rootCause(model: TraceModel): number {
  const failingChild = new Uint8Array(model.count);
  for (const row of model.errors) if (model.parent[row] >= 0) failingChild[model.parent[row]] = 1;
  let best = -1;
  for (const row of model.errors) {
    if (failingChild[row]) continue;
    const deeper = best < 0 ? 1 : model.depth[row] - model.depth[best];
    if (deeper > 0 || (deeper === 0 && model.start[row] < model.start[best])) best = row;
  }
  return best;
}

/** The next (step 1) or previous (step -1) of the ascending `rows` after `from`, around the ends; -1 when there is none. */
export function nextOf(rows: Int32Array | number[], from: number, step: 1 | -1): number {
  if (rows.length === 0) return -1;
  let low = 0;
  let high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (rows[middle] < from || (step === 1 && rows[middle] === from)) low = middle + 1;
    else high = middle;
  }
  const at = step === 1 ? low : low - 1;
  return rows[(at + rows.length) % rows.length];
}

/** Rows on screen when the subtrees under `closed` rows are folded away. */
export function visibleRows(model: TraceModel, closed: ReadonlySet<number>): Int32Array {
  const rows = new Int32Array(model.count);
  let shown = 0;
  for (let row = 0; row < model.count; row += closed.has(row) ? model.size[row] : 1) rows[shown++] = row;
  return rows.subarray(0, shown);
}

/** Where `row` is among the ascending visible rows; when it is folded away, the closed row that hides it. */
export function placeOf(visible: Int32Array, row: number): number {
  let low = 0;
  let high = visible.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (visible[middle] <= row) low = middle + 1;
    else high = middle;
  }
  return low - 1;
}

/** `closed` without the ancestors of `row`, so that it shows; the same set when nothing changes. */
export function openTo(model: TraceModel, closed: ReadonlySet<number>, row: number): ReadonlySet<number> {
  let next: Set<number> | null = null;
  for (let above = model.parent[row]; above >= 0; above = model.parent[above]) {
    if (closed.has(above)) (next ??= new Set(closed)).delete(above);
  }
  return next ?? closed;
}

export function rowsWithChildren(model: TraceModel): Set<number> {
  const rows = new Set<number>();
  for (let row = 0; row < model.count; row++) if (model.size[row] > 1) rows.add(row);
  return rows;
}

/** `span=` in the URL: the id, and `~k` when it is the k-th further span with that id (Zipkin shares ids). */
export function spanParam(model: TraceModel, row: number): string {
  const id = model.spanId[row];
  let nth = 0;
  for (let at = model.spanId.indexOf(id); at >= 0 && at < row; at = model.spanId.indexOf(id, at + 1)) nth++;
  return nth === 0 ? id : `${id}~${nth}`;
}

export function rowOfParam(model: TraceModel, param: string | null): number {
  if (!param) return -1;
  const [id, nth] = param.toLowerCase().split("~");
  let row = model.spanId.indexOf(id.padStart(16, "0"));
  for (let left = Number(nth ?? 0); left > 0 && row >= 0; left--) row = model.spanId.indexOf(model.spanId[row], row + 1);
  return row;
}

/** Time of a span not covered by its children, for every row. Children of one parent come ordered by start. */
export function selfTimes(model: TraceModel): Float64Array {
  const self = Float64Array.from(model.duration);
  const coveredTo = Float64Array.from(model.start);
  for (let row = 0; row < model.count; row++) {
    const above = model.parent[row];
    if (above < 0) continue;
    const from = Math.max(model.start[row], coveredTo[above]);
    const to = Math.min(model.start[row] + model.duration[row], model.start[above] + model.duration[above]);
    if (to <= from) continue;
    self[above] -= to - from;
    coveredTo[above] = to;
  }
  return self;
}

export interface ServiceShare {
  service: number;
  spans: number;
  errors: number;
  self: number;
  first: number;
}

export function byService(model: TraceModel, self: Float64Array): ServiceShare[] {
  const shares = model.services.map((_name, service): ServiceShare => ({ service, spans: 0, errors: 0, self: 0, first: -1 }));
  for (let row = 0; row < model.count; row++) {
    const share = shares[model.service[row]];
    share.spans++;
    share.self += self[row];
    if (isError(model, row)) share.errors++;
    if (share.first < 0) share.first = row;
  }
  return shares.filter((share) => share.spans > 0).sort((a, b) => b.self - a.self);
}
