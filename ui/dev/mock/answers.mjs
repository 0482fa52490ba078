// The answers of docs/api.md from the mock's store. Slow and simple on purpose; the shapes are what matters.
import * as insight from "./insight.mjs";

const started = Date.now();

export class Refusal extends Error {
  constructor(status, code, message, parameter) {
    super(message);
    Object.assign(this, { status, code, parameter });
  }
}

/** JSON with bigint as integers, out and in. */
export function write(value) {
  const marked = JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? `\u0001${one}\u0001` : one));
  return marked.replace(/"\\u0001(-?\d+)\\u0001"/g, "$1");
}

export function read(text) {
  // Node 20 has no reviver source; long integers outside strings are quoted first, and turned into bigint after.
  const quoted = text.replace(/"(?:[^"\\]|\\.)*"|-?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?/g, (part) => (/^-?\d{16,}$/.test(part) ? `"\\u0001${part}"` : part));
  return JSON.parse(quoted, (_key, one) => (typeof one === "string" && /^\u0001-?\d+$/.test(one) ? BigInt(one.slice(1)) : one));
}

const searched = { backend: "mock", segments: 0, segments_skipped: 0, head_spans: 0, bytes_read: 0, blocks_read: 0, from_unix_ns: null, to_unix_ns: null };
export const about = { searched, complete: true };

export function answer(store, url, body) {
  const path = url.pathname.split("/").slice(2).map(decodeURIComponent);
  const query = url.searchParams;
  if (path[0] === "traces" && path.length === 1) return search(store, query);
  if (path[0] === "traces") return trace(store, path, query);
  if (path[0] === "services" && path.length === 1) return services(store, windowOf(query));
  if (path[0] === "services" && path[2] === "operations") return operations(store, path[1], windowOf(query));
  if (path[0] === "graph") return graph(store, windowOf(query));
  if (path[0] === "tags") return tags(store, path, query);
  if (path[0] === "status") return status(store);
  if (path[0] === "sampling") return insight.sampling(store);
  if (path[0] === "errors") return insight.errors(store, query, path[1]);
  if (path[0] === "changes") return insight.changes(store, query);
  if (path[0] === "typical") return insight.typical(store, query);
  if (path[0] === "heatmap") return insight.heatmap(store, query);
  if (path[0] === "difference") return insight.difference(store, read(body));
  if (path[0] === "hotspots") return insight.hotspots(store, query);
  throw new Refusal(404, "not_found", "no such endpoint; /api/openapi.json lists those that exist");
}

function trace(store, [, id, part], query) {
  if (!/^[0-9a-f]{1,32}$/i.test(id)) throw new Refusal(400, "bad_parameter", `trace_id: "${id}" is not 1-32 hex digits`, "trace_id");
  const found = store.get(id.toLowerCase().padStart(32, "0"));
  if (!found) throw new Refusal(404, "not_found", `no span of trace ${id} is stored`);
  if (part === "spans") {
    const rows = query.get("rows")?.split(",").map(Number);
    const ids = query.get("ids")?.split(",");
    const spans = rows ? rows.map((row) => found.spans[row]).filter(Boolean) : found.spans.filter((span) => ids?.includes(span.span_id));
    return { trace_id: found.id, spans, ...about };
  }
  return query.get("view") === "columns" ? columns(found) : whole(found);
}

const common = (found) => ({
  trace_id: found.id,
  status: found.status,
  start_time_unix_ns: found.start,
  duration_ns: found.duration,
  span_count: found.spans.length,
  error_count: found.errors,
  depth: found.depth,
  partial_reasons: found.reasons,
  warnings: [],
  missing_parents: found.missing,
  ...about,
});

const whole = (found) => ({
  ...common(found),
  duration_ms: found.duration / 1e6,
  root_span: found.spans[found.root] ?? null,
  service_count: found.services.length,
  services: found.services,
  orphans: found.orphans.map((span) => span.span_id),
  spans: found.spans,
});

function dictionary() {
  const ids = new Map();
  return { names: ids, of: (name) => ids.get(name) ?? (ids.set(name, ids.size), ids.size - 1) };
}

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

