// One span, all of it: the exception first, then attributes, events, links. Every text here was written by strangers:
// it is only ever a text node, and a link only when it is http or https.
import { useEffect, useState } from "preact/hooks";
import { refresh, useGet } from "../api";
import { filterOf } from "../filter";
import { count, duration, instant } from "../format";
import { textOf } from "../json";
import { CopyButton, ServiceLink } from "../parts/bits";
import { Incomplete, Problem } from "../parts/notes";
import { zone } from "../prefs";
import { href, route, withChanges } from "../router";
import type { Attributes, Int, Span, SpanEvent, SpansAnswer } from "../types";
import { spanParam, type TraceModel } from "./model";

const FIRST_SHOWN = 24;
const LONG = 300;
const SETTLE_MS = 100;

/** The address when the text is one of the web's, else null: `javascript:` and the like stay text. */
export function webAddress(text: string): string | null {
  if (!/^https?:\/\//i.test(text) || /\s/.test(text)) return null;
  try {
    const url = new URL(text);
    return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
  } catch {
    return null;
  }
}

function Value({ value }: { value: unknown }) {
  const [all, setAll] = useState(false);
  if (value === null) return <span class="dim">no value</span>;
  const text = textOf(value);
  const link = typeof value === "string" ? webAddress(text) : null;
  if (link) {
    return (
      <a href={link} target="_blank" rel="noopener noreferrer nofollow">
        <bdi>{text}</bdi>
      </a>
    );
  }
  if (text.length <= LONG) return <bdi class={typeof value === "string" ? undefined : "literal"}>{text}</bdi>;
  return (
    <>
      <bdi>{all ? text : `${text.slice(0, LONG)}…`}</bdi>{" "}
      <button type="button" class="quiet small" onClick={() => setAll(!all)}>
        {all ? "less" : `all ${count(text.length)} characters`}
      </button>
    </>
  );
}

function Attribute({ name, value }: { name: string; value: unknown }) {
  const filter = filterOf(name, value);
  return (
    <div class="attribute">
      <dt>
        <bdi>{name}</bdi>
      </dt>
      <dd>
        <Value value={value} />
      </dd>
      <dd class="actions">
        {filter !== null && (
          <a class="button quiet small" href={href("/search", { tag: filter })} aria-label={`+filter: search traces with ${name} as here`} title="Search for this">
            +filter
          </a>
        )}
        <CopyButton text={textOf(value)} what={`value of ${name}`} />
      </dd>
    </div>
  );
}

function AttributeList({ attributes }: { attributes: Attributes }) {
  const [all, setAll] = useState(false);
  const [wanted, setWanted] = useState("");
  const entries = Object.entries(attributes);
  const low = wanted.toLowerCase();
  const matching = low ? entries.filter(([key, value]) => key.toLowerCase().includes(low) || textOf(value).toLowerCase().includes(low)) : entries;
  const shown = all ? matching : matching.slice(0, FIRST_SHOWN);
  return (
    <>
      {entries.length > FIRST_SHOWN / 2 && <input type="search" class="attribute-find" aria-label="Find in these attributes" placeholder={`Find in ${entries.length}`} value={wanted} onInput={(event) => setWanted(event.currentTarget.value)} />}
      <dl class="attributes">
        {shown.map(([key, value]) => (
          <Attribute key={key} name={key} value={value} />
        ))}
      </dl>
      {shown.length < matching.length && (
        <button type="button" class="quiet" onClick={() => setAll(true)}>
          Show all {count(matching.length)}
        </button>
      )}
    </>
  );
}

function Section({ title, number, open = false, children }: { title: string; number: number; open?: boolean; children: () => preact.ComponentChildren }) {
  const [shown, setShown] = useState(open);
  return (
    <section class="drawer-section">
      <h3>
        <button type="button" class="fold" aria-expanded={shown} onClick={() => setShown(!shown)}>
          <span aria-hidden="true">{shown ? "▾" : "▸"}</span> {title} <span class="dim">{number}</span>
        </button>
      </h3>
      {shown && children()}
    </section>
  );
}

/** Events may be before the span's start (clocks); the sign is kept. */
const offset = (at: Int, start: Int): string => `+${duration(BigInt(at) - BigInt(start))}`.replace("+−", "−");

function Exception({ event, start }: { event: SpanEvent; start: Int }) {
  const { "exception.type": type, "exception.message": message, "exception.stacktrace": stack } = event.attributes;
  return (
    <div class="exception">
      <p>
        <strong>
          <bdi>{type === undefined ? "exception" : textOf(type)}</bdi>
        </strong>{" "}
        <span class="dim">{offset(event.time_unix_ns, start)}</span>
        <span class="grow" />
        {stack !== undefined && <CopyButton text={textOf(stack)} what="stack trace" label="Copy stack" />}
      </p>
      {message !== undefined && (
        <p>
          <bdi>{textOf(message)}</bdi>
        </p>
      )}
      {stack !== undefined && (
        <pre tabIndex={0} aria-label="Stack trace">
          {textOf(stack)}
        </pre>
      )}
    </div>
  );
}

function Failure({ span }: { span: Span }) {
  const exceptions = span.events.filter((event) => event.name === "exception");
  if (span.status !== "error" && exceptions.length === 0) return null;
  return (
    <div class={span.status === "error" ? "failure" : "failure handled"}>
      {span.status_message && (
        <p class="status-message">
          <bdi>{span.status_message}</bdi>
        </p>
      )}
      {exceptions.map((event, at) => (
        <Exception key={at} event={event} start={span.start_time_unix_ns} />
      ))}
      {!span.status_message && exceptions.length === 0 && <p>Marked as failed, without a message or an exception. Its attributes may say more.</p>}
    </div>
  );
}

const MARKS: Record<string, string> = {
  no_start_time: "It came without a start time.",
  end_before_start: "It ended before it started; its duration is shown as 0.",
  attributes_cut: "Some attributes were over the size limit and were cut.",
  duplicate_span_id: "Another, different span has the same id.",
  duplicate_keys: "A key stands twice; the first is shown. The OTLP download has all.",
};

function Remarks({ span }: { span: Span }) {
  const dropped: [number, string][] = [
    [span.dropped_attributes_count, "attributes"],
    [span.dropped_events_count, "events"],
    [span.dropped_links_count, "links"],
  ];
  const remarks = [...span.marks.map((mark) => MARKS[mark] ?? mark.replaceAll("_", " ")), ...dropped.filter(([lost]) => lost > 0).map(([lost, what]) => `The sender dropped ${count(lost)} ${what}.`)];
  if (remarks.length === 0) return null;
  return (
    <ul class="note warn">
      {remarks.map((remark) => (
        <li key={remark}>{remark}</li>
      ))}
    </ul>
  );
}

function Events({ span }: { span: Span }) {
  return (
    <ol class="events">
      {span.events.map((event, at) => (
        <li key={at}>
          <p>
            <span class="number dim">{offset(event.time_unix_ns, span.start_time_unix_ns)}</span> <bdi>{event.name || "(no name)"}</bdi>
          </p>
          {Object.keys(event.attributes).length > 0 && event.name !== "exception" && <AttributeList attributes={event.attributes} />}
        </li>
      ))}
    </ol>
  );
}

function Links({ span }: { span: Span }) {
  return (
    <ul class="events">
      {span.links.map((link, at) => (
        <li key={at}>
          <a href={href(`/trace/${encodeURIComponent(link.trace_id)}`, { span: link.span_id })}>
            <code>{link.trace_id.slice(0, 16)}…</code> span <code>{link.span_id}</code>
          </a>
          {Object.keys(link.attributes).length > 0 && <AttributeList attributes={link.attributes} />}
        </li>
      ))}
    </ul>
  );
}

function Facts({ span, model, row }: { span: Span; model: TraceModel; row: number }) {
  const parent = model.parent[row];
  return (
    <dl class="facts">
      <div>
        <dt>Duration</dt>
        <dd title={`${count(span.duration_ns)} ns`}>{duration(span.duration_ns)}</dd>
      </div>
      <div>
        <dt>Starts at</dt>
        <dd>+{duration(model.start[row])}</dd>
      </div>
      <div>
        <dt>Share</dt>
        <dd>{((model.duration[row] / model.durationNs) * 100).toFixed(1)}%</dd>
      </div>
      <div>
        <dt>Kind</dt>
        <dd>{span.kind}</dd>
      </div>
      <div class="wide">
        <dt>Time</dt>
        <dd>
          {instant(span.start_time_unix_ns, zone.value, "ns")} {zone.value === "utc" ? "UTC" : ""}
        </dd>
      </div>
      <div class="wide">
        <dt>Span ID</dt>
        <dd>
          <code>{span.span_id}</code> <CopyButton text={span.span_id} what="span id" />
        </dd>
      </div>
      <div class="wide">
        <dt>Parent</dt>
        <dd>
          {parent >= 0 ? (
            <a href={href(route.value.path, withChanges(route.value.params, { span: spanParam(model, parent) }))}>
              <bdi>{model.services[model.service[parent]]}</bdi> <bdi>{model.operations[model.operation[parent]]}</bdi>
            </a>
          ) : span.parent_span_id ? (
            <span class="warn-text">
              missing: <code>{span.parent_span_id}</code> is not stored
            </span>
          ) : (
            "none, it is a root"
          )}
        </dd>
      </div>
    </dl>
  );
}

/** The row, once the reader has stopped on it: holding `j` down does not ask for every span passed. */
function useSettled(row: number): number {
  const [settled, setSettled] = useState(row);
  useEffect(() => {
    const timer = setTimeout(() => setSettled(row), SETTLE_MS);
    return () => clearTimeout(timer);
  }, [row]);
  return settled;
}

interface DrawerProps {
  model: TraceModel;
  row: number;
  color: string;
  onClose: () => void;
  onStale: () => void;
}

export function Drawer({ model, row, color, onClose, onStale }: DrawerProps) {
  const settled = useSettled(row);
  const url = `/api/traces/${model.traceId}/spans?rows=${settled}`;
  const { data, error } = useGet<SpansAnswer>(url, { keep: true });
  const span = settled === row ? data?.spans[0] : undefined;
  // Rows move when spans arrive after the columns were fetched.
  const moved = span !== undefined && span.span_id !== model.spanId[row];
  const service = model.services[model.service[row]];
  return (
    <aside class="drawer" aria-label="Span details">
      <header>
        <div>
          <h2>
            <bdi>{model.operations[model.operation[row]] || "(no name)"}</bdi>
          </h2>
          <ServiceLink service={service} color={color} />
        </div>
        <button type="button" class="quiet" aria-label="Close the span details" title="Close (Esc)" onClick={onClose}>
          ✕
        </button>
      </header>
      <div class="drawer-body" tabIndex={0} role="group" aria-label="Details">
        <Problem error={error} retry={() => void refresh(url)} />
        <Incomplete answer={data} />
        {moved && (
          <div class="note warn">
            The trace has grown since it was opened.
            <button type="button" onClick={onStale}>
              Reload it
            </button>
          </div>
        )}
        {!span && !error && <p class="loading">Loading…</p>}
        {span && !moved && (
          <div key={`${span.span_id} ${row}`}>
            <Failure span={span} />
            <Facts span={span} model={model} row={row} />
            <Remarks span={span} />
            <Section title="Tags" number={Object.keys(span.tags).length} open>
              {() => <AttributeList attributes={span.tags} />}
            </Section>
            {span.events.length > 0 && (
              <Section title="Events" number={span.events.length} open={span.events.length <= 10}>
                {() => <Events span={span} />}
              </Section>
            )}
            {span.links.length > 0 && (
              <Section title="Links" number={span.links.length} open>
                {() => <Links span={span} />}
              </Section>
            )}
            <Section title="Resource" number={Object.keys(span.resource).length}>
              {() => <AttributeList attributes={span.resource} />}
            </Section>
            {span.scope && (span.scope.name || span.scope.version || Object.keys(span.scope.attributes ?? {}).length > 0) && (
              <Section title="Scope" number={Object.keys(span.scope.attributes ?? {}).length + 1}>
                {() => <AttributeList attributes={{ name: span.scope?.name, ...(span.scope?.version ? { version: span.scope.version } : {}), ...span.scope?.attributes }} />}
              </Section>
            )}
            {span.trace_state && (
              <Section title="Trace state" number={1}>
                {() => <AttributeList attributes={{ tracestate: span.trace_state }} />}
              </Section>
            )}
          </div>
        )}
      </div>
    </aside>
  );
}
