// The URL is the state; partial traces say why; numbers keep their digits; failures of the server are told.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage, param, paramBecomes, settled, visit } from "./support/browser.mjs";
import { failing, hex, partial, Seed } from "./support/seed.mjs";
import { startServer } from "./support/server.mjs";

let server, browser, whole, broken;
const tenant = `tenant-${hex(8)}`;

before(async () => {
  server = await startServer();
  const seed = new Seed(server);
  [whole, broken] = [failing(), partial()];
  for (const span of whole.spans) span.tags["tenant.id"] = tenant;
  await seed.spans(whole.spans);
  await seed.spans(broken.spans);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

/** What a reader sees of the trace page, to compare two of them. */
const seen = async (page) => ({
  selected: await page.locator(".wf-row.selected").innerText(),
  rows: await page.locator(".wf-row").allInnerTexts(),
  axis: await page.locator(".wf-axis span").allInnerTexts(),
  find: await page.locator("#find").inputValue(),
  drawer: await page.locator(".drawer").count(),
});

test("a copied trace link shows what its author saw", async () => {
  const first = await openPage(browser);
  await visit(first.page, `${server.url}/trace/${whole.trace}?unknown=kept`);
  await paramBecomes(first.page, "span", whole.ids.stripe);
  for (const key of ["E", "h", "Escape", "w", "w", "f"]) await first.page.keyboard.press(key);
  await first.page.keyboard.type("cart");
  await paramBecomes(first.page, "find", "cart");
  assert.equal(param(first.page, "unknown"), "kept");
  assert.equal(param(first.page, "closed"), "3");
  const second = await openPage(browser);
  await visit(second.page, first.page.url());
  assert.deepEqual(await seen(second.page), await seen(first.page));
  await first.context.close();
  await second.context.close();
});

test("filters go to the URL and come back from it, step by step", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/search`);
  await page.getByLabel("Service", { exact: true }).fill("stripe");
  await page.keyboard.press("Tab");
  await paramBecomes(page, "service", "stripe");
  await page.getByLabel("This span failed").selectOption("true");
  await page.getByLabel("Span at least").fill("0.5s");
  await page.keyboard.press("Tab");
  await paramBecomes(page, "min_span_duration_ms", "500");
  await page.getByLabel("Tags").fill(`tenant.id=${tenant}`);
  await page.keyboard.press("Enter");
  await paramBecomes(page, "tag", `tenant.id=${tenant}`);
  await page.waitForFunction(() => document.querySelectorAll(".traces tbody tr").length === 1);
  const url = page.url();
  await page.goBack();
  await paramBecomes(page, "tag", null);
  await visit(page, url);
  assert.equal(await page.getByLabel("Service", { exact: true }).inputValue(), "stripe");
  assert.equal(await page.getByLabel("This span failed").inputValue(), "true");
  assert.equal(await page.getByLabel("Span at least").inputValue(), "500ms");
  assert.equal(await page.locator(".traces tbody tr").count(), 1);
  await page.getByRole("button", { name: "Clear all filters" }).click();
  await page.waitForFunction(() => location.search === "");
  await context.close();
});

test("the two error filters are two: of the span, and anywhere in the trace", async () => {
  const { page, context } = await openPage(browser);
  const tag = `tag=${encodeURIComponent(`tenant.id=${tenant}`)}`;
  await visit(page, `${server.url}/search?service=cart&error=true&${tag}`);
  assert.equal(await page.locator(".traces tbody tr").count(), 1);
  await visit(page, `${server.url}/search?service=cart&span_error=true&${tag}`);
  assert.equal(await page.locator(".traces tbody tr").count(), 0);
  assert.match(await page.locator(".results").innerText(), /An error in any span/);
  await context.close();
});

test("the cursor loads more, and no trace twice", async () => {
  const seed = new Seed(server);
  const many = `many-${hex(8)}`;
  const traces = Array.from({ length: 60 }, (_none, at) => ({ trace_id: hex(32), span_id: hex(16), parent_span_id: null, service_name: many, operation_name: "work", start_time_unix_ns: BigInt(Date.now() - 1000 - at) * 1_000_000n, duration_ms: 1, status: "ok", tags: {} }));
  for (const span of traces.slice(1)) await fetch(`${seed.ingest}/v1/spans`, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify([{ ...span, start_time_unix_ns: 0 }]).replace('"start_time_unix_ns":0', `"start_time_unix_ns":${span.start_time_unix_ns}`) });
  await seed.spans([traces[0]]);
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/search?service=${many}`);
  await page.waitForFunction(() => document.querySelectorAll(".traces tbody tr").length === 50);
  await page.getByRole("button", { name: "Load more" }).click();
  await page.waitForFunction(() => document.querySelectorAll(".traces tbody tr").length === 60);
  const links = await page.locator(".traces [data-row-link]").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  assert.equal(new Set(links).size, 60);
  assert.equal(await page.getByRole("button", { name: "Load more" }).count(), 0);
  await context.close();
});

