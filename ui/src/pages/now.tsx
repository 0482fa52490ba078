// Now: is something wrong, where did it begin, and one example of it. Causes first.
import { refresh, useGet, type Fetched } from "../api";
import { count, milliseconds, percent, plural, rate } from "../format";
import { Changes } from "../parts/changes";
import { ServiceLink, Sparkline, When } from "../parts/bits";
import { ErrorGroups } from "../parts/errorgroups";
import { FirstSpan } from "../parts/firstspan";
import { comparison, Hotspots } from "../parts/hotspots";
import { LiveSwitch, useLive } from "../parts/live";
import { Incomplete, Lacking, Problem } from "../parts/notes";
import { currentWindow, WindowPicker } from "../parts/pickers";
import { TraceList } from "../parts/tracelist";
import { href, route } from "../router";
import type { ErrorsAnswer, HotspotsAnswer, SearchAnswer, ServiceRed, ServicesAnswer, StatusAnswer } from "../types";

const ERRORS = "/api/traces?error=true&limit=12";
const NEWEST = "/api/traces?limit=12";
const HOTSPOTS = "/api/hotspots";
const GROUPS = "/api/errors"; // of the last hour
const GROUPS_SHOWN = 5;
const SHOWN = 12;

/** Failing ones by error rate, then the rest by p99: what to look at first. */
function worstFirst(a: ServiceRed, b: ServiceRed): number {
  return (b.error_rate ?? -1) - (a.error_rate ?? -1) || (b.p99_ms ?? -1) - (a.p99_ms ?? -1) || (a.service < b.service ? -1 : 1);
}

