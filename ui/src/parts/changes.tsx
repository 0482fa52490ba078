// What changed at that minute: versions, hosts and callers seen first, or last, within five minutes of a time.
import { refresh, useGet } from "../api";
import { clock, count } from "../format";
import { now, zone } from "../prefs";
import type { Change, ChangesAnswer, Int } from "../types";
import { ServiceLink, When } from "./bits";
import { Incomplete, Lacking } from "./notes";

const SHOWN = 10;
const VALUES_SHOWN = 3;

export interface ChangeRow extends Omit<Change, "value"> {
  values: string[];
}

/** Twelve pods of one rollout are one row, at the time of the first. */
export function rowsOfChanges(changes: Change[]): ChangeRow[] {
  const rows = new Map<string, ChangeRow>();
  for (const { value, ...change } of changes) {
    const key = [change.service, change.kind, change.key, change.change].join("\n");
    const row = rows.get(key);
    if (row) row.values.push(value);
    else rows.set(key, { ...change, values: [value] });
  }
  return [...rows.values()];
}

function Row({ row, own }: { row: ChangeRow; own: boolean }) {
  const more = row.values.length - VALUES_SHOWN;
  return (
    <li>
      <span class="dim nowrap">
        <When ns={row.at_unix_ns} />
      </span>
      <span>
        {!own && <ServiceLink service={row.service} />}
        {row.kind === "service" ? (
          ` ${row.change}`
        ) : (
          <>
            {" "}
            <span title={row.key || undefined}>{row.kind}</span> <bdi class="literal">{row.values.slice(0, VALUES_SHOWN).join(", ")}</bdi>
            {more > 0 && ` and ${count(more)} more`} <span class={row.change === "began" ? "warn-text" : "dim"}>{row.change}</span>
          </>
        )}
      </span>
    </li>
  );
}

const urlOf = (service?: string, at?: Int): string => {
  const query = new URLSearchParams({ ...(service ? { service } : {}), ...(at === undefined ? {} : { at: String(at) }) });
  return query.size > 0 ? `/api/changes?${query}` : "/api/changes";
};

/** Without a time: now. It is asked once, not with every refresh of the page: it reads much. */
export function Changes({ service, at }: { service?: string; at?: Int }) {
  const url = urlOf(service, at);
  const { data, error } = useGet<ChangesAnswer>(url, { keep: at !== undefined });
  const rows = data ? rowsOfChanges(data.changes) : [];
  const range = data && `${clock(data.start_unix_ns, zone.value, now.value)} to ${clock(data.end_unix_ns, zone.value, now.value)}`;
  return (
    <>
      {error && <Lacking what="what changed" error={error} retry={() => void refresh(url)} />}
      <Incomplete answer={data} />
      {!data && !error && <p class="quiet-text">Looking for what changed…</p>}
      {data && rows.length === 0 && <p class="quiet-text">No version, host or caller came or went, {range}.</p>}
      {rows.length > 0 && (
        <ul class="changes">
          {rows.slice(0, SHOWN).map((row) => (
            <Row key={`${row.service} ${row.kind} ${row.key} ${row.change}`} row={row} own={service !== undefined} />
          ))}
          {rows.length > SHOWN && <li class="dim">and {count(rows.length - SHOWN)} more</li>}
        </ul>
      )}
      {data?.capped && <p class="quiet-text warn-text">There were more values than are held; some changes may be missing.</p>}
    </>
  );
}
