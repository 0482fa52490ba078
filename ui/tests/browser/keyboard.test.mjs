// Stories of a night on call, told with the keyboard alone.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage, param, paramBecomes, settled, visit } from "./support/browser.mjs";
import { failing, partial, Seed } from "./support/seed.mjs";
import { startServer } from "./support/server.mjs";

let server, browser, whole, broken;

before(async () => {
  server = await startServer();
  const seed = new Seed(server);
  [whole, broken] = [failing(), partial()];
  await seed.spans(whole.spans);
  await seed.spans(broken.spans);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

/** Presses keys one after the other; the page takes each before the next. */
async function press(page, ...keys) {
  for (const key of keys) await page.keyboard.press(key);
}

const selected = (page) => page.locator(".wf-row.selected").innerText();

test("a trace id in the box opens the trace at the span where the failure began", async () => {
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/`);
  await press(page, "/");
  await page.keyboard.type(`level=error trace_id=${whole.trace} msg="boom"`);
  await press(page, "Enter");
  await page.waitForURL(new RegExp(`/trace/${whole.trace}`));
  await paramBecomes(page, "span", whole.ids.stripe);
  await page.waitForSelector(".drawer .exception");
  assert.match(await page.locator(".drawer .failure").innerText(), /timed out[\s\S]*StripeTimeout[\s\S]*charge\.ts:88/);
  assert.deepEqual(problems, []);
  await context.close();
});

test("pasting a traceparent anywhere opens its span", async () => {
  const { page, context } = await openPage(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  await visit(page, `${server.url}/services`);
  await page.evaluate((text) => navigator.clipboard.writeText(text), `00-${whole.trace}-${whole.ids.cart}-01`);
  await press(page, "Control+v");
  await page.waitForURL(new RegExp(`/trace/${whole.trace}`));
  assert.equal(param(page, "span"), whole.ids.cart);
  await settled(page);
  assert.match(await selected(page), /cart/);
  await context.close();
});

test("e and E go through the errors and around", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/trace/${whole.trace}?span=${whole.ids.root}`);
  const { root, checkout, payment, stripe } = whole.ids;
  for (const next of [checkout, payment, stripe, root]) {
    await press(page, "e");
    await paramBecomes(page, "span", next);
  }
  await press(page, "E");
  await paramBecomes(page, "span", stripe);
  await context.close();
});

test("rows are moved along, closed and opened; a closed row bubbles its errors", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/trace/${whole.trace}?span=${whole.ids.root}`);
  await press(page, "j", "j");
  await paramBecomes(page, "span", whole.ids.cart);
  await press(page, "p");
  await paramBecomes(page, "span", whole.ids.checkout);
  await press(page, "h");
  await paramBecomes(page, "closed", "1");
  assert.equal(await page.locator(".wf-row").count(), 2);
  assert.equal(await page.locator(".wf-row .mark.hollow").innerText(), "2");
  await press(page, "e");
  await paramBecomes(page, "closed", null);
  await paramBecomes(page, "span", whole.ids.payment);
  await press(page, "H");
  await paramBecomes(page, "span", whole.ids.root);
  assert.equal(await page.locator(".wf-row").count(), 1);
  await press(page, "L");
  await page.waitForFunction(() => document.querySelectorAll(".wf-row").length === 5);
  await context.close();
});

test("details close with Esc, open with Enter, and Backspace goes back", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/errors`);
  await page.waitForSelector("[data-row-link]");
  const rows = await page.locator("[data-row-link]").evaluateAll((all) => all.map((one) => one.getAttribute("href")));
  await press(page, ...rows.slice(0, rows.findIndex((to) => to.includes(whole.trace)) + 1).map(() => "j"), "Enter");
  await page.waitForURL(/\/trace\//);
  await settled(page);
  await page.waitForSelector(".drawer");
  await press(page, "Escape");
  await page.waitForSelector(".drawer", { state: "detached" });
  await press(page, "Enter");
  await page.waitForSelector(".drawer");
  await press(page, "Backspace");
  await page.waitForURL(/\/errors$/);
  await context.close();
});

