// The server under test: the real one at TRACEWELL_URL and TRACEWELL_INGEST_URL, or an empty mock that is started here.
import { spawn } from "node:child_process";
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";

async function freePort() {
  const server = createServer().listen(0, "127.0.0.1");
  await new Promise((resolve) => server.once("listening", resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}

async function answers(url) {
  for (let tries = 0; tries < 200; tries++) {
    const ok = await fetch(`${url}/readyz`).then((response) => response.ok, () => false);
    if (ok) return;
    await new Promise((resolve) => setTimeout(resolve, 100));
  }
  throw new Error(`nothing is ready at ${url}`);
}

export async function startServer() {
  if (process.env.TRACEWELL_URL) {
    const url = process.env.TRACEWELL_URL.replace(/\/$/, "");
    await answers(url);
    return { url, ingest: (process.env.TRACEWELL_INGEST_URL ?? "http://127.0.0.1:4318").replace(/\/$/, ""), stop() {} };
  }
  const [port, ingestPort] = [await freePort(), await freePort()];
  const mock = fileURLToPath(new URL("../../../dev/mock.mjs", import.meta.url));
  const child = spawn(process.execPath, [mock, "--empty"], { env: { ...process.env, PORT: port, INGEST_PORT: ingestPort }, stdio: "ignore" });
  const url = `http://127.0.0.1:${port}`;
  await answers(url);
  return { url, ingest: `http://127.0.0.1:${ingestPort}`, stop: () => child.kill() };
}
