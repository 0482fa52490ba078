// Error groups as a table, the same on every page: what, how often and since when, where it began, and one trace to look at.
import { clock, count, percent, plural } from "../format";
import { now, zone } from "../prefs";
import { href, route } from "../router";
import type { ErrorGroup, Ranged, Step } from "../types";
import { ServiceLink, Sparkline, When } from "./bits";
import { sampleHref } from "./hotspots";

/** A group of a fixed range is looked for in that range. */
function groupHref(group: ErrorGroup): string {
  const { params } = route.value;
  return href(`/errors/${encodeURIComponent(group.fingerprint)}`, { from: params.get("from"), to: params.get("to") });
}

/** The trend as the charts draw it: all of it is failures. */
export function trendSteps(group: ErrorGroup, { start_unix_ns, end_unix_ns }: Ranged): Step[] {
  const start = BigInt(start_unix_ns);
  const step = (BigInt(end_unix_ns) - start) / BigInt(Math.max(1, group.trend.length));
  return group.trend.map((errors, at) => ({ t_unix_ns: start + step * BigInt(at), count: errors, errors, p95_ms: null }));
}

const NEW_NS = 900_000_000_000n;

/** Seen first in the last 15 minutes of a longer range. */
export function isNew(group: ErrorGroup, { start_unix_ns, end_unix_ns }: Ranged): boolean {
  const since = BigInt(end_unix_ns) - NEW_NS;
  return BigInt(group.first_seen_unix_ns) > since && BigInt(start_unix_ns) < since - NEW_NS;
}

export const titleOf = (group: ErrorGroup): string => group.exception_type || group.example || group.message || "Error without a message";

/** "15:02:11 to now, from 50% of the traces" */
export function tellRange({ start_unix_ns, end_unix_ns, sampled }: Ranged): string {
  const soon = Math.abs(now.value - Number(BigInt(end_unix_ns) / 1_000_000n)) < 30_000;
  const range = `${clock(start_unix_ns, zone.value, now.value)} to ${soon ? "now" : clock(end_unix_ns, zone.value, now.value)}`;
  return sampled < 1 ? `${range}, from ${percent(sampled)} of the traces` : range;
}

function Cause({ group }: { group: ErrorGroup }) {
  const others = group.services.filter((one) => one.name !== group.root_cause_service);
  return (
    <>
      <ServiceLink service={group.root_cause_service} />
      {others.length > 0 && (
        <small class="reaches" title={others.map((one) => `${one.name}: ${count(one.count)}`).join("\n")}>
          reaches {others[0].name}
          {others.length > 1 && ` and ${plural(others.length - 1, "other")}`}
        </small>
      )}
    </>
  );
}

function Row({ group, range }: { group: ErrorGroup; range: Ranged }) {
  const sample = sampleHref(group.sample_trace_id, group.span_id);
  return (
    <tr>
      <td class="name">
        <a href={groupHref(group)} data-row-link="">
          {group.exception_type && <bdi class="service">{group.exception_type}</bdi>} <bdi class="operation">{group.message || (group.exception_type ? "" : "without a message")}</bdi>
        </a>
      </td>
      <td class="number">
        <b>{count(group.count)}</b>
      </td>
      <td>
        <Sparkline series={trendSteps(group, range)} label={`${plural(group.count, "failure")} over time`} />
      </td>
      <td>
        <Cause group={group} />
      </td>
      <td class="nowrap">
        <When ns={group.first_seen_unix_ns} /> {isNew(group, range) && <span class="badge error">new</span>}
      </td>
      <td class="nowrap">
        <When ns={group.last_seen_unix_ns} relative />
      </td>
      <td class="number">
        {sample && (
          <a class="button small" href={sample} title="Open a trace of it, at the span that failed">
            Sample
          </a>
        )}
      </td>
    </tr>
  );
}

export function ErrorGroups({ groups, range, caption }: { groups: ErrorGroup[]; range: Ranged; caption: string }) {
  return (
    <div class="table-scroll" tabIndex={0} role="group" aria-label={caption}>
      <table class="groups">
        <caption class="unseen">{caption}</caption>
        <thead>
          <tr>
            <th scope="col">Error</th>
            <th scope="col" class="number">
              Count
            </th>
            <th scope="col">Trend</th>
            <th scope="col">Began in</th>
            <th scope="col">First seen</th>
            <th scope="col">Last seen</th>
            <th scope="col">
              <span class="unseen">Sample trace</span>
            </th>
          </tr>
        </thead>
        <tbody>
          {groups.map((group) => (
            <Row key={group.fingerprint} group={group} range={range} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
