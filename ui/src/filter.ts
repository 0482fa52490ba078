// A search: read from the URL, sent to /api/traces, and written from the text of the box on every page.
import { textOf } from "./json";
import { withChanges } from "./router";

/** Parameters with one value that /api/traces knows under the same name. */
export const SINGLE = [
  "service",
  "operation",
  "span_error",
  "min_span_duration_ms",
  "max_span_duration_ms",
  "error",
  "status",
  "min_duration_ms",
  "max_duration_ms",
  "order",
] as const;

export type SingleName = (typeof SINGLE)[number];

/** The query string for /api/traces; parameters of the URL that are not the search's own are left out. */
export function apiQuery(params: URLSearchParams, extra: Record<string, string> = {}): string {
  const query = new URLSearchParams();
  for (const name of SINGLE) {
    const value = params.get(name);
    if (value) query.set(name, value);
  }
  for (const tag of params.getAll("tag")) if (tag) query.append("tag", tag);
  const from = params.get("from");
  const to = params.get("to");
  if (from) query.set("start", from);
  if (to && to !== "now") query.set("end", to);
  for (const [name, value] of Object.entries(extra)) query.set(name, value);
  return query.toString();
}

/** Words of the box; double quotes keep spaces together. */
export function words(text: string): string[] {
  const found = text.match(/(?:[^\s"]|"(?:[^"\\]|\\.)*"?)+/g) ?? [];
  return found.map((word) => word.replace(/"((?:[^"\\]|\\.)*)"?/g, (_all, inner: string) => inner.replace(/\\(.)/g, "$1")));
}

const UNIT_MS: Record<string, number> = { ns: 1e-6, us: 1e-3, µs: 1e-3, ms: 1, s: 1e3, m: 6e4, "": 1 };

/** `500ms`, `1.5s`, `20us`; a bare number is milliseconds. */
export function parseMs(text: string): number | null {
  const match = /^(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m)?$/.exec(text.trim());
  return match ? Number((Number(match[1]) * UNIT_MS[match[2] ?? ""]).toPrecision(12)) : null;
}

const DURATION = /^(span\.)?(?:dur|duration)(>=?|<=?)(.+)$/;

/** `service=cart error dur>500ms http.status_code=500` → the parameters of /search. */
export function fromText(text: string): URLSearchParams {
  const params = new URLSearchParams();
  for (const word of words(text)) {
    const duration = DURATION.exec(word);
    const ms = duration ? parseMs(duration[3]) : null;
    if (duration && ms !== null) {
      const name = `${duration[2].startsWith(">") ? "min" : "max"}_${duration[1] ? "span_" : ""}duration_ms`;
      params.set(name, String(ms));
      continue;
    }
    const [, key, value] = /^(service|operation|op|status|order)=(.*)$/s.exec(word) ?? [];
    if (key) params.set(key === "op" ? "operation" : key, value);
    else if (word === "error" || word === "error=true") params.set("error", "true");
    else if (word === "!error" || word === "error=false") params.set("error", "false");
    else if (word === "span.error") params.set("span_error", "true");
    else params.append("tag", word);
  }
  return params;
}

/** `now-15m` → the moment it means now, so that a shared link shows what its author saw. */
export function absolute(bound: string | null, nowMs: number): string | null {
  if (!bound) return null;
  const match = /^now(?:-(\d+)([smhd]))?$/.exec(bound);
  if (!match) return bound;
  const unit = { s: 1e3, m: 6e4, h: 36e5, d: 864e5 }[match[2] ?? "s"] ?? 1e3;
  return new Date(nowMs - Number(match[1] ?? 0) * unit).toISOString();
}

export function absoluteRange(params: URLSearchParams, nowMs: number): URLSearchParams {
  const [from, to] = [params.get("from"), params.get("to")];
  if (!from && !to) return params;
  return withChanges(params, { from: absolute(from, nowMs), to: absolute(to ?? "now", nowMs) });
}

/** The page's range as the API's `?start=&end=`; empty where there is none. */
export function rangeQuery(params: URLSearchParams, extra: Record<string, string> = {}): string {
  const [from, to] = [params.get("from"), params.get("to")];
  const query = new URLSearchParams(extra);
  if (from) query.set("start", from);
  if (to && to !== "now") query.set("end", to);
  return query.size > 0 ? `?${query}` : "";
}

/** `tag=` is split at its first `=`, so a key with one in it cannot be asked for; nor can arrays and objects. */
export function filterOf(key: string, value: unknown): string | null {
  if (key === "" || key.includes("=") || /[!~]$/.test(key)) return null;
  if (value === null) return key;
  return typeof value === "object" ? null : `${key}=${textOf(value)}`;
}
