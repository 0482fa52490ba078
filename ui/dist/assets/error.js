import { A as a, H as $, N as useGet, T as route, c as percent, i as count, j as refresh, w as navigate, x as rangeQuery } from "./index.js";
import { a as CopyButton, l as When, n as Lacking, o as ServiceLink, r as Problem, t as Incomplete } from "./notes.js";
import { a as sampleHref, n as trendSteps } from "./errorgroups.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { t as FailureChart } from "./redchart.js";
// src/pages/error.tsx
var NAMES_SHOWN = 12;
function Counts({ title, counts, all, service, none }) {
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-label": title,
		children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", { children: title }), counts.length > NAMES_SHOWN && /* @__PURE__ */ a("span", {
			class: "dim",
			children: [
				"the first ",
				NAMES_SHOWN,
				" of ",
				count(counts.length)
			]
		})] }), counts.length === 0 ? /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: none
		}) : /* @__PURE__ */ a("ul", {
			class: "counts",
			children: counts.slice(0, NAMES_SHOWN).map((one) => /* @__PURE__ */ a("li", { children: [
				service ? /* @__PURE__ */ a(ServiceLink, { service: one.name }) : /* @__PURE__ */ a("bdi", { children: one.name || "(none)" }),
				/* @__PURE__ */ a("span", {
					class: "number",
					children: count(one.count)
				}),
				/* @__PURE__ */ a("span", {
					class: "number dim",
					children: percent(one.count / Math.max(1, all))
				})
			] }, one.name))
		})]
	});
}
function Samples({ samples }) {
	const link = (one) => sampleHref(one.trace_id, one.span_id);
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "samples",
		children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
			id: "samples",
			children: "Traces of it"
		}) }), samples.length === 0 ? /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: "None is stored any more."
		}) : /* @__PURE__ */ a("div", {
			class: "table-scroll",
			tabIndex: 0,
			role: "group",
			"aria-label": "Traces of it",
			children: /* @__PURE__ */ a("table", { children: [
				/* @__PURE__ */ a("caption", {
					class: "unseen",
					children: "Traces of this error"
				}),
				/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Failing span"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Version"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Trace"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Started"
					})
				] }) }),
				/* @__PURE__ */ a("tbody", { children: samples.map((one) => /* @__PURE__ */ a("tr", {
					class: "clickable",
					onClick: (event) => !event.target.closest("a") && !getSelection()?.toString() && navigate(link(one)),
					children: [
						/* @__PURE__ */ a("td", {
							class: "name",
							children: /* @__PURE__ */ a("a", {
								href: link(one),
								"data-row-link": "",
								children: [
									/* @__PURE__ */ a("bdi", {
										class: "service",
										children: one.service
									}),
									" ",
									/* @__PURE__ */ a("bdi", { children: one.operation || "(no name)" })
								]
							})
						}),
						/* @__PURE__ */ a("td", { children: one.version ? /* @__PURE__ */ a("bdi", { children: one.version }) : /* @__PURE__ */ a("span", {
							class: "dim",
							children: "not said"
						}) }),
						/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a("code", { children: [one.trace_id.slice(0, 16), "…"] }) }),
						/* @__PURE__ */ a("td", {
							class: "number nowrap",
							children: /* @__PURE__ */ a(When, { ns: one.start_time_unix_ns })
						})
					]
				}, `${one.trace_id} ${one.span_id}`)) })
			] })
		})]
	});
}
function Facts({ group }) {
	const cause = group.root_cause;
	return /* @__PURE__ */ a("dl", {
		class: "figures four",
		children: [
			/* @__PURE__ */ a("div", {
				class: "bad",
				children: [/* @__PURE__ */ a("dt", { children: "Failures" }), /* @__PURE__ */ a("dd", { children: count(group.count) })]
			}),
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "First seen" }), /* @__PURE__ */ a("dd", { children: [/* @__PURE__ */ a(When, { ns: group.first_seen_unix_ns }), /* @__PURE__ */ a("small", { children: /* @__PURE__ */ a(When, {
				ns: group.first_seen_unix_ns,
				relative: true
			}) })] })] }),
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Last seen" }), /* @__PURE__ */ a("dd", { children: [/* @__PURE__ */ a(When, { ns: group.last_seen_unix_ns }), /* @__PURE__ */ a("small", { children: /* @__PURE__ */ a(When, {
				ns: group.last_seen_unix_ns,
				relative: true
			}) })] })] }),
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Began in" }), /* @__PURE__ */ a("dd", { children: [cause ? /* @__PURE__ */ a(ServiceLink, { service: cause.service }) : "unknown", cause && /* @__PURE__ */ a("small", { children: [
				percent(cause.share),
				" of them, in ",
				/* @__PURE__ */ a("bdi", { children: cause.operation || "(no name)" })
			] })] })] })
		]
	});
}
function Loaded({ group }) {
	return /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a(Incomplete, { answer: group }),
		/* @__PURE__ */ a("section", {
			class: "panel",
			"aria-label": "Figures",
			children: [/* @__PURE__ */ a(Facts, { group }), /* @__PURE__ */ a(FailureChart, { steps: trendSteps(group) })]
		}),
		/* @__PURE__ */ a("div", {
			class: "columns-main",
			children: [/* @__PURE__ */ a("div", { children: [group.stack && /* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "stack",
				children: [/* @__PURE__ */ a("header", { children: [
					/* @__PURE__ */ a("h2", {
						id: "stack",
						children: "Stack"
					}),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(CopyButton, {
						text: group.stack,
						what: "stack trace",
						label: "Copy stack"
					})
				] }), /* @__PURE__ */ a("pre", {
					class: "stack",
					tabIndex: 0,
					"aria-label": "Stack trace",
					children: group.stack
				})]
			}), /* @__PURE__ */ a(Samples, { samples: group.samples })] }), /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a(Counts, {
				title: "Services affected",
				counts: group.services,
				all: group.count,
				service: true,
				none: "None is named."
			}), /* @__PURE__ */ a(Counts, {
				title: "Versions",
				counts: group.versions,
				all: group.count,
				none: "No span names a version (service.version)."
			})] })]
		})
	] });
}
function ErrorPage({ rest }) {
	const url = `/api/errors/${encodeURIComponent(rest.join("/"))}${rangeQuery(route.value.params)}`;
	const { data, error } = useGet(url);
	useLive([url]);
	const again = () => void refresh(url);
	document.title = `${data?.type || "Error"} · Tracewell`;
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("nav", {
				class: "crumbs",
				"aria-label": "Where this is",
				children: [
					/* @__PURE__ */ a("a", {
						href: "/errors",
						children: "Errors"
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
					/* @__PURE__ */ a("h1", { children: /* @__PURE__ */ a("bdi", { children: data ? data.type || "Error" : "Error group" }) }),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			data && /* @__PURE__ */ a("p", {
				class: "message",
				children: /* @__PURE__ */ a("bdi", { children: data.message || "(no message)" })
			}),
			error && (error.isAbsent ? /* @__PURE__ */ a(Lacking, {
				what: "error groups",
				error
			}) : /* @__PURE__ */ a(Problem, {
				error,
				retry: again
			})),
			data ? /* @__PURE__ */ a(Loaded, { group: data }) : !error && /* @__PURE__ */ a("p", {
				class: "loading",
				children: "Loading…"
			})
		]
	});
}
export { ErrorPage as default };
