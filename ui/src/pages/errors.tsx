// Errors: groups of like failures, most first, and the failing traces, newest first; of one service when asked.
import { refresh, useGet } from "../api";
import { count, plural } from "../format";
import { rangeQuery } from "../filter";
import { Swatch } from "../parts/bits";
import { ErrorGroups, tellRange } from "../parts/errorgroups";
import { LiveSwitch, useLive } from "../parts/live";
import { LoadMore } from "../parts/loadmore";
import { Incomplete, Lacking, Problem } from "../parts/notes";
import { RangePicker } from "../parts/pickers";
import { usePager } from "../parts/pager";
import { TraceList } from "../parts/tracelist";
import { href, route, withChanges } from "../router";
import type { ErrorsAnswer, SearchAnswer, TraceHit } from "../types";

const COUNTED = 200;
const TABS_MAX = 24;

function countByService(hits: TraceHit[]): [string, number][] {
  const counts = new Map<string, number>();
  for (const hit of hits) {
    for (const one of hit.services) if (one.error_count > 0) counts.set(one.name, (counts.get(one.name) ?? 0) + 1);
  }
  return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}

function Groups({ url }: { url: string }) {
  const { data, error } = useGet<ErrorsAnswer>(url);
  return (
    <section class="panel" aria-labelledby="groups">
      <header>
        <h2 id="groups">Groups</h2>
        {data && (
          <span class="dim">
            {plural(data.group_count, "group")} of like failures, {tellRange(data)}
            {data.group_count > data.groups.length && `; the ${count(data.groups.length)} most frequent`}
          </span>
        )}
      </header>
      {error && <Lacking what="error groups" error={error} retry={() => void refresh(url)} />}
      <Incomplete answer={data} />
      {data && (data.groups.length > 0 ? <ErrorGroups groups={data.groups} range={data} caption="Error groups" /> : <p class="quiet-text good">No failures in this time.</p>)}
      {data && data.other_errors > 0 && <p class="table-foot warn-text">{plural(data.other_errors, "further failure")} in no group: there are too many groups.</p>}
      {!data && !error && <p class="loading room">Loading…</p>}
    </section>
  );
}

export default function Errors() {
  const { params } = route.value;
  const service = params.get("service") ?? "";
  const groups = `/api/errors${rangeQuery(params, service ? { service } : {})}`;
  const all = `/api/traces${rangeQuery(params, { error: "true", limit: String(COUNTED) })}`;
  const url = service ? `/api/traces${rangeQuery(params, { service, span_error: "true", limit: "50" })}` : all;
  const counted = useGet<SearchAnswer>(all);
  const found = usePager(url);
  useLive(found.extended ? [groups] : [...new Set([groups, all, url])]);
  document.title = "Errors · Tracewell";
  const tabs = countByService(counted.data?.traces ?? []);
  if (service && !tabs.some(([name]) => name === service)) tabs.unshift([service, 0]);
  const more = Math.max(0, tabs.length - TABS_MAX);
  const tab = (name: string) => href("/errors", withChanges(params, { service: name }));
  const total = counted.data?.traces.length ?? 0;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Errors</h1>
        {counted.data && (
          <span class="dim">
            {counted.data.next_cursor ? `the newest ${count(total)}` : plural(total, "trace")} by failing service
          </span>
        )}
        <span class="grow" />
        <RangePicker />
        <LiveSwitch />
      </div>
      <Problem error={found.error} retry={() => void refresh(url)} />
      <Incomplete answer={found.answer} />
      {tabs.length > 0 && (
        <nav class="service-tabs" aria-label="Failing services">
          <a href={tab("")} aria-current={service === "" ? "true" : undefined}>
            All <b>{count(total)}</b>
          </a>
          {tabs.filter(([name], at) => at < TABS_MAX || name === service).map(([name, traces]) => (
            <a key={name} href={tab(name)} aria-current={service === name ? "true" : undefined}>
              <Swatch service={name} />
              <bdi>{name}</bdi> <b>{count(traces)}</b>
            </a>
          ))}
          {more > 0 && <span class="dim">and {plural(more, "service")} with fewer</span>}
        </nav>
      )}
      <Groups url={groups} />
      <section class="panel" aria-labelledby="failing">
        <header>
          <h2 id="failing">Failing traces</h2>
          <span class="dim">newest first</span>
        </header>
        {found.traces && found.traces.length > 0 && <TraceList hits={found.traces} caption={service ? `Traces in which ${service} failed` : "Error traces"} />}
        {found.traces?.length === 0 && <p class="quiet-text good">{service ? `No stored trace has an error of ${service}` : "No stored trace has an error"}{params.get("from") ? " in this time range." : "."}</p>}
        {!found.traces && !found.error && <p class="loading">Loading…</p>}
        <LoadMore found={found} />
      </section>
    </div>
  );
}
