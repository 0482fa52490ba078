// Every service: rate, errors, percentiles, and its last minutes as a sparkline. Works with nothing configured.
import { refresh, useGet } from "../api";
import { milliseconds, percent, plural, rate } from "../format";
import { ServiceLink, Sparkline } from "../parts/bits";
import { FirstSpan } from "../parts/firstspan";
import { LiveSwitch, useLive } from "../parts/live";
import { Incomplete, Problem } from "../parts/notes";
import { currentWindow, WindowPicker } from "../parts/pickers";
import { SortTable, type Column } from "../parts/sorttable";
import { href, route, setParams } from "../router";
import type { ServiceRed, ServicesAnswer } from "../types";

const COLUMNS: Column<ServiceRed>[] = [
  {
    key: "service",
    name: "Service",
    by: (row) => row.service,
    show: (row) => (
      <>
        <ServiceLink service={row.service} row />
        {row.basis === "all_spans" && (
          <span class="dim" title="No server, consumer or root span in the window: counted by all its spans">
            {" "}
            all spans
          </span>
        )}
      </>
    ),
  },
  { key: "rate", name: "Req/s", number: true, by: (row) => row.rate_per_s, show: (row) => rate(row.rate_per_s) },
  {
    key: "errors",
    name: "Errors",
    number: true,
    by: (row) => row.error_rate,
    show: (row) =>
      row.error_count > 0 ? (
        <a class="bad" href={href("/errors", { service: row.service })} title={plural(row.error_count, "failed request")}>
          {percent(row.error_rate)}
        </a>
      ) : (
        <span class="dim">{percent(row.error_rate)}</span>
      ),
  },
  { key: "p50", name: "p50", number: true, by: (row) => row.p50_ms, show: (row) => milliseconds(row.p50_ms) },
  { key: "p95", name: "p95", number: true, by: (row) => row.p95_ms, show: (row) => milliseconds(row.p95_ms) },
  { key: "p99", name: "p99", number: true, by: (row) => row.p99_ms, show: (row) => milliseconds(row.p99_ms) },
  {
    key: "series",
    name: "Requests and errors",
    show: (row) => <Sparkline series={row.series} label={`${row.service}: ${plural(row.request_count, "request")}, ${plural(row.error_count, "error")}`} />,
  },
];

export default function Services() {
  const url = `/api/services?window=${currentWindow()}`;
  const { data, error } = useGet<ServicesAnswer>(url);
  useLive([url]);
  document.title = "Services · Tracewell";
  const wanted = route.value.params.get("find") ?? "";
  const rows = (data?.metrics ?? []).filter((row) => row.service.toLowerCase().includes(wanted.toLowerCase()));
  return (
    <div class="page">
      <div class="page-head">
        <h1>Services</h1>
        {data && <span class="dim">{wanted ? `${rows.length} of ${data.services.length}` : data.services.length}</span>}
        <label class="filter-box">
          <span class="unseen">Filter services by name</span>
          <input type="search" placeholder="Filter by name" value={wanted} onInput={(event) => setParams({ find: event.currentTarget.value })} />
        </label>
        <span class="grow" />
        <WindowPicker />
        <LiveSwitch />
      </div>
      <Problem error={error} retry={() => void refresh(url)} />
      <Incomplete answer={data} />
      {data?.capped && <div class="note warn">More services than are counted: the least busy are summed up together.</div>}
      {data && data.services.length === 0 ? (
        <FirstSpan />
      ) : (
        <section class="panel">
          {data ? (
            <SortTable caption="Services" rows={rows} columns={COLUMNS} sort="-errors" rowKey={(row) => row.service} rowClass={(row) => (row.request_count === 0 ? "idle" : "")} />
          ) : (
            !error && <p class="loading">Loading…</p>
          )}
          {data && rows.length === 0 && <p class="quiet-text">No service has “{wanted}” in its name.</p>}
        </section>
      )}
    </div>
  );
}