function columns(found) {
  const [service, operation] = [dictionary(), dictionary()];
  const { spans } = found;
  const serviceIds = spans.map((span) => service.of(span.service_name));
  const operationIds = spans.map((span) => operation.of(span.operation_name));
  return {
    ...common(found),
    root: found.root,
    services: [...service.names.keys()],
    operations: [...operation.names.keys()],
    span_ids: spans.map((span) => span.span_id).join(""),
    parent: found.parentRow,
    missing_parent: Object.fromEntries(spans.flatMap((span, row) => (span.orphan ? [[row, span.parent_span_id]] : []))),
    start_ns: spans.map((span) => Number(span.start_time_unix_ns - found.start)),
    duration: spans.map((span) => span.duration_ns),
    service: serviceIds,
    operation: operationIds,
    kind: spans.map((span) => KINDS.indexOf(span.kind)),
    flags: spans.map(
      (span) =>
        (span.status === "error" ? 1 : 0) |
        (span.orphan ? 2 : 0) |
        (span.events.length > 0 ? 4 : 0) |
        (span.links.length > 0 ? 8 : 0) |
        (span.events.some((event) => event.name === "exception") ? 16 : 0) |
        (span.marks.length > 0 ? 32 : 0),
    ),
  };
}

const PARAMETERS = new Set(
  "service operation span_error min_span_duration_ms max_span_duration_ms tag error status min_duration_ms max_duration_ms start end order limit cursor".split(" "),
);

