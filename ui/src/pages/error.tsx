// One group of failures: is it new, is it over, where does it begin, whom does it reach, and traces of it.
import { refresh, useGet } from "../api";
import { count, percent } from "../format";
import type { PageProps } from "../main";
import { CopyButton, ServiceLink, When } from "../parts/bits";
import { trendSteps } from "../parts/errorgroups";
import { sampleHref } from "../parts/hotspots";
import { LiveSwitch, useLive } from "../parts/live";
import { Incomplete, Lacking, Problem } from "../parts/notes";
import { FailureChart } from "../parts/redchart";
import { navigate, route } from "../router";
import { rangeQuery } from "../filter";
import type { ErrorGroupAnswer, ErrorSample, NamedCount } from "../types";

const NAMES_SHOWN = 12;

function Counts({ title, counts, all, service, none }: { title: string; counts: NamedCount[]; all: number; service?: boolean; none: string }) {
  return (
    <section class="panel" aria-label={title}>
      <header>
        <h2>{title}</h2>
        {counts.length > NAMES_SHOWN && <span class="dim">the first {NAMES_SHOWN} of {count(counts.length)}</span>}
      </header>
      {counts.length === 0 ? (
        <p class="quiet-text">{none}</p>
      ) : (
        <ul class="counts">
          {counts.slice(0, NAMES_SHOWN).map((one) => (
            <li key={one.name}>
              {service ? <ServiceLink service={one.name} /> : <bdi>{one.name || "(none)"}</bdi>}
              <span class="number">{count(one.count)}</span>
              <span class="number dim">{percent(one.count / Math.max(1, all))}</span>
            </li>
          ))}
        </ul>
      )}
    </section>
  );
}

function Samples({ samples }: { samples: ErrorSample[] }) {
  const link = (one: ErrorSample): string => sampleHref(one.trace_id, one.span_id) as string;
  return (
    <section class="panel" aria-labelledby="samples">
      <header>
        <h2 id="samples">Traces of it</h2>
      </header>
      {samples.length === 0 ? (
        <p class="quiet-text">None is stored any more.</p>
      ) : (
        <div class="table-scroll" tabIndex={0} role="group" aria-label="Traces of it">
          <table>
            <caption class="unseen">Traces of this error</caption>
            <thead>
              <tr>
                <th scope="col">Failing span</th>
                <th scope="col">Version</th>
                <th scope="col">Trace</th>
                <th scope="col" class="number">
                  Started
                </th>
              </tr>
            </thead>
            <tbody>
              {samples.map((one) => (
                <tr key={`${one.trace_id} ${one.span_id}`} class="clickable" onClick={(event) => !(event.target as Element).closest("a") && !getSelection()?.toString() && navigate(link(one))}>
                  <td class="name">
                    <a href={link(one)} data-row-link="">
                      <bdi class="service">{one.service}</bdi> <bdi>{one.operation || "(no name)"}</bdi>
                    </a>
                  </td>
                  <td>{one.version ? <bdi>{one.version}</bdi> : <span class="dim">not said</span>}</td>
                  <td>
                    <code>{one.trace_id.slice(0, 16)}…</code>
                  </td>
                  <td class="number nowrap">
                    <When ns={one.start_time_unix_ns} />
                  </td>
                </tr>
              ))}
            </tbody>
          </table>
        </div>
      )}
    </section>
  );
}

function Facts({ group }: { group: ErrorGroupAnswer }) {
  const cause = group.root_cause;
  return (
    <dl class="figures four">
      <div class="bad">
        <dt>Failures</dt>
        <dd>{count(group.count)}</dd>
      </div>
      <div>
        <dt>First seen</dt>
        <dd>
          <When ns={group.first_seen_unix_ns} />
          <small>
            <When ns={group.first_seen_unix_ns} relative />
          </small>
        </dd>
      </div>
      <div>
        <dt>Last seen</dt>
        <dd>
          <When ns={group.last_seen_unix_ns} />
          <small>
            <When ns={group.last_seen_unix_ns} relative />
          </small>
        </dd>
      </div>
      <div>
        <dt>Began in</dt>
        <dd>
          {cause ? <ServiceLink service={cause.service} /> : "unknown"}
          {cause && (
            <small>
              {percent(cause.share)} of them, in <bdi>{cause.operation || "(no name)"}</bdi>
            </small>
          )}
        </dd>
      </div>
    </dl>
  );
}

function Loaded({ group }: { group: ErrorGroupAnswer }) {
  return (
    <>
      <Incomplete answer={group} />
      <section class="panel" aria-label="Figures">
        <Facts group={group} />
        <FailureChart steps={trendSteps(group)} />
      </section>
      <div class="columns-main">
        <div>
          {group.stack && (
            <section class="panel" aria-labelledby="stack">
              <header>
                <h2 id="stack">Stack</h2>
                <span class="grow" />
                <CopyButton text={group.stack} what="stack trace" label="Copy stack" />
              </header>
              <pre class="stack" tabIndex={0} aria-label="Stack trace">
                {group.stack}
              </pre>
            </section>
          )}
          <Samples samples={group.samples} />
        </div>
        <div>
          <Counts title="Services affected" counts={group.services} all={group.count} service none="None is named." />
          <Counts title="Versions" counts={group.versions} all={group.count} none="No span names a version (service.version)." />
        </div>
      </div>
    </>
  );
}

export default function ErrorPage({ rest }: PageProps) {
  const url = `/api/errors/${encodeURIComponent(rest.join("/"))}${rangeQuery(route.value.params)}`;
  const { data, error } = useGet<ErrorGroupAnswer>(url);
  useLive([url]);
  const again = () => void refresh(url);
  document.title = `${data?.type || "Error"} · Tracewell`;
  return (
    <div class="page">
      <nav class="crumbs" aria-label="Where this is">
        <a href="/errors">Errors</a> <span aria-hidden="true">›</span>
      </nav>
      <div class="page-head">
        <h1>
          <bdi>{data ? data.type || "Error" : "Error group"}</bdi>
        </h1>
        <span class="grow" />
        <LiveSwitch />
      </div>
      {data && (
        <p class="message">
          <bdi>{data.message || "(no message)"}</bdi>
        </p>
      )}
      {error && (error.isAbsent ? <Lacking what="error groups" error={error} /> : <Problem error={error} retry={again} />)}
      {data ? <Loaded group={data} /> : !error && <p class="loading">Loading…</p>}
    </div>
  );
}
