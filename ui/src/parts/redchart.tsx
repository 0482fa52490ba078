// The three figures of a service over the window: requests, errors, p95. Own SVG; one path a series, a table for screen readers.
import { clock, duration, milliseconds, plural } from "../format";
import { now, zone } from "../prefs";
import type { Step } from "../types";

const W = 300;
const H = 64;

interface Series {
  name: string;
  kind: "rate" | "errors" | "latency";
  values: (number | null)[];
  text: (value: number) => string;
}

function bars(values: (number | null)[], most: number): string {
  const step = W / values.length;
  return values.map((value, at) => (value ? `M${(at * step + 1).toFixed(1)} ${H}v${-Math.max(1, (value / most) * (H - 4)).toFixed(1)}h${(step - 2).toFixed(1)}V${H}Z` : "")).join("");
}

function line(values: (number | null)[], most: number): string {
  const step = W / values.length;
  let pen = "M";
  return values
    .map((value, at) => {
      if (value === null) return (pen = "M"), "";
      const part = `${pen}${((at + 0.5) * step).toFixed(1)} ${(H - (value / most) * (H - 4)).toFixed(1)}h.01`;
      pen = "L";
      return part;
    })
    .join("");
}

/** Failures over time, as wide as the page. */
export function FailureChart({ steps }: { steps: Step[] }) {
  if (steps.length === 0) return null;
  return (
    <div class="charts one">
      <Chart steps={steps} series={{ name: "Failures", kind: "errors", values: steps.map((step) => step.errors), text: (value) => `${plural(value, "failure")} ${inOne(steps)}` }} />
    </div>
  );
}

const stepNs = (steps: Step[]): number => (steps.length > 1 ? Number(BigInt(steps[1].t_unix_ns) - BigInt(steps[0].t_unix_ns)) : 0);

/** "in 10 s": what one bar stands for. */
const inOne = (steps: Step[]): string => `in ${duration(Math.round(stepNs(steps) / 1e9) * 1e9).replace(".0", "").replace(" 00 s", "")}`;

function endOf(steps: Step[]): string {
  const end = Number(BigInt(steps[steps.length - 1].t_unix_ns) / 1_000_000n) + stepNs(steps) / 1e6;
  return Math.abs(now.value - end) < Math.max(15_000, stepNs(steps) / 1e6) ? "now" : clock(BigInt(Math.round(end)) * 1_000_000n, zone.value, now.value);
}

function Chart({ series, steps }: { series: Series; steps: Step[] }) {
  const known = series.values.filter((value): value is number => value !== null);
  const most = Math.max(series.kind === "latency" ? 0.001 : 1, ...known);
  const path = series.kind === "latency" ? line(series.values, most) : bars(series.values, most);
  return (
    <figure class={`chart ${series.kind}`}>
      <figcaption>
        <b>{series.name}</b>
        <span class="dim">{known.length > 0 ? `up to ${series.text(Math.max(...known))}` : "no data"}</span>
      </figcaption>
      <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={`${series.name}: ${known.length > 0 ? `up to ${series.text(Math.max(...known))}` : "no data"}`}>
        <path class="base" d={`M0 ${H - 0.5}H${W}`} />
        <path class="data" d={path} />
      </svg>
      <div class="chart-axis" aria-hidden="true">
        <span>{clock(steps[0].t_unix_ns, zone.value, now.value)}</span>
        <span>{endOf(steps)}</span>
      </div>
    </figure>
  );
}

export function RedCharts({ steps }: { steps: Step[] }) {
  if (steps.length === 0) return null;
  const each = inOne(steps);
  return (
    <div class="charts">
      <Chart steps={steps} series={{ name: "Requests", kind: "rate", values: steps.map((step) => step.count), text: (value) => `${plural(value, "request")} ${each}` }} />
      <Chart steps={steps} series={{ name: "Errors", kind: "errors", values: steps.map((step) => step.errors), text: (value) => `${plural(value, "error")} ${each}` }} />
      <Chart steps={steps} series={{ name: "p95", kind: "latency", values: steps.map((step) => (step.count > 0 ? step.p95_ms : null)), text: (value) => milliseconds(value) }} />
    </div>
  );
}
