// One service: its figures, its latency and what differs in a part of it, its operations, its callers and callees, its traces.
import { refresh, useGet } from "../api";
import { milliseconds, percent, plural, rate } from "../format";
import type { PageProps } from "../main";
import { ServiceLink, Swatch } from "../parts/bits";
import { heatmapUrl, isFixed, Latency } from "../parts/latency";
import { LiveSwitch, useLive } from "../parts/live";
import { Incomplete, Problem } from "../parts/notes";
import { past, wasColumn } from "../parts/past";
import { currentWindow, WindowPicker } from "../parts/pickers";
import { RedCharts } from "../parts/redchart";
import { Spent } from "../parts/spent";
import { SortTable, type Column } from "../parts/sorttable";
import { TraceList } from "../parts/tracelist";
import { href, route } from "../router";
import type { GraphAnswer, GraphEdge, OperationRed, OperationsAnswer, SearchAnswer, ServiceRed, ServicesAnswer } from "../types";

function Figures({ red }: { red: ServiceRed }) {
  const figures: [string, string, string][] = [
    ["Requests", `${rate(red.rate_per_s)}/s`, plural(red.request_count, "request")],
    ["Errors", percent(red.error_rate), plural(red.error_count, "error")],
    ["p50", milliseconds(red.p50_ms), ""],
    ["p95", milliseconds(red.p95_ms), ""],
    ["p99", milliseconds(red.p99_ms), ""],
  ];
  return (
    <dl class="figures">
      {figures.map(([name, value, more]) => (
        <div key={name} class={name === "Errors" && red.error_count > 0 ? "bad" : undefined}>
          <dt>{name}</dt>
          <dd>
            {red.request_count === 0 ? "–" : value}
            {more && <small>{more}</small>}
          </dd>
        </div>
      ))}
    </dl>
  );
}

function operationColumns(service: string): Column<OperationRed>[] {
  const search = (row: OperationRed, more: Record<string, string>) => href("/search", { service, operation: row.operation, ...more });
  return [
    {
      key: "operation",
      name: "Operation",
      by: (row) => row.operation,
      show: (row) => (
        <a href={search(row, {})} data-row-link="">
          <bdi>{row.operation || "(no name)"}</bdi>
        </a>
      ),
    },
    { key: "rate", name: "Calls/s", number: true, by: (row) => row.rate_per_s, show: (row) => rate(row.rate_per_s) },
    {
      key: "errors",
      name: "Errors",
      number: true,
      by: (row) => row.error_rate,
      show: (row) =>
        row.error_count > 0 ? (
          <a class="bad" href={search(row, { span_error: "true" })} title={plural(row.error_count, "error")}>
            {percent(row.error_rate)}
          </a>
        ) : (
          <span class="dim">{percent(row.error_rate)}</span>
        ),
    },
    wasColumn("errors", (figures) => figures.error_rate, percent),
    { key: "p50", name: "p50", number: true, by: (row) => row.p50_ms, show: (row) => milliseconds(row.p50_ms) },
    { key: "p95", name: "p95", number: true, by: (row) => row.p95_ms, show: (row) => milliseconds(row.p95_ms) },
    wasColumn("p95", (figures) => figures.p95_ms, milliseconds),
    { key: "p99", name: "p99", number: true, by: (row) => row.p99_ms, show: (row) => milliseconds(row.p99_ms) },
  ];
}

