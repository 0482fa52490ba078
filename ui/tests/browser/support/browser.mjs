// How the real Chromium is started here (CHROMIUM names another one), and pages that fail the test on any error of theirs.
import assert from "node:assert/strict";
import { chromium } from "playwright-core";

export const launchOptions = {
  executablePath: process.env.CHROMIUM ?? "/usr/bin/chromium",
  args: ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking", "--disable-component-update", "--disable-sync"],
};

export const launch = () => chromium.launch(launchOptions);

/** A page in a context of its own; `problems` collects uncaught errors, dialogs and violations of the CSP. */
export async function openPage(browser, options = {}) {
  const context = await browser.newContext({ viewport: { width: 1280, height: 800 }, colorScheme: "light", ...options });
  const page = await context.newPage();
  const problems = [];
  page.on("pageerror", (error) => problems.push(`error: ${error}`));
  page.on("dialog", (dialog) => (problems.push(`dialog: ${dialog.message()}`), void dialog.dismiss()));
  page.on("console", (message) => /Content Security Policy|Content-Security-Policy/.test(message.text()) && problems.push(message.text()));
  return { page, context, problems };
}

/** Waits until the page shows its data: the heading is there and nothing says Loading. */
export async function settled(page) {
  await page.waitForSelector("main h1");
  await page.waitForFunction(() => !document.querySelector("main .loading"));
}

export async function visit(page, url) {
  await page.goto(url);
  await settled(page);
}

export const param = (page, name) => new URL(page.url()).searchParams.get(name);

/** The address follows the state a moment later; waits for it instead of sleeping. */
export async function paramBecomes(page, name, value) {
  await page.waitForFunction(([key, wanted]) => new URL(location.href).searchParams.get(key) === wanted, [name, value]).catch(() => {});
  assert.equal(param(page, name), value);
}
