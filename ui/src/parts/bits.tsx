// Small pieces used on several pages.
import { copy } from "../clipboard";
import { serviceColor } from "../colors";
import { ago, clock, instant, percent } from "../format";
import { dark, now, zone } from "../prefs";
import { href } from "../router";
import type { Int, Step, TraceStatus } from "../types";

export function Badge({ status }: { status: TraceStatus }) {
  return <span class={`badge ${status}`}>{status === "ok" ? "OK" : status === "error" ? "Error" : "Partial"}</span>;
}

export function Swatch({ service }: { service: string }) {
  return <span class="swatch" style={{ background: serviceColor(service, dark()) }} aria-hidden="true" />;
}

export const serviceHref = (service: string): string => href(`/services/${encodeURIComponent(service)}`);

/** `color` is given inside one trace, where services are told apart beyond their usual colours. */
export function ServiceLink({ service, row, color }: { service: string; row?: boolean; color?: string }) {
  return (
    <a class="service-link" href={serviceHref(service)} data-row-link={row ? "" : undefined}>
      {color ? <span class="swatch" style={{ background: color }} aria-hidden="true" /> : <Swatch service={service} />}
      <bdi>{service}</bdi>
    </a>
  );
}

/** The clock with its distance; the exact instant is in the title. */
export function When({ ns, relative = false }: { ns: Int; relative?: boolean }) {
  const text = relative ? ago(ns, now.value) : clock(ns, zone.value, now.value);
  return (
    <time title={`${instant(ns, zone.value, "ns")} ${zone.value === "utc" ? "UTC" : "local time"}`} dateTime={new Date(Number(BigInt(ns) / 1_000_000n)).toISOString()}>
      {text}
    </time>
  );
}

export function CopyButton({ text, what, label }: { text: string; what: string; label?: string }) {
  return (
    <button type="button" class="quiet small" aria-label={label ? undefined : `Copy ${what}`} title={`Copy ${what}`} onClick={() => void copy(text, what)}>
      {label ?? "Copy"}
    </button>
  );
}

const W = 120;
const H = 24;

function area(values: number[], most: number): string {
  const step = W / values.length;
  const points = values.map((value, at) => `${(at * step).toFixed(1)} ${(H - (value / most) * (H - 2)).toFixed(1)}h${step.toFixed(1)}`);
  return `M0 ${H}L${points.join("L")}V${H}Z`;
}

/** Requests as an area, errors in front of it: two nodes whatever the number of steps. */
export function Sparkline({ series, label }: { series?: Step[]; label: string }) {
  if (!series || series.length === 0) return <svg class="spark" viewBox={`0 0 ${W} ${H}`} aria-hidden="true" />;
  const most = Math.max(1, ...series.map((step) => step.count));
  const failed = series.some((step) => step.errors > 0);
  return (
    <svg class="spark" viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={label}>
      <path class="spark-all" d={area(series.map((step) => step.count), most)} />
      {failed && <path class="spark-errors" d={area(series.map((step) => step.errors), most)} />}
    </svg>
  );
}

/** A part of a whole, as a bar and a number. */
export function Part({ share, kind }: { share: number; kind: "a" | "b" }) {
  return (
    <span class={`part ${kind}`}>
      <span class="part-bar" style={{ width: `${Math.min(100, share * 100)}%` }} aria-hidden="true" />
      <span class="part-text">{percent(share)}</span>
    </span>
  );
}
