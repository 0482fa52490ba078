import { A as a, B as d, I as A, M as request, N as useGet } from "./index.js";
// src/parts/loadmore.tsx
function LoadMore({ found }) {
	if (!found.hasMore) return null;
	return /* @__PURE__ */ a("p", {
		class: "table-foot",
		children: /* @__PURE__ */ a("button", {
			type: "button",
			disabled: found.loading,
			onClick: () => void found.load(),
			children: found.loading ? "Loading…" : "Load more"
		})
	});
}
// src/parts/pager.ts
function usePager(url) {
	const first = useGet(url);
	const nothing = {
		url,
		traces: [],
		cursor: null,
		loading: false
	};
	const [kept, setMore] = d(nothing);
	const more = kept.url === url ? kept : nothing;
	A(() => setMore({
		url,
		traces: [],
		cursor: null,
		loading: false
	}), [first.data]);
	const cursor = more.traces.length > 0 ? more.cursor : first.data?.next_cursor ?? null;
	const load = async () => {
		if (!cursor || more.loading) return;
		setMore({
			...more,
			loading: true,
			error: void 0
		});
		try {
			const next = await request(`${url}&cursor=${encodeURIComponent(cursor)}`);
			setMore({
				url,
				traces: [...more.traces, ...next.traces],
				cursor: next.next_cursor,
				loading: false,
				incomplete: next.complete ? more.incomplete : next
			});
		} catch (error) {
			setMore({
				...more,
				loading: false,
				error
			});
		}
	};
	return {
		traces: first.data ? [...first.data.traces, ...more.traces] : void 0,
		answer: more.incomplete ?? first.data,
		error: more.error ?? first.error,
		loading: first.loading || more.loading,
		hasMore: cursor !== null,
		/** Further pages are shown: refreshing the first would take them away. */
		extended: more.traces.length > 0,
		load
	};
}
export { LoadMore as n, usePager as t };
