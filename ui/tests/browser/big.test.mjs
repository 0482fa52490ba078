// Gates on counts, not on clocks: requests, elements and boxes for a trace of 100,000 spans, and one chain that deep.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage, paramBecomes, visit } from "./support/browser.mjs";
import { hex, large, Seed } from "./support/seed.mjs";
import { startServer } from "./support/server.mjs";

const SPANS = 100_000;
let server, browser, seed;

before(async () => {
  server = await startServer();
  seed = new Seed(server);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

const counters = (page) =>
  page.evaluate(() => ({ requests: window.__tracewell.requests, boxes: window.__tracewell.boxes, rows: window.__tracewell.rows, nodes: document.querySelectorAll("*").length }));

function assertGates({ boxes, rows, nodes }, where) {
  assert.ok(rows > 0 && rows < 80, `${where}: ${rows} rows on screen`);
  assert.ok(boxes > 0 && boxes <= 4 * rows, `${where}: ${boxes} boxes for ${rows} rows`);
  assert.ok(nodes <= 500, `${where}: ${nodes} elements`);
}

test("100,000 spans: few requests, few elements, few boxes, wherever one goes", { timeout: 600_000 }, async () => {
  const { trace, spans } = large(SPANS);
  await seed.spans(spans);
  const { page, context, problems } = await openPage(browser);
  const answers = [];
  page.on("response", (response) => response.url().includes("/api/") && answers.push(response));
  await visit(page, `${server.url}/trace/${trace}?debug=1`);
  await page.waitForFunction(() => window.__tracewell.boxes > 0);
  const first = await counters(page);
  assert.ok(first.requests.length <= 3, first.requests.join(" "));
  assertGates(first, "opened");
  const sizes = await answers.find((response) => response.url().includes("view=columns")).request().sizes();
  assert.ok(sizes.responseBodySize <= 1.5 * 1024 * 1024, `${sizes.responseBodySize} bytes of columns`);
  assert.match(await page.locator(".trace-facts").innerText(), /100\s000\s*spans/);

  await page.waitForSelector(".drawer .facts");
  for (const key of ["e", "End", "PageUp", "Home", "H", "L", "w", "w", "z", "0"]) {
    await page.keyboard.press(key);
    assertGates(await counters(page), `after ${key}`);
  }
  await page.locator(".wf-scroll").evaluate((box) => (box.scrollTop = box.scrollHeight / 2));
  await page.waitForFunction(() => document.querySelector(".wf-row")?.getAttribute("data-row") > 40_000);
  assertGates(await counters(page), "scrolled");
  await page.keyboard.press("f");
  await page.keyboard.type("batch-17 operation 2");
  await page.waitForFunction(() => /hits/.test(document.querySelector(".toolbar [role=status]")?.textContent ?? ""));
  await page.keyboard.press("Enter");
  assertGates(await counters(page), "found");
  await page.keyboard.press("Escape");
  await page.keyboard.press("v");
  await paramBecomes(page, "view", "table");
  await page.waitForSelector(".st-row[aria-rowindex]");
  assert.ok((await counters(page)).nodes <= 500, "the table is virtual too");
  assert.deepEqual(problems, []);
  await context.close();
});

test("a chain 20,000 deep opens at its failing end", { timeout: 600_000 }, async () => {
  const trace = hex(32);
  const start = BigInt(Date.now() - 30_000) * 1_000_000n;
  const depth = 20_000;
  const id = (at) => (at + 1).toString(16).padStart(16, "0");
  await seed.spans(Array.from({ length: depth }, (_none, at) => ({ trace_id: trace, span_id: id(at), parent_span_id: at ? id(at - 1) : null, service_name: "recursive", operation_name: "call", start_time_unix_ns: start + BigInt(at * 1000), duration_ns: (2 * depth - 2 * at) * 1000, duration_ms: ((2 * depth - 2 * at) * 1000) / 1e6, status: at === depth - 1 ? "error" : "ok", tags: {} })));
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/trace/${trace}?debug=1`);
  await paramBecomes(page, "span", id(depth - 1));
  await page.waitForSelector(".wf-row.selected");
  assertGates(await counters(page), "deep");
  await page.keyboard.press("p");
  await paramBecomes(page, "span", id(depth - 2));
  await page.keyboard.press("H");
  await paramBecomes(page, "span", id(0));
  assert.deepEqual(problems, []);
  await context.close();
});
