// The counts of UI.md that need no browser; bytes of the build are held by a Rust test beside the server's routes.
import { expect, test } from "vitest";
import lock from "../../package-lock.json?raw";
import manifest from "../../package.json";

test("at most five packages run in the browser", () => {
  const packages = (JSON.parse(lock) as { packages: Record<string, { dev?: boolean }> }).packages;
  const running = Object.entries(packages).filter(([path, one]) => path !== "" && !one.dev);
  expect(running.length).toBeLessThanOrEqual(5);
  expect(Object.keys(manifest.dependencies).length).toBeLessThanOrEqual(running.length);
});

test("the lock file names no registry", () => {
  expect(lock).not.toContain('"resolved"');
});
