// Traces for the tests, sent as any client sends them; ids are random, so a server that keeps its data can be tested again.
import { randomBytes } from "node:crypto";

export const hex = (digits) => randomBytes(digits / 2).toString("hex");

/** JSON with bigint as the integer it is: times in nanoseconds need all their digits. */
const write = (value) => JSON.stringify(value, (_key, one) => (typeof one === "bigint" ? `\u0001${one}` : one)).replace(/"\\u0001(-?\d+)"/g, "$1");

async function post(url, body) {
  const response = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body });
  if (!response.ok) throw new Error(`${url} answered ${response.status}: ${await response.text()}`);
}

export class Seed {
  constructor({ url, ingest }) {
    this.url = url;
    this.ingest = ingest;
  }

  async spans(spans) {
    const CHUNK = 5000;
    for (let at = 0; at < spans.length; at += CHUNK) await post(`${this.ingest}/v1/spans`, write(spans.slice(at, at + CHUNK)));
    await this.arrived(spans[0].trace_id, spans.length);
    return spans[0].trace_id;
  }

  async otlp(body, trace, count) {
    await post(`${this.ingest}/v1/traces`, JSON.stringify(body));
    await this.arrived(trace, count);
    return trace;
  }

  /** An acknowledged span is found within a second (D8); a loaded machine is given more. */
  async arrived(trace, count) {
    for (let tries = 0; tries < 300; tries++) {
      const response = await fetch(`${this.url}/api/traces/${trace}?view=columns`);
      if (response.ok && (await response.json()).span_count >= count) return;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
    throw new Error(`trace ${trace} did not arrive with ${count} spans`);
  }
}

const agoNs = (seconds) => BigInt(Date.now() - seconds * 1000) * 1_000_000n;

/** A failing checkout: root → checkout → (cart, payment → stripe with the exception). Ids by name. */
export function failing(seconds = 20) {
  const trace = hex(32);
  const start = agoNs(seconds);
  const ids = { root: hex(16), checkout: hex(16), cart: hex(16), payment: hex(16), stripe: hex(16) };
  const span = (name, parent, service, operation, offsetMs, durationMs, more = {}) => ({
    trace_id: trace,
    span_id: ids[name],
    parent_span_id: parent ? ids[parent] : null,
    service_name: service,
    operation_name: operation,
    start_time_unix_ns: start + BigInt(offsetMs * 1e6),
    duration_ms: durationMs,
    status: "ok",
    kind: "server",
    tags: { "http.route": operation, "big.integer": 9007199254740993n },
    resource: { "service.name": service },
    ...more,
  });
  const failed = { status: "error", status_message: "downstream call failed" };
  const exception = {
    time_unix_ns: start + 900_000_000n,
    name: "exception",
    attributes: { "exception.type": "StripeTimeout", "exception.message": "connect timed out", "exception.stacktrace": "StripeTimeout: connect timed out\n  at charge.ts:88" },
  };
  const spans = [
    span("root", null, "frontend", "POST /checkout", 0, 1000, failed),
    span("checkout", "root", "checkout", "PlaceOrder", 10, 950, failed),
    span("cart", "checkout", "cart", "GET /cart", 20, 30),
    span("payment", "checkout", "payment", "charge", 60, 890, failed),
    span("stripe", "payment", "stripe", "POST /v1/charges", 70, 870, { status: "error", status_message: "timed out", kind: "client", events: [exception] }),
  ];
  return { trace, ids, spans };
}

/** A trace whose middle span never came. */
export function partial() {
  const { trace, ids, spans } = failing();
  return { trace, ids, spans: spans.filter((span) => span.span_id !== ids.checkout) };
}

export function large(count) {
  const trace = hex(32);
  const start = agoNs(60);
  const spans = [];
  const open = [];
  for (let at = 0; at < count; at++) {
    while (open.length > 1 && (open.length > 9 || (at * 7919) % 10 < 3)) open.pop();
    const id = (at + 1).toString(16).padStart(16, "0");
    spans.push({
      trace_id: trace,
      span_id: id,
      parent_span_id: open.at(-1) ?? null,
      service_name: `batch-${at % 60}`,
      operation_name: `operation ${(at * 31) % 400}`,
      start_time_unix_ns: start + BigInt(at * 90_000),
      duration_ms: at === 0 ? 10_000 : 0.1 + ((at * 131) % 997) / 10,
      status: at % 5000 === 4999 ? "error" : "ok",
      tags: {},
    });
    open.push(id);
  }
  return { trace, spans };
}
