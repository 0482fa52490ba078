// Status: is every span accounted for, does the store keep up, and what an operator should look at.
import type { ComponentChildren } from "preact";
import { refresh, useGet } from "../api";
import { bytes, count, duration, plural, rate } from "../format";
import { CopyButton, When } from "../parts/bits";
import { LiveSwitch, useLive } from "../parts/live";
import { Problem } from "../parts/notes";
import { Rows } from "../parts/rows";
import { Sampling, SAMPLING } from "../parts/sampling";
import type { Int, StatusAnswer } from "../types";

const URL = "/api/status";

/** received = accepted + refused; accepted = stored + duplicate + …: each line is a sum a reader can check. */
function Account({ account }: { account: StatusAnswer["account"] }) {
  const { since_start: since, log } = account;
  const reasons = Object.entries(since.refused_by_reason ?? {});
  const parts = Object.entries(log).filter(([name]) => name !== "accepted" && name !== "expired" && name !== "erased");
  const left = Object.entries(log).filter(([name]) => name === "expired" || name === "erased");
  const sum = parts.reduce((total, [, value]) => total + value, 0);
  const name = (key: string): string => key.replaceAll("_", " ");
  // Spans of requests that are being read: received, and neither accepted nor refused yet.
  const reading = since.received - since.accepted - since.refused;
  const moving = !account.balances && reading > 0 && sum === log.accepted;
  const [verdict, kind] = account.balances ? ["Balances", "ok"] : moving ? ["Balances but for what is being read", "partial"] : ["Does not balance", "error"];
  return (
    <section class="panel" aria-labelledby="account">
      <header>
        <h2 id="account">The account of every span</h2>
        <span class={`badge ${kind}`}>{verdict}</span>
      </header>
      <div class="columns-even">
        <div>
          <h3>At the door, since start</h3>
          <Rows
            rows={[
              ["received", count(since.received), "total"],
              ["accepted", count(since.accepted)],
              ["refused", count(since.refused), since.refused > 0 ? "warn-text" : undefined],
              ...(moving ? [["being read", count(reading)] as [string, ComponentChildren]] : []),
              ...reasons.map(([reason, value]): [string, ComponentChildren, string] => [`because of ${name(reason)}`, count(value), "inner"]),
            ]}
          />
        </div>
        <div>
          <h3>In the log, over all restarts</h3>
          <Rows
            rows={[
              ["accepted", count(log.accepted), "total"],
              ...parts.map(([key, value]): [string, ComponentChildren, string | undefined] => [name(key), count(value), key === "dead_lettered" && value > 0 ? "bad" : undefined]),
              ["together", count(sum), sum === log.accepted ? "total" : "total warn-text"],
              ...left.map(([key, value]): [string, ComponentChildren, string] => [`${name(key)}, since stored`, count(value), "inner"]),
            ]}
          />
        </div>
      </div>
    </section>
  );
}

const STORE_NAMES: Record<string, string> = {
  head_spans: "spans in memory",
  segments: "segments",
  segment_spans: "spans in segments",
  disk_bytes: "on disk",
  damaged_blocks: "damaged blocks",
  oldest_unix_ns: "oldest span",
};

function storeValue(key: string, value: Int): ComponentChildren {
  if (key.endsWith("_unix_ns")) return Number(value) > 0 ? <When ns={value} relative /> : "–";
  return key.endsWith("_bytes") ? bytes(value) : count(value);
}

export default function Status() {
  const { data, error } = useGet<StatusAnswer>(URL);
  useLive([URL, SAMPLING]);
  document.title = "Status · Tracewell";
  return (
    <div class="page">
      <div class="page-head">
        <h1>Status</h1>
        {data && <span class={`badge ${data.ready ? "ok" : "partial"}`}>{data.ready ? "Ready" : "Not ready"}</span>}
        <span class="grow" />
        <LiveSwitch />
      </div>
      <Problem error={error} retry={() => void refresh(URL)} />
      {!data && !error && <p class="loading">Loading…</p>}
      {data && (
        <>
          {data.problems.length > 0 ? (
            <div class="note warn" role="status">
              <strong>To look at</strong>
              <ul>
                {data.problems.map((problem) => (
                  <li key={problem}>{problem}</li>
                ))}
              </ul>
            </div>
          ) : (
            <div class="note good" role="status">
              Nothing an operator should look at.
            </div>
          )}
          <Account account={data.account} />
          <div class="columns-even">
            <section class="panel" aria-labelledby="log">
              <header>
                <h2 id="log">Ingest and log</h2>
              </header>
              <Rows
                rows={[
                  ["spans per second", rate(data.ingest.spans_per_s)],
                  ["per second", `${bytes(Math.round(data.ingest.bytes_per_s))}/s`],
                  ["log", `${bytes(data.log.bytes)} in ${plural(data.log.files, "file")}`],
                ]}
              />
              <table>
                <caption class="unseen">How far the groups are behind the log</caption>
                <thead>
                  <tr>
                    <th scope="col">Group</th>
                    <th scope="col" class="number">
                      Records behind
                    </th>
                    <th scope="col" class="number">
                      Spans behind
                    </th>
                    <th scope="col" class="number">
                      Time behind
                    </th>
                  </tr>
                </thead>
                <tbody>
                  {data.log.groups.map((group) => (
                    <tr key={group.group}>
                      <td>{group.group}</td>
                      <td class="number">{count(group.lag_records)}</td>
                      <td class="number">{count(group.lag_spans)}</td>
                      <td class={group.lag_seconds > 10 ? "number warn-text" : "number"}>{group.lag_seconds.toFixed(1)} s</td>
                    </tr>
                  ))}
                </tbody>
              </table>
            </section>
            <section class="panel" aria-labelledby="store">
              <header>
                <h2 id="store">Store</h2>
              </header>
              <Rows rows={Object.entries(data.store).map(([key, value]): [string, ComponentChildren, string | undefined] => [STORE_NAMES[key] ?? key.replaceAll("_", " "), storeValue(key, value), key === "damaged_blocks" && Number(value) > 0 ? "bad" : undefined])} />
            </section>
          </div>
          <Sampling />
          <section class="panel" aria-labelledby="server">
            <header>
              <h2 id="server">Server</h2>
            </header>
            <Rows
              rows={[
                ["version", data.version],
                ["up for", duration(data.uptime_s * 1e9)],
                ["roles", data.roles.join(", ")],
                ["data directory", <code key="dir">{data.data_dir}</code>],
                ...Object.entries(data.listeners).map(([name, address]): [string, ComponentChildren] => [
                  `${name.replaceAll("_", " ")} listens on`,
                  <span key={name}>
                    <code>{address}</code> <CopyButton text={address} what={`address of ${name}`} />
                  </span>,
                ]),
              ]}
            />
          </section>
        </>
      )}
    </div>
  );
}
