// Spans by trace, in the shape GET /api/traces/{id} gives; trees and summaries are made when asked for, and kept until a span is added.

const NONE = { tags: {}, resource: {}, events: [], links: [], marks: [] };

/** A span as sent to /v1/spans, completed with everything the API shows. Times are bigint inside. */
function complete(span) {
  const service = span.service_name ?? "unknown_service";
  const durationNs = span.duration_ns !== undefined ? Number(span.duration_ns) : Math.round((span.duration_ms ?? 0) * 1e6);
  return {
    trace_id: span.trace_id.padStart(32, "0"),
    span_id: span.span_id.padStart(16, "0"),
    parent_span_id: span.parent_span_id ? span.parent_span_id.padStart(16, "0") : null,
    service_name: service,
    operation_name: span.operation_name ?? "",
    start_time_unix_ns: BigInt(span.start_time_unix_ns),
    duration_ms: durationNs / 1e6,
    duration_ns: durationNs,
    status: span.status === "error" ? "error" : "ok",
    status_message: span.status_message ?? "",
    kind: span.kind ?? "unspecified",
    depth: 0,
    orphan: false,
    tags: span.tags ?? NONE.tags,
    resource: span.resource ?? NONE.resource,
    scope: span.scope ?? { name: "", version: "", attributes: {} },
    trace_state: span.trace_state ?? "",
    flags: span.flags ?? 1,
    events: span.events ?? NONE.events,
    links: span.links ?? NONE.links,
    dropped_attributes_count: 0,
    dropped_events_count: 0,
    dropped_links_count: 0,
    marks: NONE.marks,
  };
}

export class Store {
  #traces = new Map();

  add(spans) {
    for (const span of spans.map(complete)) {
      let trace = this.#traces.get(span.trace_id);
      if (!trace) this.#traces.set(span.trace_id, (trace = { id: span.trace_id, raw: [], tree: null }));
      trace.raw.push(span);
      trace.tree = null;
    }
  }

  get(id) {
    const trace = this.#traces.get(id);
    if (trace && !trace.tree) trace.tree = treeOf(trace.raw);
    return trace?.tree;
  }

  *all() {
    for (const id of this.#traces.keys()) yield this.get(id);
  }

  get size() {
    return [...this.#traces.values()].reduce((sum, trace) => sum + trace.raw.length, 0);
  }
}

const byStart = (a, b) => (a.start_time_unix_ns < b.start_time_unix_ns ? -1 : a.start_time_unix_ns > b.start_time_unix_ns ? 1 : 0);

function treeOf(raw) {
  const ids = new Set(raw.map((span) => span.span_id));
  const children = new Map();
  const tops = [];
  const missing = new Map();
  for (const span of [...raw].sort(byStart)) {
    const parent = span.parent_span_id;
    if (parent && ids.has(parent) && parent !== span.span_id) {
      if (!children.has(parent)) children.set(parent, []);
      children.get(parent).push(span);
      continue;
    }
    span.orphan = parent !== null;
    tops.push(span);
    if (span.orphan) missing.set(parent, [...(missing.get(parent) ?? []), span.service_name]);
  }
  const spans = [];
  const parentRow = [];
  const stack = tops.reverse().map((span) => ({ span, depth: 0, parent: -1 }));
  while (stack.length > 0) {
    const { span, depth, parent } = stack.pop();
    span.depth = depth;
    const row = spans.push(span) - 1;
    parentRow.push(parent);
    const below = children.get(span.span_id) ?? [];
    children.delete(span.span_id);
    for (const child of below.reverse()) stack.push({ span: child, depth: depth + 1, parent: row });
  }
  return summarize(spans, parentRow, missing);
}

function summarize(spans, parentRow, missing) {
  const start = spans.reduce((least, span) => (span.start_time_unix_ns < least ? span.start_time_unix_ns : least), spans[0].start_time_unix_ns);
  const end = spans.reduce((most, span) => Math.max(most, Number(span.start_time_unix_ns - start) + span.duration_ns), 0);
  const root = spans.findIndex((span, row) => parentRow[row] < 0 && !span.orphan);
  const services = new Map();
  let depth = 0;
  let errors = 0;
  for (const span of spans) {
    const one = services.get(span.service_name) ?? { name: span.service_name, span_count: 0, error_count: 0 };
    services.set(span.service_name, one);
    one.span_count++;
    depth = Math.max(depth, span.depth + 1);
    if (span.status !== "error") continue;
    one.error_count++;
    errors++;
  }
  const orphans = spans.filter((span) => span.orphan);
  const reasons = [];
  for (const [parent_span_id, names] of missing) {
    const detail = `the parent of ${names.length} ${names.length === 1 ? "span" : "spans"} in ${[...new Set(names)].join(", ")} is not stored; no instance told of a loss`;
    reasons.push({ service: null, parent_span_id, reason: "unknown", instance: null, at: null, detail });
  }
  if (root < 0 && reasons.length === 0) reasons.push({ service: null, parent_span_id: null, reason: "unknown", instance: null, at: null, detail: "no root span is stored" });
  return {
    id: spans[0].trace_id,
    spans,
    parentRow,
    start,
    duration: end,
    root,
    depth,
    errors,
    orphans,
    reasons,
    services: [...services.values()].sort((a, b) => b.span_count - a.span_count),
    status: reasons.length > 0 ? "partial" : errors > 0 ? "error" : "ok",
    missing: [...missing].map(([span_id, names]) => ({ span_id, children: names.length, child_services: [...new Set(names)] })),
  };
}