function Worst({ metrics }: { metrics: ServiceRed[] }) {
  const active = metrics.filter((one) => one.request_count > 0).sort(worstFirst);
  if (active.length === 0) return <p class="quiet-text">No requests in this window. Widen it, or look at the newest traces below.</p>;
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label="Worst services">
      <table>
        <caption class="unseen">Services, worst first</caption>
        <thead>
          <tr>
            <th scope="col">Service</th>
            <th scope="col" class="number">
              Errors
            </th>
            <th scope="col" class="number">
              p99
            </th>
            <th scope="col" class="number">
              Req/s
            </th>
            <th scope="col">Requests and errors</th>
          </tr>
        </thead>
        <tbody>
          {active.slice(0, SHOWN).map((one) => (
            <tr key={one.service}>
              <td class="name">
                <ServiceLink service={one.service} row />
              </td>
              <td class="number">
                {one.error_count > 0 ? (
                  <a class="bad" href={href("/errors", { service: one.service })} title={plural(one.error_count, "failed request")}>
                    {percent(one.error_rate)}
                  </a>
                ) : (
                  <span class="dim">0%</span>
                )}
              </td>
              <td class="number">{milliseconds(one.p99_ms)}</td>
              <td class="number">{rate(one.rate_per_s)}</td>
              <td>
                <Sparkline series={one.series} label={`${one.service}: ${plural(one.request_count, "request")}, ${plural(one.error_count, "error")}`} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {active.length > SHOWN && (
        <p class="table-foot">
          <a href="/services">All {count(active.length)} services</a>
        </p>
      )}
    </div>
  );
}

function WorstNow({ data, error }: Fetched<HotspotsAnswer>) {
  return (
    <section class="panel" aria-labelledby="hotspots">
      <header>
        <h2 id="hotspots">Worst now</h2>
        {data && <span class="dim">{comparison(data)}</span>}
      </header>
      {error && <Lacking what="hot spots" error={error} retry={() => void refresh(HOTSPOTS)} />}
      <Incomplete answer={data} />
      {data ? <Hotspots answer={data} /> : !error && <p class="loading room">Looking for what is worse than it was…</p>}
    </section>
  );
}

function LastErrors({ data, error }: Fetched<ErrorsAnswer>) {
  return (
    <section class="panel" aria-labelledby="last-errors">
      <header>
        <h2 id="last-errors">Errors of the last hour</h2>
        <span class="dim">most frequent first</span>
        <a href="/errors">{data && data.group_count > GROUPS_SHOWN ? `All ${count(data.group_count)} groups` : "All errors"}</a>
      </header>
      {error && <Lacking what="error groups" error={error} retry={() => void refresh(GROUPS)} />}
      <Incomplete answer={data} />
      {data && (data.groups.length > 0 ? <ErrorGroups groups={data.groups.slice(0, GROUPS_SHOWN)} range={data} caption="Errors of the last hour" /> : <p class="quiet-text good">No failures.</p>)}
      {!data && !error && <p class="loading room">Loading…</p>}
    </section>
  );
}

function Health({ status }: { status?: StatusAnswer }) {
  if (!status) return null;
  const lag = Math.max(0, ...status.log.groups.map((group) => group.lag_seconds));
  const { refused } = status.account.since_start;
  const lost = status.account.log.dead_lettered ?? 0;
  return (
    <a class={`health ${status.problems.length > 0 ? "warn" : ""}`} href="/status">
      <span>
        <b>{rate(status.ingest.spans_per_s)}</b> spans/s
      </span>
      <span class={refused > 0 ? "warn-text" : undefined}>
        <b>{count(refused)}</b> refused
      </span>
      <span class={lost > 0 ? "bad" : undefined}>
        <b>{count(lost)}</b> dead-lettered
      </span>
      <span class={lag > 10 ? "warn-text" : undefined}>
        <b>{lag.toFixed(1)} s</b> behind
      </span>
      {status.problems.length > 0 && <span class="warn-text">{plural(status.problems.length, "problem")}</span>}
    </a>
  );
}

export default function Now() {
  const url = `/api/services?window=${currentWindow()}`;
  const services = useGet<ServicesAnswer>(url);
  const hotspots = useGet<HotspotsAnswer>(HOTSPOTS);
  const groups = useGet<ErrorsAnswer>(GROUPS);
  const errors = useGet<SearchAnswer>(ERRORS);
  const status = useGet<StatusAnswer>("/api/status");
  const noErrors = errors.data?.traces.length === 0;
  const newest = useGet<SearchAnswer>(noErrors ? NEWEST : null);
  useLive([url, ERRORS, "/api/status", ...(hotspots.error?.isAbsent ? [] : [HOTSPOTS]), ...(groups.error?.isAbsent ? [] : [GROUPS]), ...(noErrors ? [NEWEST] : [])]);
  document.title = "Now · Tracewell";
  const empty = services.data?.services.length === 0 && noErrors && newest.data?.traces.length === 0;
  return (
    <div class="page">
      <div class="page-head">
        <h1>Now</h1>
        <Health status={status.data} />
        <span class="grow" />
        <WindowPicker />
        <LiveSwitch />
      </div>
      <Problem error={services.error ?? errors.error} retry={() => void refresh(url)} />
      <Incomplete answer={services.data} />
      {empty ? (
        <FirstSpan />
      ) : (
        <>
          <WorstNow {...hotspots} />
          {!groups.error?.isAbsent && <LastErrors {...groups} />}
          <section class="panel" aria-labelledby="changed">
            <header>
              <h2 id="changed">What changed</h2>
              <span class="dim">in the last 5 minutes, when this page was opened</span>
            </header>
            <Changes />
          </section>
          <section class="panel" aria-labelledby="worst">
            <header>
              <h2 id="worst">Services</h2>
              <a href={href("/services", { window: route.value.params.get("window") })}>All services</a>
            </header>
            {services.data ? <Worst metrics={services.data.metrics} /> : <p class="loading">Loading…</p>}
          </section>
          <section class="panel" aria-labelledby="recent-errors">
            <header>
              <h2 id="recent-errors">{noErrors ? "Newest traces" : "Newest error traces"}</h2>
              {errors.data && !noErrors && (
                <span class="dim">
                  newest <When ns={errors.data.traces[0].start_time_unix_ns} relative />
                </span>
              )}
              <span class="grow" />
              <a href={noErrors ? "/search" : "/errors"}>{noErrors ? "Search" : "All errors"}</a>
            </header>
            {noErrors && <p class="quiet-text good">No stored trace has an error.</p>}
            {noErrors ? newest.data && <TraceList hits={newest.data.traces} caption="Newest traces" /> : errors.data ? <TraceList hits={errors.data.traces} caption="Newest error traces" /> : <p class="loading">Loading…</p>}
          </section>
        </>
      )}
    </div>
  );
}
