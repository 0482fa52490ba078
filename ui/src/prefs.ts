// What is the reader's and not the page's: theme, time zone, and whether pages refresh themselves.
import { effect, signal } from "@preact/signals";
import type { Zone } from "./format";

export type Theme = "system" | "light" | "dark";

function stored<T extends string>(key: string, allowed: readonly T[], otherwise: T): T {
  try {
    const value = localStorage.getItem(`tracewell.${key}`) as T | null;
    return value !== null && allowed.includes(value) ? value : otherwise;
  } catch {
    return otherwise;
  }
}

function keep(key: string, value: string): void {
  try {
    localStorage.setItem(`tracewell.${key}`, value);
  } catch {
    // Storage may be forbidden; the choice then lasts as long as the tab.
  }
}

export const theme = signal<Theme>(stored("theme", ["system", "light", "dark"], "system"));
export const zone = signal<Zone>(stored("zone", ["local", "utc"], "local"));
export const live = signal(stored("live", ["on", "off"], "on") === "on");

const systemDark = signal(false);
export const dark = (): boolean => (theme.value === "system" ? systemDark.value : theme.value === "dark");

/** The moment "ago" is measured from; moves every 10 s. */
export const now = signal(Date.now());

export function startPrefs(): void {
  const media = matchMedia("(prefers-color-scheme: dark)");
  systemDark.value = media.matches;
  media.addEventListener("change", () => (systemDark.value = media.matches));
  effect(() => {
    keep("theme", theme.value);
    if (theme.value === "system") delete document.documentElement.dataset.theme;
    else document.documentElement.dataset.theme = theme.value;
  });
  effect(() => keep("zone", zone.value));
  effect(() => keep("live", live.value ? "on" : "off"));
  setInterval(() => {
    if (!document.hidden) now.value = Date.now();
  }, 10_000);
}
