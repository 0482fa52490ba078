// Pages of a search joined through the cursor. The first page comes from the shared cache; further ones live as long as the page.
import { useEffect, useState } from "preact/hooks";
import { request, useGet, type ApiError } from "../api";
import type { SearchAnswer, TraceHit } from "../types";

interface More {
  url: string;
  traces: TraceHit[];
  cursor: string | null;
  loading: boolean;
  error?: ApiError;
  incomplete?: SearchAnswer;
}

export function usePager(url: string) {
  const first = useGet<SearchAnswer>(url);
  const nothing: More = { url, traces: [], cursor: null, loading: false };
  const [kept, setMore] = useState<More>(nothing);
  const more = kept.url === url ? kept : nothing;
  // A refreshed first page starts over: its cursor belongs to another moment.
  useEffect(() => setMore({ url, traces: [], cursor: null, loading: false }), [first.data]);
  const cursor = more.traces.length > 0 ? more.cursor : (first.data?.next_cursor ?? null);
  const load = async () => {
    if (!cursor || more.loading) return;
    setMore({ ...more, loading: true, error: undefined });
    try {
      const next = await request<SearchAnswer>(`${url}&cursor=${encodeURIComponent(cursor)}`);
      setMore({ url, traces: [...more.traces, ...next.traces], cursor: next.next_cursor, loading: false, incomplete: next.complete ? more.incomplete : next });
    } catch (error) {
      setMore({ ...more, loading: false, error: error as ApiError });
    }
  };
  return {
    traces: first.data ? [...first.data.traces, ...more.traces] : undefined,
    answer: more.incomplete ?? first.data,
    error: more.error ?? first.error,
    loading: first.loading || more.loading,
    hasMore: cursor !== null,
    /** Further pages are shown: refreshing the first would take them away. */
    extended: more.traces.length > 0,
    load,
  };
}
