// The critical path: the spans that the trace's time was spent in, by the rules of GET /api/traces/{id}/critical-path, on the
// columns that are here already (crates/analysis/src/critical_path.rs tells why each rule is). What merely follows from its
// parent is not known here unless it is a consumer. Walks rows from the top, without recursion.
import { FLAG, KINDS, type TraceModel } from "./model";

export interface CriticalPath {
  rows: Int32Array;
  /** For each row the part of it that lies on the path, relative to the trace's start; empty (0, 0) off the path. */
  from: Float64Array;
  to: Float64Array;
  /** Of that part, what the row spent itself. */
  exclusive: Float64Array;
  on: Uint8Array;
}

/** Siblings overlapping by less than this part of their parent count as one after the other. */
const OVERLAP_PART = 100;
const [SERVER, CONSUMER] = [KINDS.indexOf("server"), KINDS.indexOf("consumer")];

/** When a row counts, and by how much a server's clock is set right. */
interface Part {
  row: number;
  from: number;
  to: number;
  moved: number;
}

/** Children of every row, `child[first[row]] … child[first[row + 1] - 1]`; tops have the place after the last row. Orphans
    hang under the earliest root: the parent that is not there was beneath it. */
function childrenOf({ count, parent, flags, start }: TraceModel): { first: Int32Array; child: Int32Array } {
  const isOrphan = (row: number): boolean => (flags[row] & (FLAG.orphan | FLAG.cycle)) !== 0;
  let root = -1;
  for (let row = 0; row < count; row++) if (parent[row] < 0 && !isOrphan(row) && (root < 0 || start[row] < start[root])) root = row;
  const above = (row: number): number => (parent[row] >= 0 ? parent[row] : isOrphan(row) && root >= 0 ? root : count);
  const first = new Int32Array(count + 2);
  for (let row = 0; row < count; row++) first[above(row) + 1]++;
  for (let row = 0; row <= count; row++) first[row + 1] += first[row];
  const child = new Int32Array(count);
  const fill = first.slice();
  for (let row = 0; row < count; row++) child[fill[above(row)]++] = row;
  return { first, child };
}

/** How many of the ascending `values` are less than `bound`. */
function below(values: Float64Array, bound: number): number {
  let [low, high] = [0, values.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (values[middle] < bound) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Which children were waited for, latest first. */
function waitedFor(inside: Part[], length: number): Part[] {
  inside.sort((a, b) => b.to - a.to || a.from - b.from);
  let events: Float64Array | null = null;
  const waited: Part[] = [];
  for (const part of inside) {
    const later = waited.at(-1);
    if (later && part.to > later.from) {
      const slight = part.to < later.to && part.from < later.from && (part.to - later.from) * OVERLAP_PART < length;
      if (!slight) continue;
      events ??= Float64Array.from(inside.flatMap(({ from, to }) => [from, to])).sort();
      // The two of them end and begin there, and nobody else.
      let until = below(events, part.to);
      while (until < events.length && events[until] === part.to) until++;
      if (until - below(events, later.from) !== 2) continue;
    }
    waited.push(part);
  }
  return waited;
}

export function criticalPath(model: TraceModel): CriticalPath {
  const { count, start, duration, kind } = model;
  const path = { from: new Float64Array(count), to: new Float64Array(count), exclusive: new Float64Array(count), on: new Uint8Array(count) };
  const moves = new Float64Array(count);
  const { first, child } = childrenOf(model);
  const enter = (parts: Part[]): number => {
    let time = 0;
    for (const { row, from, to, moved } of parts) {
      path.on[row] = 1;
      [path.from[row], path.to[row], moves[row]] = [from - moved, to - moved, moved];
      time += to - from;
    }
    return time;
  };
  const tops = child.subarray(first[count], first[count + 1]);
  const whole = tops.reduce((most, row) => Math.max(most, start[row] + duration[row]), 0) - tops.reduce((least, row) => Math.min(least, start[row]), Infinity);
  enter(waitedFor(Array.from(tops, (row) => ({ row, from: start[row], to: start[row] + duration[row], moved: 0 })), whole));
  for (let row = 0; row < count; row++) {
    if (!path.on[row]) continue;
    const [from, to] = [path.from[row] + moves[row], path.to[row] + moves[row]];
    const inside: Part[] = [];
    const siblings = first[row + 1] - first[row];
    for (let at = first[row]; at < first[row + 1]; at++) {
      const one = child[at];
      if (kind[one] === CONSUMER) continue;
      let moved = moves[row];
      const isCall = kind[one] === SERVER && kind[row] !== SERVER && siblings === 1;
      // A server span that reaches out of the span that called it, and fits into it, is moved there.
      if (isCall && duration[one] <= to - from) moved += Math.max(0, from - start[one] - moved) - Math.max(0, start[one] + moved + duration[one] - to);
      const part = { row: one, moved, from: Math.max(from, start[one] + moved), to: Math.min(to, start[one] + moved + duration[one]) };
      if (part.from < part.to || (part.from === part.to && duration[one] === 0)) inside.push(part);
    }
    path.exclusive[row] = Math.max(0, to - from - enter(waitedFor(inside, to - from)));
  }
  return { rows: Int32Array.from(path.on.keys()).filter((row) => path.on[row] === 1), ...path };
}

/** Whose own time the path was: the operation with most of it, and how much; null without a path. */
export function longestOnPath(model: TraceModel, path: CriticalPath): { service: number; operation: number; row: number; ns: number; totalNs: number } | null {
  const sums = new Map<number, { ns: number; row: number }>();
  let [totalNs, most] = [0, -1];
  for (const row of path.rows) {
    const key = model.service[row] * model.operations.length + model.operation[row];
    const sum = sums.get(key) ?? { ns: 0, row };
    if (path.exclusive[row] > path.exclusive[sum.row]) sum.row = row;
    sum.ns += path.exclusive[row];
    sums.set(key, sum);
    totalNs += path.exclusive[row];
    if (most < 0 || sum.ns > (sums.get(most)?.ns ?? 0)) most = key;
  }
  const found = sums.get(most);
  return found && found.ns > 0 ? { service: model.service[found.row], operation: model.operation[found.row], ...found, totalNs } : null;
}
