// The shell: bar, page, help; loads the page's chunk, and starts what works everywhere.
import { render, type ComponentType } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import "./styles.css";
import { requests } from "./api";
import { copy } from "./clipboard";
import { absoluteRange } from "./filter";
import { moveRow, startKeys } from "./keys";
import { startPrefs } from "./prefs";
import { href, navigate, route, segments, startRouter } from "./router";
import { Help, helpOpen } from "./shell/help";
import { Notices } from "./shell/notices";
import { openPasted, TopBar } from "./shell/topbar";
import { findTraceId } from "./traceid";

export interface PageProps {
  /** The path's parts after the page's name. */
  rest: string[];
}
type Page = ComponentType<PageProps>;

const PAGES: Record<string, () => Promise<{ default: Page }>> = {
  "": () => import("./pages/now"),
  search: () => import("./pages/search"),
  services: () => import("./pages/services"),
  service: () => import("./pages/service"),
  trace: () => import("./pages/trace"),
  errors: () => import("./pages/errors"),
  error: () => import("./pages/error"),
  map: () => import("./pages/map"),
  status: () => import("./pages/status"),
};

const OF_ONE: Record<string, string> = { services: "service", errors: "error" };

/** The page's name in PAGES: `/services` is the overview, `/services/cart` the page of one. */
function pageName(parts: string[]): string {
  const name = parts[0] ?? "";
  if (name === "trace" && parts.length < 2) return "trace without an id";
  return parts.length > 1 ? (OF_ONE[name] ?? name) : Object.values(OF_ONE).includes(name) ? `${name} alone` : name;
}

const loaded = new Map<string, Page>();

function Main() {
  const parts = segments(route.value.path);
  const name = pageName(parts);
  const [, redraw] = useState(0);
  const [failed, setFailed] = useState("");
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);
  useEffect(() => {
    setFailed("");
    const load = PAGES[name];
    if (load && !loaded.has(name)) {
      load().then(
        (module) => (loaded.set(name, module.default), redraw((count) => count + 1)),
        () => setFailed(name),
      );
    }
    if (!first.current) main.current?.focus({ preventScroll: true });
    first.current = false;
  }, [name]);
  const Page = loaded.get(name);
  return (
    <main id="main" ref={main} tabIndex={-1} class={PAGES[name] ? `page-${name || "now"}` : "page-none"}>
      {Page ? (
        <Page key={parts.length > 1 ? route.value.path : name} rest={parts.slice(1)} />
      ) : !PAGES[name] ? (
        <section class="page">
          <h1>No such page</h1>
          <p>
            Nothing is at <code>{route.value.path}</code>. <a href="/">Go to Now</a>
          </p>
        </section>
      ) : failed === name ? (
        <section class="page">
          <h1>This page could not be loaded</h1>
          <p>The server has probably been upgraded since this tab was opened.</p>
          <button type="button" onClick={() => location.reload()}>
            Reload
          </button>
        </section>
      ) : (
        <p class="loading" role="status">
          Loading…
        </p>
      )}
    </main>
  );
}

function App() {
  return (
    <>
      <a class="skip" href="#main" onClick={(event) => (event.preventDefault(), document.querySelector("main")?.focus())}>
        Skip to the page
      </a>
      <TopBar />
      <Main />
      <Help />
      <Notices />
    </>
  );
}

function startPaste(): void {
  document.addEventListener("paste", (event) => {
    const target = event.target as HTMLElement | null;
    if (target?.closest?.("input, textarea")) return;
    const id = findTraceId(event.clipboardData?.getData("text") ?? "");
    if (id) openPasted(id);
  });
}

startPrefs();
startRouter();
startPaste();
startKeys({
  "/": () => document.querySelector<HTMLInputElement>("#box")?.focus(),
  "?": () => (helpOpen.value = true),
  "g h": () => navigate("/"),
  "g f": () => navigate("/search"),
  "g s": () => navigate("/services"),
  "g e": () => navigate("/errors"),
  "g m": () => navigate("/map"),
  "g i": () => navigate("/status"),
  j: () => moveRow(1),
  k: () => moveRow(-1),
  Backspace: () => history.back(),
  // A shared list shows what its author saw, also tomorrow: its time range is written out.
  y: () => void copy(location.origin + href(route.value.path, absoluteRange(route.value.params, Date.now())), "link"),
});
// Counters for the browser tests' gates; nothing else reads them.
if (route.value.params.has("debug")) (window as { __tracewell?: unknown }).__tracewell = { requests, boxes: 0, rows: 0 };
render(<App />, document.getElementById("app") as HTMLElement);