function Neighbours({ title, edges, other, none }: { title: string; edges?: GraphEdge[]; other: (edge: GraphEdge) => string; none: string }) {
  const sorted = [...(edges ?? [])].sort((a, b) => b.error_count - a.error_count || b.call_count - a.call_count);
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
      </header>
      {sorted.length === 0 ? (
        <p class="quiet-text">{edges ? none : "…"}</p>
      ) : (
        <ul class="neighbours">
          {sorted.map((edge) => (
            <li key={other(edge)}>
              <ServiceLink service={other(edge)} />
              <span class="number" title={past(edge.was, (figures) => `${rate(figures.rate_per_s)}/s`)}>
                {rate(edge.rate_per_s)}/s
              </span>
              <span class={edge.error_count > 0 ? "number bad" : "number dim"} title={past(edge.was, (figures) => percent(figures.error_rate))}>
                {percent(edge.error_rate)}
              </span>
              <span class="number" title={["p95", past(edge.was, (figures) => milliseconds(figures.p95_ms))].filter(Boolean).join("; ")}>
                {milliseconds(edge.p95_ms)}
              </span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

export default function Service({ rest }: PageProps) {
  const service = rest.join("/");
  const window = currentWindow();
  const urls = {
    services: `/api/services?window=${window}`,
    operations: `/api/services/${encodeURIComponent(service)}/operations?window=${window}`,
    graph: `/api/graph?window=${window}`,
    failing: `/api/traces?${new URLSearchParams({ service, span_error: "true", limit: "6" })}`,
    slow: `/api/traces?${new URLSearchParams({ service, order: "slowest", limit: "6" })}`,
  };
  const services = useGet<ServicesAnswer>(urls.services);
  const operations = useGet<OperationsAnswer>(urls.operations);
  const graph = useGet<GraphAnswer>(urls.graph);
  const failing = useGet<SearchAnswer>(urls.failing);
  const slow = useGet<SearchAnswer>(urls.slow);
  useLive([...Object.values(urls), ...(isFixed() ? [] : [heatmapUrl(service, window)])]);
  document.title = `${service} · Tracewell`;
  const red = services.data?.metrics.find((one) => one.service === service);
  const edges = graph.data?.edges.filter((edge) => edge.parent !== edge.child);
  return (
    <div class="page">
      <nav class="crumbs" aria-label="Where this is">
        <a href={href("/services", { window: route.value.params.get("window") })}>Services</a> <span aria-hidden="true">›</span>
      </nav>
      <div class="page-head">
        <h1>
          <Swatch service={service} /> <bdi>{service}</bdi>
        </h1>
        <span class="grow" />
        <a class="button" href={href("/search", { service })}>
          Search its traces
        </a>
        <a class="button" href={href("/map", { focus: service })}>
          On the map
        </a>
        <WindowPicker />
        <LiveSwitch />
      </div>
      <Problem error={services.error ?? operations.error} retry={() => Object.values(urls).forEach((url) => void refresh(url))} />
      <Incomplete answer={operations.data} />
      {services.data && !red && <div class="note warn">No service of this name is stored. Names are exact, upper and lower case included.</div>}
      {!services.data && !services.error && <p class="panel loading room">Loading…</p>}
      {red && (
        <section class="panel" aria-label="Figures">
          <Figures red={red} />
          {red.request_count > 0 ? (
            <RedCharts steps={red.series ?? []} />
          ) : (
            <p class="quiet-text">No requests in this window. Widen it, or look at the traces below.</p>
          )}
          {red.basis === "all_spans" && <p class="table-foot dim">It has no server, consumer or root span in this window, so all its spans are counted.</p>}
        </section>
      )}
      <Latency service={service} window={window} />
      {operations.data && <Spent service={service} window={window} operations={operations.data.metrics} />}
      <div class="columns-main">
        <section class="panel" aria-labelledby="operations">
          <header>
            <h2 id="operations">Operations</h2>
          </header>
          {operations.data && operations.data.metrics.length > 0 && (
            <SortTable caption="Operations" rows={operations.data.metrics} columns={operationColumns(service)} sort="-errors" rowKey={(row) => row.operation} rowClass={(row) => (row.request_count === 0 ? "idle" : "")} />
          )}
          {operations.data?.metrics.length === 0 && <p class="quiet-text">No operations.</p>}
        </section>
        <div>
          <Neighbours title="Called by" edges={edges?.filter((edge) => edge.child === service)} other={(edge) => edge.parent} none="Nothing calls it in this window." />
          <Neighbours title="Calls" edges={edges?.filter((edge) => edge.parent === service)} other={(edge) => edge.child} none="It calls nothing in this window." />
        </div>
      </div>
      <section class="panel" aria-labelledby="failing">
        <header>
          <h2 id="failing">Newest traces in which it failed</h2>
          <a href={href("/errors", { service })}>All</a>
        </header>
        {failing.data && (failing.data.traces.length > 0 ? <TraceList hits={failing.data.traces} caption="Newest traces in which it failed" /> : <p class="quiet-text good">None stored.</p>)}
      </section>
      <section class="panel" aria-labelledby="slow">
        <header>
          <h2 id="slow">Slowest traces it is part of</h2>
          <a href={href("/search", { service, order: "slowest" })}>All</a>
        </header>
        {slow.data && (slow.data.traces.length > 0 ? <TraceList hits={slow.data.traces} caption="Slowest traces it is part of" toMatch /> : <p class="quiet-text">None stored.</p>)}
      </section>
    </div>
  );
}
