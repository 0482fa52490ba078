import { describe, expect, test } from "vitest";
import { criticalPath, longestOnPath } from "../../src/trace/critical";
import { find } from "../../src/trace/find";
import { closedParam, parseClosed } from "../../src/trace/folding";
import { buildModel, byService, errorsBelow, FLAG, nextOf, openTo, parseColumns, placeOf, rootCause, rowOfParam, rowsWithChildren, selfTimes, spanParam, visibleRows, type TraceModel } from "../../src/trace/model";
import type { ColumnsAnswer } from "../../src/types";

interface Row {
  parent: number;
  start?: number;
  duration?: number;
  service?: string;
  operation?: string;
  flags?: number;
  id?: string;
  kind?: number;
}

const idOf = (row: number): string => (row + 1).toString(16).padStart(16, "0");

function answerOf(rows: Row[]): ColumnsAnswer {
  const services = [...new Set(rows.map((row) => row.service ?? "a"))];
  const operations = [...new Set(rows.map((row) => row.operation ?? "op"))];
  return {
    trace_id: "0".repeat(31) + "1",
    status: "ok",
    start_time_unix_ns: 1_700_000_000_000_000_001n,
    duration_ns: Math.max(...rows.map((row) => (row.start ?? 0) + (row.duration ?? 1)), 1),
    span_count: rows.length,
    error_count: 0,
    depth: 1,
    root: 0,
    services,
    operations,
    span_ids: rows.map((row, at) => row.id ?? idOf(at)).join(""),
    parent: rows.map((row) => row.parent),
    missing_parent: {},
    start_ns: rows.map((row) => row.start ?? 0),
    duration: rows.map((row) => row.duration ?? 1),
    service: rows.map((row) => services.indexOf(row.service ?? "a")),
    operation: rows.map((row) => operations.indexOf(row.operation ?? "op")),
    kind: rows.map((row) => row.kind ?? 1),
    flags: rows.map((row) => row.flags ?? 0),
    partial_reasons: [],
    warnings: [],
    missing_parents: [],
    complete: true,
  };
}

const modelOf = (rows: Row[]): TraceModel => buildModel(answerOf(rows));
const chain = (length: number, last: Partial<Row> = {}): TraceModel =>
  modelOf(Array.from({ length }, (_none, at) => ({ parent: at - 1, start: at, duration: 2 * (length - at), ...(at === length - 1 ? last : {}) })));

//  0 root
//  ├ 1 a        ├ 4 d (error)
//  │ ├ 2 b      │ └ 5 e (error)
//  │ └ 3 c      └ 6 f
const TREE: Row[] = [
  { parent: -1, start: 0, duration: 100, service: "front", operation: "GET /" },
  { parent: 0, start: 0, duration: 40, service: "cart", operation: "GET /cart" },
  { parent: 1, start: 0, duration: 10, service: "redis", operation: "HGETALL" },
  { parent: 1, start: 10, duration: 20, service: "redis", operation: "GET" },
  { parent: 0, start: 40, duration: 50, service: "pay", operation: "charge", flags: FLAG.error },
  { parent: 4, start: 45, duration: 40, service: "stripe", operation: "POST", flags: FLAG.error | FLAG.exception },
  { parent: 0, start: 90, duration: 10, service: "mail", operation: "send" },
];

describe("columns", () => {
  test("depth and size come from one pass each way", () => {
    const model = modelOf(TREE);
    expect([...model.depth]).toEqual([0, 1, 2, 2, 1, 2, 1]);
    expect([...model.size]).toEqual([7, 3, 1, 1, 2, 1, 1]);
  });

  test("a parent that breaks the order makes a root, not a crash", () => {
    const model = modelOf([{ parent: -1 }, { parent: 0 }, { parent: -1 }, { parent: 1 }, { parent: 9 }, { parent: 5 }]);
    expect([...model.parent]).toEqual([-1, 0, -1, -1, -1, -1]);
    expect([...model.size]).toEqual([2, 1, 1, 1, 1, 1]);
  });

  test("the trace's start keeps all its digits", () => {
    const text = '{"trace_id":"1","start_time_unix_ns":1700000000000000001,"span_ids":""}';
    expect(parseColumns(text).start_time_unix_ns).toBe(1_700_000_000_000_000_001n);
  });

  test("an empty trace is a trace", () => {
    const model = modelOf([]);
    expect(model.count).toBe(0);
    expect(rootCause(model)).toBe(-1);
    expect(visibleRows(model, new Set())).toHaveLength(0);
    expect(criticalPath(model).rows).toHaveLength(0);
  });
});

