// The service map's layout: layers by longest way from the callers, then a few sweeps that put a node near its neighbours.
// Linear in edges per sweep, so 500 services take milliseconds.

export interface Edge {
  parent: string;
  child: string;
}

export interface Placed {
  name: string;
  layer: number;
  /** Position inside the layer, from the top. */
  place: number;
}

export interface Layout {
  nodes: Map<string, Placed>;
  layers: string[][];
}

/** Layer of each node, cycles cut at the edge that closes them (met while its target is still open), with an own stack. */
function layersOf(names: string[], out: Map<string, string[]>, roots: string[]): Map<string, number> {
  const state = new Map<string, 1 | 2>(); // 1 open, 2 done
  const order: string[] = [];
  const closing = new Set<string>();
  for (const root of [...roots, ...names]) {
    if (state.has(root)) continue;
    const stack: { name: string; next: number }[] = [{ name: root, next: 0 }];
    state.set(root, 1);
    while (stack.length > 0) {
      const top = stack[stack.length - 1];
      const child = (out.get(top.name) ?? [])[top.next++];
      if (child === undefined) {
        state.set(top.name, 2);
        order.push(top.name);
        stack.pop();
      } else if (state.get(child) === 1) closing.add(`${top.name}\u0000${child}`);
      else if (!state.has(child)) {
        state.set(child, 1);
        stack.push({ name: child, next: 0 });
      }
    }
  }
  const layer = new Map(names.map((name) => [name, 0]));
  for (const name of order.reverse()) {
    for (const child of out.get(name) ?? []) {
      if (closing.has(`${name}\u0000${child}`)) continue;
      layer.set(child, Math.max(layer.get(child) ?? 0, (layer.get(name) ?? 0) + 1));
    }
  }
  return layer;
}

function neighbours(edges: Edge[], from: "parent" | "child"): Map<string, string[]> {
  const to = from === "parent" ? "child" : "parent";
  const map = new Map<string, string[]>();
  for (const edge of edges) {
    if (edge.parent === edge.child) continue;
    const list = map.get(edge[from]);
    if (list) list.push(edge[to]);
    else map.set(edge[from], [edge[to]]);
  }
  return map;
}

function sweep(layers: string[][], near: Map<string, string[]>, centre: Map<string, number>): void {
  for (const layer of layers) {
    const wanted = new Map<string, number>();
    for (const name of layer) {
      const others = near.get(name) ?? [];
      const sum = others.reduce((total, other) => total + (centre.get(other) ?? 0), 0);
      wanted.set(name, others.length > 0 ? sum / others.length : (centre.get(name) ?? 0));
    }
    layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || (a < b ? -1 : 1));
    layer.forEach((name, place) => centre.set(name, place - (layer.length - 1) / 2));
  }
}

export function layout(names: string[], edges: Edge[]): Layout {
  const sorted = [...names].sort();
  const known = new Set(sorted);
  const inside = edges.filter((edge) => known.has(edge.parent) && known.has(edge.child));
  const out = neighbours(inside, "parent");
  const into = neighbours(inside, "child");
  const layer = layersOf(sorted, out, sorted.filter((name) => !into.has(name)));
  const layers: string[][] = [];
  for (const name of sorted) (layers[layer.get(name) ?? 0] ??= []).push(name);
  for (let at = 0; at < layers.length; at++) layers[at] ??= [];
  const centre = new Map<string, number>();
  for (const one of layers) one.forEach((name, place) => centre.set(name, place - (one.length - 1) / 2));
  for (let round = 0; round < 4; round++) {
    sweep(layers, into, centre);
    sweep([...layers].reverse(), out, centre);
  }
  const nodes = new Map<string, Placed>();
  layers.forEach((one, at) => one.forEach((name, place) => nodes.set(name, { name, layer: at, place })));
  return { nodes, layers };
}

/** Services within `hops` calls of `focus`, in either direction. */
export function neighbourhood(focus: string, hops: number, edges: Edge[]): Set<string> {
  const near = new Set([focus]);
  for (let hop = 0; hop < hops; hop++) {
    const ring = edges.filter((edge) => near.has(edge.parent) !== near.has(edge.child));
    for (const edge of ring) near.add(edge.parent).add(edge.child);
  }
  return near;
}
