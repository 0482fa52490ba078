import { describe, expect, test } from "vitest";
import { assignSlots } from "../../src/colors";
import { absolute, absoluteRange, apiQuery, fromText, parseMs, words, filterOf } from "../../src/filter";
import { ago, bytes, clock, count, duration, instant, percent, plural, rate, ticks } from "../../src/format";
import { parseExact, stringifyExact, textOf } from "../../src/json";
import { href, parseRoute, segments, withChanges } from "../../src/router";
import { compare, sortedRows } from "../../src/parts/sorttable";
import { webAddress } from "../../src/trace/drawer";
import { findTraceId } from "../../src/traceid";

const ID = "4bf92f3577b34da6a3ce929d0e0e4736";

describe("trace ids in pasted text", () => {
  const cases: [string, string | null, string?][] = [
    [ID, ID],
    [`  ${ID.toUpperCase()}\n`, ID],
    [`00-${ID}-00f067aa0ba902b7-01`, ID, "00f067aa0ba902b7"],
    [`traceparent: 00-${ID}-00f067aa0ba902b7-00`, ID, "00f067aa0ba902b7"],
    [`b3: ${ID}-00f067aa0ba902b7-1`, ID, "00f067aa0ba902b7"],
    ["4bf92f35-77b3-4da6-a3ce-929d0e0e4736", ID],
    ["a3ce929d0e0e4736", `0000000000000000a3ce929d0e0e4736`],
    [`0x${ID}`, ID],
    [`2026-11-22 ERROR trace_id=${ID} span_id=00f067aa0ba902b7 boom`, ID],
    [`{"traceId":"${ID}"}`, ID],
    [`http://127.0.0.1:4320/trace/${ID}?span=1`, ID],
    ["0".repeat(32), null],
    [`${ID}ab`, null],
    ["service=cart error", null],
    ["", null],
  ];
  test.each(cases)("%s", (text, trace, span) => {
    expect(findTraceId(text)).toEqual(trace === null ? null : span ? { trace, span } : { trace });
  });
});

describe("the box's filter text", () => {
  test("becomes the search's parameters", () => {
    const params = fromText('service=cart op="GET /cart" error span.error dur>500ms span.dur<=2s status=partial http.status_code=500 a!=b c~=^d user');
    expect(Object.fromEntries(params)).toMatchObject({
      service: "cart",
      operation: "GET /cart",
      error: "true",
      span_error: "true",
      min_duration_ms: "500",
      max_span_duration_ms: "2000",
      status: "partial",
    });
    expect(params.getAll("tag")).toEqual(["http.status_code=500", "a!=b", "c~=^d", "user"]);
  });

  test("quotes keep words together, also unclosed ones", () => {
    expect(words('a="x y" "b c" d="e f')).toEqual(["a=x y", "b c", "d=e f"]);
  });

  test("durations have units", () => {
    expect(["500ms", "1.5s", "20us", "20µs", "7", "2m", "1ns"].map(parseMs)).toEqual([500, 1500, 0.02, 0.02, 7, 120_000, 1e-6]);
    expect(["", "x", "5 apples", "-1ms"].map(parseMs)).toEqual([null, null, null, null]);
  });

  test("the API gets only what it knows, and every tag", () => {
    const params = new URLSearchParams("service=a%26b&tag=x=1&tag=y&from=now-15m&to=now&theme=neon&span=1&error=");
    expect(apiQuery(params, { limit: "50" })).toBe("service=a%26b&tag=x%3D1&tag=y&start=now-15m&limit=50");
  });

  test("shared ranges are absolute", () => {
    const now = Date.UTC(2026, 10, 22, 20);
    expect(absolute("now-15m", now)).toBe("2026-11-22T19:45:00.000Z");
    expect(absolute("1700000000000000000", now)).toBe("1700000000000000000");
    expect(absoluteRange(new URLSearchParams("from=now-1d"), now).toString()).toBe("from=2026-11-21T20%3A00%3A00.000Z&to=2026-11-22T20%3A00%3A00.000Z");
  });
});

describe("router", () => {
  test("paths are read with their escapes", () => {
    expect(segments(parseRoute("/services/a%2Fb/", "").path)).toEqual(["services", "a/b"]);
    expect(segments("/trace/%zz")).toEqual(["trace", "%zz"]);
    expect(parseRoute("/", "?a=1").path).toBe("/");
  });

  test("changing one parameter keeps the others, also unknown ones", () => {
    const params = new URLSearchParams("service=a&utm=x&tag=1&tag=2");
    expect(withChanges(params, { service: null, tag: ["3"], span: "9" }).toString()).toBe("utm=x&tag=3&span=9");
    expect(href("/search", { tag: "a=b", empty: "" })).toBe("/search?tag=a%3Db");
    expect(href("/", {})).toBe("/");
  });
});

