import { A as a, C as href, E as setParams, H as $, N as useGet, T as route, c as percent, j as refresh, l as plural, s as milliseconds, u as rate } from "./index.js";
import { c as Sparkline, r as Problem, s as ServiceLink, t as Incomplete } from "./notes.js";
import { t as FirstSpan } from "./firstspan.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as WindowPicker, r as currentWindow } from "./pickers.js";
import { t as SortTable } from "./sorttable.js";
// src/pages/services.tsx
var COLUMNS = [
	{
		key: "service",
		name: "Service",
		by: (row) => row.service,
		show: (row) => /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a(ServiceLink, {
			service: row.service,
			row: true
		}), row.basis === "all_spans" && /* @__PURE__ */ a("span", {
			class: "dim",
			title: "No server, consumer or root span in the window: counted by all its spans",
			children: [" ", "all spans"]
		})] })
	},
	{
		key: "rate",
		name: "Req/s",
		number: true,
		by: (row) => row.rate_per_s,
		show: (row) => rate(row.rate_per_s)
	},
	{
		key: "errors",
		name: "Errors",
		number: true,
		by: (row) => row.error_rate,
		show: (row) => row.error_count > 0 ? /* @__PURE__ */ a("a", {
			class: "bad",
			href: href("/errors", { service: row.service }),
			title: plural(row.error_count, "failed request"),
			children: percent(row.error_rate)
		}) : /* @__PURE__ */ a("span", {
			class: "dim",
			children: percent(row.error_rate)
		})
	},
	{
		key: "p50",
		name: "p50",
		number: true,
		by: (row) => row.p50_ms,
		show: (row) => milliseconds(row.p50_ms)
	},
	{
		key: "p95",
		name: "p95",
		number: true,
		by: (row) => row.p95_ms,
		show: (row) => milliseconds(row.p95_ms)
	},
	{
		key: "p99",
		name: "p99",
		number: true,
		by: (row) => row.p99_ms,
		show: (row) => milliseconds(row.p99_ms)
	},
	{
		key: "series",
		name: "Requests and errors",
		show: (row) => /* @__PURE__ */ a(Sparkline, {
			series: row.series,
			label: `${row.service}: ${plural(row.request_count, "request")}, ${plural(row.error_count, "error")}`
		})
	}
];
function Services() {
	const url = `/api/services?window=${currentWindow()}`;
	const { data, error } = useGet(url);
	useLive([url]);
	document.title = "Services · Tracewell";
	const wanted = route.value.params.get("find") ?? "";
	const rows = (data?.metrics ?? []).filter((row) => row.service.toLowerCase().includes(wanted.toLowerCase()));
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("div", {
				class: "page-head",
				children: [
					/* @__PURE__ */ a("h1", { children: "Services" }),
					data && /* @__PURE__ */ a("span", {
						class: "dim",
						children: wanted ? `${rows.length} of ${data.services.length}` : data.services.length
					}),
					/* @__PURE__ */ a("label", {
						class: "filter-box",
						children: [/* @__PURE__ */ a("span", {
							class: "unseen",
							children: "Filter services by name"
						}), /* @__PURE__ */ a("input", {
							type: "search",
							placeholder: "Filter by name",
							value: wanted,
							onInput: (event) => setParams({ find: event.currentTarget.value })
						})]
					}),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(WindowPicker, {}),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			data?.capped && /* @__PURE__ */ a("div", {
				class: "note warn",
				children: "More services than are counted: the least busy are summed up together."
			}),
			data && data.services.length === 0 ? /* @__PURE__ */ a(FirstSpan, {}) : /* @__PURE__ */ a("section", {
				class: "panel",
				children: [data ? /* @__PURE__ */ a(SortTable, {
					caption: "Services",
					rows,
					columns: COLUMNS,
					sort: "-errors",
					rowKey: (row) => row.service,
					rowClass: (row) => row.request_count === 0 ? "idle" : ""
				}) : !error && /* @__PURE__ */ a("p", {
					class: "loading",
					children: "Loading…"
				}), data && rows.length === 0 && /* @__PURE__ */ a("p", {
					class: "quiet-text",
					children: [
						"No service has “",
						wanted,
						"” in its name."
					]
				})]
			})
		]
	});
}
export { Services as default };
