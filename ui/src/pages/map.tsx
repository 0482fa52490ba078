// The map: who calls whom, callers at the left; width is the rate, red is the share of errors. The table beside it says the same.
import { refresh, useGet } from "../api";
import { layout, neighbourhood, type Layout } from "../map/layout";
import { count, milliseconds, percent, plural, rate } from "../format";
import { serviceHref, ServiceLink } from "../parts/bits";
import { FirstSpan } from "../parts/firstspan";
import { LiveSwitch, useLive } from "../parts/live";
import { Incomplete, Problem } from "../parts/notes";
import { wasColumn } from "../parts/past";
import { currentWindow, WindowPicker } from "../parts/pickers";
import { SortTable, type Column } from "../parts/sorttable";
import { href, route, setParams, withChanges } from "../router";
import type { GraphAnswer, GraphEdge, GraphNode } from "../types";

const BOX = { w: 168, h: 46 };
const GAP = { x: 96, y: 20 };
const MARGIN = 12;
/** More than this at once is a picture of nothing; the worst neighbourhood is shown and the table has the rest. */
const NODES_MAX = 80;

const errorClass = (share: number | null): string => (!share ? "fine" : share < 0.01 ? "some" : share < 0.05 ? "more" : "most");

function positions(placed: Layout) {
  const tallest = Math.max(1, ...placed.layers.map((layer) => layer.length));
  const height = tallest * (BOX.h + GAP.y) - GAP.y + 2 * MARGIN;
  const at = new Map<string, { x: number; y: number }>();
  for (const node of placed.nodes.values()) {
    const used = placed.layers[node.layer].length * (BOX.h + GAP.y) - GAP.y;
    at.set(node.name, { x: MARGIN + node.layer * (BOX.w + GAP.x), y: (height - used) / 2 + node.place * (BOX.h + GAP.y) });
  }
  return { at, height, width: placed.layers.length * (BOX.w + GAP.x) - GAP.x + 2 * MARGIN };
}

function curve(from: { x: number; y: number }, to: { x: number; y: number }): string {
  const [x0, y0, x1, y1] = [from.x + BOX.w, from.y + BOX.h / 2, to.x, to.y + BOX.h / 2];
  if (x1 > x0) {
    const bend = (x1 - x0) / 2;
    return `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1 - 5} ${y1}`;
  }
  // Back to an earlier layer: around below both.
  const low = Math.max(y0, y1) + BOX.h;
  return `M${x0} ${y0}C${x0 + 50} ${low} ${x1 - 50} ${low} ${x1 - 5} ${y1}`;
}

const cut = (text: string, length: number): string => (text.length > length ? `${text.slice(0, length - 1)}…` : text);

function Picture({ nodes, edges, focus }: { nodes: GraphNode[]; edges: GraphEdge[]; focus: string }) {
  const { at, width, height } = positions(layout(nodes.map((node) => node.service), edges));
  const most = Math.max(0.001, ...edges.map((edge) => edge.rate_per_s));
  return (
    <div class="map-scroll" tabIndex={0} role="group" aria-label="Service map">
      <svg width={width} height={height} viewBox={`0 0 ${width} ${height}`} role="group" aria-label={`${plural(nodes.length, "service")}, ${plural(edges.length, "call path")}`}>
        <defs>
          {["fine", "some", "more", "most"].map((kind) => (
            <marker key={kind} id={`arrow-${kind}`} class={`arrow ${kind}`} viewBox="0 0 8 8" refX="3" refY="4" markerWidth="9" markerHeight="9" markerUnits="userSpaceOnUse" orient="auto">
              <path d="M0 0L8 4L0 8Z" />
            </marker>
          ))}
        </defs>
        {edges.map((edge) => {
          const [from, to] = [at.get(edge.parent), at.get(edge.child)];
          if (!from || !to || edge.parent === edge.child) return null;
          const kind = errorClass(edge.error_rate);
          return (
            <path key={`${edge.parent}\u0000${edge.child}`} class={`edge ${kind}`} d={curve(from, to)} stroke-width={1 + 4 * Math.sqrt(edge.rate_per_s / most)} marker-end={`url(#arrow-${kind})`}>
              <title>{`${edge.parent} → ${edge.child}: ${rate(edge.rate_per_s)}/s, ${percent(edge.error_rate)} errors, p95 ${milliseconds(edge.p95_ms)}`}</title>
            </path>
          );
        })}
        {nodes.map((node) => {
          const place = at.get(node.service);
          if (!place) return null;
          return (
            <g key={node.service} transform={`translate(${place.x} ${place.y})`}>
              <a href={href("/map", withChanges(route.value.params, { focus: focus === node.service ? null : node.service }))} class={`node ${errorClass(node.error_rate)} ${focus === node.service ? "focus" : ""}`} data-row-link="">
              <title>{`${node.service}: ${rate(node.rate_per_s)}/s, ${percent(node.error_rate)} errors, p95 ${milliseconds(node.p95_ms)}`}</title>
              <rect width={BOX.w} height={BOX.h} rx="6" />
              <text x="10" y="19" class="node-name">
                {cut(node.service, 22)}
              </text>
              <text x="10" y="36" class="node-figures">
                {`${rate(node.rate_per_s)}/s  ${milliseconds(node.p95_ms)}`}
              </text>
              <text x={BOX.w - 10} y="36" text-anchor="end" class="node-errors">
                {percent(node.error_rate)}
              </text>
              </a>
            </g>
          );
        })}
      </svg>
    </div>
  );
}

