// This trace against the median of its root's traces before it: which operation took longer, and by how much.
import { useState } from "preact/hooks";
import { refresh, useGet } from "../api";
import { count, milliseconds, plural } from "../format";
import { Incomplete, Lacking } from "../parts/notes";
import { href, route, withChanges } from "../router";
import type { TypicalAnswer, TypicalOperation } from "../types";

const SHOWN = 40;
/** Less of a difference is nothing to look at. */
const TIMES_SHOWN = 1.1;

/** "×9.2", "×0.4"; empty where there is nothing to compare with, or no difference. */
export function times(own: number, typical: number): string {
  if (typical <= 0 || own < 0) return "";
  const ratio = own / typical;
  if (ratio < TIMES_SHOWN && ratio > 1 / TIMES_SHOWN) return "";
  return `×${ratio >= 99.5 ? count(Math.round(ratio)) : ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(1)}`;
}

/** The more of the trace's own time it cost than usual, the higher. */
const excess = (one: TypicalOperation): number => one.this.exclusive_ms - one.exclusive_ms;

/** This part of the trace's time is worth a colour. */
const TELLING_PART = 0.02;

function Row({ one, ownMs }: { one: TypicalOperation; ownMs: number }) {
  const more = excess(one);
  const gone = one.this.calls === 0;
  return (
    <tr class={gone ? "idle" : undefined}>
      <td class="name">
        <a href={href(route.value.path, withChanges(route.value.params, { view: null, find: `${one.service} ${one.operation}` }))} data-row-link="" title="Find its spans in the waterfall">
          <bdi class="service">{one.service}</bdi> <bdi>{one.operation || "(no name)"}</bdi>
        </a>
        {gone && <small> not in this trace</small>}
        {!gone && one.calls === 0 && <small class="warn-text"> usually not there</small>}
      </td>
      <td class="number">{count(one.this.calls)}</td>
      <td class="number dim">{count(one.calls)}</td>
      <td class="number">{milliseconds(one.this.duration_ms)}</td>
      <td class="number dim">{milliseconds(one.duration_ms)}</td>
      <td class="number">{times(one.this.duration_ms, one.duration_ms)}</td>
      <td class={more > ownMs * TELLING_PART ? "number bad" : "number dim"}>{Math.abs(more) < 0.001 ? "0" : `${more > 0 ? "+" : "−"}${milliseconds(Math.abs(more))}`}</td>
    </tr>
  );
}

function Compared({ answer }: { answer: TypicalAnswer }) {
  const [all, setAll] = useState(false);
  const rows = [...answer.operations].sort((a, b) => excess(b) - excess(a));
  const shown = all ? rows : rows.slice(0, SHOWN);
  const own = answer.compared?.duration_ms ?? 0;
  return (
    <>
      <p class="quiet-text" role="status">
        This one took <b>{milliseconds(own)}</b>, the{" "}
        {answer.trace_id ? <a href={href(`/trace/${answer.trace_id}`)}>median</a> : "median"} of {plural(answer.traces, "trace")} of <bdi>{answer.service}</bdi> <bdi>{answer.operation}</bdi> before it <b>{milliseconds(answer.duration_ms)}</b>
        {times(own, answer.duration_ms ?? 0) && `: ${times(own, answer.duration_ms ?? 0)}`}.
      </p>
      <table>
        <caption class="unseen">Operations of this trace and of the typical one, those that cost most more first</caption>
        <thead>
          <tr>
            <th scope="col">Operation</th>
            <th scope="col" class="number">
              Calls
            </th>
            <th scope="col" class="number">
              typical
            </th>
            <th scope="col" class="number">
              Time
            </th>
            <th scope="col" class="number">
              typical
            </th>
            <th scope="col" class="number">
              Times
            </th>
            <th scope="col" class="number" title="Of its own time on the critical path: what the trace waited longer for">
              Waited more
            </th>
          </tr>
        </thead>
        <tbody>
          {shown.map((one) => (
            <Row key={`${one.service}\n${one.operation}`} one={one} ownMs={own} />
          ))}
        </tbody>
      </table>
      {shown.length < rows.length && (
        <p class="table-foot">
          <button type="button" class="quiet small" onClick={() => setAll(true)}>
            Show all {count(rows.length)}
          </button>
        </p>
      )}
    </>
  );
}

export function TypicalView({ traceId }: { traceId: string }) {
  const url = `/api/typical?trace_id=${traceId}`;
  const { data, error } = useGet<TypicalAnswer>(url, { keep: true });
  return (
    <div class="view-scroll" tabIndex={0} role="group" aria-label="This trace against the typical one">
      {error && <Lacking what="typical traces" error={error} retry={() => void refresh(url)} />}
      <Incomplete answer={data} />
      {data && (data.traces > 0 ? <Compared answer={data} /> : <p class="quiet-text">No other trace of this root is stored from the hour before it: there is nothing to compare with.</p>)}
      {!data && !error && <p class="loading room">Comparing with the traces before it…</p>}
    </div>
  );
}