describe("folding", () => {
  test("a closed row hides its subtree and bubbles its errors", () => {
    const model = modelOf(TREE);
    expect([...visibleRows(model, new Set([1, 4]))]).toEqual([0, 1, 4, 6]);
    expect(errorsBelow(model, 4)).toBe(1);
    expect(errorsBelow(model, 0)).toBe(2);
    expect(errorsBelow(model, 1)).toBe(0);
  });

  test("a hidden row's place is its closed ancestor", () => {
    const visible = visibleRows(modelOf(TREE), new Set([4]));
    expect(placeOf(visible, 5)).toBe(placeOf(visible, 4));
  });

  test("showing a row opens its ancestors and nothing else", () => {
    const model = modelOf(TREE);
    expect([...openTo(model, new Set([0, 1, 4]), 5)]).toEqual([1]);
    const untouched = new Set([1]);
    expect(openTo(model, untouched, 5)).toBe(untouched);
  });

  test("the URL keeps what is closed", () => {
    const model = modelOf(TREE);
    for (const closed of [new Set<number>(), new Set([1]), new Set([0, 1, 4])]) {
      expect([...parseClosed(closedParam(closed, model), model)].sort()).toEqual([...closed].sort());
    }
    expect([...parseClosed("all,-1,99,x", model)].sort()).toEqual([0, 4]);
    expect([...parseClosed("2", model)]).toEqual([]);
  });

  test("closing all of a large trace is short in the URL", () => {
    const model = modelOf(Array.from({ length: 1000 }, (_none, at) => ({ parent: at % 2 ? at - 1 : -1 })));
    const all = new Set(rowsWithChildren(model));
    all.delete(0);
    expect(closedParam(all, model)).toBe("all,-0");
    expect(closedParam(rowsWithChildren(model), model)).toBe("all");
  });
});

describe("errors", () => {
  test("the cause is the deepest error without a failing child", () => {
    expect(rootCause(modelOf(TREE))).toBe(5);
  });

  test("of several at one depth the earliest is the cause", () => {
    const model = modelOf([{ parent: -1 }, { parent: 0, start: 9, flags: 1 }, { parent: 0, start: 3, flags: 1 }]);
    expect(rootCause(model)).toBe(2);
  });

  test("next and previous go around", () => {
    expect([nextOf([2, 5, 9], -1, 1), nextOf([2, 5, 9], 5, 1), nextOf([2, 5, 9], 9, 1)]).toEqual([2, 9, 2]);
    expect([nextOf([2, 5, 9], 5, -1), nextOf([2, 5, 9], 2, -1), nextOf([2, 5, 9], 6, -1)]).toEqual([2, 9, 5]);
    expect(nextOf([], 3, 1)).toBe(-1);
  });
});

describe("find", () => {
  test("words are looked for in service and operation, all of them", () => {
    const model = modelOf(TREE);
    expect([...find(model, "REDIS").rows]).toEqual([2, 3]);
    expect([...find(model, "redis get").rows]).toEqual([2, 3]);
    expect([...find(model, "redis hget").rows]).toEqual([2]);
    expect([...find(model, "  ").rows]).toEqual([]);
  });

  test("a span id is found by its beginning", () => {
    expect([...find(modelOf(TREE), idOf(4)).rows]).toEqual([4]);
  });
});

describe("spans in the URL", () => {
  test("an id that two spans share is told apart", () => {
    const model = modelOf([{ parent: -1, id: idOf(1) }, { parent: 0, id: idOf(2) }, { parent: 1, id: idOf(2) }]);
    expect(spanParam(model, 2)).toBe(`${idOf(2)}~1`);
    for (const row of [0, 1, 2]) expect(rowOfParam(model, spanParam(model, row))).toBe(row);
    expect(rowOfParam(model, "ffff")).toBe(-1);
    expect(rowOfParam(model, null)).toBe(-1);
  });
});

