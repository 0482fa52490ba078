// What matters, by the shapes of docs/api.md: hot spots, error groups, heatmap, differences, typical traces. Crude on purpose.
import { about, groupBy, quantile, Refusal, tagTest, time } from "./answers.mjs";

const MINUTE_NS = 60_000_000_000n;
const opKey = (span) => `${span.service_name}\u0000${span.operation_name}`;
const named = (key) => ({ service: key.split("\u0000")[0], operation: key.split("\u0000")[1] });
const most = (list, of) => [...groupBy(list, of)].sort((a, b) => b[1].length - a[1].length);

export function range(query, usualNs) {
  const end = query.get("end") ? time(query.get("end"), "end") : BigInt(Date.now()) * 1_000_000n;
  const start = query.get("start") ? time(query.get("start"), "start") : end - usualNs;
  if (start >= end) throw new Refusal(400, "bad_parameter", "end: nothing can lie in this range; accepted: a time after its start", "end");
  return { start, end };
}

/** Rows of all traces but the huge ones, with their parents. */
function* rowsIn(store, { start, end }) {
  for (const found of store.all()) {
    if (found.spans.length > 50_000) continue;
    for (let row = 0; row < found.spans.length; row++) {
      const span = found.spans[row];
      if (span.start_time_unix_ns >= start && span.start_time_unix_ns < end) yield { span, row, found };
    }
  }
}

const spansIn = (store, within) => Array.from(rowsIn(store, within), (one) => one.span);

/** A failure begins in the span that fails and has no failing child. */
function failuresIn(store, within) {
  return [...rowsIn(store, within)].filter(({ span, row, found }) => span.status === "error" && !found.spans.some((other, at) => found.parentRow[at] === row && other.status === "error"));
}

function ancestors({ row, found }) {
  const above = [];
  for (let at = found.parentRow[row]; at >= 0; at = found.parentRow[at]) above.push(found.spans[at]);
  return above;
}

function figures(spans, { start, end }) {
  const sorted = spans.map((span) => span.duration_ms).sort((a, b) => a - b);
  const empty = spans.length === 0;
  return {
    rate_per_s: empty ? null : spans.length / (Number(end - start) / 1e9),
    error_rate: empty ? null : spans.filter((span) => span.status === "error").length / spans.length,
    p50_ms: quantile(sorted, 0.5),
    p95_ms: quantile(sorted, 0.95),
    p99_ms: quantile(sorted, 0.99),
  };
}

export function hotspots(store, query) {
  const now = range(query, 5n * MINUTE_NS);
  const against = { start: now.start - 60n * MINUTE_NS, end: now.start };
  const [spans, before] = [groupBy(spansIn(store, now), opKey), groupBy(spansIn(store, against), opKey)];
  const spots = most(failuresIn(store, now), ({ span }) => opKey(span)).map(([key, failures]) => {
    const victims = most(failures.flatMap(ancestors).filter((span) => span.service_name !== named(key).service), opKey);
    const worst = failures.reduce((best, one) => (one.found.duration > best.found.duration ? one : best));
    const was = figures(before.get(key) ?? [], against);
    return {
      ...named(key),
      kind: "error",
      charged_ms: failures.reduce((sum, one) => sum + Math.max(1000, one.found.duration / 1e6), 0),
      ...figures(spans.get(key) ?? [], now),
      was: { ...was, hour: was, day: was, week: was },
      victims: victims.slice(0, 10).map(([of, list]) => ({ ...named(of), traces: list.length })),
      sample_trace_id: worst.found.id,
      span_id: worst.span.span_id,
    };
  });
  spots.sort((a, b) => b.charged_ms - a.charged_ms);
  const all = spots.reduce((sum, spot) => sum + spot.charged_ms, 0);
  const looked = ({ start, end }, of) => ({ start_unix_ns: start, end_unix_ns: end, spans: [...of.values()].flat().length, sampled: 1 });
  return { hotspots: spots.map((spot, at) => ({ rank: at + 1, ...spot, share: spot.charged_ms / all })), now: looked(now, spans), against: looked(against, before), ...about };
}

