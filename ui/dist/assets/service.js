import { A as refresh, M as useGet, S as href, c as percent, k as a, l as plural, s as milliseconds, u as rate, w as route } from "./index.js";
import { c as Swatch, o as ServiceLink, r as Problem, t as Incomplete } from "./notes.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as WindowPicker, r as currentWindow } from "./pickers.js";
import { n as RedCharts } from "./redchart.js";
import { t as SortTable } from "./sorttable.js";
import { t as TraceList } from "./tracelist.js";
// src/pages/service.tsx
function Figures({ red }) {
	const figures = [
		[
			"Requests",
			`${rate(red.rate_per_s)}/s`,
			plural(red.request_count, "request")
		],
		[
			"Errors",
			percent(red.error_rate),
			plural(red.error_count, "error")
		],
		[
			"p50",
			milliseconds(red.p50_ms),
			""
		],
		[
			"p95",
			milliseconds(red.p95_ms),
			""
		],
		[
			"p99",
			milliseconds(red.p99_ms),
			""
		]
	];
	return /* @__PURE__ */ a("dl", {
		class: "figures",
		children: figures.map(([name, value, more]) => /* @__PURE__ */ a("div", {
			class: name === "Errors" && red.error_count > 0 ? "bad" : void 0,
			children: [/* @__PURE__ */ a("dt", { children: name }), /* @__PURE__ */ a("dd", { children: [red.request_count === 0 ? "–" : value, more && /* @__PURE__ */ a("small", { children: more })] })]
		}, name))
	});
}
function operationColumns(service) {
	const search = (row, more) => href("/search", {
		service,
		operation: row.operation,
		...more
	});
	return [
		{
			key: "operation",
			name: "Operation",
			by: (row) => row.operation,
			show: (row) => /* @__PURE__ */ a("a", {
				href: search(row, {}),
				"data-row-link": "",
				children: /* @__PURE__ */ a("bdi", { children: row.operation || "(no name)" })
			})
		},
		{
			key: "rate",
			name: "Calls/s",
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
				href: search(row, { span_error: "true" }),
				title: plural(row.error_count, "error"),
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
		}
	];
}
function Neighbours({ title, edges, other, none }) {
	const sorted = [...edges].sort((a, b) => b.error_count - a.error_count || b.call_count - a.call_count);
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-label": title,
		children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", { children: title }) }), sorted.length === 0 ? /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: none
		}) : /* @__PURE__ */ a("ul", {
			class: "neighbours",
			children: sorted.map((edge) => /* @__PURE__ */ a("li", { children: [
				/* @__PURE__ */ a(ServiceLink, { service: other(edge) }),
				/* @__PURE__ */ a("span", {
					class: "number",
					children: [rate(edge.rate_per_s), "/s"]
				}),
				/* @__PURE__ */ a("span", {
					class: edge.error_count > 0 ? "number bad" : "number dim",
					children: percent(edge.error_rate)
				}),
				/* @__PURE__ */ a("span", {
					class: "number",
					title: "p95",
					children: milliseconds(edge.p95_ms)
				})
			] }, other(edge)))
		})]
	});
}
function Service({ rest }) {
	const service = rest.join("/");
	const window = currentWindow();
	const urls = {
		services: `/api/services?window=${window}`,
		operations: `/api/services/${encodeURIComponent(service)}/operations?window=${window}`,
		graph: `/api/graph?window=${window}`,
		failing: `/api/traces?${new URLSearchParams({
			service,
			span_error: "true",
			limit: "6"
		})}`,
		slow: `/api/traces?${new URLSearchParams({
			service,
			order: "slowest",
			limit: "6"
		})}`
	};
	const services = useGet(urls.services);
	const operations = useGet(urls.operations);
	const graph = useGet(urls.graph);
	const failing = useGet(urls.failing);
	const slow = useGet(urls.slow);
	useLive(Object.values(urls));
	document.title = `${service} · Tracewell`;
	const red = services.data?.metrics.find((one) => one.service === service);
	const edges = (graph.data?.edges ?? []).filter((edge) => edge.parent !== edge.child);
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("nav", {
				class: "crumbs",
				"aria-label": "Where this is",
				children: [
					/* @__PURE__ */ a("a", {
						href: href("/services", { window: route.value.params.get("window") }),
						children: "Services"
					}),
					" ",
					/* @__PURE__ */ a("span", {
						"aria-hidden": "true",
						children: "›"
					})
				]
			}),
			/* @__PURE__ */ a("div", {
				class: "page-head",
				children: [
					/* @__PURE__ */ a("h1", { children: [
						/* @__PURE__ */ a(Swatch, { service }),
						" ",
						/* @__PURE__ */ a("bdi", { children: service })
					] }),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a("a", {
						class: "button",
						href: href("/search", { service }),
						children: "Search its traces"
					}),
					/* @__PURE__ */ a("a", {
						class: "button",
						href: href("/map", { focus: service }),
						children: "On the map"
					}),
					/* @__PURE__ */ a(WindowPicker, {}),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error: services.error ?? operations.error,
				retry: () => Object.values(urls).forEach((url) => void refresh(url))
			}),
			/* @__PURE__ */ a(Incomplete, { answer: operations.data }),
			services.data && !red && /* @__PURE__ */ a("div", {
				class: "note warn",
				children: "No service of this name is stored. Names are exact, upper and lower case included."
			}),
			red && /* @__PURE__ */ a("section", {
				class: "panel",
				"aria-label": "Figures",
				children: [
					/* @__PURE__ */ a(Figures, { red }),
					red.request_count > 0 ? /* @__PURE__ */ a(RedCharts, { steps: red.series ?? [] }) : /* @__PURE__ */ a("p", {
						class: "quiet-text",
						children: "No requests in this window. Widen it, or look at the traces below."
					}),
					red.basis === "all_spans" && /* @__PURE__ */ a("p", {
						class: "table-foot dim",
						children: "It has no server, consumer or root span in this window, so all its spans are counted."
					})
				]
			}),
			/* @__PURE__ */ a("div", {
				class: "columns-main",
				children: [/* @__PURE__ */ a("section", {
					class: "panel",
					"aria-labelledby": "operations",
					children: [
						/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
							id: "operations",
							children: "Operations"
						}) }),
						operations.data && operations.data.metrics.length > 0 && /* @__PURE__ */ a(SortTable, {
							caption: "Operations",
							rows: operations.data.metrics,
							columns: operationColumns(service),
							sort: "-errors",
							rowKey: (row) => row.operation,
							rowClass: (row) => row.request_count === 0 ? "idle" : ""
						}),
						operations.data?.metrics.length === 0 && /* @__PURE__ */ a("p", {
							class: "quiet-text",
							children: "No operations."
						})
					]
				}), /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a(Neighbours, {
					title: "Called by",
					edges: edges.filter((edge) => edge.child === service),
					other: (edge) => edge.parent,
					none: "Nothing calls it in this window."
				}), /* @__PURE__ */ a(Neighbours, {
					title: "Calls",
					edges: edges.filter((edge) => edge.parent === service),
					other: (edge) => edge.child,
					none: "It calls nothing in this window."
				})] })]
			}),
			/* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "failing",
				children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
					id: "failing",
					children: "Newest traces in which it failed"
				}), /* @__PURE__ */ a("a", {
					href: href("/errors", { service }),
					children: "All"
				})] }), failing.data && (failing.data.traces.length > 0 ? /* @__PURE__ */ a(TraceList, {
					hits: failing.data.traces,
					caption: "Newest traces in which it failed"
				}) : /* @__PURE__ */ a("p", {
					class: "quiet-text good",
					children: "None stored."
				}))]
			}),
			/* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "slow",
				children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
					id: "slow",
					children: "Slowest traces it is part of"
				}), /* @__PURE__ */ a("a", {
					href: href("/search", {
						service,
						order: "slowest"
					}),
					children: "All"
				})] }), slow.data && (slow.data.traces.length > 0 ? /* @__PURE__ */ a(TraceList, {
					hits: slow.data.traces,
					caption: "Slowest traces it is part of",
					toMatch: true
				}) : /* @__PURE__ */ a("p", {
					class: "quiet-text",
					children: "None stored."
				}))]
			})
		]
	});
}
export { Service as default };
