// What the sampler kept and dropped, by reason: nothing disappears without a number.
import { useState } from "preact/hooks";
import { refresh, useGet } from "../api";
import { count, duration, percent } from "../format";
import { keptBecause } from "../trace/kept";
import type { SamplingAnswer, WhatIfAnswer } from "../types";
import { When } from "./bits";
import { Lacking } from "./notes";
import { Rows, type RowOf } from "./rows";

export const SAMPLING = "/api/sampling";
const WHAT_IF = "/api/sampling/what-if";

const DROPPED: Record<string, string> = { healthy: "healthy, not in the share", share_used_up: "healthy, the share was used up" };

const total = (counts: Record<string, number>): number => Object.values(counts).reduce((sum, one) => sum + one, 0);
const inner = (counts: Record<string, number>, name: (reason: string) => string): RowOf[] =>
  Object.entries(counts)
    .sort((a, b) => b[1] - a[1])
    .map(([reason, traces]) => [name(reason), count(traces), "inner"]);

function Decided({ kept, dropped }: Pick<SamplingAnswer, "kept" | "dropped">) {
  return (
    <Rows
      rows={[
        ["kept", count(total(kept)), "total"],
        ...inner(kept, (reason) => keptBecause(reason)?.short ?? reason),
        ["dropped", count(total(dropped)), "total"],
        ...inner(dropped, (reason) => DROPPED[reason] ?? reason.replaceAll("_", " ")),
      ]}
    />
  );
}

const spansAndShare = (answer: SamplingAnswer | WhatIfAnswer): RowOf[] => [
  ["healthy traces kept", `${count(answer.healthy_kept)} of ${count(answer.healthy_traces)}, ${percent(answer.share)}`, "total"],
  ["spans kept", count(answer.kept_spans)],
  ["spans dropped", count(answer.dropped_spans)],
];

function Books({ answer }: { answer: SamplingAnswer }) {
  return (
    <div class="columns-even">
      <div>
        <h3>Traces, decided once each</h3>
        <Decided kept={answer.kept} dropped={answer.dropped} />
      </div>
      <div>
        <h3>Share and window</h3>
        <Rows
          rows={[
            ...spansAndShare(answer),
            ["everything is there for", duration(answer.live_window_s * 1e9)],
            ["decided up to", answer.decided_through_unix_ns ? <When ns={answer.decided_through_unix_ns} relative /> : "nothing yet"],
            ...(answer.waiting ? [["waits", answer.waiting, "warn-text"] as RowOf] : []),
          ]}
        />
      </div>
    </div>
  );
}

/** Asked for only when wanted: it decides about every trace of the live window. */
function WhatIf() {
  const [wanted, setWanted] = useState(false);
  const { data, error } = useGet<WhatIfAnswer>(wanted ? WHAT_IF : null);
  if (!wanted) {
    return (
      <p class="quiet-text">
        <button type="button" onClick={() => setWanted(true)}>
          What would be kept now?
        </button>
      </p>
    );
  }
  if (error) return <Lacking what="what-if" error={error} retry={() => void refresh(WHAT_IF)} />;
  if (!data) return <p class="loading">Loading…</p>;
  return (
    <div class="columns-even">
      <div>
        <h3>Of the traces that are not decided yet</h3>
        <Decided kept={data.kept} dropped={data.dropped} />
      </div>
      <div>
        <h3>What that comes to</h3>
        <Rows
          rows={[
            ...spansAndShare(data),
            ["traces with an error, all kept", count(data.error_traces), "total"],
            ["of them sampling at the head would have lost", count(data.error_traces_lost_by_head_sampling), data.error_traces_lost_by_head_sampling > 0 ? "warn-text" : undefined],
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
      {data && <WhatIf />}
      {!data && !error && <p class="loading">Loading…</p>}
    </section>
  );
}
