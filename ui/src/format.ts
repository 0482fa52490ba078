// Numbers as people read them: three significant digits, units, and never a digit that is not meant.
import type { Int } from "./types";

const trim = (value: number): string => (value >= 99.95 ? value.toFixed(0) : value >= 9.995 ? value.toFixed(1) : value.toFixed(2));

/** A duration in nanoseconds: `87 ns`, `532 µs`, `41.0 ms`, `1.80 s`, `2 m 05 s`, `3 h 07 m`. */
export function duration(ns: Int | null | undefined): string {
  if (ns === null || ns === undefined) return "–";
  const value = Number(ns);
  if (!Number.isFinite(value)) return "–";
  if (value < 0) return `−${duration(-value)}`;
  if (value < 1e3) return `${Math.round(value)} ns`;
  if (value < 999.5e3) return `${trim(value / 1e3)} µs`;
  if (value < 999.5e6) return `${trim(value / 1e6)} ms`;
  if (value < 59.995e9) return `${trim(value / 1e9)} s`;
  const seconds = Math.round(value / 1e9);
  if (seconds < 3600) return `${Math.floor(seconds / 60)} m ${String(seconds % 60).padStart(2, "0")} s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")} m`;
  return `${Math.floor(seconds / 86_400)} d ${Math.floor((seconds % 86_400) / 3600)} h`;
}

export const milliseconds = (ms: number | null | undefined): string => duration(ms === null || ms === undefined ? null : ms * 1e6);

export function count(value: Int | null | undefined): string {
  if (value === null || value === undefined) return "–";
  const digits = value.toString();
  if (!/^-?\d+$/.test(digits)) return digits;
  return digits.replace(/\B(?=(\d{3})+$)/g, "\u202f"); // narrow no-break space: reads the same in every locale
}

export function plural(value: Int, one: string, many = `${one}s`): string {
  return `${count(value)} ${Number(value) === 1 ? one : many}`;
}

export function rate(perSecond: number | null | undefined): string {
  if (perSecond === null || perSecond === undefined) return "–";
  if (perSecond === 0) return "0";
  if (perSecond < 0.01) return "<0.01";
  if (perSecond >= 1e6) return `${trim(perSecond / 1e6)}M`;
  if (perSecond >= 1e4) return `${trim(perSecond / 1e3)}k`;
  return perSecond >= 99.95 ? count(Math.round(perSecond)) : perSecond.toFixed(perSecond < 1 ? 2 : 1);
}

export function percent(fraction: number | null | undefined): string {
  if (fraction === null || fraction === undefined || !Number.isFinite(fraction)) return "–";
  const value = fraction * 100;
  if (value === 0) return "0%";
  if (value < 0.1) return "<0.1%";
  if (value < 99.95) return `${value.toFixed(1)}%`;
  return value < 100 ? ">99.9%" : "100%";
}

export function bytes(value: Int | null | undefined): string {
  if (value === null || value === undefined) return "–";
  let left = Number(value);
  for (const unit of ["B", "KiB", "MiB", "GiB", "TiB"]) {
    if (left < 1024 || unit === "TiB") return unit === "B" ? `${Math.round(left)} B` : `${trim(left)} ${unit}`;
    left /= 1024;
  }
  return "";
}

export type Zone = "local" | "utc";

const pad = (value: number, digits = 2): string => String(value).padStart(digits, "0");

function parts(ms: number, zone: Zone): { date: string; time: string } {
  const at = new Date(ms);
  if (zone === "utc") {
    return {
      date: `${at.getUTCFullYear()}-${pad(at.getUTCMonth() + 1)}-${pad(at.getUTCDate())}`,
      time: `${pad(at.getUTCHours())}:${pad(at.getUTCMinutes())}:${pad(at.getUTCSeconds())}`,
    };
  }
  return {
    date: `${at.getFullYear()}-${pad(at.getMonth() + 1)}-${pad(at.getDate())}`,
    time: `${pad(at.getHours())}:${pad(at.getMinutes())}:${pad(at.getSeconds())}`,
  };
}

export function zoneName(zone: Zone): string {
  if (zone === "utc") return "UTC";
  const minutes = -new Date().getTimezoneOffset();
  const sign = minutes < 0 ? "−" : "+";
  return `UTC${sign}${pad(Math.floor(Math.abs(minutes) / 60))}:${pad(Math.abs(minutes) % 60)}`;
}

/** `2026-11-22 19:50:48`; with `fraction`, all nine digits below the second. */
export function instant(ns: Int, zone: Zone, fraction: "none" | "ms" | "ns" = "none"): string {
  const whole = BigInt(ns);
  const { date, time } = parts(Number(whole / 1_000_000n), zone);
  const below = pad(Number(whole % 1_000_000_000n), 9);
  return `${date} ${time}${fraction === "none" ? "" : `.${fraction === "ms" ? below.slice(0, 3) : below}`}`;
}

/** The clock alone when it is the same day as `nowMs`, else with the date. */
export function clock(ns: Int, zone: Zone, nowMs: number): string {
  const ms = Number(BigInt(ns) / 1_000_000n);
  const then = parts(ms, zone);
  return then.date === parts(nowMs, zone).date ? then.time : `${then.date} ${then.time}`;
}

export function ago(ns: Int, nowMs: number): string {
  const seconds = Math.round(nowMs / 1e3 - Number(BigInt(ns) / 1_000_000n) / 1e3);
  if (seconds < -2) return "in the future";
  if (seconds < 5) return "just now";
  if (seconds < 60) return `${seconds} s ago`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)} min ago`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)} h ago`;
  const days = Math.floor(seconds / 86_400);
  return days < 60 ? `${days} d ago` : days < 730 ? `${Math.floor(days / 30)} months ago` : `${Math.floor(days / 365)} years ago`;
}

/** Round steps for an axis of `span` units with about `wanted` marks: 1, 2 or 5 times a power of ten. */
export function ticks(from: number, to: number, wanted: number): number[] {
  const span = to - from;
  if (!(span > 0) || wanted < 1) return [];
  const rough = span / wanted;
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => size >= rough) ?? power * 10;
  const marks: number[] = [];
  for (let at = Math.ceil(from / step) * step; at <= to && marks.length < 100; at += step) marks.push(at);
  return marks;
}