/** As if a sampler had gone over all there is, and dropped most of the healthy. */
export function sampling(store) {
  const all = [...store.all()];
  const bad = (status) => all.filter((found) => found.status === status);
  const healthy = bad("ok").length * 20;
  const kept = { error: bad("error").length, partial: bad("partial").length, diversity: Math.round(healthy * 0.01), share: Math.round(healthy * 0.03) };
  const healthyKept = kept.diversity + kept.share;
  return {
    enabled: all.length > 0,
    kept,
    dropped: { healthy: healthy - healthyKept },
    share: healthyKept / Math.max(1, healthy),
    healthy_traces: healthy,
    healthy_kept: healthyKept,
    kept_spans: store.size,
    dropped_spans: (healthy - healthyKept) * 17,
    live_window_s: 900,
    decided_through_unix_ns: BigInt(Date.now() - 900_000) * 1_000_000n,
    waiting: null,
    problems: [],
  };
}

const hash = (text) => [...text].reduce((sum, letter) => BigInt.asUintN(64, (sum ^ BigInt(letter.codePointAt(0))) * 0x100000001b3n), 0xcbf29ce484222325n).toString(16).padStart(16, "0");
const exceptionOf = (span) => span.events.find((event) => event.name === "exception")?.attributes ?? {};
const normal = (text) => text.replace(/[0-9a-f]{8,}|\d+/gi, "<n>");
const TREND_STEPS = 30;

function describe(span) {
  const exception = exceptionOf(span);
  return { type: String(exception["exception.type"] ?? ""), message: String(exception["exception.message"] ?? span.status_message), stack: exception["exception.stacktrace"] ?? null };
}

const fingerprintOf = ({ span }) => {
  const { type, message, stack } = describe(span);
  return hash(`${span.service_name}\n${type}\n${stack ? framesOf(stack).join("\n") : normal(message)}`);
};

const framesOf = (stack) => (stack ?? "").split("\n").slice(1, 6).map((line) => line.trim());

function group([fingerprint, failures], { start, end }) {
  const spans = failures.map(({ span }) => span).sort((a, b) => (a.start_time_unix_ns < b.start_time_unix_ns ? -1 : 1));
  const last = spans.at(-1);
  const { type, message, stack } = describe(last);
  const trend = Array.from({ length: TREND_STEPS }, () => 0);
  for (const span of spans) trend[Number(((span.start_time_unix_ns - start) * BigInt(TREND_STEPS)) / (end - start))]++;
  const affected = failures.flatMap((one) => [...new Set([one.span, ...ancestors(one)].filter((span) => span.status === "error").map((span) => span.service_name))]);
  const counts = (list, of) => most(list, of).map(([name, all]) => ({ name, count: all.length }));
  return {
    fingerprint,
    root_cause_service: last.service_name,
    exception_type: type,
    message: normal(message),
    example: message,
    frames: framesOf(stack),
    count: spans.length,
    trend,
    first_seen_unix_ns: spans[0].start_time_unix_ns,
    last_seen_unix_ns: last.start_time_unix_ns,
    operations: counts(spans, (span) => span.operation_name),
    versions: counts(spans.filter((span) => span.resource["service.version"]), (span) => span.resource["service.version"]),
    services: counts(affected, (name) => name),
    sample_trace_id: last.trace_id,
    span_id: last.span_id,
  };
}

