// Error groups as a table, the same on every page: what, how often and since when, where it began, and one trace to look at.
import { count, percent, plural } from "../format";
import { href } from "../router";
import type { ErrorGroup } from "../types";
import { ServiceLink, Sparkline, When } from "./bits";
import { sampleHref } from "./hotspots";

export const groupHref = (group: ErrorGroup): string => href(`/errors/${encodeURIComponent(group.fingerprint)}`);

/** The trend as the sparkline draws it: all of it is failures. */
export const trendSteps = (group: ErrorGroup) => group.trend.map(({ t_unix_ns, count: errors }) => ({ t_unix_ns, count: errors, errors, p95_ms: null }));

function Cause({ group }: { group: ErrorGroup }) {
  const others = group.services.filter((one) => one.name !== group.root_cause?.service);
  return (
    <>
      {group.root_cause ? <ServiceLink service={group.root_cause.service} /> : <span class="dim">unknown</span>}
      {others.length > 0 && (
        <span class="dim" title={others.map((one) => `${one.name}: ${count(one.count)}`).join("\n")}>
          {" "}
          {group.root_cause ? `and ${plural(others.length, "service")} after it` : plural(others.length, "service")}
        </span>
      )}
    </>
  );
}

function Row({ group }: { group: ErrorGroup }) {
  const sample = sampleHref(group.sample_trace_id, group.span_id);
  return (
    <tr>
      <td class="name">
        <a href={groupHref(group)} data-row-link="">
          <bdi class="service">{group.type || "error"}</bdi> <bdi class="operation">{group.message}</bdi>
        </a>
      </td>
      <td class="number">
        <b>{count(group.count)}</b>
      </td>
      <td>
        <Sparkline series={trendSteps(group)} label={`${plural(group.count, "failure")} over time`} />
      </td>
      <td title={group.root_cause ? `${percent(group.root_cause.share)} of them began in ${group.root_cause.service} ${group.root_cause.operation}` : undefined}>
        <Cause group={group} />
      </td>
      <td class="nowrap">
        <When ns={group.first_seen_unix_ns} />
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

export function ErrorGroups({ groups, caption }: { groups: ErrorGroup[]; caption: string }) {
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
            <Row key={group.fingerprint} group={group} />
          ))}
        </tbody>
      </table>
    </div>
  );
}
