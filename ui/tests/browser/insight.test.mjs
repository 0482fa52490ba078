// From what matters to the one span that shows it: hot spot → guilty span, and what the page says when the server cannot tell.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage, param, paramBecomes, visit } from "./support/browser.mjs";
import { failing, hex, Seed } from "./support/seed.mjs";
import { startServer } from "./support/server.mjs";

let server, browser, whole;

before(async () => {
  server = await startServer();
  const seed = new Seed(server);
  // So many that they are no noise, and so old that a live window of whole traces has them.
  const all = Array.from({ length: 16 }, (_none, at) => failing(15 + at));
  whole = all[0];
  await Promise.all(all.map(({ spans }) => seed.spans(spans)));
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

/** The real server is young when it lacks one; then there is nothing to test of it. */
const has = async (path) => (await fetch(server.url + path)).status !== 404;
const absent = (route) => route.fulfill({ status: 404, json: { error: { code: "not_found", message: "no such endpoint; /api/openapi.json lists those that exist" } } });

const figures = { rate_per_s: 2, error_rate: 0.124, p50_ms: 10, p95_ms: 900, p99_ms: 1450 };
const was = { rate_per_s: 2, error_rate: 0.002, p50_ms: 10, p95_ms: 90, p99_ms: 310 };
const looked = { start_unix_ns: 1795968000000000000, end_unix_ns: 1795968300000000000, spans: 10, sampled: 1 };
const hotspot = () => ({ rank: 1, service: "stripe", operation: "POST /v1/charges", kind: "error", charged_ms: 12000, share: 0.61, ...figures, was, victims: [{ service: "payment", operation: "charge", traces: 12 }, { service: "checkout", operation: "PlaceOrder", traces: 11 }], sample_trace_id: whole.trace, span_id: whole.ids.stripe });

test("Now: the worst row is one key from the guilty span, its victims beneath it", async () => {
  const { page, context, problems } = await openPage(browser);
  await page.route("**/api/hotspots", (route) => route.fulfill({ json: { hotspots: [hotspot()], now: looked, against: looked, complete: true } }));
  await visit(page, `${server.url}/`);
  const row = await page.locator(".hotspots tbody tr").first().innerText();
  assert.match(row, /stripe POST \/v1\/charges[\s\S]*passed on to[\s\S]*payment charge[\s\S]*checkout PlaceOrder[\s\S]*12\.4%\s+0\.2%\s+1\.45 s\s+310 ms/);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(new RegExp(`/trace/${whole.trace}`));
  await paramBecomes(page, "span", whole.ids.stripe);
  await page.waitForSelector(".drawer .exception");
  assert.deepEqual(problems, []);
  await context.close();
});

test("Now: hot spots of the server itself lead to a span that is there", async (t) => {
  if (!(await has("/api/hotspots"))) return t.skip("this server has no hot spots");
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/`);
  await page.waitForSelector(".hotspots tbody tr");
  await page.locator(".hotspots [data-row-link]").first().click();
  await page.waitForSelector(".wf-row.selected");
  assert.ok(param(page, "span"));
  await context.close();
});

test("Now: a server without hot spots says so, and the rest of the page is there", async () => {
  const { page, context } = await openPage(browser);
  await page.route("**/api/hotspots", absent);
  await visit(page, `${server.url}/`);
  assert.match(await page.locator("main").innerText(), /does not know hot spots yet/);
  assert.equal(await page.locator(".note.error").count(), 0);
  await page.waitForSelector(".traces tbody tr");
  await context.close();
});

test("Errors: group, its page, a trace of it at the span that failed; by keys alone", async (t) => {
  if (!(await has("/api/errors"))) return t.skip("this server has no error groups");
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/errors?service=stripe`);
  const row = page.locator(".groups tbody tr", { hasText: "StripeTimeout" });
  await row.first().waitFor();
  assert.match(await row.first().innerText(), /connect timed out[\s\S]*stripe/);
  await row.first().locator("[data-row-link]").focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/errors\/[^?]+/);
  await page.waitForSelector(".stack");
  const text = await page.locator("main").innerText();
  for (const part of [/StripeTimeout/, /charge\.ts:88/, /Began in\s+stripe/, /Services affected[\s\S]*payment/, /Last seen/]) assert.match(text, part);
  await page.keyboard.press("j");
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/trace\//);
  await page.waitForSelector(".drawer .exception");
  assert.match(await page.locator(".drawer .exception").innerText(), /StripeTimeout/);
  assert.deepEqual(problems, []);
  await context.close();
});

