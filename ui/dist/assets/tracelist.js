import { A as a, C as href, a as duration, i as count, l as plural, w as navigate } from "./index.js";
import { i as Badge, l as Swatch, u as When } from "./notes.js";
// src/parts/tracelist.tsx
var SHOWN_SERVICES = 4;
function Services({ hit }) {
	const failing = hit.services.filter((one) => one.error_count > 0);
	const rest = hit.services.filter((one) => one.error_count === 0);
	const shown = [...failing, ...rest].slice(0, SHOWN_SERVICES);
	return /* @__PURE__ */ a("span", {
		class: "chips",
		children: [shown.map((one) => /* @__PURE__ */ a("span", {
			class: one.error_count > 0 ? "chip failing" : "chip",
			title: `${plural(one.span_count, "span")}, ${plural(one.error_count, "error")}`,
			children: [/* @__PURE__ */ a(Swatch, { service: one.name }), /* @__PURE__ */ a("bdi", { children: one.name })]
		}, one.name)), hit.services.length > shown.length && /* @__PURE__ */ a("span", {
			class: "chip more",
			children: ["+", hit.services.length - shown.length]
		})]
	});
}
function TraceList({ hits, caption, toMatch = false, relative = true }) {
	const longest = Math.max(1, ...hits.map((hit) => Number(hit.duration_ns)));
	const link = (hit) => href(`/trace/${hit.trace_id}`, { span: toMatch ? hit.matched_span_id : null });
	return /* @__PURE__ */ a("div", {
		class: "table-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": caption,
		children: /* @__PURE__ */ a("table", {
			class: "traces",
			children: [
				/* @__PURE__ */ a("caption", {
					class: "unseen",
					children: caption
				}),
				/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Status"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Trace"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Services"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Errors"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Spans"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Duration"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Started"
					})
				] }) }),
				/* @__PURE__ */ a("tbody", { children: hits.map((hit) => /* @__PURE__ */ a("tr", {
					class: "clickable",
					onClick: (event) => !event.target.closest("a") && !getSelection()?.toString() && navigate(link(hit)),
					children: [
						/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Badge, { status: hit.status }) }),
						/* @__PURE__ */ a("td", {
							class: "name",
							children: /* @__PURE__ */ a("a", {
								href: link(hit),
								"data-row-link": "",
								children: [
									hit.root_service === null ? /* @__PURE__ */ a("em", { children: "root span missing" }) : /* @__PURE__ */ a("bdi", {
										class: "service",
										children: hit.root_service
									}),
									" ",
									/* @__PURE__ */ a("bdi", {
										class: "operation",
										children: hit.root_operation ?? hit.trace_id.slice(0, 16)
									})
								]
							})
						}),
						/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Services, { hit }) }),
						/* @__PURE__ */ a("td", {
							class: hit.error_count > 0 ? "number bad" : "number dim",
							children: count(hit.error_count)
						}),
						/* @__PURE__ */ a("td", {
							class: "number",
							children: count(hit.span_count)
						}),
						/* @__PURE__ */ a("td", {
							class: "bar-cell",
							children: [/* @__PURE__ */ a("span", {
								class: "bar",
								style: { width: `${Math.max(1, Number(hit.duration_ns) / longest * 100)}%` },
								"aria-hidden": "true"
							}), /* @__PURE__ */ a("span", {
								class: "bar-text",
								children: duration(hit.duration_ns)
							})]
						}),
						/* @__PURE__ */ a("td", {
							class: "number nowrap",
							children: /* @__PURE__ */ a(When, {
								ns: hit.start_time_unix_ns,
								relative
							})
						})
					]
				}, hit.trace_id)) })
			]
		})
	});
}
export { TraceList as t };
