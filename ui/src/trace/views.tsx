// The other looks at a trace: spans as a sorted table, services by their own time, and the raw answer.
import { useMemo, useRef } from "preact/hooks";
import { useGet } from "../api";
import { copy } from "../clipboard";
import { slotColor } from "../colors";
import { count, duration, percent } from "../format";
import { stringifyExact } from "../json";
import { Incomplete, Problem } from "../parts/notes";
import { href, route, setParams, withChanges } from "../router";
import { byService, isError, type TraceModel } from "./model";
import { useVirtual } from "./virtual";

interface ViewProps {
  model: TraceModel;
  self: Float64Array;
  slots: number[];
  dark: boolean;
}

const ROW = 28;

type Key = "start" | "duration" | "self" | "service" | "operation";

const HEADS: [Key, string][] = [
  ["service", "Service"],
  ["operation", "Operation"],
  ["start", "Start"],
  ["duration", "Duration"],
  ["self", "Own time"],
];

function order(model: TraceModel, self: Float64Array, hit: Uint8Array | null, sort: string): Int32Array {
  const sign = sort.startsWith("-") ? -1 : 1;
  const rank = (names: string[]): number[] => {
    const sorted = names.map((_name, at) => at).sort((a, b) => (names[a] < names[b] ? -1 : 1));
    const ranks: number[] = [];
    sorted.forEach((at, place) => (ranks[at] = place));
    return ranks;
  };
  const key = sort.replace(/^-/, "") as Key;
  const [services, operations] = [key === "service" ? rank(model.services) : [], key === "operation" ? rank(model.operations) : []];
  const value = (row: number): number =>
    key === "duration" ? model.duration[row] : key === "self" ? self[row] : key === "service" ? services[model.service[row]] : key === "operation" ? operations[model.operation[row]] : model.start[row];
  const values = Float64Array.from({ length: model.count }, (_none, row) => value(row));
  const rows = Int32Array.from({ length: model.count }, (_none, row) => row).filter((row) => !hit || hit[row] === 1);
  return rows.sort((a, b) => sign * (values[a] - values[b]) || a - b);
}

export function TableView({ model, self, slots, dark, hit, cursor, onSelect }: ViewProps & { hit: Uint8Array | null; cursor: number; onSelect: (row: number) => void }) {
  const sort = route.value.params.get("sort") ?? "-self";
  const rows = useMemo(() => order(model, self, hit, sort), [model, self, hit, sort]);
  const virtual = useVirtual(rows.length, ROW);
  return (
    <div class="span-table" role="table" aria-label="Spans" aria-rowcount={rows.length + 1}>
      <div role="rowgroup">
        <div class="st-row st-head" role="row">
          {HEADS.map(([key, name]) => {
            const state = sort.replace(/^-/, "") !== key ? undefined : sort.startsWith("-") ? "descending" : "ascending";
            const text = key === "service" || key === "operation";
            return (
              <span key={key} role="columnheader" aria-sort={state} class={text ? undefined : "number"}>
                <button type="button" class="sort" onClick={() => setParams({ sort: sort === (text ? key : `-${key}`) ? (text ? `-${key}` : key) : text ? key : `-${key}` })}>
                  {name}
                  <span aria-hidden="true">{state === "descending" ? " ↓" : state === "ascending" ? " ↑" : ""}</span>
                </button>
              </span>
            );
          })}
        </div>
      </div>
      <div class="st-scroll" ref={virtual.box} onScroll={virtual.onScroll} role="rowgroup" tabIndex={0} aria-label="Spans, scrolls">
        <div role="presentation" style={{ height: `${virtual.spacer}px` }}>
          <div role="presentation" class="wf-sticky" style={{ height: `${virtual.height}px` }}>
            <div role="presentation" class="st-rows" style={{ transform: `translateY(${-virtual.shift}px)` }}>
              {Array.from(rows.subarray(virtual.first, virtual.last)).map((row, at) => (
                <div key={row} role="row" aria-rowindex={virtual.first + at + 2} class={`st-row${row === cursor ? " selected" : ""}`} onClick={() => onSelect(row)}>
                  <span role="cell">
                    <span class="swatch" style={{ background: slotColor(slots[model.service[row]], dark) }} />
                    <bdi>{model.services[model.service[row]]}</bdi>
                  </span>
                  <span role="cell" class={isError(model, row) ? "bad" : undefined}>
                    <bdi>{model.operations[model.operation[row]]}</bdi>
                  </span>
                  <span role="cell" class="number">
                    {duration(model.start[row])}
                  </span>
                  <span role="cell" class="number">
                    {duration(model.duration[row])}
                  </span>
                  <span role="cell" class="number">
                    {duration(self[row])}
                  </span>
                </div>
              ))}
            </div>
          </div>
        </div>
      </div>
    </div>
  );
}

