// The URL is the state: pages read `route`, and change it through `navigate` and `setParams`. Nothing else is kept.
import { signal } from "@preact/signals";

export interface Route {
  path: string;
  params: URLSearchParams;
}

export function parseRoute(pathname: string, search: string): Route {
  const path = pathname.length > 1 ? pathname.replace(/\/+$/, "") || "/" : "/";
  return { path, params: new URLSearchParams(search) };
}

/** The parts after the page's name, decoded; a malformed escape is kept as it stands. */
export function segments(path: string): string[] {
  return path
    .split("/")
    .filter(Boolean)
    .map((part) => {
      try {
        return decodeURIComponent(part);
      } catch {
        return part;
      }
    });
}

export type Changes = Record<string, string | string[] | null | undefined>;

/** Parameters not named in `changes` stay, also those that no page knows. */
export function withChanges(params: URLSearchParams, changes: Changes): URLSearchParams {
  const next = new URLSearchParams(params);
  for (const [key, value] of Object.entries(changes)) {
    next.delete(key);
    if (value === null || value === undefined || value === "") continue;
    for (const one of Array.isArray(value) ? value : [value]) next.append(key, one);
  }
  return next;
}

export function href(path: string, params: URLSearchParams | Changes = {}): string {
  const search = (params instanceof URLSearchParams ? params : withChanges(new URLSearchParams(), params)).toString();
  // Colons and commas are legal in a query and read better.
  return search ? `${path}?${search.replaceAll("%3A", ":").replaceAll("%2C", ",").replaceAll("%2F", "/")}` : path;
}

const here = (): Route => (typeof location === "undefined" ? parseRoute("/", "") : parseRoute(location.pathname, location.search));

export const route = signal<Route>(here());

// Browsers stop a page that rewrites its address more than some 20 times a second (a held-down `j` does): the state
// changes at once, the address a moment later.
const ADDRESS_DELAY_MS = 120;
let pending: { url: string; timer: number } | null = null;

function flushAddress(): void {
  if (!pending) return;
  clearTimeout(pending.timer);
  history.replaceState(null, "", pending.url);
  pending = null;
}

export function navigate(url: string, how: "push" | "replace" = "push"): void {
  const [pathname, search = ""] = url.split(/\?(.*)/s);
  if (how === "push") {
    flushAddress();
    history.pushState(null, "", url);
  } else {
    if (pending) clearTimeout(pending.timer);
    pending = { url, timer: window.setTimeout(flushAddress, ADDRESS_DELAY_MS) };
  }
  const before = route.value.path;
  route.value = parseRoute(pathname, search);
  if (route.value.path !== before) scrollTo(0, 0);
}

/** What the address bar shows, or is about to. */
export const address = (): string => location.origin + href(route.value.path, route.value.params);

export function setParams(changes: Changes, how: "push" | "replace" = "replace"): void {
  navigate(href(route.value.path, withChanges(route.value.params, changes)), how);
}

/** Plain `<a href>` elements are the links; clicks on ours stay in the page. */
export function startRouter(): void {
  addEventListener("popstate", () => {
    if (pending) clearTimeout(pending.timer);
    pending = null;
    route.value = here();
  });
  addEventListener("pagehide", flushAddress);
  document.addEventListener("click", (event) => {
    if (event.defaultPrevented || event.button !== 0 || event.metaKey || event.ctrlKey || event.shiftKey || event.altKey) return;
    // Also the links of the map, which are SVG's and have no `pathname`.
    const link = (event.target as Element | null)?.closest?.("a");
    const to = link?.getAttribute("href");
    if (!link || !to || to.startsWith("#") || link.hasAttribute("target") || link.hasAttribute("download")) return;
    const url = new URL(to, location.href);
    if (url.origin !== location.origin || url.pathname.startsWith("/api/")) return;
    event.preventDefault();
    navigate(url.pathname + url.search);
  });
}
