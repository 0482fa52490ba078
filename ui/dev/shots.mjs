// Pictures of every page in both themes, for eyes: `npm run shots -- OUT_DIR` against TRACEWELL_URL (the mock by default).
import { mkdirSync } from "node:fs";
import { chromium } from "playwright-core";
import { launchOptions } from "../tests/browser/support/browser.mjs";

const base = process.env.TRACEWELL_URL ?? "http://127.0.0.1:4320";
const out = process.argv[2] ?? "shots";
const only = process.argv[3];
mkdirSync(out, { recursive: true });

const get = async (path) => (await fetch(base + path)).json();
const first = async (query) => (await get(`/api/traces?limit=1&${query}`)).traces[0]?.trace_id;
const [failing, partial] = [await first("error=true&status=error"), await first("status=partial")];
const big = "b".repeat(32);
const PAGES = {
  now: "/",
  services: "/services",
  service: "/services/payment",
  search: "/search?service=checkout&error=true",
  nothing: "/search?service=nobody&span_error=true&from=now-1h",
  errors: "/errors",
  "errors-one": "/errors?service=stripe",
  map: "/map",
  "map-focus": "/map?focus=checkout",
  status: "/status",
  trace: `/trace/${failing}`,
  "trace-table": `/trace/${failing}?view=table&panel=0`,
  "trace-services": `/trace/${failing}?view=services&panel=0`,
  "trace-json": `/trace/${failing}?view=json`,
  partial: `/trace/${partial}`,
  big: `/trace/${big}`,
  deep: `/trace/${"d".repeat(32)}`,
  missing: `/trace/${"0".repeat(31)}7`,
};

const browser = await chromium.launch(launchOptions);
for (const colorScheme of ["light", "dark"]) {
  const context = await browser.newContext({ colorScheme, viewport: { width: 1440, height: 900 } });
  const page = await context.newPage();
  page.on("console", (message) => message.type() === "error" && console.log(colorScheme, message.text()));
  page.on("pageerror", (error) => console.log(colorScheme, String(error)));
  for (const [name, path] of Object.entries(PAGES)) {
    if (only && !only.split(",").includes(name)) continue;
    await page.goto(base + path);
    await page.waitForLoadState("networkidle").catch(() => {});
    await page.waitForTimeout(400);
    await page.screenshot({ path: `${out}/${name}-${colorScheme}.png` });
  }
  await context.close();
}
await browser.close();
