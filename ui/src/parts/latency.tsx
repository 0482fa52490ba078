// A service's latency: the heatmap, a box in it, and what differs in the box. The box is in the URL, with the range it was
// drawn in, so that the picture stays as it was and a link shows it to others.
import { useMemo, useRef } from "preact/hooks";
import { refresh, useGet } from "../api";
import { clock, plural } from "../format";
import { now, zone } from "../prefs";
import { href, route, setParams } from "../router";
import type { HeatmapAnswer, SpanQuery } from "../types";
import { Changes } from "./changes";
import { asSearch, Difference } from "./difference";
import { boxOf, boxParam, cellsOf, endNs, heatOf, parseBox, slowest, type Box, type Cells, type Heat } from "./heat";
import { Heatmap, tellCells } from "./heatmap";
import { Incomplete, Lacking } from "./notes";

const SLOW_PART = 0.05;
const ms = (ns: number): number => ns / 1e6;

/** The range in question: a fixed one where one is in the URL, else up to now. */
export function rangeOf(window: string): Record<string, string> {
  const { params } = route.value;
  const end = params.get("to");
  return { start: params.get("from") ?? `now-${window}`, ...(end ? { end } : {}) };
}

export function heatmapUrl(service: string, window: string): string {
  const operation = route.value.params.get("op");
  return `/api/heatmap?${new URLSearchParams({ service, ...rangeOf(window), ...(operation ? { operation } : {}) })}`;
}

export const isFixed = (): boolean => route.value.params.has("from");

function boxQuery(of: SpanQuery, box: Box): SpanQuery {
  // The bounds are inclusive in a search; a box does not have its ends.
  return { ...of, start: box.t0, end: box.t1, ...(box.d0 > 0 ? { min_span_duration_ms: ms(box.d0) } : {}), ...(box.d1 === null ? {} : { max_span_duration_ms: ms(box.d1 - 1) }) };
}

function freeze(heat: Heat, changes: Record<string, string | null>): void {
  setParams({ from: String(heat.startNs), to: String(endNs(heat)), box: null, differ: null, ...changes });
}

const RELEASED = { from: null, to: null, box: null, differ: null };

function Different({ service, heat, cells }: { service: string; heat: Heat; cells: Cells | null }) {
  const { params } = route.value;
  const operation = params.get("op");
  const of: SpanQuery = { service, ...(operation ? { operation } : {}) };
  const whole: SpanQuery = { ...of, start: heat.startNs, end: endNs(heat) };
  const failures = params.get("differ") === "errors";
  if (!cells && !failures) {
    return (
      <p class="quiet-text room">
        Drag a box over the spans in question, or take the slowest or the failures: it then says which versions, hosts, users or other attributes they have and the rest has not.
      </p>
    );
  }
  const a = failures ? { ...whole, span_error: true } : boxQuery(of, boxOf(heat, cells as Cells));
  const search = asSearch(a);
  // The rest is all else in the picture; a box as wide as that has it at the same time, as the server takes it.
  const narrow = cells !== null && !failures && cells.x1 - cells.x0 < heat.columns;
  return (
    <>
      <Difference a={a} b={narrow ? whole : null} overlaps={narrow} names={failures ? ["failed", "the rest"] : ["in the box", "the rest"]} search={search} />
      <p class="table-foot">
        <a href={href("/search", search)}>Traces with these spans</a>
      </p>
    </>
  );
}

export function Latency({ service, window }: { service: string; window: string }) {
  const url = heatmapUrl(service, window);
  const { data: answer, error } = useGet<HeatmapAnswer>(url);
  // A box fixes the range, which is another question: the picture stays until the answer is here, and the focus in it.
  const last = useRef(answer);
  if (answer || error) last.current = answer;
  const data = last.current;
  const heat = useMemo(() => (data ? heatOf(data) : null), [data]);
  const { params } = route.value;
  const box = parseBox(params.get("box"));
  const cells = heat && box ? cellsOf(heat, box) : null;
  const failing = heat ? heat.errors.reduce((sum, one) => sum + one, 0) : 0;
  const choose = (next: Cells | null) => heat && (next ? freeze(heat, { box: boxParam(boxOf(heat, next)) }) : setParams(RELEASED));
  return (
    <section class="panel" aria-labelledby="latency">
      <header>
        <h2 id="latency">Latency</h2>
        {heat && heat.total > 0 && <span class="dim">{cells ? tellCells(heat, cells) : `${plural(heat.total, "span")} by time and duration, failures in red`}</span>}
      </header>
      {error && <Lacking what="heatmaps" error={error} retry={() => void refresh(url)} />}
      <Incomplete answer={data} />
      {!data && !error && <p class="loading room">Loading…</p>}
      {heat && heat.total === 0 && <p class="quiet-text">No spans in this range.</p>}
      {heat && heat.total > 0 && (
        <div class="heat">
          <div>
            <Heatmap heat={heat} box={cells} onBox={choose} />
            <div class="heat-tools">
              <button type="button" onClick={() => choose(slowest(heat, SLOW_PART))}>
                Box the slowest 5%
              </button>
              <button type="button" disabled={failing === 0} aria-pressed={params.get("differ") === "errors"} onClick={() => freeze(heat, { differ: "errors" })}>
                Compare failures
              </button>
              {isFixed() && (
                <button type="button" class="quiet" onClick={() => setParams(RELEASED)}>
                  Clear, back to now
                </button>
              )}
            </div>
            <h3 class="changes-head">What changed {cells ? `around ${clock(boxOf(heat, cells).t0, zone.value, now.value)}` : isFixed() ? `around ${clock(endNs(heat), zone.value, now.value)}` : "in the last minutes"}</h3>
            <Changes service={service} at={cells ? boxOf(heat, cells).t0 : isFixed() ? endNs(heat) : undefined} />
          </div>
          <section class="differs" aria-labelledby="differs">
            <h3 id="differs">What differs</h3>
            <Different service={service} heat={heat} cells={cells} />
          </section>
        </div>
      )}
    </section>
  );
}
