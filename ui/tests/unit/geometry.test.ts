import { describe, expect, test } from "vitest";
import { layout, neighbourhood } from "../../src/map/layout";
import { clampZoom, panBy, parseZoom, zoomAround, zoomParam, zoomToSpan } from "../../src/trace/viewport";

const edge = (parent: string, child: string) => ({ parent, child });

describe("map layout", () => {
  test("callers stand left of callees", () => {
    const { nodes } = layout(["d", "c", "b", "a"], [edge("a", "b"), edge("b", "c"), edge("a", "c"), edge("c", "d")]);
    expect(["a", "b", "c", "d"].map((name) => nodes.get(name)?.layer)).toEqual([0, 1, 2, 3]);
  });

  test("cycles and self calls do not hang it", () => {
    const { nodes } = layout(["a", "b", "c"], [edge("a", "b"), edge("b", "c"), edge("c", "a"), edge("b", "b")]);
    expect([...nodes.values()].map((node) => node.layer).sort()).toEqual([0, 1, 2]);
  });

  test("every node has its own place, also those without edges", () => {
    const names = Array.from({ length: 500 }, (_none, at) => `s${at}`);
    const edges = names.flatMap((_name, at) => [edge(`s${at}`, `s${(at * 7 + 1) % 500}`), edge(`s${at}`, `s${(at * 3 + 2) % 500}`)]);
    const { nodes } = layout([...names, "alone"], edges);
    expect(nodes.size).toBe(501);
    expect(new Set([...nodes.values()].map((node) => `${node.layer}/${node.place}`)).size).toBe(501);
  });

  test("a chain of 20,000 services is laid out without recursion", () => {
    const names = Array.from({ length: 20_000 }, (_none, at) => `s${at}`);
    const { nodes } = layout(names, names.slice(1).map((name, at) => edge(`s${at}`, name)));
    expect(nodes.get("s19999")?.layer).toBe(19_999);
  });

  test("edges to unknown services are left out", () => {
    expect(layout(["a"], [edge("a", "ghost")]).nodes.size).toBe(1);
  });

  test("the neighbourhood goes both ways, hop by hop", () => {
    const edges = [edge("a", "b"), edge("b", "c"), edge("c", "d")];
    expect([...neighbourhood("b", 1, edges)].sort()).toEqual(["a", "b", "c"]);
    expect([...neighbourhood("b", 2, edges)].sort()).toEqual(["a", "b", "c", "d"]);
  });
});

describe("zoom", () => {
  test("the URL round trip is exact, and the whole trace needs none", () => {
    expect(zoomParam({ from: 0, to: 1000 }, 1000)).toBeNull();
    expect(parseZoom(zoomParam({ from: 100, to: 300 }, 1000), 1000)).toEqual({ from: 100, to: 300 });
    for (const bad of [null, "", "x-y", "5", "9-2-1"]) expect(parseZoom(bad, 1000)).toEqual({ from: 0, to: 1000 });
  });

  test("zooming keeps the moment under the pointer", () => {
    const zoom = zoomAround({ from: 0, to: 1000 }, 0.5, 250, 1000);
    expect(zoom).toEqual({ from: 125, to: 625 });
    expect((250 - zoom.from) / (zoom.to - zoom.from)).toBe(0.25);
  });

  test("it stays inside the trace and never gets narrower than a few nanoseconds", () => {
    expect(panBy({ from: 0, to: 100 }, -1, 1000)).toEqual({ from: 0, to: 100 });
    expect(panBy({ from: 900, to: 1000 }, 1, 1000)).toEqual({ from: 900, to: 1000 });
    const close = clampZoom({ from: 500, to: 500 }, 1000);
    expect(close.to - close.from).toBe(20);
    expect(clampZoom({ from: -5, to: 5 }, 3)).toEqual({ from: 0, to: 3 });
  });

  test("a span is shown with a little air", () => {
    expect(zoomToSpan(500, 100, 1000)).toEqual({ from: 490, to: 610 });
    expect(zoomToSpan(0, 0, 1000)).toEqual({ from: 0, to: 20 });
  });
});