describe("time", () => {
  test("own time counts overlapping children once", () => {
    const model = modelOf([{ parent: -1, start: 0, duration: 100 }, { parent: 0, start: 10, duration: 50 }, { parent: 0, start: 40, duration: 40 }, { parent: 0, start: 95, duration: 50 }]);
    expect(selfTimes(model)[0]).toBe(100 - 70 - 5);
  });

  test("services are summed and sorted by own time", () => {
    const model = modelOf(TREE);
    const shares = byService(model, selfTimes(model));
    expect(shares.map((share) => model.services[share.service])).toEqual(["stripe", "redis", "cart", "pay", "mail", "front"]);
    expect(shares[0]).toMatchObject({ spans: 1, errors: 1, self: 40 });
  });

  test("the critical path is what the root waited for, from the end", () => {
    const path = criticalPath(modelOf(TREE));
    expect([...path.rows]).toEqual([0, 1, 2, 3, 4, 5, 6]);
    const parallel = modelOf([{ parent: -1, start: 0, duration: 100 }, { parent: 0, start: 0, duration: 90 }, { parent: 0, start: 10, duration: 20 }]);
    expect([...criticalPath(parallel).rows]).toEqual([0, 1]);
  });

  // The same cases, with the same answers, as crates/analysis/tests/critical_path.rs.
  const node = (parent: number, start: number, end: number, more: Partial<Row> = {}): Row => ({ parent, start, duration: end - start, ...more });
  const orphan = { flags: FLAG.orphan };
  const [server, client, producer, consumer] = [2, 3, 4, 5].map((kind) => ({ kind }));
  const top = node(-1, 100, 200);
  const CASES: [string, Row[], (number | null)[]][] = [
    ["alone", [top], [100]],
    ["no time at all", [node(-1, 5, 5)], [0]],
    ["touching siblings follow one another", [top, node(0, 110, 150), node(0, 150, 190)], [20, 40, 40]],
    ["of parallel children the last to finish", [top, node(0, 110, 170), node(0, 120, 190)], [30, null, 70]],
    ["a child that outlives its parent counts to the parent's end", [top, node(0, 150, 900), node(1, 160, 800)], [50, 10, 40]],
    ["one that starts before it from its start", [top, node(0, 50, 150)], [50, 50]],
    ["one outside was not waited for, nor what is beneath it", [top, node(0, 300, 400), node(1, 120, 150)], [100, null, null]],
    ["messages", [node(-1, 0, 100), node(0, 10, 20, producer), node(1, 12, 20, consumer)], [90, 10, null]],
    ["a server's clock ahead", [node(-1, 1000, 1100, client), node(0, 5010, 5090, server), node(1, 5020, 5080)], [20, 20, 60]],
    ["a server's clock behind", [node(-1, 1000, 1100, client), node(0, 10, 90, server), node(1, 20, 80)], [20, 20, 60]],
    ["but only if it fits", [node(-1, 1000, 1100, client), node(0, 1050, 1950, server)], [50, 50]],
    ["an orphan hangs beneath the root", [node(-1, 0, 100), node(-1, 20, 60, orphan)], [60, 40]],
    ["orphans alone follow one another", [node(-1, 0, 10, orphan), node(-1, 20, 60, orphan)], [10, 40]],
    ["roots too; those beneath others in time are beside the path", [node(-1, 0, 10), node(-1, 5, 90), node(-1, 100, 120)], [null, 85, 20]],
    ["siblings that overlap slightly follow one another", [node(-1, 0, 1000), node(0, 0, 502), node(0, 500, 1000)], [0, 502, 500]],
  ];
  test.each(CASES)("%s", (_name, rows, expected) => {
    const { on, exclusive } = criticalPath(modelOf(rows));
    expect([...exclusive].map((time, row) => (on[row] ? time : null))).toEqual(expected);
  });

  test("the operation that the path was longest in is named, and its longest span", () => {
    const model = modelOf(TREE);
    const path = criticalPath(model);
    expect(longestOnPath(model, path)).toMatchObject({ row: 5, ns: 40, totalNs: 100 });
    expect(longestOnPath(modelOf([]), criticalPath(modelOf([])))).toBeNull();
  });
});

describe("a chain 100,000 deep", () => {
  const model = chain(100_000, { flags: FLAG.error });
  test("builds, folds, finds its cause and its critical path without recursion", () => {
    expect(model.depth[99_999]).toBe(99_999);
    expect(model.size[0]).toBe(100_000);
    expect(rootCause(model)).toBe(99_999);
    expect(visibleRows(model, new Set([5]))).toHaveLength(6);
    expect(openTo(model, new Set([5, 70_000]), 99_999).size).toBe(0);
    expect(criticalPath(model).rows).toHaveLength(100_000);
    expect(find(model, "op").rows).toHaveLength(100_000);
    expect(selfTimes(model)).toHaveLength(100_000);
    expect(rowsWithChildren(model).size).toBe(99_999);
  });
});
