// The bar on every page: where to go, the one box, and the reader's own settings.
import { useRef } from "preact/hooks";
import { fromText } from "../filter";
import { zoneName } from "../format";
import { theme, zone, type Theme } from "../prefs";
import { href, navigate, route } from "../router";
import { findTraceId, type Pasted } from "../traceid";
import { helpOpen } from "./help";

const PAGES: [string, string, string][] = [
  ["/", "Now", "g h"],
  ["/search", "Search", "g f"],
  ["/services", "Services", "g s"],
  ["/errors", "Errors", "g e"],
  ["/map", "Map", "g m"],
  ["/status", "Status", "g i"],
];

export const openPasted = (id: Pasted): void => navigate(href(`/trace/${id.trace}`, { span: id.span }));

function submitBox(text: string): void {
  const id = findTraceId(text);
  const short = /^(?:0x)?([0-9a-f]{1,31})$/i.exec(text.trim());
  if (id) openPasted(id);
  // Some tools drop the leading zeros of an id; a word like "cafe" is more likely a search.
  else if (short && short[1].length >= 12) openPasted({ trace: short[1].toLowerCase().padStart(32, "0") });
  else if (text.trim()) navigate(href("/search", fromText(text)));
}

function Box() {
  const input = useRef<HTMLInputElement>(null);
  return (
    <form
      class="box"
      role="search"
      onSubmit={(event) => {
        event.preventDefault();
        const field = input.current;
        if (!field) return;
        submitBox(field.value);
        field.value = "";
        field.blur();
      }}
    >
      <input
        ref={input}
        id="box"
        type="text"
        autocomplete="off"
        spellcheck={false}
        aria-label="Trace id, or a filter such as service=cart error dur>500ms"
        placeholder="Trace ID, traceparent, or service=cart error dur>500ms"
      />
      <kbd aria-hidden="true">/</kbd>
    </form>
  );
}

const NEXT_THEME: Record<Theme, Theme> = { system: "light", light: "dark", dark: "system" };
const THEME_NAME: Record<Theme, string> = { system: "Auto", light: "Light", dark: "Dark" };

export function TopBar() {
  const path = route.value.path;
  const isHere = (page: string): boolean => path === page || (page !== "/" && path.startsWith(`${page}/`)) || (page === "/search" && path.startsWith("/trace/"));
  return (
    <header class="topbar">
      <a class="brand" href="/" aria-label="Tracewell, to Now">
        <svg viewBox="0 0 16 16" width="20" height="20" aria-hidden="true">
          <rect width="16" height="16" rx="3" fill="#0f766e" />
          <path d="M3 4h10v2H3zM5 7h6v2H5zM7 10h6v2H7z" fill="#fff" />
        </svg>
        <span>Tracewell</span>
      </a>
      <nav aria-label="Pages">
        {PAGES.map(([to, name, keys]) => (
          <a key={to} href={to} title={`${name} (${keys})`} aria-current={isHere(to) ? "page" : undefined}>
            {name}
          </a>
        ))}
      </nav>
      <Box />
      <div class="settings">
        <button type="button" class="quiet" title="Times in local time or UTC" onClick={() => (zone.value = zone.value === "utc" ? "local" : "utc")}>
          {zone.value === "utc" ? "UTC" : `Local ${zoneName("local")}`}
        </button>
        <button type="button" class="quiet" aria-label={`Theme: ${THEME_NAME[theme.value]}`} title="Theme: as the system, light, dark" onClick={() => (theme.value = NEXT_THEME[theme.value])}>
          {THEME_NAME[theme.value]}
        </button>
        <button type="button" class="quiet" aria-label="Keys (?)" title="Keys (?)" onClick={() => (helpOpen.value = true)}>
          ?
        </button>
      </div>
    </header>
  );
}