test("Errors: a group that is not there is told in the server's words, a server without groups as such", async () => {
  const { page, context } = await openPage(browser);
  await page.route("**/api/errors/*", (route) => route.fulfill({ status: 404, json: { error: { code: "not_found", message: "no failure with this fingerprint is stored" } } }));
  await visit(page, `${server.url}/errors/0000000000000000`);
  assert.match(await page.locator("main").innerText(), /Not found[\s\S]*no failure with this fingerprint/);
  await page.route("**/api/errors?**", absent);
  await page.route("**/api/errors", absent);
  await visit(page, `${server.url}/errors`);
  assert.match(await page.locator("main").innerText(), /does not know error groups yet/);
  await page.waitForSelector(".traces tbody tr");
  await context.close();
});

/** Forty calls of one operation: those of one build are slow. */
function planted(service) {
  const trace = hex(32);
  const start = BigInt(Date.now() - 60_000) * 1_000_000n;
  return Array.from({ length: 40 }, (_none, at) => ({
    trace_id: trace,
    span_id: hex(16),
    parent_span_id: null,
    service_name: service,
    operation_name: "work",
    start_time_unix_ns: start + BigInt(at) * 500_000_000n,
    duration_ms: at % 4 === 0 ? 800 + at : 5 + at / 40,
    status: at % 8 === 0 ? "error" : "ok",
    kind: "server",
    tags: { build: at % 4 === 0 ? "bad-1" : "good-1", region: at % 2 ? "eu" : "us", request: `r-${at}` },
    resource: { "service.name": service },
  }));
}

test("Service: a box dragged over the slow ones says what they have in common; a link shows the same", async (t) => {
  if (!(await has("/api/heatmap?service=x"))) return t.skip("this server has no heatmap");
  const service = `planted-${hex(8)}`;
  await new Seed(server).spans(planted(service));
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/services/${service}`);
  const canvas = page.locator(".heatmap canvas");
  await canvas.scrollIntoViewIfNeeded();
  const at = await canvas.boundingBox();
  await page.mouse.move(at.x + 60, at.y + 2);
  await page.mouse.down();
  await page.mouse.move(at.x + at.width - 10, at.y + at.height / 2, { steps: 3 });
  await page.mouse.up();
  await page.waitForSelector(".difference tbody tr");
  assert.match(await page.locator(".difference tbody tr").first().innerText(), /build bad-1\s+100%\s+0%/);
  assert.match(await page.locator(".differs [role=status]").innerText(), /^10 spans in the box, 30 /);
  await page.waitForFunction(() => new URL(location.href).searchParams.has("box"));
  const second = await openPage(browser);
  await visit(second.page, page.url());
  await second.page.waitForSelector(".difference tbody tr");
  assert.equal(await second.page.locator(".difference").innerText(), await page.locator(".difference").innerText());
  assert.equal(await second.page.locator(".heat-box").count(), 1);
  await page.getByRole("button", { name: "Compare failures" }).click();
  await page.waitForFunction(() => /failed, /.test(document.querySelector(".differs [role=status]")?.textContent ?? ""));
  assert.match(await page.locator(".differs [role=status]").innerText(), /^5 spans failed, 35 /);
  await page.getByRole("button", { name: "Clear, back to now" }).click();
  await page.waitForFunction(() => !/box|from|differ/.test(location.search));
  assert.deepEqual([problems, second.problems], [[], []]);
  await second.context.close();
  await context.close();
});

test("Service: the box is made, moved, sized and taken away by keys", async (t) => {
  if (!(await has("/api/heatmap?service=x"))) return t.skip("this server has no heatmap");
  const service = `planted-${hex(8)}`;
  await new Seed(server).spans(planted(service));
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/services/${service}?window=15m`);
  await page.locator(".heatmap").focus();
  const told = () => page.locator("#latency + .dim").innerText();
  await page.keyboard.press("ArrowUp");
  await page.waitForSelector(".heat-box");
  const whole = await told();
  assert.match(whole, /from [\d.]+ ms: \d+ span/);
  await page.keyboard.press("Shift+ArrowLeft");
  await page.waitForFunction((before) => document.querySelector("#latency + .dim")?.textContent !== before, whole);
  await page.keyboard.press("Escape");
  await page.waitForFunction(() => !document.querySelector(".heat-box"));
  await context.close();
});

test("Service: a server without heatmaps or differences says so", async () => {
  const { page, context } = await openPage(browser);
  await page.route("**/api/heatmap?**", absent);
  await visit(page, `${server.url}/services/payment`);
  assert.match(await page.locator("main").innerText(), /does not know heatmaps yet/);
  await page.waitForSelector(".figures");
  await context.close();
});

