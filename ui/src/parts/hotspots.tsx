// Hot spots: causes first, whom they harm beneath them; a click on a row is the trace that shows it, at the guilty span.
import { count, duration, milliseconds, percent, plural, rate } from "../format";
import { href } from "../router";
import type { Figures, Hotspot, HotspotsAnswer, Looked } from "../types";
import { serviceHref, Swatch } from "./bits";
import { past } from "./past";

const SHOWN = 8;
const VICTIMS_SHOWN = 3;

export const sampleHref = (trace: string | null, span: string | null): string | null => (trace ? href(`/trace/${trace}`, { span }) : null);

/** "5 min", "1 h 30 m": how long a range is. */
function lengthOf({ start_unix_ns, end_unix_ns }: Looked): string {
  const ns = BigInt(end_unix_ns) - BigInt(start_unix_ns);
  return ns < 3_600_000_000_000n && ns % 60_000_000_000n === 0n ? `${ns / 60_000_000_000n} min` : duration(ns).replace(" 00 m", "");
}

export function comparison({ now, against }: HotspotsAnswer): string {
  const part = Math.min(now.sampled, against.sampled);
  return `${lengthOf(now)} against ${lengthOf(against)} before${part < 1 ? `, from ${percent(part)} of the traces` : ""}`;
}

function NowAndWas({ spot, by, show, bad }: { spot: Hotspot; by: (figures: Figures) => number | null; show: (value: number | null) => string; bad: boolean }) {
  return (
    <>
      <td class={bad ? "number bad" : "number"}>
        <b>{show(by(spot))}</b>
      </td>
      <td class="number dim" title={past(spot.was, (figures) => show(by(figures)))}>
        {show(by(spot.was))}
      </td>
    </>
  );
}

function Victims({ spot }: { spot: Hotspot }) {
  if (spot.victims.length === 0) return null;
  const more = spot.victims.length - VICTIMS_SHOWN;
  return (
    <p class="victims">
      <span aria-hidden="true">↳</span> <span class="dim">passed on to</span>{" "}
      {spot.victims.slice(0, VICTIMS_SHOWN).map((one) => (
        <a key={`${one.service} ${one.operation}`} href={serviceHref(one.service)} title={`${one.service} ${one.operation}: in ${plural(one.traces, "trace")} of this`}>
          <bdi class="service">{one.service}</bdi> <bdi>{one.operation || "(no name)"}</bdi>
        </a>
      ))}
      {more > 0 && <span class="dim">and {count(more)} more</span>}
    </p>
  );
}

function Row({ spot }: { spot: Hotspot }) {
  const failing = spot.kind === "error";
  const sample = sampleHref(spot.sample_trace_id, spot.span_id);
  const name = (
    <>
      <bdi class="service">{spot.service}</bdi> <bdi class="operation">{spot.operation || "(no name)"}</bdi>
    </>
  );
  return (
    <tr>
      <td class="name">
        <div class="hotspot-name">
          <span class={failing ? "badge error" : "badge partial"}>{failing ? "Errors" : "Slow"}</span>
          {spot.change !== "worse" && (
            <span class="badge off" title={spot.change === "steady" ? "It fails as much as it did before" : "There was none of it before"}>
              {spot.change === "steady" ? "as ever" : "new"}
            </span>
          )}
          <a href={sample ?? serviceHref(spot.service)} data-row-link="" title={sample ? "Open the trace that shows it best, at the guilty span" : "No sample trace; to the service"}>
            {name}
          </a>
        </div>
        <Victims spot={spot} />
      </td>
      <NowAndWas spot={spot} by={(figures) => figures.error_rate} show={percent} bad={failing} />
      <NowAndWas spot={spot} by={(figures) => figures.p99_ms} show={milliseconds} bad={!failing} />
      <td class="number">{rate(spot.rate_per_s)}</td>
      <td class="number" title={`${milliseconds(spot.charged_ms)} ${spot.change === "steady" ? "as ever" : "beyond the normal"}`}>
        {percent(spot.share)}
      </td>
      <td class="number nowrap">
        <a class="button small" href={serviceHref(spot.service)}>
          <Swatch service={spot.service} /> Service
        </a>
      </td>
    </tr>
  );
}

export function Hotspots({ answer }: { answer: HotspotsAnswer }) {
  const spots = answer.hotspots.slice(0, SHOWN);
  if (spots.length === 0) return <p class="quiet-text good">Nothing is worse than it was: {comparison(answer)}.</p>;
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label="Hot spots">
      <table class="hotspots">
        <caption class="unseen">Hot spots, worst first</caption>
        <thead>
          <tr>
            <th scope="col">Cause</th>
            <th scope="col" class="number">
              Errors
            </th>
            <th scope="col" class="number">
              was
            </th>
            <th scope="col" class="number">
              p99
            </th>
            <th scope="col" class="number">
              was
            </th>
            <th scope="col" class="number">
              Calls/s
            </th>
            <th scope="col" class="number" title="Its part of all time beyond the normal; a failure counts as the time of its trace">
              Blame
            </th>
            <th scope="col">
              <span class="unseen">Service</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {spots.map((spot) => (
            <Row key={`${spot.service}\n${spot.operation}\n${spot.kind}`} spot={spot} />
          ))}
        </tbody>
      </table>
      {answer.hotspots.length > SHOWN && <p class="table-foot dim">and {plural(answer.hotspots.length - SHOWN, "smaller one")}</p>}
    </div>
  );
}
