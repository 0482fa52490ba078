// axe-core on every page, in both themes: no violation at all.
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { after, before, test } from "node:test";
import { launch, openPage, visit } from "./support/browser.mjs";
import { failing, partial, Seed } from "./support/seed.mjs";
import { startServer } from "./support/server.mjs";

const axe = readFileSync(createRequire(import.meta.url).resolve("axe-core/axe.min.js"), "utf8");
let server, browser, whole, broken, group;

before(async () => {
  server = await startServer();
  const seed = new Seed(server);
  [whole, broken] = [failing(), partial()];
  await seed.spans(whole.spans);
  await seed.spans(broken.spans);
  await seed.spans(failing(2).spans);
  const errors = await fetch(`${server.url}/api/errors`).then((response) => (response.ok ? response.json() : { groups: [] }));
  group = errors.groups[0]?.fingerprint ?? "0000000000000000";
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

const pages = () => ({
  now: "/",
  search: "/search?service=checkout&tag=http.route&from=now-1d",
  "search without a result": "/search?service=no-such-service",
  "search with a refused filter": "/search?tag=a~=(",
  services: "/services",
  service: "/services/payment",
  "service, failures compared": `/services/payment?from=${Date.now() - 300_000}000000&to=${Date.now()}000000&differ=errors`,
  errors: "/errors?service=stripe",
  "error group": `/errors/${group}`,
  map: "/map",
  "map around one": "/map?focus=checkout&hops=2",
  status: "/status",
  trace: `/trace/${whole.trace}`,
  "trace with a search": `/trace/${whole.trace}?find=cart&closed=3`,
  "partial trace": `/trace/${broken.trace}`,
  "trace as a table": `/trace/${whole.trace}?view=table`,
  "trace by services": `/trace/${whole.trace}?view=services`,
  "trace against typical": `/trace/${whole.trace}?view=typical`,
  "trace as JSON": `/trace/${whole.trace}?view=json`,
  "trace that is not there": `/trace/${"0".repeat(31)}9`,
  "no page": "/trace",
});

async function violations(page) {
  await page.evaluate(axe);
  const { violations: found } = await page.evaluate(() => globalThis.axe.run(document, { resultTypes: ["violations"] }));
  return found.map((one) => `${one.id}: ${one.help} – ${one.nodes.map((node) => `${node.target} ${node.failureSummary?.split("\n")[1] ?? ""}`).slice(0, 3).join(" | ")}`);
}

for (const colorScheme of ["light", "dark"]) {
  test(`every page is accessible, ${colorScheme}`, async () => {
    const { page, context } = await openPage(browser, { colorScheme });
    const found = [];
    for (const [name, path] of Object.entries(pages())) {
      await visit(page, server.url + path);
      if (await page.locator(".drawer").count()) await page.waitForSelector(".drawer .facts");
      found.push(...(await violations(page)).map((one) => `${name}: ${one}`));
    }
    assert.deepEqual(found, []);
    await context.close();
  });

  test(`the help and the empty state are accessible, ${colorScheme}`, async () => {
    const { page, context } = await openPage(browser, { colorScheme });
    await visit(page, `${server.url}/`);
    await page.keyboard.press("?");
    await page.waitForSelector("dialog.help[open] dl");
    assert.deepEqual(await violations(page), [], `help (${colorScheme})`);
    const none = { services: [], metrics: [], window_s: 300, capped: false, traces: [], next_cursor: null, complete: true };
    await page.route(/\/api\/(services|traces)\?/, (route) => route.fulfill({ json: none }));
    await page.goto(`${server.url}/?send=python`);
    await page.waitForSelector(".first-span pre");
    assert.match(await page.locator(".first-span pre").innerText(), /OTEL_EXPORTER_OTLP_ENDPOINT=http:\/\/127\.0\.0\.1:/);
    assert.deepEqual(await violations(page), [], `empty state (${colorScheme})`);
    await context.close();
  });
}