test("Service: what changed is asked around the start of the box", async () => {
  const service = `planted-${hex(8)}`;
  await new Seed(server).spans(planted(service));
  const { page, context } = await openPage(browser);
  const asked = [];
  await page.route("**/api/changes**", (route) => {
    const at = new URL(route.request().url()).searchParams.get("at");
    asked.push(at);
    const began = { at_unix_ns: 1795968000000000000, service, kind: "version", key: "service.version", value: "4.8.0", change: "began" };
    return route.fulfill({ json: { changes: at ? [began] : [], start_unix_ns: began.at_unix_ns, end_unix_ns: began.at_unix_ns, before_unix_ns: 0, capped: false, complete: true } });
  });
  const from = BigInt(Date.now() - 120_000) * 1_000_000n;
  const step = 2_000_000_000n;
  await visit(page, `${server.url}/services/${service}?from=${from}&to=${from + 60n * step}&box=${from + 30n * step},0,${from + 50n * step},`);
  if ((await page.locator(".heatmap").count()) === 0) return context.close(); // a server without heatmaps, tested above
  await page.waitForSelector(".changes li");
  assert.match(await page.locator(".changes").innerText(), /version 4\.8\.0 began/);
  assert.equal(asked.at(-1), String(from + 30n * step));
  await context.close();
});

test("Service: where the time of an operation goes, and another one chosen", async () => {
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/services/payment?op=charge`);
  const panel = page.locator('[aria-labelledby="spent"]');
  await panel.locator("tbody tr").first().waitFor();
  assert.match(await panel.locator("tbody tr").first().innerText(), /stripe POST \/v1\/charges\s+9\d\.\d%\s+9\d\.\d%/);
  await visit(page, `${server.url}/services/frontend`);
  await panel.locator("tbody tr").first().waitFor();
  await panel.locator("select").selectOption("POST /checkout");
  await paramBecomes(page, "op", "POST /checkout");
  await page.waitForFunction(() => /checkout PlaceOrder/.test(document.querySelector('[aria-labelledby="spent"] tbody')?.textContent ?? ""));
  assert.deepEqual(problems, []);
  await context.close();
});

test("Trace: x compares with the typical trace, and says which operation it waited longer for", async (t) => {
  if (!(await has(`/api/typical?trace_id=${whole.trace}`))) return t.skip("this server knows no typical traces");
  const late = failing(1);
  for (const span of late.spans) if (span.span_id !== late.ids.cart) span.duration_ms += 4000;
  await new Seed(server).spans(late.spans);
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/trace/${late.trace}`);
  await page.keyboard.press("x");
  await paramBecomes(page, "view", "typical");
  await page.waitForSelector(".view-scroll tbody tr");
  assert.match(await page.locator(".view-scroll [role=status]").innerText(), /This one took 5\.00 s, the median of \d+ traces of frontend POST \/checkout before it [\d.]+ m?s: ×[\d.]+/);
  assert.match(await page.locator(".view-scroll tbody tr").first().innerText(), /stripe POST \/v1\/charges[\s\S]*\s1\s+[01]\s+4\.87 s\s[\s\S]*\+[34]\.\d+ s/);
  await page.keyboard.press("x");
  await paramBecomes(page, "view", null);
  assert.deepEqual(problems, []);
  await context.close();
});

test("Status: what the sampler kept and dropped, by reason; on a trace, why it is kept", async () => {
  const { page, context } = await openPage(browser);
  const sampling = { enabled: true, kept: { error: 12, share: 88 }, dropped: { healthy: 1900 }, share: 0.044, healthy_traces: 1988, healthy_kept: 88, kept_spans: 1700, dropped_spans: 32300, live_window_s: 900, decided_through_unix_ns: 1795968000000000000, waiting: null, problems: [] };
  await page.route("**/api/sampling", (route) => route.fulfill({ json: sampling }));
  await visit(page, `${server.url}/status`);
  await page.waitForFunction(() => document.querySelector('[aria-labelledby="sampling"] .badge'));
  assert.match(await page.locator('[aria-labelledby="sampling"]').innerText(), /On[\s\S]*kept\s+100\s[\s\S]*error\s+12\s[\s\S]*dropped\s+1\u202f900[\s\S]*88 of 1\u202f988, 4\.4%[\s\S]*15 m 00 s/);
  await page.route(/view=columns/, async (route) => {
    const response = await route.fetch();
    await route.fulfill({ response, body: (await response.text()).replace("{", '{"kept_because":"outlier",') });
  });
  await visit(page, `${server.url}/trace/${whole.trace}`);
  assert.match(await page.locator(".trace-facts").innerText(), /Kept: outlier/);
  await context.close();
});

test("Status: what would be kept is asked for when it is wanted", async () => {
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/status`);
  const panel = page.locator('[aria-labelledby="sampling"]');
  await panel.getByRole("button", { name: "What would be kept now?" }).click();
  await panel.getByText("traces with an error, all kept").waitFor();
  assert.match(await panel.innerText(), /not decided yet[\s\S]*kept\s+\d/);
  assert.deepEqual(problems, []);
  await context.close();
});
