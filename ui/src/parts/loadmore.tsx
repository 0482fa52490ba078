// The foot of a list of traces that goes on: one more page at a press.
import type { usePager } from "./pager";

export function LoadMore({ found }: { found: ReturnType<typeof usePager> }) {
  if (!found.hasMore) return null;
  return (
    <p class="table-foot">
      <button type="button" disabled={found.loading} onClick={() => void found.load()}>
        {found.loading ? "Loading…" : "Load more"}
      </button>
    </p>
  );
}
