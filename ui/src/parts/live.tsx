// Pages that follow the system: refetched every 10 s while the tab is seen and the reader has not paused it.
import { useEffect } from "preact/hooks";
import { refresh } from "../api";
import { live } from "../prefs";

const EVERY_MS = 10_000;

export function useLive(urls: string[]): void {
  const on = live.value;
  useEffect(() => {
    if (!on) return;
    const again = () => {
      if (!document.hidden) for (const url of urls) void refresh(url);
    };
    const timer = setInterval(again, EVERY_MS);
    document.addEventListener("visibilitychange", again);
    return () => {
      clearInterval(timer);
      document.removeEventListener("visibilitychange", again);
    };
  }, [on, urls.join("\n")]);
}

export function LiveSwitch() {
  return (
    <button type="button" class="live" aria-pressed={live.value} title="Refresh this page every 10 s" onClick={() => (live.value = !live.value)}>
      <span class="dot" aria-hidden="true" />
      {live.value ? "Live, 10 s" : "Paused"}
    </button>
  );
}
