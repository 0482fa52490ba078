// A list of traces, the same on every page: what it was, how long against the others, what failed, when.
import { count, duration, plural } from "../format";
import { href, navigate } from "../router";
import type { TraceHit } from "../types";
import { Badge, Swatch, When } from "./bits";

const SHOWN_SERVICES = 4;

function Services({ hit }: { hit: TraceHit }) {
  const failing = hit.services.filter((one) => one.error_count > 0);
  const rest = hit.services.filter((one) => one.error_count === 0);
  const shown = [...failing, ...rest].slice(0, SHOWN_SERVICES);
  return (
    <span class="chips">
      {shown.map((one) => (
        <span key={one.name} class={one.error_count > 0 ? "chip failing" : "chip"} title={`${plural(one.span_count, "span")}, ${plural(one.error_count, "error")}`}>
          <Swatch service={one.name} />
          <bdi>{one.name}</bdi>
        </span>
      ))}
      {hit.services.length > shown.length && <span class="chip more">+{hit.services.length - shown.length}</span>}
    </span>
  );
}

interface Props {
  hits: TraceHit[];
  caption: string;
  /** Link to the span that matched instead of to the trace's cause. */
  toMatch?: boolean;
  relative?: boolean;
}

export function TraceList({ hits, caption, toMatch = false, relative = true }: Props) {
  const longest = Math.max(1, ...hits.map((hit) => Number(hit.duration_ns)));
  const link = (hit: TraceHit): string => href(`/trace/${hit.trace_id}`, { span: toMatch ? hit.matched_span_id : null });
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={caption}>
      <table class="traces">
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Status</th>
            <th scope="col">Trace</th>
            <th scope="col">Services</th>
            <th scope="col" class="number">
              Errors
            </th>
            <th scope="col" class="number">
              Spans
            </th>
            <th scope="col">Duration</th>
            <th scope="col" class="number">
              Started
            </th>
          </tr>
        </thead>
        <tbody>
          {hits.map((hit) => (
            <tr key={hit.trace_id} class="clickable" onClick={(event) => !(event.target as Element).closest("a") && !getSelection()?.toString() && navigate(link(hit))}>
              <td>
                <Badge status={hit.status} />
              </td>
              <td class="name">
                <a href={link(hit)} data-row-link="">
                  {hit.root_service === null ? <em>root span missing</em> : <bdi class="service">{hit.root_service}</bdi>}{" "}
                  <bdi class="operation">{hit.root_operation ?? hit.trace_id.slice(0, 16)}</bdi>
                </a>
              </td>
              <td>
                <Services hit={hit} />
              </td>
              <td class={hit.error_count > 0 ? "number bad" : "number dim"}>{count(hit.error_count)}</td>
              <td class="number">{count(hit.span_count)}</td>
              <td class="bar-cell">
                <span class="bar" style={{ width: `${Math.max(1, (Number(hit.duration_ns) / longest) * 100)}%` }} aria-hidden="true" />
                <span class="bar-text">{duration(hit.duration_ns)}</span>
              </td>
              <td class="number nowrap">
                <When ns={hit.start_time_unix_ns} relative={relative} />
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </div>
  );
}