export function errors(store, query, fingerprint) {
  const within = range(query, 60n * MINUTE_NS);
  const service = query.get("service");
  const failures = failuresIn(store, within).filter((one) => !service || [one.span, ...ancestors(one)].some((span) => span.service_name === service && span.status === "error"));
  const groups = most(failures, fingerprintOf);
  const looked = { start_unix_ns: within.start, end_unix_ns: within.end, sampled: 1, ...about };
  if (fingerprint === undefined) return { groups: groups.slice(0, 50).map((one) => group(one, within)), group_count: groups.length, other_errors: 0, ...looked };
  if (!/^[0-9a-f]{16}$/.test(fingerprint)) throw new Refusal(400, "bad_parameter", `fingerprint: "${fingerprint}" is not 16 hex digits, as /api/errors has them`, "fingerprint");
  const found = groups.find(([key]) => key === fingerprint);
  if (!found) throw new Refusal(404, "not_found", "no error of this group is in the range");
  return { ...group(found, within), samples: found[1].slice(-5).reverse().map(({ span }) => span), ...looked };
}

const HEAT_STEPS = 60;
/** Two bands of duration an octave. */
const BOUNDS = Array.from({ length: 100 }, (_none, at) => (at === 0 ? 0 : Math.ceil(2 ** (at / 2))));

export function heatmap(store, query) {
  const { start, end } = range(query, 5n * MINUTE_NS);
  const step = (end - start + BigInt(HEAT_STEPS) - 1n) / BigInt(HEAT_STEPS);
  const cells = new Map();
  for (const span of spansIn(store, { start, end })) {
    if (query.get("service") && span.service_name !== query.get("service")) continue;
    if (query.get("operation") && span.operation_name !== query.get("operation")) continue;
    const at = Math.min(HEAT_STEPS - 1, Number((span.start_time_unix_ns - start) / step));
    const band = BOUNDS.findLastIndex((bound) => bound <= Math.max(1, span.duration_ns));
    const cell = cells.get(`${at} ${band}`) ?? { step: at, from_ms: BOUNDS[band] / 1e6, to_ms: BOUNDS[band + 1] / 1e6, count: 0, errors: 0 };
    cells.set(`${at} ${band}`, cell);
    cell.count++;
    if (span.status === "error") cell.errors++;
  }
  return { start_unix_ns: start, step_ns: step, steps: HEAT_STEPS, cells: [...cells.values()], sampled: 1, ...about };
}

function matching(store, asked) {
  const text = (value) => (value === undefined ? null : String(value));
  const within = range({ get: (name) => text(asked[name]) }, 60n * MINUTE_NS);
  const tests = (asked.tag ?? []).map(tagTest);
  const has = (name, test) => asked[name] !== undefined && tests.push(test);
  has("service", (span) => span.service_name === asked.service);
  has("operation", (span) => span.operation_name === asked.operation);
  has("span_error", (span) => (span.status === "error") === asked.span_error);
  has("min_span_duration_ms", (span) => span.duration_ms >= asked.min_span_duration_ms);
  has("max_span_duration_ms", (span) => span.duration_ms <= asked.max_span_duration_ms);
  return spansIn(store, within).filter((span) => tests.every((test) => test(span)));
}

/** By the difference of the shares; the rest is what else there was at the same place and time. */
export function difference(store, { a, b }) {
  const first = matching(store, a);
  const taken = new Set(first);
  const { service, operation, start, end } = a;
  const second = b ? matching(store, b) : matching(store, { service, operation, start, end }).filter((span) => !taken.has(span));
  const values = new Map();
  const add = (spans, side) => {
    for (const span of spans) {
      const sources = { field: { operation: span.operation_name, kind: span.kind }, span: span.tags, resource: span.resource };
      for (const [source, map] of Object.entries(sources)) {
        for (const [key, value] of Object.entries(map)) {
          const id = `${source}\u0000${key}\u0000${String(value)}`;
          if (!values.has(id)) values.set(id, { key, value: String(value), source, a: 0, b: 0 });
          values.get(id)[side]++;
        }
      }
    }
  };
  add(first, "a");
  add(second, "b");
  const share = (count, of) => count / Math.max(1, of.length);
  const attributes = [...values.values()].map((one) => ({ ...one, score: share(one.a, first) - share(one.b, second) }));
  attributes.sort((x, y) => y.score - x.score);
  return { n_a: first.length, n_b: second.length, attributes: attributes.filter((one) => one.score > 0.01).slice(0, 100), keys: new Set([...values.values()].map((one) => one.key)).size, left_out: [], sampled: 1, ...about };
}