test("the help takes Esc for itself, and no other key goes past it", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/trace/${whole.trace}`);
  await page.waitForSelector(".drawer .exception");
  await press(page, "?", "j", "v", "Escape");
  await page.waitForSelector("dialog.help[open]", { state: "detached" });
  assert.equal(await page.locator(".drawer").count(), 1);
  await paramBecomes(page, "span", whole.ids.stripe);
  await press(page, "f");
  await page.keyboard.type("cart");
  await paramBecomes(page, "find", "cart");
  await context.close();
});

test("zoom, find, orphans, views and links to copy", async () => {
  const { page, context } = await openPage(browser, { permissions: ["clipboard-read", "clipboard-write"] });
  await visit(page, `${server.url}/trace/${whole.trace}?span=${whole.ids.cart}`);
  await press(page, "z");
  await page.waitForFunction(() => /^\d+-\d+$/.test(new URL(location.href).searchParams.get("zoom") ?? ""));
  const [from, to] = param(page, "zoom").split("-").map(Number);
  assert.ok(from >= 16e6 && from <= 20e6 && to >= 50e6 && to <= 54e6, `${from}-${to}`);
  await press(page, "d", "w", "s", "a", "0");
  await paramBecomes(page, "zoom", null);
  await press(page, "f");
  await page.keyboard.type("charge");
  await press(page, "Enter");
  await paramBecomes(page, "span", whole.ids.payment);
  await press(page, "Escape", "n");
  assert.equal(await page.locator("#find").inputValue(), "charge");
  await paramBecomes(page, "span", whole.ids.stripe);
  await press(page, "y");
  await page.waitForFunction(() => document.querySelector(".notices")?.textContent === "link copied");
  assert.equal(await page.evaluate(() => navigator.clipboard.readText()), page.url());
  await press(page, "t");
  await page.waitForFunction(async (id) => (await navigator.clipboard.readText()) === id, whole.trace);
  await press(page, "Y");
  await page.waitForFunction(async () => /`frontend POST \/checkout`.*5 spans[\s\S]*failure began in `stripe POST \/v1\/charges`/.test(await navigator.clipboard.readText()));
  for (const view of ["table", "services", "typical", "json", null]) {
    await press(page, "v");
    await paramBecomes(page, "view", view);
  }
  await visit(page, `${server.url}/trace/${broken.trace}?span=${broken.ids.root}`);
  await press(page, "o");
  await page.waitForFunction((root) => new URL(location.href).searchParams.get("span") !== root, broken.ids.root);
  assert.match(await selected(page), /parent missing/);
  await context.close();
});

test("lists, tables and the map are walked without a mouse", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/services?find=stripe`);
  await page.waitForSelector("[data-row-link]");
  await press(page, "j", "Enter");
  await page.waitForURL(/\/services\/stripe$/);
  await settled(page);
  await page.waitForSelector("tbody [data-row-link]");
  await press(page, "j", "Enter");
  await page.waitForURL(/\/search\?service=stripe&operation=/);
  await page.waitForSelector(".traces [data-row-link]");
  await press(page, "j", "Enter");
  await page.waitForURL(/\/trace\//);
  await press(page, "g", "m");
  await page.waitForSelector("svg [data-row-link]");
  await press(page, "j");
  const name = await page.evaluate(() => new URL(document.activeElement.getAttribute("href"), location.href).searchParams.get("focus"));
  await press(page, "Enter");
  await paramBecomes(page, "focus", name);
  await press(page, "g", "s");
  await page.waitForSelector("th button.sort");
  await page.getByRole("button", { name: "p99" }).focus();
  await press(page, "Enter");
  await paramBecomes(page, "sort", "-p99");
  await context.close();
});

test("g and a letter goes to each page, ? shows the keys", async () => {
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/`);
  for (const [key, path] of [["s", "/services"], ["e", "/errors"], ["m", "/map"], ["f", "/search"], ["i", "/status"], ["h", "/"]]) {
    await press(page, "g", key);
    await page.waitForFunction((wanted) => location.pathname === wanted, path);
    await settled(page);
  }
  await press(page, "?");
  await page.waitForSelector("dialog.help[open]");
  await press(page, "Escape");
  await page.waitForSelector("dialog.help[open]", { state: "detached" });
  assert.deepEqual(problems, []);
  await context.close();
});
