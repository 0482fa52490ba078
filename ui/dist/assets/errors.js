import { A as a, C as href, D as withChanges, N as useGet, T as route, i as count, j as refresh, l as plural, x as rangeQuery } from "./index.js";
import { l as Swatch, n as Lacking, r as Problem, t as Incomplete } from "./notes.js";
import { n as tellRange, t as ErrorGroups } from "./errorgroups.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as LoadMore, t as usePager } from "./pager.js";
import { t as RangePicker } from "./pickers.js";
import { t as TraceList } from "./tracelist.js";
// src/pages/errors.tsx
var COUNTED = 200;
var TABS_MAX = 24;
function countByService(hits) {
	const counts = /* @__PURE__ */ new Map();
	for (const hit of hits) for (const one of hit.services) if (one.error_count > 0) counts.set(one.name, (counts.get(one.name) ?? 0) + 1);
	return [...counts].sort((a, b) => b[1] - a[1] || (a[0] < b[0] ? -1 : 1));
}
function Groups({ url }) {
	const { data, error } = useGet(url);
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "groups",
		children: [
			/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
				id: "groups",
				children: "Groups"
			}), data && /* @__PURE__ */ a("span", {
				class: "dim",
				children: [
					plural(data.group_count, "group"),
					" of like failures, ",
					tellRange(data),
					data.group_count > data.groups.length && `; the ${count(data.groups.length)} most frequent`
				]
			})] }),
			error && /* @__PURE__ */ a(Lacking, {
				what: "error groups",
				error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			data && (data.groups.length > 0 ? /* @__PURE__ */ a(ErrorGroups, {
				groups: data.groups,
				range: data,
				caption: "Error groups"
			}) : /* @__PURE__ */ a("p", {
				class: "quiet-text good",
				children: "No failures in this time."
			})),
			data && data.other_errors > 0 && /* @__PURE__ */ a("p", {
				class: "table-foot warn-text",
				children: [plural(data.other_errors, "further failure"), " in no group: there are too many groups."]
			}),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading room",
				children: "Loading…"
			})
		]
	});
}
function Errors() {
	const { params } = route.value;
	const service = params.get("service") ?? "";
	const groups = `/api/errors${rangeQuery(params, service ? { service } : {})}`;
	const all = `/api/traces${rangeQuery(params, {
		error: "true",
		limit: String(COUNTED)
	})}`;
	const url = service ? `/api/traces${rangeQuery(params, {
		service,
		span_error: "true",
		limit: "50"
	})}` : all;
	const counted = useGet(all);
	const found = usePager(url);
	useLive(found.extended ? [groups] : [.../* @__PURE__ */ new Set([
		groups,
		all,
		url
	])]);
	document.title = "Errors · Tracewell";
	const tabs = countByService(counted.data?.traces ?? []);
	if (service && !tabs.some(([name]) => name === service)) tabs.unshift([service, 0]);
	const more = Math.max(0, tabs.length - TABS_MAX);
	const tab = (name) => href("/errors", withChanges(params, { service: name }));
	const total = counted.data?.traces.length ?? 0;
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("div", {
				class: "page-head",
				children: [
					/* @__PURE__ */ a("h1", { children: "Errors" }),
					counted.data && /* @__PURE__ */ a("span", {
						class: "dim",
						children: [counted.data.next_cursor ? `the newest ${count(total)}` : plural(total, "trace"), " by failing service"]
					}),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(RangePicker, {}),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error: found.error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: found.answer }),
			tabs.length > 0 && /* @__PURE__ */ a("nav", {
				class: "service-tabs",
				"aria-label": "Failing services",
				children: [
					/* @__PURE__ */ a("a", {
						href: tab(""),
						"aria-current": service === "" ? "true" : void 0,
						children: ["All ", /* @__PURE__ */ a("b", { children: count(total) })]
					}),
					tabs.filter(([name], at) => at < TABS_MAX || name === service).map(([name, traces]) => /* @__PURE__ */ a("a", {
						href: tab(name),
						"aria-current": service === name ? "true" : void 0,
						children: [
							/* @__PURE__ */ a(Swatch, { service: name }),
							/* @__PURE__ */ a("bdi", { children: name }),
							" ",
							/* @__PURE__ */ a("b", { children: count(traces) })
						]
					}, name)),
					more > 0 && /* @__PURE__ */ a("span", {
						class: "dim",
						children: [
							"and ",
							plural(more, "service"),
							" with fewer"
						]
					})
				]
			}),
			/* @__PURE__ */ a(Groups, { url: groups }),
			/* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "failing",
				children: [
					/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
						id: "failing",
						children: "Failing traces"
					}), /* @__PURE__ */ a("span", {
						class: "dim",
						children: "newest first"
					})] }),
					found.traces && found.traces.length > 0 && /* @__PURE__ */ a(TraceList, {
						hits: found.traces,
						caption: service ? `Traces in which ${service} failed` : "Error traces"
					}),
					found.traces?.length === 0 && /* @__PURE__ */ a("p", {
						class: "quiet-text good",
						children: [service ? `No stored trace has an error of ${service}` : "No stored trace has an error", params.get("from") ? " in this time range." : "."]
					}),
					!found.traces && !found.error && /* @__PURE__ */ a("p", {
						class: "loading",
						children: "Loading…"
					}),
					/* @__PURE__ */ a(LoadMore, { found })
				]
			})
		]
	});
}
export { Errors as default };