/** Own time is all that no child covers: the mock knows no critical path. */
function partsOf(found) {
  const own = found.spans.map((span) => span.duration_ms);
  found.spans.forEach((span, row) => found.parentRow[row] >= 0 && (own[found.parentRow[row]] -= span.duration_ms));
  const parts = new Map();
  found.spans.forEach((span, row) => {
    const part = parts.get(opKey(span)) ?? { calls: 0, duration_ms: 0, exclusive_ms: 0 };
    parts.set(opKey(span), { calls: part.calls + 1, duration_ms: part.duration_ms + span.duration_ms, exclusive_ms: part.exclusive_ms + Math.max(0, own[row]) });
  });
  return parts;
}

export function typical(store, query) {
  const found = store.get(String(query.get("trace_id")));
  const root = found?.spans[found.root];
  if (!root) throw new Refusal(404, "not_found", "the trace is not stored, or has no root");
  const since = found.start - 60n * MINUTE_NS;
  const others = [...store.all()].filter((one) => one.start >= since && one.start < found.start && one.root >= 0 && opKey(one.spans[one.root]) === opKey(root)).slice(-100);
  others.sort((a, b) => a.duration - b.duration);
  const all = others.map(partsOf);
  const own = partsOf(found);
  const none = { calls: 0, duration_ms: 0, exclusive_ms: 0 };
  const middle = (key, of) => quantile(all.map((parts) => (parts.get(key) ?? none)[of]).sort((a, b) => a - b), 0.5) ?? 0;
  const keys = new Set([...own.keys(), ...all.flatMap((parts) => [...parts.keys()])]);
  const median = others[Math.floor(others.length / 2)];
  return {
    ...named(opKey(root)),
    traces: others.length,
    trace_id: median?.id ?? null,
    duration_ms: median ? median.duration / 1e6 : null,
    operations: [...keys].map((key) => ({ ...named(key), ...Object.fromEntries(Object.keys(none).map((of) => [of, middle(key, of)])), this: own.get(key) ?? none })),
    compared: { trace_id: found.id, duration_ms: found.duration / 1e6 },
    ...about,
  };
}

const RESOURCE_KINDS = { "service.version": "version", "host.name": "host" };

/** Of resources only; what is seen first within five minutes of the time, and not in the half hour before. */
export function changes(store, query) {
  const at = query.get("at") ? time(query.get("at"), "at") : BigInt(Date.now()) * 1_000_000n;
  const [start, end] = [at - 5n * MINUTE_NS, at + 5n * MINUTE_NS];
  const before = start - 30n * MINUTE_NS;
  const first = new Map();
  for (const span of spansIn(store, { start: before, end })) {
    for (const [key, kind] of Object.entries(RESOURCE_KINDS)) {
      const value = span.resource[key];
      if (value === undefined || (query.get("service") && span.service_name !== query.get("service"))) continue;
      const id = [span.service_name, key, value].join("\u0000");
      const seen = first.get(id);
      if (!seen || span.start_time_unix_ns < seen.at_unix_ns) first.set(id, { at_unix_ns: span.start_time_unix_ns, service: span.service_name, kind, key, value, change: "began" });
    }
  }
  const found = [...first.values()].filter((one) => one.at_unix_ns >= start).sort((a, b) => (a.at_unix_ns < b.at_unix_ns ? -1 : 1));
  return { changes: found, start_unix_ns: start, end_unix_ns: end, before_unix_ns: before, capped: false, ...about };
}