const COLUMNS: Column<GraphEdge>[] = [
  { key: "parent", name: "Caller", by: (edge) => edge.parent, show: (edge) => <ServiceLink service={edge.parent} /> },
  { key: "child", name: "Callee", by: (edge) => edge.child, show: (edge) => <ServiceLink service={edge.child} /> },
  { key: "rate", name: "Calls/s", number: true, by: (edge) => edge.rate_per_s, show: (edge) => rate(edge.rate_per_s) },
  { key: "errors", name: "Errors", number: true, by: (edge) => edge.error_rate, show: (edge) => <span class={edge.error_count > 0 ? "bad" : "dim"}>{percent(edge.error_rate)}</span> },
  wasColumn("errors", (figures) => figures.error_rate, percent),
  { key: "p95", name: "p95", number: true, by: (edge) => edge.p95_ms, show: (edge) => milliseconds(edge.p95_ms) },
  wasColumn("p95", (figures) => figures.p95_ms, milliseconds),
];

function shown(graph: GraphAnswer, focus: string, hops: number): { names: Set<string>; cut: boolean } {
  if (focus) return { names: neighbourhood(focus, hops, graph.edges), cut: false };
  if (graph.nodes.length <= NODES_MAX) return { names: new Set(graph.nodes.map((node) => node.service)), cut: false };
  const names = new Set<string>();
  for (const edge of [...graph.edges].sort((a, b) => b.error_count - a.error_count || b.call_count - a.call_count)) {
    if (names.size > NODES_MAX - 2) break;
    names.add(edge.parent).add(edge.child);
  }
  return { names, cut: true };
}

export default function ServiceMap() {
  const { params } = route.value;
  const url = `/api/graph?window=${currentWindow()}`;
  const { data, error } = useGet<GraphAnswer>(url);
  useLive([url]);
  document.title = "Map · Tracewell";
  const focus = params.get("focus") ?? "";
  const hops = Math.min(9, Math.max(1, Number(params.get("hops")) || 1));
  const view = data && shown(data, focus, hops);
  const nodes = data && view ? data.nodes.filter((node) => view.names.has(node.service)) : [];
  const edges = data && view ? data.edges.filter((edge) => view.names.has(edge.parent) && view.names.has(edge.child)) : [];
  const unjoined = data ? data.unjoined.no_parent_in_window + data.unjoined.over_cap : 0;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Map</h1>
        {data && (
          <label class="field-inline">
            <span>Around</span>
            <select value={focus} onChange={(event) => setParams({ focus: event.currentTarget.value || null }, "push")}>
              <option value="">all services</option>
              {[...data.nodes].sort((a, b) => (a.service < b.service ? -1 : 1)).map((node) => (
                <option key={node.service} value={node.service}>
                  {node.service}
                </option>
              ))}
            </select>
          </label>
        )}
        {focus && (
          <>
            <label class="field-inline">
              <span>Hops</span>
              <select value={String(hops)} onChange={(event) => setParams({ hops: event.currentTarget.value === "1" ? null : event.currentTarget.value }, "push")}>
                {[1, 2, 3, 9].map((one) => (
                  <option key={one} value={String(one)}>
                    {one}
                  </option>
                ))}
              </select>
            </label>
            <a class="button" href={serviceHref(focus)}>
              Open {focus}
            </a>
          </>
        )}
        <span class="grow" />
        <WindowPicker />
        <LiveSwitch />
      </div>
      <Problem error={error} retry={() => void refresh(url)} />
      <Incomplete answer={data} />
      {view?.cut && <div class="note">Showing the services with the most failing and busiest calls, {count(nodes.length)} of {count(data?.nodes.length ?? 0)}. Choose one to see all around it.</div>}
      {data && data.nodes.length === 0 ? (
        <>
          <p class="quiet-text">No calls in this window.</p>
          <EmptyHint />
        </>
      ) : (
        data && (
          <>
            <section class="panel map" aria-label="Map">
              <Picture nodes={nodes} edges={edges} focus={focus} />
              <p class="table-foot legend">
                <span class="key fine">no errors</span>
                <span class="key some">under 1%</span>
                <span class="key more">under 5%</span>
                <span class="key most">5% and more</span>
                <span class="dim">wider: more calls. Figures: rate, p95, errors.</span>
                {unjoined > 0 && <span class="dim" title="Their caller's span did not come within the window, or the table was full">{plural(unjoined, "call")} could not be joined to a caller</span>}
              </p>
            </section>
            <section class="panel" aria-labelledby="calls">
              <header>
                <h2 id="calls">Calls</h2>
              </header>
              <SortTable caption="Calls between services" rows={edges} columns={COLUMNS} sort="-errors" rowKey={(edge) => `${edge.parent}\u0000${edge.child}`} />
            </section>
          </>
        )
      )}
      {!data && !error && <p class="loading">Loading…</p>}
    </div>
  );
}

function EmptyHint() {
  const services = useGet<{ services: string[] }>("/api/services?window=5m");
  return services.data?.services.length === 0 ? <FirstSpan /> : null;
}
