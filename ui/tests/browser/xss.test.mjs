// Span data is written by strangers: a trace with markup in every field is looked at on every page, and nothing of it runs.
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { launch, openPage, settled, visit } from "./support/browser.mjs";
import { hex, Seed } from "./support/seed.mjs";
import { startServer } from "./support/server.mjs";

const RUN = "window.__ran=(window.__ran||0)+1";
const EVIL = [
  `<img src=x onerror="${RUN}">`,
  `<script>${RUN}</script>`,
  `"><svg/onload=${RUN}>`,
  `javascript:${RUN}`,
  `JaVaScRiPt:${RUN}//https://x.test`,
  `data:text/html,<script>${RUN}</script>`,
  `{{constructor.constructor('${RUN}')()}}`,
  `\${${RUN}}`,
  `' onmouseover='${RUN}`,
  `</title><script>${RUN}</script>`,
  `\u202Egnp.exe\u202C \u2066rtl\u2069`,
  `https://user:pass@x.test/"onclick="${RUN}`,
];
const mark = hex(8);
const service = `${EVIL[0]} ${mark}`;
const evilMap = (text) => Object.fromEntries([...EVIL.map((one, at) => [`${one} ${at}`, `${EVIL[(at + 1) % EVIL.length]}`]), ["__proto__", text], ["constructor", text], ["url", "https://ok.test/page"], ["hostile", EVIL[0]]]);

let server, browser, trace, otlpTrace, root;

function spanTrace() {
  const trace_id = hex(32);
  const start = BigInt(Date.now() - 30_000) * 1_000_000n;
  const first = hex(16);
  const span = (span_id, parent_span_id, name, operation, more) => ({ trace_id, span_id, parent_span_id, service_name: name, operation_name: operation, start_time_unix_ns: start, duration_ms: 50, status: "ok", tags: evilMap("x"), resource: evilMap("y"), ...more });
  const event = { time_unix_ns: start + 5n, name: EVIL[1], attributes: evilMap("z") };
  const exception = { time_unix_ns: start + 9n, name: "exception", attributes: { "exception.type": EVIL[0], "exception.message": EVIL[1], "exception.stacktrace": EVIL.join("\n") } };
  const link = { trace_id: hex(32), span_id: hex(16), trace_state: EVIL[0], attributes: evilMap("l") };
  const children = EVIL.map((text, at) => span(hex(16), first, `${text} ${mark}`, EVIL[(at + 3) % EVIL.length], { status: at % 2 ? "error" : "ok", status_message: text, kind: "server", events: [event] }));
  const cause = span(hex(16), children[1].span_id, service, EVIL[0], { status: "error", status_message: EVIL[0], events: [event, exception], links: [link], trace_state: `a=${EVIL[6]}` });
  root = first;
  return [span(first, null, service, EVIL[1], { kind: "server" }), ...children, cause, span(hex(16), hex(16), service, EVIL[9], {})];
}

function otlpBody() {
  const list = (texts) => texts.map((text, at) => ({ key: `${text} ${at}`, value: { stringValue: text } }));
  const now = BigInt(Date.now() - 30_000) * 1_000_000n;
  const nested = { key: "nested", value: { kvlistValue: { values: [{ key: EVIL[0], value: { arrayValue: { values: EVIL.map((text) => ({ stringValue: text })) } } }] } } };
  const span = {
    traceId: hex(32),
    spanId: hex(16),
    name: EVIL[0],
    kind: 2,
    startTimeUnixNano: String(now),
    endTimeUnixNano: String(now + 5_000_000n),
    attributes: [...list(EVIL), nested],
    status: { code: 2, message: EVIL[0] },
    events: [{ timeUnixNano: String(now), name: EVIL[0], attributes: list(EVIL) }],
    links: [{ traceId: hex(32), spanId: hex(16), attributes: list(EVIL) }],
  };
  otlpTrace = span.traceId;
  return { resourceSpans: [{ resource: { attributes: [{ key: "service.name", value: { stringValue: service } }, ...list(EVIL)] }, scopeSpans: [{ scope: { name: EVIL[0], version: EVIL[1], attributes: list(EVIL) }, spans: [span] }] }] };
}

before(async () => {
  server = await startServer();
  const seed = new Seed(server);
  trace = await seed.spans(spanTrace());
  const body = otlpBody();
  await seed.otlp(body, otlpTrace, 1);
  browser = await launch();
});
after(async () => {
  await browser?.close();
  server?.stop();
});

