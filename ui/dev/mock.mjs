// A server of docs/api.md on made-up data, for working on the UI without the Rust one: `npm run mock [-- --empty]`.
// It also takes POST /v1/spans and OTLP JSON on its second port, so that the browser tests run against either server.
import { createServer } from "node:http";
import { readFile } from "node:fs/promises";
import { extname, normalize } from "node:path";
import { fileURLToPath } from "node:url";
import { gzipSync } from "node:zlib";
import { Store } from "./mock/store.mjs";
import { fromOtlp } from "./mock/otlp.mjs";
import * as answers from "./mock/answers.mjs";
import { demoTrace, bigTrace, deepTrace, history } from "./mock/demo.mjs";

const port = Number(process.env.PORT ?? 4320);
const ingestPort = Number(process.env.INGEST_PORT ?? 4318);
const dist = fileURLToPath(new URL("../dist/", import.meta.url));
const store = new Store();

if (!process.argv.includes("--empty")) {
  for (const spans of history(Date.now(), 1500)) store.add(spans);
  store.add(bigTrace("b".repeat(32), 100_000, Date.now() - 60_000));
  store.add(deepTrace("d".repeat(32), 20_000, Date.now() - 90_000));
  if (!process.argv.includes("--still")) {
    setInterval(() => store.add(demoTrace(Date.now())), 700).unref();
  }
}

const CSP =
  "default-src 'none'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; connect-src 'self'; base-uri 'none'; frame-ancestors 'none'; object-src 'none'";
const TYPES = { ".js": "text/javascript", ".css": "text/css", ".svg": "image/svg+xml", ".html": "text/html" };

function send(request, response, status, body, headers = {}) {
  const zipped = body.length > 1024 && /\bgzip\b/.test(request.headers["accept-encoding"] ?? "");
  response.writeHead(status, {
    ...headers,
    ...(zipped ? { "content-encoding": "gzip" } : {}),
    "x-content-type-options": "nosniff",
    "referrer-policy": "no-referrer",
    "content-security-policy": CSP,
  });
  response.end(zipped ? gzipSync(body, { level: 4 }) : body);
}

const sendJson = (request, response, status, value) =>
  send(request, response, status, Buffer.from(answers.write(value)), { "content-type": "application/json" });

async function sendPage(request, response, path) {
  const asset = path.startsWith("/_ui/dev/") ? normalize(path.slice("/_ui/dev".length)) : null;
  try {
    if (asset) {
      const body = await readFile(dist + asset);
      return send(request, response, 200, body, { "content-type": TYPES[extname(asset)] ?? "application/octet-stream" });
    }
    const html = (await readFile(`${dist}index.html`, "utf8")).replaceAll('"./assets/', '"/_ui/dev/assets/');
    return send(request, response, 200, Buffer.from(html), { "content-type": "text/html; charset=utf-8", "cache-control": "no-cache" });
  } catch {
    return send(request, response, 404, Buffer.from("not found (npm run build first?)"), { "content-type": "text/plain" });
  }
}

async function bodyOf(request) {
  const chunks = [];
  for await (const chunk of request) chunks.push(chunk);
  return Buffer.concat(chunks).toString();
}

createServer(async (request, response) => {
  const url = new URL(request.url, "http://mock");
  if (url.pathname === "/readyz" || url.pathname === "/healthz") return send(request, response, 200, Buffer.from("ok"));
  if (!url.pathname.startsWith("/api/")) return sendPage(request, response, url.pathname);
  try {
    return sendJson(request, response, 200, answers.answer(store, url, await bodyOf(request)));
  } catch (problem) {
    if (!problem.code) throw problem;
    const { status, code, message, parameter } = problem;
    return sendJson(request, response, status, { error: { code, message, parameter } });
  }
}).listen(port, "127.0.0.1", () => console.log(`query  http://127.0.0.1:${port}`));

createServer(async (request, response) => {
  try {
    const body = answers.read(await bodyOf(request));
    if (request.url === "/v1/spans") {
      store.add(body);
      return response.writeHead(202).end();
    }
    if (request.url === "/v1/traces") {
      store.add(fromOtlp(body));
      return response.writeHead(200, { "content-type": "application/json" }).end("{}");
    }
    return response.writeHead(404).end();
  } catch (problem) {
    return response.writeHead(400).end(String(problem));
  }
}).listen(ingestPort, "127.0.0.1", () => console.log(`ingest http://127.0.0.1:${ingestPort}`));
