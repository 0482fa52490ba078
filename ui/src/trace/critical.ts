// The critical path: going back from the end of the root, the span that was being waited for. Walks with its own stack.
import type { TraceModel } from "./model";

export interface CriticalPath {
  rows: Int32Array;
  /** For each row the part of it that lies on the path, relative to the trace's start; empty (0, 0) off the path. */
  from: Float64Array;
  to: Float64Array;
  on: Uint8Array;
}

/** Children of every row, latest end first: `child[first[row]] … child[first[row + 1] - 1]`. */
function childrenByEnd(model: TraceModel): { first: Int32Array; child: Int32Array } {
  const { count, parent, start, duration } = model;
  const first = new Int32Array(count + 1);
  for (let row = 0; row < count; row++) if (parent[row] >= 0) first[parent[row] + 1]++;
  for (let row = 0; row < count; row++) first[row + 1] += first[row];
  const child = new Int32Array(first[count]);
  const fill = first.slice();
  for (let row = 0; row < count; row++) if (parent[row] >= 0) child[fill[parent[row]]++] = row;
  for (let row = 0; row < count; row++) {
    if (first[row + 1] - first[row] < 2) continue;
    child.subarray(first[row], first[row + 1]).sort((a, b) => start[b] + duration[b] - (start[a] + duration[a]));
  }
  return { first, child };
}

export function criticalPath(model: TraceModel, root: number): CriticalPath {
  const { count, start, duration } = model;
  const [from, to, on] = [new Float64Array(count), new Float64Array(count), new Uint8Array(count)];
  if (root >= 0 && count > 0) {
    const { first, child } = childrenByEnd(model);
    const stack: number[] = [root];
    on[root] = 1;
    from[root] = start[root];
    to[root] = start[root] + duration[root];
    while (stack.length > 0) {
      const row = stack.pop() as number;
      let cursor = to[row];
      for (let at = first[row]; at < first[row + 1] && cursor > from[row]; at++) {
        const one = child[at];
        const end = start[one] + duration[one];
        // One that outlives its caller was not waited for, unless it starts inside and nothing else explains the end.
        if (start[one] >= cursor || end <= from[row]) continue;
        if (end > cursor && cursor !== to[row]) continue;
        on[one] = 1;
        to[one] = Math.min(end, cursor);
        from[one] = Math.max(start[one], from[row]);
        cursor = from[one];
        stack.push(one);
      }
    }
  }
  let total = 0;
  for (let row = 0; row < count; row++) total += on[row];
  const rows = new Int32Array(total);
  for (let row = 0, at = 0; row < count; row++) if (on[row]) rows[at++] = row;
  return { rows, from, to, on };
}
