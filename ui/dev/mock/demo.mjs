// A made-up shop: some traffic, one service that fails, some traces with a part missing, one huge trace and one deep one.

let seed = 0x2545f491;
function random() {
  seed ^= seed << 13;
  seed ^= seed >>> 17;
  seed ^= seed << 5;
  return (seed >>> 0) / 2 ** 32;
}
const hex = (digits) => Array.from({ length: digits }, () => Math.floor(random() * 16).toString(16)).join("");
const pick = (list) => list[Math.floor(random() * list.length)];

// operation → [own time ms, chance of failing, calls…]
const SHOP = {
  "frontend GET /": [4, 0, "catalog GET /products", "ads GET /ads", "cart GET /cart"],
  "frontend POST /checkout": [6, 0, "checkout PlaceOrder"],
  "frontend GET /product/{id}": [3, 0, "catalog GET /product/{id}", "recommendation List", "currency Convert"],
  "checkout PlaceOrder": [9, 0.002, "cart GET /cart", "inventory Reserve", "payment charge", "shipping Quote", "email Send", "orders publish"],
  "cart GET /cart": [2, 0.001, "redis HGETALL"],
  "payment charge": [12, 0.004, "stripe POST /v1/charges", "ledger INSERT entry"],
  "stripe POST /v1/charges": [80, 0.09],
  "inventory Reserve": [3, 0.01, "postgres SELECT stock", "postgres UPDATE stock"],
  "shipping Quote": [14, 0, "currency Convert"],
  "email Send": [20, 0.02],
  "orders publish": [1, 0, "fulfilment consume"],
  "fulfilment consume": [30, 0.01, "postgres INSERT shipment"],
  "catalog GET /products": [5, 0, "postgres SELECT products"],
  "catalog GET /product/{id}": [3, 0.001, "postgres SELECT product"],
  "recommendation List": [11, 0.003, "catalog GET /products"],
  "ads GET /ads": [4, 0.002],
  "currency Convert": [0.8, 0],
  "ledger INSERT entry": [2, 0],
  "redis HGETALL": [0.6, 0],
  "postgres SELECT stock": [1.5, 0],
  "postgres UPDATE stock": [2.5, 0.002],
  "postgres SELECT products": [3, 0],
  "postgres SELECT product": [1.2, 0],
  "postgres INSERT shipment": [3, 0],
};
const ROOTS = ["frontend GET /", "frontend GET /", "frontend GET /product/{id}", "frontend POST /checkout", "frontend POST /checkout"];
const STACK = "StripeTimeout: connect to api.stripe.com:443 timed out after 3000 ms\n    at Charge.send (charge.ts:88:13)\n    at Payment.charge (payment.ts:41:7)\n    at async Checkout.placeOrder (checkout.ts:17:5)";

/** Runs the shop's table from one root; a failing call fails its callers up to the checkout. */
function call(spans, trace, name, parent, startNs) {
  const [own, chance, ...calls] = SHOP[name];
  const [service, ...operation] = name.split(" ");
  const span = {
    trace_id: trace,
    span_id: hex(16),
    parent_span_id: parent,
    service_name: service,
    operation_name: operation.join(" "),
    start_time_unix_ns: BigInt(startNs),
    kind: ["redis", "postgres", "stripe"].includes(service) ? "client" : service === "orders" ? "producer" : service === "fulfilment" ? "consumer" : "server",
    status: "ok",
    tags: { "http.route": operation.join(" "), "http.status_code": 200, "user.id": `u-${Math.floor(random() * 900)}`, "thread.id": Math.floor(random() * 64) },
    resource: { "service.name": service, "service.version": service === "payment" ? "4.8.0" : "2.31.1", "host.name": `${service}-7f9c-${Math.floor(random() * 3)}`, "deployment.environment": "production" },
    scope: { name: "demo", version: "1.0", attributes: {} },
    events: [],
    links: [],
  };
  spans.push(span);
  const jitter = own * (0.5 + random() * (random() < 0.05 ? 9 : 1));
  let at = startNs + BigInt(Math.floor(jitter * 3e5));
  let failed = random() < chance;
  for (const next of calls) {
    const child = call(spans, trace, next, span.span_id, at);
    at = next.startsWith("ads") ? at + 200_000n : child.end + BigInt(Math.floor(random() * 4e5));
    failed ||= child.failed && !next.startsWith("email") && !next.startsWith("orders");
  }
  const timedOut = failed && calls.length === 0;
  const end = at + BigInt(Math.floor(jitter * (timedOut && service === "stripe" ? 2e7 : 7e5)));
  if (failed) fail(span, timedOut, end);
  span.duration_ns = Number(end - startNs);
  return { end, failed };
}

function fail(span, cause, end) {
  span.status = "error";
  span.tags = { ...span.tags, "http.status_code": cause ? 504 : 500 };
  span.status_message = cause ? "connect timed out" : "downstream call failed";
  if (!cause) return;
  const attributes = { "exception.type": "StripeTimeout", "exception.message": "connect to api.stripe.com:443 timed out after 3000 ms", "exception.stacktrace": STACK };
  span.events = [
    { time_unix_ns: span.start_time_unix_ns + 1_000_000n, name: "retry", attributes: { attempt: 2 }, dropped_attributes_count: 0 },
    { time_unix_ns: end, name: "exception", attributes, dropped_attributes_count: 0 },
  ];
}

export function demoTrace(atMs) {
  const spans = [];
  call(spans, hex(32), pick(ROOTS), null, BigInt(Math.floor(atMs)) * 1_000_000n);
  if (random() < 0.02 && spans.length > 8) spans.splice(spans.findIndex((span) => span.service_name === "checkout" || span.service_name === "catalog"), 1);
  return spans;
}

export function history(nowMs, traces) {
  return Array.from({ length: traces }, (_none, at) => demoTrace(nowMs - 3_600_000 * (1 - at / traces) ** 2 - random() * 2000));
}

export function bigTrace(id, count, atMs) {
  const start = BigInt(Math.floor(atMs)) * 1_000_000n;
  const spans = [];
  const open = [];
  for (let at = 0; at < count; at++) {
    while (open.length > 1 && (open.length > 9 || random() < 0.35)) open.pop();
    const parent = open.at(-1);
    const share = at / count;
    const span = {
      trace_id: id,
      span_id: (at + 1).toString(16).padStart(16, "0"),
      parent_span_id: parent?.span_id ?? null,
      service_name: `batch-${at % 12}`,
      operation_name: `operation ${Math.floor(random() * 400)}`,
      start_time_unix_ns: start + BigInt(Math.floor(share * 9e9)),
      duration_ns: at === 0 ? 10_000_000_000 : Math.floor(1e5 + random() ** 6 * 8e8),
      status: random() < 0.0008 ? "error" : "ok",
      kind: "internal",
      tags: { row: at },
    };
    spans.push(span);
    open.push(span);
  }
  return spans;
}

export function deepTrace(id, count, atMs) {
  const start = BigInt(Math.floor(atMs)) * 1_000_000n;
  return Array.from({ length: count }, (_none, at) => ({
    trace_id: id,
    span_id: (at + 1).toString(16).padStart(16, "0"),
    parent_span_id: at === 0 ? null : at.toString(16).padStart(16, "0"),
    service_name: `worker-${at % 3}`,
    operation_name: "recurse",
    start_time_unix_ns: start + BigInt(at * 1000),
    duration_ns: (2 * count - 2 * at) * 1000,
    status: at === count - 1 ? "error" : "ok",
    status_message: at === count - 1 ? "too much recursion" : "",
    kind: "internal",
    tags: {},
  }));
}
