// Builds ui/dist, which is committed: unminified, stable names, one chunk per page, so that branches merge.
// `.sources` lists the hash of every source file; a Rust test recomputes them, so a stale dist fails without Node.
import { readFileSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { defineConfig, type Plugin } from "vite";

// Keep equal to SOURCES in crates/query/src/ui.rs.
const SOURCES = ["index.html", "package-lock.json", "package.json", "public", "src", "tsconfig.json", "vite.config.ts"];

function filesUnder(path: string): string[] {
  if (!statSync(path).isDirectory()) return [path];
  return readdirSync(path).flatMap((name) => filesUnder(join(path, name)));
}

function fnv1a64(bytes: Uint8Array): string {
  let hash = 0xcbf29ce484222325n;
  for (const byte of bytes) hash = BigInt.asUintN(64, (hash ^ BigInt(byte)) * 0x100000001b3n);
  return hash.toString(16).padStart(16, "0");
}

function sourcesList(): Plugin {
  return {
    name: "tracewell-sources",
    apply: "build",
    closeBundle() {
      const lines = SOURCES.flatMap(filesUnder)
        .sort()
        .map((path) => `${fnv1a64(readFileSync(path))} ${path}\n`);
      writeFileSync("dist/.sources", lines.join(""));
    },
  };
}

export default defineConfig({
  base: "./",
  plugins: [sourcesList()],
  server: { proxy: { "/api": process.env.TRACEWELL_URL ?? "http://127.0.0.1:4320" } },
  build: {
    target: "es2023",
    minify: false,
    cssMinify: false,
    cssCodeSplit: false,
    modulePreload: false,
    assetsInlineLimit: 0,
    chunkSizeWarningLimit: 200,
    rolldownOptions: {
      output: {
        entryFileNames: "assets/[name].js",
        chunkFileNames: "assets/[name].js",
        assetFileNames: "assets/[name][extname]",
      },
    },
  },
  // Time limits only end what hangs: the machine may be busy.
  test: { include: ["tests/unit/**/*.test.ts"], environment: "node", testTimeout: 120_000 },
} as Parameters<typeof defineConfig>[0]);
