// One group of failures: is it new, is it over, where does it begin, whom does it reach, and traces of it.
import { useRef } from "preact/hooks";
import { refresh, useGet } from "../api";
import { filterOf, rangeQuery } from "../filter";
import { count, percent } from "../format";
import { textOf } from "../json";
import type { PageProps } from "../main";
import { CopyButton, ServiceLink, When } from "../parts/bits";
import { asSearch, Difference } from "../parts/difference";
import { tellRange, titleOf, trendSteps } from "../parts/errorgroups";
import { sampleHref } from "../parts/hotspots";
import { LiveSwitch, useLive } from "../parts/live";
import { Incomplete, Lacking, Problem } from "../parts/notes";
import { FailureChart } from "../parts/redchart";
import { href, navigate, route } from "../router";
import type { ErrorGroupAnswer, NamedCount, Span, SpanQuery } from "../types";

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

const exceptionOf = (span: Span) => span.events.find((event) => event.name === "exception")?.attributes ?? span.tags;

/** The attribute's text; empty where there is none. */
const said = (span: Span, key: string): string => textOf(exceptionOf(span)[key] ?? "");

function Samples({ spans }: { spans: Span[] }) {
  const link = (one: Span): string => sampleHref(one.trace_id, one.span_id) as string;
  return (
    <section class="panel" aria-labelledby="samples">
      <header>
        <h2 id="samples">The latest traces of it</h2>
      </header>
      {spans.length === 0 ? (
        <p class="quiet-text">None is stored any more.</p>
      ) : (
        <div class="table-scroll" tabIndex={0} role="group" aria-label="The latest traces of it">
          <table>
            <caption class="unseen">The latest traces of this error</caption>
            <thead>
              <tr>
                <th scope="col">Failing span</th>
                <th scope="col">What it said</th>
                <th scope="col">Version</th>
                <th scope="col" class="number">
                  Started
                </th>
              </tr>
            </thead>
            <tbody>
              {spans.map((one) => (
                <tr key={`${one.trace_id} ${one.span_id}`} class="clickable" onClick={(event) => !(event.target as Element).closest("a") && !getSelection()?.toString() && navigate(link(one))}>
                  <td class="name">
                    <a href={link(one)} data-row-link="">
                      <bdi class="service">{one.service_name}</bdi> <bdi>{one.operation_name || "(no name)"}</bdi>
                    </a>
                  </td>
                  <td class="said">
                    <bdi>{said(one, "exception.message") || one.status_message}</bdi>
                  </td>
                  <td>{one.resource["service.version"] === undefined ? <span class="dim">not said</span> : <bdi>{textOf(one.resource["service.version"])}</bdi>}</td>
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
          <ServiceLink service={group.root_cause_service} />
          <small>
            <bdi>{group.operations[0]?.name || "(no name)"}</bdi>
            {group.operations.length > 1 && ` and ${count(group.operations.length - 1)} more`}
          </small>
        </dd>
      </div>
    </dl>
  );
}

function Stack({ spans, frames }: { spans: Span[]; frames: string[] }) {
  const stack = spans.map((span) => said(span, "exception.stacktrace")).find(Boolean) ?? frames.join("\n");
  if (!stack) return null;
  return (
    <section class="panel" aria-labelledby="stack">
      <header>
        <h2 id="stack">Stack</h2>
        <span class="dim">of the latest</span>
        <span class="grow" />
        <CopyButton text={stack} what="stack trace" label="Copy stack" />
      </header>
      <pre class="stack" tabIndex={0} aria-label="Stack trace">
        {stack}
      </pre>
    </section>
  );
}

/** Of the range that was there first: a comparison is not made anew with every refresh. */
function Differs({ group }: { group: ErrorGroupAnswer }) {
  const range = useRef({ start: group.start_unix_ns, end: group.end_unix_ns });
  const tag = group.exception_type && filterOf("exception.type", group.exception_type);
  const of: SpanQuery = { service: group.root_cause_service, ...(group.operations.length === 1 ? { operation: group.operations[0].name } : {}) };
  const search = asSearch({ ...of, span_error: true, ...range.current });
  return (
    <section class="panel" aria-labelledby="differs">
      <header>
        <h2 id="differs">What differs</h2>
        <span class="dim">from what else {group.operations.length === 1 ? "this operation" : group.root_cause_service} did then</span>
      </header>
      <Difference a={{ ...of, span_error: true, ...(tag ? { tag: [tag] } : {}), ...range.current }} b={null} names={["failed so", "the rest"]} search={search} />
    </section>
  );
}

function Loaded({ group }: { group: ErrorGroupAnswer }) {
  const spans = group.samples.filter((one): one is Span => one !== null);
  return (
    <>
      <Incomplete answer={group} />
      <section class="panel" aria-label="Figures">
        <Facts group={group} />
        <FailureChart steps={trendSteps(group, group)} />
      </section>
      <div class="columns-main">
        <div>
          <Stack spans={spans} frames={group.frames} />
          <Samples spans={spans} />
          <Differs group={group} />
        </div>
        <div>
          <Counts title="Services affected" counts={group.services} all={group.count} service none="None is named." />
          {group.operations.length > 1 && <Counts title="Operations" counts={group.operations} all={group.count} none="" />}
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
  const kept = { from: route.value.params.get("from"), to: route.value.params.get("to") };
  document.title = `${data ? titleOf(data) : "Error"} · Tracewell`;
  return (
    <div class="page">
      <nav class="crumbs" aria-label="Where this is">
        <a href={href("/errors", kept)}>Errors</a> <span aria-hidden="true">›</span>
      </nav>
      <div class="page-head">
        <h1>
          <bdi>{data ? titleOf(data) : "Error group"}</bdi>
        </h1>
        {data && <span class="dim">{tellRange(data)}</span>}
        <span class="grow" />
        <LiveSwitch />
      </div>
      {data && data.example && data.example !== titleOf(data) && (
        <p class="message">
          <bdi>{data.example}</bdi>
        </p>
      )}
      {error && (error.isAbsent ? <Lacking what="error groups" error={error} /> : <Problem error={error} retry={again} />)}
      {data ? <Loaded group={data} /> : !error && <p class="loading">Loading…</p>}
    </div>
  );
}
