// What the sampler kept and dropped, by reason: nothing disappears without a number.
import { refresh, useGet } from "../api";
import { count, duration, percent } from "../format";
import { keptBecause } from "../trace/kept";
import type { SamplingAnswer } from "../types";
import { When } from "./bits";
import { Lacking } from "./notes";
import { Rows, type RowOf } from "./rows";

export const SAMPLING = "/api/sampling";

const DROPPED: Record<string, string> = { healthy: "healthy, not in the share", share_used_up: "healthy, the share was used up" };

const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, one) => sum + one, 0);
const inner = (counts: Record<string, number>, name: (reason: string) => string): RowOf[] =>
  Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, traces]) => [name(reason), count(traces), "inner"]);

function Books({ answer }: { answer: SamplingAnswer }) {
  return (
    <div class="columns-even">
      <div>
        <h3>Traces, decided once each</h3>
        <Rows
          rows={[
            ["kept", count(total(answer.kept)), "total"],
            ...inner(answer.kept, (reason) => keptBecause(reason)?.short ?? reason),
            ["dropped", count(total(answer.dropped)), "total"],
            ...inner(answer.dropped, (reason) => DROPPED[reason] ?? reason.replaceAll("_", " ")),
          ]}
        />
      </div>
      <div>
        <h3>Share and window</h3>
        <Rows
          rows={[
            ["healthy traces kept", `${count(answer.healthy_kept)} of ${count(answer.healthy_traces)}, ${percent(answer.share)}`, "total"],
            ["spans kept", count(answer.kept_spans)],
            ["spans dropped", count(answer.dropped_spans)],
            ["everything is there for", duration(answer.live_window_s * 1e9)],
            ["decided up to", answer.decided_through_unix_ns ? <When ns={answer.decided_through_unix_ns} relative /> : "nothing yet"],
            ...(answer.waiting ? [["waits", answer.waiting, "warn-text"] as RowOf] : []),
          ]}
        />
      </div>
    </div>
  );
}

export function Sampling() {
  const { data, error } = useGet<SamplingAnswer>(SAMPLING);
  return (
    <section class="panel" aria-labelledby="sampling">
      <header>
        <h2 id="sampling">Sampling</h2>
        {data && <span class={`badge ${data.enabled ? "ok" : "off"}`}>{data.enabled ? "On" : "Off"}</span>}
      </header>
      {error && <Lacking what="sampling" error={error} retry={() => void refresh(SAMPLING)} />}
      {data?.problems.map((problem) => (
        <p key={problem} class="quiet-text warn-text">
          {problem}
        </p>
      ))}
      {data && !data.enabled && <p class="quiet-text">Every trace is kept until its retention ends.</p>}
      {data?.enabled && <Books answer={data} />}
      {!data && !error && <p class="loading">Loading…</p>}
    </section>
  );
}
