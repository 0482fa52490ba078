// Where the time of an operation is spent: the critical paths beneath its calls, of all and of the slowest hundredth.
import { refresh, useGet } from "../api";
import { count, milliseconds, percent, plural } from "../format";
import { route, setParams } from "../router";
import type { OperationRed, SharesAnswer } from "../types";
import { Part, serviceHref, Swatch } from "./bits";
import { rangeOf } from "./latency";
import { Incomplete, Lacking } from "./notes";

const SHOWN = 8;

/** The operation in question: the one in the URL, else the one that all its callers together wait for longest. */
export function askedOperation(operations: OperationRed[]): string | null {
  const waited = (one: OperationRed): number => one.request_count * (one.p50_ms ?? 0);
  const [first, ...others] = operations.filter((one) => one.request_count > 0);
  if (!first) return null;
  return others.reduce((most, one) => (waited(one) > waited(most) ? one : most), first).operation;
}

function Table({ answer }: { answer: SharesAnswer }) {
  const rows = answer.operations.slice(0, SHOWN);
  const rest = answer.operations.slice(SHOWN);
  const sum = (part: (one: SharesAnswer["operations"][number]) => number): number => rest.reduce((all, one) => all + part(one), 0);
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label="Where the time goes">
      <table class="shares">
        <caption class="unseen">Operations by their part of the time</caption>
        <thead>
          <tr>
            <th scope="col">Waited for</th>
            <th scope="col" title="Of the slowest hundredth of the calls">
              of the slowest
            </th>
            <th scope="col">of all calls</th>
          </tr>
        </thead>
        <tbody>
          {rows.map((one) => (
            <tr key={`${one.service}\n${one.operation}`}>
              <td class="name">
                <a href={serviceHref(one.service)} title={`${milliseconds(one.exclusive_ms)} of its own, all calls together`}>
                  <span>
                    <Swatch service={one.service} /> <bdi class="service">{one.service}</bdi> <bdi>{one.operation || "(no name)"}</bdi>
                  </span>
                </a>
              </td>
              <td>
                <Part share={one.p99_share} kind="a" />
              </td>
              <td>
                <Part share={one.share} kind="b" />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {rest.length > 0 && (
        <p class="table-foot dim">
          and {count(rest.length)} more: {percent(sum((one) => one.p99_share))} of the slowest, {percent(sum((one) => one.share))} of all
        </p>
      )}
    </div>
  );
}

export function Spent({ service, window, operations }: { service: string; window: string; operations: OperationRed[] }) {
  const asked = route.value.params.get("op") ?? askedOperation(operations);
  const query = new URLSearchParams({ service, operation: asked ?? "", ...rangeOf(window) });
  const url = asked === null ? null : `/api/shares?${query}`;
  const { data, error } = useGet<SharesAnswer>(url);
  if (url === null) return null;
  return (
    <section class="panel" aria-labelledby="spent">
      <header>
        <h2 id="spent">Where the time goes</h2>
        <label>
          <span class="dim">of </span>
          <select value={asked ?? ""} onChange={(event) => setParams({ op: event.currentTarget.value })}>
            {operations.map((one) => (
              <option key={one.operation} value={one.operation}>
                {one.operation || "(no name)"}
              </option>
            ))}
          </select>
        </label>
        {data && data.calls > 0 && (
          <span class="dim">
            {plural(data.calls, "call")}, p50 {milliseconds(data.p50_ms)}, p99 {milliseconds(data.p99_ms)}
            {data.sampled < 1 && `, from ${percent(data.sampled)} of the traces`}
          </span>
        )}
      </header>
      {error && <Lacking what="shares of time" error={error} retry={() => void refresh(url)} />}
      <Incomplete answer={data} />
      {!data && !error && <p class="loading room">Loading…</p>}
      {data && (data.operations.length > 0 ? <Table answer={data} /> : <p class="quiet-text">No finished calls of it in this range.</p>)}
    </section>
  );
}
