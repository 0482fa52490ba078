// The two time controls: a window that ends now (figures), and a range of trace starts (lists of traces).
import { useState } from "preact/hooks";
import { instant } from "../format";
import { zone } from "../prefs";
import { route, setParams } from "../router";

const WINDOWS = ["1m", "5m", "15m", "30m", "1h"];

/** The window of the page, from `window=`; the API takes 1m to 1h. */
export function currentWindow(): string {
  const value = route.value.params.get("window") ?? "5m";
  return WINDOWS.includes(value) ? value : "5m";
}

export function WindowPicker() {
  return (
    <label class="field-inline">
      <span>Last</span>
      <select value={currentWindow()} onChange={(event) => setParams({ window: event.currentTarget.value === "5m" ? null : event.currentTarget.value }, "push")}>
        {WINDOWS.map((one) => (
          <option key={one} value={one}>
            {one.replace("m", " min").replace("h", " h")}
          </option>
        ))}
      </select>
    </label>
  );
}

const RANGES: [string, string][] = [
  ["", "All time"],
  ["now-15m", "Last 15 min"],
  ["now-1h", "Last hour"],
  ["now-6h", "Last 6 h"],
  ["now-1d", "Last 24 h"],
  ["now-7d", "Last 7 d"],
];

/** `2026-11-22 19:50` in the reader's zone → RFC 3339; other forms go to the server as they are. */
function toBound(text: string): string | null {
  const match = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$/.exec(text.trim());
  if (!match) return text.trim() || null;
  const stamp = new Date(`${match[1]}T${match[2] ?? "00:00"}${zone.value === "utc" ? "Z" : ""}`);
  return Number.isNaN(stamp.getTime()) ? text.trim() : stamp.toISOString();
}

function fromBound(bound: string | null): string {
  if (!bound) return "";
  const ms = /^\d{15,}$/.test(bound) ? Number(BigInt(bound) / 1_000_000n) : Date.parse(bound);
  return Number.isNaN(ms) ? bound : instant(BigInt(ms) * 1_000_000n, zone.value);
}

function Custom({ onDone }: { onDone: () => void }) {
  const { params } = route.value;
  const [from, setFrom] = useState(fromBound(params.get("from")));
  const [to, setTo] = useState(fromBound(params.get("to")));
  return (
    <form
      class="range-custom"
      onSubmit={(event) => {
        event.preventDefault();
        setParams({ from: toBound(from), to: toBound(to) }, "push");
        onDone();
      }}
    >
      <label>
        From
        <input value={from} placeholder="2026-11-22 19:50 or now-2h" onInput={(event) => setFrom(event.currentTarget.value)} />
      </label>
      <label>
        To
        <input value={to} placeholder="now" onInput={(event) => setTo(event.currentTarget.value)} />
      </label>
      <button type="submit">Apply</button>
    </form>
  );
}

export function RangePicker() {
  const { params } = route.value;
  const [from, to] = [params.get("from") ?? "", params.get("to") ?? ""];
  const preset = !to && RANGES.some(([value]) => value === from);
  const [custom, setCustom] = useState(false);
  return (
    <div class="range">
      <label class="field-inline">
        <span>Started</span>
        <select
          value={preset && !custom ? from : "custom"}
          onChange={(event) => {
            const value = event.currentTarget.value;
            setCustom(value === "custom");
            if (value !== "custom") setParams({ from: value, to: null }, "push");
          }}
        >
          {RANGES.map(([value, name]) => (
            <option key={value} value={value}>
              {name}
            </option>
          ))}
          <option value="custom">Between…</option>
        </select>
      </label>
      {(custom || !preset) && <Custom key={`${from} ${to} ${zone.value}`} onDone={() => setCustom(false)} />}
    </div>
  );
}