export function ServicesView({ model, self, slots, dark }: ViewProps) {
  const shares = useMemo(() => byService(model, self), [model, self]);
  const all = Math.max(1, shares.reduce((sum, share) => sum + share.self, 0));
  return (
    <div class="view-scroll" tabIndex={0} role="group" aria-label="Services of this trace">
      <table>
        <caption class="unseen">Services of this trace by own time</caption>
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col" class="number">
              Spans
            </th>
            <th scope="col" class="number">
              Errors
            </th>
            <th scope="col">Own time</th>
            <th scope="col" class="number">
              Share
            </th>
          </tr>
        </thead>
        <tbody>
          {shares.map((share) => {
            const name = model.services[share.service];
            return (
              <tr key={name}>
                <td class="name">
                  <a class="service-link" data-row-link="" href={href(route.value.path, withChanges(route.value.params, { view: null, find: name }))} title="Find its spans">
                    <span class="swatch" style={{ background: slotColor(slots[share.service], dark) }} />
                    <bdi>{name}</bdi>
                  </a>
                </td>
                <td class="number">{count(share.spans)}</td>
                <td class={share.errors > 0 ? "number bad" : "number dim"}>{count(share.errors)}</td>
                <td class="bar-cell">
                  <span class="bar" style={{ width: `${Math.max(0.5, (share.self / all) * 100)}%` }} aria-hidden="true" />
                  <span class="bar-text">{duration(share.self)}</span>
                </td>
                <td class="number">{percent(share.self / all)}</td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** More would be megabytes of text on the page; the download has everything. */
const JSON_SPANS_MAX = 1000;

export function JsonView({ model, row }: { model: TraceModel; row: number }) {
  const whole = model.count <= JSON_SPANS_MAX;
  const url = whole ? `/api/traces/${model.traceId}` : row >= 0 ? `/api/traces/${model.traceId}/spans?rows=${row}` : null;
  const { data, error } = useGet<{ complete: boolean }>(url, { keep: true });
  const pre = useRef<HTMLPreElement>(null);
  const text = useMemo(() => (data ? stringifyExact(data) : ""), [data]);
  return (
    <div class="json-view">
      <div class="toolbar">
        {!whole && <span class="dim">{count(model.count)} spans are too many to show: this is the chosen span. The downloads have all.</span>}
        <span class="grow" />
        <button type="button" disabled={!text} onClick={() => void copy(text, "JSON")}>
          Copy
        </button>
        <a class="button" href={`/api/traces/${model.traceId}`} download={`trace-${model.traceId}.json`}>
          Download JSON
        </a>
        <a class="button" href={`/api/traces/${model.traceId}?format=otlp`} download={`trace-${model.traceId}.otlp.json`}>
          Download OTLP
        </a>
      </div>
      <Problem error={error} />
      <Incomplete answer={data} />
      <pre ref={pre} class="view-scroll" tabIndex={0} aria-label="The trace as JSON">
        {text || (url ? "Loading…" : "Choose a span in the waterfall first.")}
      </pre>
    </div>
  );
}