test("a partial trace says what is missing and marks its orphans", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/trace/${broken.trace}`);
  assert.equal(await page.locator(".trace-title .badge").innerText(), "Partial");
  const note = await page.locator(".partial-note").innerText();
  assert.match(note, /parent/);
  assert.ok(note.includes(broken.ids.checkout), note);
  assert.match(note, /cart/);
  assert.equal(await page.locator(".wf-row.orphan .gap").count(), 2);
  await page.locator(".wf-row.orphan").first().click();
  await page.waitForSelector(".drawer .facts");
  assert.ok((await page.locator(".drawer .facts").innerText()).includes(`missing: ${broken.ids.checkout}`));
  await context.close();
});

test("integers of 64 bits and nanoseconds are shown with all their digits", async () => {
  const { page, context } = await openPage(browser, { timezoneId: "Asia/Kolkata" });
  await visit(page, `${server.url}/trace/${whole.trace}?span=${whole.ids.cart}`);
  await page.waitForSelector(".drawer .attributes");
  assert.match(await page.locator(".drawer .attributes").first().innerText(), /9007199254740993/);
  const start = whole.spans.find((span) => span.span_id === whole.ids.cart).start_time_unix_ns;
  const below = String(start % 1_000_000_000n).padStart(9, "0");
  assert.ok((await page.locator(".drawer .facts").innerText()).includes(`.${below}`));
  await context.close();
});

test("clocks are local or UTC, the theme is the reader's, and both are kept", async () => {
  const { page, context } = await openPage(browser, { timezoneId: "Asia/Kolkata" });
  await visit(page, `${server.url}/trace/${whole.trace}`);
  const local = await page.locator(".trace-facts time").first().innerText();
  await page.getByRole("button", { name: /Local UTC\+05:30/ }).click();
  assert.notEqual(await page.locator(".trace-facts time").first().innerText(), local);
  await page.getByRole("button", { name: "Theme: Auto" }).click();
  await page.getByRole("button", { name: "Theme: Light" }).click();
  await page.reload();
  await settled(page);
  assert.equal(await page.evaluate(() => document.documentElement.dataset.theme), "dark");
  assert.equal(await page.getByRole("button", { name: "UTC", exact: true }).count(), 1);
  assert.equal(await page.evaluate(() => getComputedStyle(document.documentElement).colorScheme), "dark");
  await context.close();
});

test("what the server refuses or cannot do is told in its words", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/search?status=purple&min_duration_ms=x`);
  await page.waitForSelector(".note.error");
  assert.match(await page.locator(".note.error").innerText(), /refused this[\s\S]*(status|min_duration_ms)/);
  await page.route("**/api/graph*", (route) => route.fulfill({ status: 503, json: { error: { code: "too_busy", message: "too many queries at once; try again in 1 s" } } }));
  await page.goto(`${server.url}/map`);
  await page.waitForSelector(".note.error");
  assert.match(await page.locator(".note.error").innerText(), /too many queries at once/);
  await page.route("**/api/traces?**", (route) => route.fulfill({ json: { traces: [], next_cursor: null, complete: false, incomplete_reasons: ["one block was damaged"] } }));
  await page.goto(`${server.url}/search`);
  await page.waitForSelector(".note.warn");
  assert.match(await page.locator(".note.warn").innerText(), /incomplete[\s\S]*one block was damaged/);
  await visit(page, `${server.url}/trace/${hex(32)}`);
  assert.match(await page.locator("main").innerText(), /Trace not found/);
  await context.close();
});