export function time(text, name) {
  const relative = /^now(?:-(\d+)([smhd]))?$/.exec(text);
  if (relative) return BigInt(Date.now() - Number(relative[1] ?? 0) * { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[relative[2] ?? "s"]) * 1_000_000n;
  if (/^\d+$/.test(text)) return BigInt(text);
  const ms = Date.parse(text);
  if (Number.isNaN(ms)) throw new Refusal(400, "bad_parameter", `${name}: "${text}" is not Unix nanoseconds, RFC 3339, now or now-15m`, name);
  return BigInt(ms) * 1_000_000n;
}

function number(query, name) {
  const text = query.get(name);
  if (text === null) return null;
  if (!(Number(text) >= 0)) throw new Refusal(400, "bad_parameter", `${name}: "${text}" is not a number of milliseconds, 0 or more`, name);
  return Number(text);
}

export function tagTest(text) {
  const [, key, op, wanted] = /^(.*?)(!=|~=|=)(.*)$/s.exec(text) ?? [null, text, "", ""];
  return (span) => {
    const value = [span.tags, span.resource, span.scope.attributes, ...span.events.map((event) => event.attributes)].find((map) => key in map)?.[key];
    if (value === undefined) return false;
    const shown = typeof value === "string" ? value : write(value);
    return op === "" || (op === "=" ? shown === wanted : op === "!=" ? shown !== wanted : new RegExp(wanted).test(shown));
  };
}

function spanTests(query) {
  const tests = query.getAll("tag").map(tagTest);
  const has = (name, test) => query.get(name) !== null && tests.push(test);
  const [least, most] = [number(query, "min_span_duration_ms"), number(query, "max_span_duration_ms")];
  has("service", (span) => span.service_name === query.get("service"));
  has("operation", (span) => span.operation_name === query.get("operation"));
  has("span_error", (span) => (span.status === "error") === (query.get("span_error") === "true"));
  if (least !== null) tests.push((span) => span.duration_ms >= least);
  if (most !== null) tests.push((span) => span.duration_ms <= most);
  return tests;
}

function traceTests(query) {
  const tests = [];
  const [least, most] = [number(query, "min_duration_ms"), number(query, "max_duration_ms")];
  const [start, end] = [query.get("start"), query.get("end")].map((text, at) => text && time(text, at ? "end" : "start"));
  if (query.get("error") !== null) tests.push((found) => found.errors > 0 === (query.get("error") === "true"));
  if (query.get("status") !== null) tests.push((found) => found.status === query.get("status"));
  if (least !== null) tests.push((found) => found.duration / 1e6 >= least);
  if (most !== null) tests.push((found) => found.duration / 1e6 <= most);
  if (start) tests.push((found) => found.start >= start);
  if (end) tests.push((found) => found.start < end);
  return tests;
}

function search(store, query) {
  for (const name of query.keys()) {
    if (!PARAMETERS.has(name)) throw new Refusal(400, "bad_parameter", `${name}: not a parameter of this address`, name);
  }
  const limit = Number(query.get("limit") ?? 50);
  if (!(limit >= 1 && limit <= 1000)) throw new Refusal(400, "bad_parameter", `limit: "${query.get("limit")}" is not 1-1000`, "limit");
  const [ofSpan, ofTrace] = [spanTests(query), traceTests(query)];
  const slowest = query.get("order") === "slowest";
  const key = (found) => (slowest ? BigInt(found.duration) : found.start);
  const hits = [];
  for (const found of store.all()) {
    if (!ofTrace.every((test) => test(found))) continue;
    const matched = found.spans.find((span) => ofSpan.every((test) => test(span)));
    if (matched) hits.push({ found, matched });
  }
  hits.sort((a, b) => (key(a.found) < key(b.found) ? 1 : -1));
  const from = Number(query.get("cursor") ?? 0);
  return {
    traces: hits.slice(from, from + limit).map(({ found, matched }) => ({
      trace_id: found.id,
      root_service: found.spans[found.root]?.service_name ?? null,
      root_operation: found.spans[found.root]?.operation_name ?? null,
      start_time_unix_ns: found.start,
      duration_ms: found.duration / 1e6,
      duration_ns: found.duration,
      span_count: found.spans.length,
      error_count: found.errors,
      services: found.services,
      status: found.status,
      matched_span_id: matched.span_id,
    })),
    next_cursor: from + limit < hits.length ? String(from + limit) : null,
    ...about,
  };
}

function windowOf(query) {
  const match = /^(\d+)([smh])$/.exec(query.get("window") ?? "5m");
  const seconds = match ? Number(match[1]) * { s: 1, m: 60, h: 3600 }[match[2]] : 0;
  if (seconds < 60 || seconds > 3600) throw new Refusal(400, "bad_parameter", `window: "${query.get("window")}" is not 1m-1h`, "window");
  return seconds;
}

export const quantile = (sorted, q) => (sorted.length === 0 ? null : sorted[Math.min(sorted.length - 1, Math.floor(q * sorted.length))]);

function red(spans, seconds) {
  const sorted = spans.map((span) => span.duration_ms).sort((a, b) => a - b);
  const errors = spans.filter((span) => span.status === "error").length;
  const empty = spans.length === 0;
  return {
    rate_per_s: empty ? null : spans.length / seconds,
    error_rate: empty ? null : errors / spans.length,
    request_count: spans.length,
    error_count: errors,
    p50_ms: quantile(sorted, 0.5),
    p95_ms: quantile(sorted, 0.95),
    p99_ms: quantile(sorted, 0.99),
  };
}

function recent(store, seconds) {
  const since = BigInt(Date.now() - seconds * 1000) * 1_000_000n;
  const spans = [];
  for (const found of store.all()) if (found.spans.length < 50_000) for (const span of found.spans) if (span.start_time_unix_ns >= since) spans.push(span);
  return { since, spans };
}

const STEPS = 30;

function series(spans, since, seconds) {
  const step = BigInt(Math.floor((seconds * 1e9) / STEPS));
  const buckets = Array.from({ length: STEPS }, () => []);
  for (const span of spans) buckets[Math.min(STEPS - 1, Number((span.start_time_unix_ns - since) / step))]?.push(span);
  return buckets.map((bucket, at) => {
    const { request_count, error_count, p50_ms, p95_ms, p99_ms } = red(bucket, 1);
    return { t_unix_ns: since + step * BigInt(at), count: request_count, errors: error_count, p50_ms, p95_ms, p99_ms };
  });
}

const namesOf = (store) => {
  const names = new Set();
  for (const found of store.all()) for (const one of found.services) names.add(one.name);
  return [...names].sort();
};

export function groupBy(list, key) {
  const groups = new Map();
  for (const one of list) groups.get(key(one))?.push(one) ?? groups.set(key(one), [one]);
  return groups;
}

function services(store, seconds) {
  const { since, spans } = recent(store, seconds);
  const groups = groupBy(spans, (span) => span.service_name);
  const names = namesOf(store);
  const metrics = names.map((service) => {
    const all = groups.get(service) ?? [];
    const entry = all.filter((span) => span.parent_span_id === null || span.kind === "server" || span.kind === "consumer" || span.kind === "unspecified");
    const used = entry.length > 0 ? entry : all;
    return { service, ...red(used, seconds), basis: entry.length > 0 || all.length === 0 ? "entry_spans" : "all_spans", series: series(used, since, seconds) };
  });
  return { services: names, metrics, window_s: seconds, capped: false, ...about };
}

function operations(store, service, seconds) {
  const groups = groupBy(recent(store, seconds).spans.filter((span) => span.service_name === service), (span) => span.operation_name);
  const names = new Set();
  for (const found of store.all()) for (const span of found.spans) if (span.service_name === service) names.add(span.operation_name);
  const sorted = [...names].sort();
  return { service, operations: sorted, metrics: sorted.map((operation) => ({ operation, ...red(groups.get(operation) ?? [], seconds) })), window_s: seconds, capped: false, ...about };
}

function graph(store, seconds) {
  const { spans } = recent(store, seconds);
  const byId = new Map(spans.map((span) => [span.trace_id + span.span_id, span]));
  const calls = groupBy(
    spans.filter((span) => span.parent_span_id && byId.get(span.trace_id + span.parent_span_id)?.service_name !== span.service_name && byId.has(span.trace_id + span.parent_span_id)),
    (span) => `${byId.get(span.trace_id + span.parent_span_id).service_name}\u0000${span.service_name}`,
  );
  const edges = [...calls].map(([key, list]) => {
    const [parent, child] = key.split("\u0000");
    const { request_count, ...rest } = red(list, seconds);
    return { parent, child, call_count: request_count, ...rest };
  });
  const nodes = [...groupBy(spans, (span) => span.service_name)].map(([service, list]) => {
    const { request_count: _requests, error_count: _errors, ...rest } = red(list, seconds);
    return { service, ...rest };
  });
  return { nodes, edges, unjoined: { no_parent_in_window: 0, over_cap: 0 }, window_s: seconds, ...about };
}

function tags(store, path, query) {
  const prefix = query.get("prefix") ?? "";
  const limit = Number(query.get("limit") ?? 100);
  const found = new Set();
  for (const one of store.all()) {
    for (const span of one.spans.slice(0, 200)) {
      for (const map of [span.tags, span.resource]) {
        if (path[1] === undefined) Object.keys(map).forEach((key) => found.add(key));
        else if (path[1] in map) found.add(typeof map[path[1]] === "string" ? map[path[1]] : write(map[path[1]]));
      }
    }
  }
  const list = [...found].filter((name) => name.startsWith(prefix)).sort().slice(0, limit);
  return path[1] === undefined ? { keys: list, ...about } : { key: path[1], values: list, ...about };
}

function status(store) {
  const stored = store.size;
  return {
    version: "0.1.0-mock",
    started_at_unix_ns: BigInt(started) * 1_000_000n,
    uptime_s: (Date.now() - started) / 1000,
    roles: ["all"],
    data_dir: "/var/lib/tracewell",
    ready: true,
    listeners: { ingest: "127.0.0.1:4318", otlp_grpc: "127.0.0.1:4317", query: "127.0.0.1:4320", admin: "127.0.0.1:40123" },
    account: {
      since_start: { received: stored + 3, accepted: stored, refused: 3, refused_by_reason: { trace_id: 2, start_time: 1 } },
      log: { accepted: stored + 9, stored, duplicate: 2, sampled_out: 0, dead_lettered: 0, in_flight: 7, expired: 0, erased: 0 },
      balances: true,
    },
    ingest: { spans_per_s: 41.2, bytes_per_s: 20480 },
    log: { bytes: 1048576, files: 2, groups: [{ group: "storage", lag_records: 2, lag_spans: 7, lag_seconds: 0.2 }, { group: "stats", lag_records: 0, lag_spans: 0, lag_seconds: 0 }] },
    store: { head_spans: Math.min(stored, 4711), segments: 3, segment_spans: Math.max(0, stored - 4711), disk_bytes: stored * 38, damaged_blocks: 0, oldest_unix_ns: BigInt(started - 36e5) * 1_000_000n },
    problems: [],
  };
}
