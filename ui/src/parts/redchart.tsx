// The figures of a service over the window: requests, errors, percentiles. Own SVG; one path a series.
import { clock, duration, milliseconds, plural } from "../format";
import { now, zone } from "../prefs";
import type { Step } from "../types";

const W = 300;
const H = 64;

interface Line {
  name: string;
  values: (number | null)[];
}

interface Series {
  kind: "rate" | "errors" | "latency";
  /** Bars are one, percentiles several. */
  lines: Line[];
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
      <Chart steps={steps} series={{ kind: "errors", lines: [{ name: "Failures", values: steps.map((step) => step.errors) }], text: (value) => `${plural(value, "failure")} ${inOne(steps)}` }} />
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
  const known = series.lines.flatMap((one) => one.values.filter((value): value is number => value !== null));
  const most = Math.max(series.kind === "latency" ? 0.001 : 1, ...known);
  const draw = series.kind === "latency" ? line : bars;
  const upTo = known.length > 0 ? `up to ${series.text(Math.max(...known))}` : "no data";
  return (
    <figure class={`chart ${series.kind}`}>
      <figcaption>
        <span>
          {series.lines.map((one) => (
            <b key={one.name} class={`of-${one.name}`}>
              {one.name}
            </b>
          ))}
        </span>
        <span class="dim">{upTo}</span>
      </figcaption>
      <svg viewBox={`0 0 ${W} ${H}`} preserveAspectRatio="none" role="img" aria-label={`${series.lines.map((one) => one.name).join(", ")}: ${upTo}`}>
        <path class="base" d={`M0 ${H - 0.5}H${W}`} />
        {series.lines.map((one) => (
          <path key={one.name} class={`data of-${one.name}`} d={draw(one.values, most)} />
        ))}
      </svg>
      <div class="chart-axis" aria-hidden="true">
        <span>{clock(steps[0].t_unix_ns, zone.value, now.value)}</span>
        <span>{endOf(steps)}</span>
      </div>
    </figure>
  );
}

/** Those that the server gives; a step that nothing came in is a gap. */
function percentiles(steps: Step[]): Line[] {
  const lines = (["p50_ms", "p95_ms", "p99_ms"] as const).map((key) => ({ name: key.slice(0, 3), values: steps.map((step) => (step.count > 0 ? (step[key] ?? null) : null)), given: key in steps[0] }));
  return lines.filter((one) => one.given);
}

export function RedCharts({ steps }: { steps: Step[] }) {
  if (steps.length === 0) return null;
  const each = inOne(steps);
  return (
    <div class="charts">
      <Chart steps={steps} series={{ kind: "rate", lines: [{ name: "Requests", values: steps.map((step) => step.count) }], text: (value) => `${plural(value, "request")} ${each}` }} />
      <Chart steps={steps} series={{ kind: "errors", lines: [{ name: "Errors", values: steps.map((step) => step.errors) }], text: (value) => `${plural(value, "error")} ${each}` }} />
      <Chart steps={steps} series={{ kind: "latency", lines: percentiles(steps), text: (value) => milliseconds(value) }} />
    </div>
  );
}