describe("numbers", () => {
  test("durations", () => {
    const shown = [0, 87, 532_000, 999_400, 999_999, 41e6, 1.8e9, 59.999e9, 125e9, 3.12 * 36e11, 30 * 36e11, -5, null].map(duration);
    expect(shown).toEqual(["0 ns", "87 ns", "532 µs", "999 µs", "1.00 ms", "41.0 ms", "1.80 s", "1 m 00 s", "2 m 05 s", "3 h 07 m", "1 d 6 h", "−5 ns", "–"]);
    expect(duration(2_100_250_000n)).toBe("2.10 s");
  });

  test("counts, rates, shares, bytes", () => {
    expect([count(1234567), count(12n), count(null), count(-1234)]).toEqual(["1\u202f234\u202f567", "12", "–", "-1\u202f234"]);
    expect([rate(0), rate(0.001), rate(0.6), rate(12.34), rate(212), rate(41_000), rate(null)]).toEqual(["0", "<0.01", "0.60", "12.3", "212", "41.0k", "–"]);
    expect([percent(0), percent(0.0001), percent(0.124), percent(0.9999), percent(1), percent(null)]).toEqual(["0%", "<0.1%", "12.4%", ">99.9%", "100%", "–"]);
    expect([bytes(0), bytes(1023), bytes(1536), bytes(5 * 1024 ** 3), bytes(null)]).toEqual(["0 B", "1023 B", "1.50 KiB", "5.00 GiB", "–"]);
    expect([plural(1, "span"), plural(2, "span"), plural(0, "child", "children")]).toEqual(["1 span", "2 spans", "0 children"]);
  });

  test("instants keep their nanoseconds", () => {
    const ns = 1_700_000_000_123_456_789n;
    expect(instant(ns, "utc", "ns")).toBe("2023-11-14 22:13:20.123456789");
    expect(instant(ns, "utc", "ms")).toBe("2023-11-14 22:13:20.123");
    expect(clock(ns, "utc", 1_700_000_000_000)).toBe("22:13:20");
    expect(clock(ns, "utc", 1_800_000_000_000)).toBe("2023-11-14 22:13:20");
    expect([ago(ns, 1_700_000_001_000), ago(ns, 1_700_000_090_123), ago(ns, 1_700_010_000_000), ago(ns, 1_600_000_000_000)]).toEqual(["just now", "1 min ago", "2 h ago", "in the future"]);
  });

  test("axis marks are round and within the range", () => {
    expect(ticks(0, 100, 5)).toEqual([0, 20, 40, 60, 80, 100]);
    expect(ticks(13, 87, 4)).toEqual([20, 40, 60, 80]);
    expect(ticks(5, 5, 4)).toEqual([]);
  });
});

describe("JSON", () => {
  test("64-bit integers are exact both ways", () => {
    const text = '{"a":9223372036854775807,"b":[1,2.5,-9007199254740993],"c":"9223372036854775807","d":1e300}';
    const value = parseExact(text) as { a: unknown; c: unknown };
    // Node 20 has no reviver source; the browsers the UI is for have it, and a browser test shows the digits.
    if (typeof value.a === "bigint") expect(JSON.stringify(JSON.parse(stringifyExact(value)))).toBe(JSON.stringify(JSON.parse(text)));
    expect(value.c).toBe("9223372036854775807");
  });

  test("is written readably", () => {
    expect(stringifyExact({ a: 1n, b: [], c: [null, "x"], d: {} })).toBe('{\n  "a": 1,\n  "b": [],\n  "c": [\n    null,\n    "x"\n  ],\n  "d": {}\n}');
  });
});

describe("strangers' text", () => {
  test("only the web's addresses become links", () => {
    expect(webAddress("https://example.test/a?b=c")).toBe("https://example.test/a?b=c");
    for (const text of ["javascript:alert(1)", "JAVASCRIPT:alert(1)", " https://x.test", "data:text/html,x", "//x.test", "https://x .test", "http://", "ftp://x.test", "java\nscript:alert(1)"]) {
      expect(webAddress(text), text).toBeNull();
    }
  });

  test("+filter is offered only for what the search can ask", () => {
    expect([filterOf("a", "x=y"), filterOf("a", 5), filterOf("a", null)]).toEqual(["a=x=y", "a=5", "a"]);
    for (const [key, value] of [["a=b", 1], ["a!", 1], ["", 1], ["a", [1]], ["a", { b: 1 }]] as [string, unknown][]) expect(filterOf(key, value)).toBeNull();
  });

  test("values are shown as the text the search compares", () => {
    expect([textOf("a"), textOf(500), textOf(true), textOf(7n), textOf(null)]).toEqual(["a", "500", "true", "7", "null"]);
  });
});

describe("tables", () => {
  test("missing figures go last whichever way", () => {
    const rows = [{ v: 2 }, { v: null }, { v: 10 }];
    const columns = [{ key: "v", name: "v", by: (row: { v: number | null }) => row.v, show: () => null }];
    expect(sortedRows(rows, columns, "-v").map((row) => row.v)).toEqual([10, 2, null]);
    expect(sortedRows(rows, columns, "v").map((row) => row.v)).toEqual([2, 10, null]);
    expect(compare("a", "b", 1)).toBe(-1);
  });
});

test("services of one trace get different colours while there are any", () => {
  const slots = assignSlots(Array.from({ length: 15 }, (_none, at) => `service-${at}`));
  expect(new Set(slots).size).toBe(15);
  expect(assignSlots(["cart"])[0]).toBe(assignSlots(["cart", "other"])[0]);
});