/** Nothing ran, no element came from data, and no link leads to anything but a page. */
async function assertInert(page, problems, where) {
  const found = await page.evaluate(() => ({
    ran: window.__ran ?? 0,
    elements: [...document.querySelectorAll("img, iframe, object, embed, base, form[action], script:not([src]), [onerror], [onload], [onclick], [onmouseover]")].map((one) => one.outerHTML.slice(0, 120)),
    links: [...document.querySelectorAll("a[href]")].map((one) => one.getAttribute("href")).filter((href) => !/^(\/(?!\/)|https?:\/\/|#)/i.test(href)),
    unsafe: [...document.querySelectorAll("a[target]")].filter((one) => !/noopener/.test(one.rel)).length,
  }));
  assert.deepEqual({ where, ...found, problems }, { where, ran: 0, elements: [], links: [], unsafe: 0, problems: [] });
}

test("no page runs or renders markup of span data", async () => {
  const { page, context, problems } = await openPage(browser);
  const name = encodeURIComponent(service);
  const filter = encodeURIComponent(service);
  for (const path of ["/", "/services", `/services/${name}`, `/search?service=${filter}`, `/search?tag=${encodeURIComponent(EVIL[0])}&operation=${encodeURIComponent(EVIL[2])}`, `/errors?service=${filter}`, "/map", `/map?focus=${filter}`, "/status", `/trace/${encodeURIComponent(EVIL[0])}`]) {
    await visit(page, server.url + path);
    await assertInert(page, problems, path);
  }
  const { groups = [] } = await fetch(`${server.url}/api/errors`).then((response) => response.json());
  for (const { fingerprint } of groups) {
    await visit(page, `${server.url}/errors/${encodeURIComponent(fingerprint)}`);
    await assertInert(page, problems, `group ${fingerprint}`);
  }
  await context.close();
});

test("no view of the trace, and nothing of its spans, runs or renders markup", async () => {
  const { page, context, problems } = await openPage(browser);
  for (const id of [trace, otlpTrace]) {
    for (const query of ["", "view=table", "view=services", "view=typical", "view=json", `find=${encodeURIComponent(EVIL[0])}`]) {
      await visit(page, `${server.url}/trace/${id}?${query}`);
      const drawer = await page.locator(".drawer").count();
      if (drawer > 0) await page.waitForSelector(".drawer .facts");
      // In the page, not by the pointer: what opens changes what there is to open.
      await page.evaluate(async () => {
        for (const what of ['.drawer button.fold[aria-expanded="false"]', ".drawer dl + button.quiet"]) {
          for (let button = document.querySelector(what); button; button = document.querySelector(what)) {
            button.click();
            await new Promise((resolve) => setTimeout(resolve, 30));
          }
        }
        for (const one of document.querySelectorAll("bdi, .wf-row, .st-row")) one.dispatchEvent(new MouseEvent("mouseover", { bubbles: true }));
      });
      await assertInert(page, problems, `${id}?${query}`);
    }
  }
  await context.close();
});

test("the text is shown as it came", async () => {
  const { page, context } = await openPage(browser);
  await visit(page, `${server.url}/trace/${trace}`);
  await page.waitForSelector(".drawer .exception");
  const text = await page.locator(".drawer").innerText();
  for (const one of [EVIL[0], EVIL[1], EVIL[6]]) assert.ok(text.includes(one), one);
  await visit(page, `${server.url}/trace/${trace}?span=${root}`);
  await page.waitForSelector(".drawer .attributes");
  const link = page.locator('.drawer a[href="https://ok.test/page"]').first();
  assert.match((await link.getAttribute("rel")) ?? "", /noopener/);
  assert.equal(await page.locator('.drawer a[href^="javascript" i], .drawer a[href^="data" i]').count(), 0);
  await context.close();
});

test("+filter carries a hostile value unharmed", async () => {
  const { page, context, problems } = await openPage(browser);
  await visit(page, `${server.url}/trace/${trace}?span=${root}`);
  const action = page.getByLabel("+filter: search traces with hostile as here").first();
  await action.focus();
  await page.keyboard.press("Enter");
  await page.waitForURL(/\/search/);
  await settled(page);
  const tag = new URL(page.url()).searchParams.get("tag");
  assert.equal(await page.locator(".tag-list code").innerText(), tag);
  await page.waitForSelector(".traces tbody tr");
  await assertInert(page, problems, "search after +filter");
  await context.close();
});

test("the server's headers hold the line too", async () => {
  for (const path of ["/", "/search", `/trace/${trace}`]) {
    const { headers } = await fetch(server.url + path);
    const policy = headers.get("content-security-policy") ?? "";
    for (const part of ["default-src 'none'", "script-src 'self'", "base-uri 'none'", "frame-ancestors 'none'", "object-src 'none'"]) assert.ok(policy.includes(part), `${path}: ${part}`);
    assert.ok(!/script-src[^;]*unsafe/.test(policy), path);
    assert.equal(headers.get("x-content-type-options"), "nosniff", path);
    assert.equal(headers.get("referrer-policy"), "no-referrer", path);
  }
});
