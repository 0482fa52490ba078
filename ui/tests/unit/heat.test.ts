import { describe, expect, test } from "vitest";
import { between, boxOf, boxParam, cellsOf, heatOf, inside, moved, parseBox, sized, slowest } from "../../src/parts/heat";
import { rowsOfChanges } from "../../src/parts/changes";
import type { HeatmapAnswer } from "../../src/types";

const START = 1_795_968_000_000_000_000n;
const answer = (cells: HeatmapAnswer["cells"]): HeatmapAnswer => ({ start_unix_ns: START, step_ns: 10_000_000_000, steps: 6, cells, complete: true });
const cell = (step: number, from_ms: number, count: number, errors: number) => ({ step, from_ms, to_ms: from_ms * 2, count, errors });
/** Bands of a doubling: 1–2, 2–4, (4–8,) 8–16 ms; nothing is in the third. */
const heat = heatOf(answer([cell(5, 8, 5, 5), cell(0, 1, 90, 0), cell(2, 2, 5, 1)]));

describe("heatmap", () => {
  test("rows are from the fastest to the slowest, also where nothing is between; cells keep their place and sums", () => {
    expect(heat.bounds).toEqual([1e6, 2e6, 4e6, 8e6, 16e6]);
    expect(heat.total).toBe(100);
    expect(heat.most).toBe(90);
    expect(inside(heat, { x0: 0, x1: 6, y0: 0, y1: 4 })).toEqual({ spans: 100, errors: 6 });
    expect(inside(heat, { x0: 5, x1: 6, y0: 3, y1: 4 })).toEqual({ spans: 5, errors: 5 });
  });

  test("an empty answer is an empty picture", () => {
    const empty = heatOf(answer([]));
    expect(empty.total).toBe(0);
    expect(slowest(empty, 0.05)).toBeNull();
  });

  test("bounds that were rounded up are met all the same, and a wide gap is few rows", () => {
    const wide = heatOf(answer([{ step: 0, from_ms: 0, to_ms: 0.000001, count: 1, errors: 0 }, { step: 1, from_ms: 0.741456, to_ms: 1.048576, count: 2, errors: 0 }, { step: 1, from_ms: 1.048576, to_ms: 1.482911, count: 4, errors: 0 }]));
    expect(wide.bounds.length).toBe(12);
    expect(wide.bounds.slice(-3)).toEqual([741456, 1048576, 1482911]);
    expect([...wide.bounds].sort((a, b) => a - b)).toEqual(wide.bounds);
    expect(inside(wide, { x0: 1, x1: 2, y0: 9, y1: 11 }).spans).toBe(6);
  });

  test("a box goes to the URL and comes back to the same cells", () => {
    for (const cells of [{ x0: 0, x1: 6, y0: 0, y1: 4 }, { x0: 2, x1: 3, y0: 1, y1: 2 }, { x0: 1, x1: 5, y0: 2, y1: 4 }]) {
      const box = parseBox(boxParam(boxOf(heat, cells)));
      expect(box).not.toBeNull();
      expect(cellsOf(heat, box!)).toEqual(cells);
    }
  });

  test("at the edges a box has no end", () => {
    expect(boxOf(heat, { x0: 0, x1: 6, y0: 0, y1: 4 })).toMatchObject({ d0: 0, d1: null });
    expect(boxOf(heat, { x0: 1, x1: 2, y0: 1, y1: 3 })).toEqual({ t0: START + 10_000_000_000n, t1: START + 20_000_000_000n, d0: 2e6, d1: 8e6 });
  });

  test("what is no box is none", () => {
    for (const bad of [null, "", "1,2,3", "5,0,5,", "5,0,1,", "1,9,5,9", "a,b,c,d", "1,0,99999999999999999999,", "-1,0,5,"]) expect(parseBox(bad), String(bad)).toBeNull();
    expect(cellsOf(heat, { t0: 1n, t1: 2n, d0: 0, d1: null })).toBeNull();
  });

  test("the slowest are the fewest rows that hold their part", () => {
    expect(slowest(heat, 0.05)).toEqual({ x0: 0, x1: 6, y0: 3, y1: 4 });
    expect(slowest(heat, 0.06)).toEqual({ x0: 0, x1: 6, y0: 1, y1: 4 });
  });

  test("a drag in any direction has both its corners", () => {
    expect(between([4, 3], [1, 0])).toEqual({ x0: 1, x1: 5, y0: 0, y1: 4 });
  });

  test("keys move and size the box, and it never leaves the picture", () => {
    const cells = { x0: 4, x1: 6, y0: 2, y1: 4 };
    expect(moved(heat, cells, 1, 1)).toEqual(cells);
    expect(moved(heat, cells, -9, -9)).toEqual({ x0: 0, x1: 2, y0: 0, y1: 2 });
    expect(sized(heat, cells, -9, 9)).toEqual({ x0: 4, x1: 5, y0: 3, y1: 4 });
    expect(sized(heat, cells, 9, -9)).toEqual({ x0: 4, x1: 6, y0: 0, y1: 4 });
  });
});

test("changes of one rollout are one row, at the time of the first; what ended is another", () => {
  const change = (at_unix_ns: number, value: string, change: "began" | "ended" = "began") => ({ at_unix_ns, service: "pay", kind: "host" as const, key: "k8s.pod.name", value, change });
  const rows = rowsOfChanges([change(1, "a"), change(2, "old", "ended"), change(3, "b"), change(4, "c")]);
  expect(rows.map((row) => [row.at_unix_ns, row.change, row.values.join()])).toEqual([[1, "began", "a,b,c"], [2, "ended", "old"]]);
});
