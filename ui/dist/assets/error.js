import { A as a, C as href, F as textOf, H as $, N as useGet, R as T, T as route, c as percent, i as count, j as refresh, w as navigate, x as rangeQuery, y as filterOf } from "./index.js";
import { a as CopyButton, n as Lacking, r as Problem, s as ServiceLink, t as Incomplete, u as When } from "./notes.js";
import { i as asSearch, r as Difference, t as FailureChart } from "./redchart.js";
import { i as trendSteps, n as tellRange, r as titleOf, s as sampleHref } from "./errorgroups.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
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
var exceptionOf = (span) => span.events.find((event) => event.name === "exception")?.attributes ?? span.tags;
/** The attribute's text; empty where there is none. */
var said = (span, key) => textOf(exceptionOf(span)[key] ?? "");
function Samples({ spans }) {
	const link = (one) => sampleHref(one.trace_id, one.span_id);
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "samples",
		children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
			id: "samples",
			children: "The latest traces of it"
		}) }), spans.length === 0 ? /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: "None is stored any more."
		}) : /* @__PURE__ */ a("div", {
			class: "table-scroll",
			tabIndex: 0,
			role: "group",
			"aria-label": "The latest traces of it",
			children: /* @__PURE__ */ a("table", { children: [
				/* @__PURE__ */ a("caption", {
					class: "unseen",
					children: "The latest traces of this error"
				}),
				/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Failing span"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "What it said"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Version"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Started"
					})
				] }) }),
				/* @__PURE__ */ a("tbody", { children: spans.map((one) => /* @__PURE__ */ a("tr", {
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
										children: one.service_name
									}),
									" ",
									/* @__PURE__ */ a("bdi", { children: one.operation_name || "(no name)" })
								]
							})
						}),
						/* @__PURE__ */ a("td", {
							class: "said",
							children: /* @__PURE__ */ a("bdi", { children: said(one, "exception.message") || one.status_message })
						}),
						/* @__PURE__ */ a("td", { children: one.resource["service.version"] === void 0 ? /* @__PURE__ */ a("span", {
							class: "dim",
							children: "not said"
						}) : /* @__PURE__ */ a("bdi", { children: textOf(one.resource["service.version"]) }) }),
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
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Began in" }), /* @__PURE__ */ a("dd", { children: [/* @__PURE__ */ a(ServiceLink, { service: group.root_cause_service }), /* @__PURE__ */ a("small", { children: [/* @__PURE__ */ a("bdi", { children: group.operations[0]?.name || "(no name)" }), group.operations.length > 1 && ` and ${count(group.operations.length - 1)} more`] })] })] })
		]
	});
}
function Stack({ spans, frames }) {
	const stack = spans.map((span) => said(span, "exception.stacktrace")).find(Boolean) ?? frames.join("\n");
	if (!stack) return null;
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "stack",
		children: [/* @__PURE__ */ a("header", { children: [
			/* @__PURE__ */ a("h2", {
				id: "stack",
				children: "Stack"
			}),
			/* @__PURE__ */ a("span", {
				class: "dim",
				children: "of the latest"
			}),
			/* @__PURE__ */ a("span", { class: "grow" }),
			/* @__PURE__ */ a(CopyButton, {
				text: stack,
				what: "stack trace",
				label: "Copy stack"
			})
		] }), /* @__PURE__ */ a("pre", {
			class: "stack",
			tabIndex: 0,
			"aria-label": "Stack trace",
			children: stack
		})]
	});
}
/** Of the range that was there first: a comparison is not made anew with every refresh. */
function Differs({ group }) {
	const range = T({
		start: group.start_unix_ns,
		end: group.end_unix_ns
	});
	const tag = group.exception_type && filterOf("exception.type", group.exception_type);
	const of = {
		service: group.root_cause_service,
		...group.operations.length === 1 ? { operation: group.operations[0].name } : {}
	};
	const search = asSearch({
		...of,
		span_error: true,
		...range.current
	});
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "differs",
		children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
			id: "differs",
			children: "What differs"
		}), /* @__PURE__ */ a("span", {
			class: "dim",
			children: [
				"from what else ",
				group.operations.length === 1 ? "this operation" : group.root_cause_service,
				" did then"
			]
		})] }), /* @__PURE__ */ a(Difference, {
			a: {
				...of,
				span_error: true,
				...tag ? { tag: [tag] } : {},
				...range.current
			},
			b: null,
			names: ["failed so", "the rest"],
			search
		})]
	});
}
function Loaded({ group }) {
	const spans = group.samples.filter((one) => one !== null);
	return /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a(Incomplete, { answer: group }),
		/* @__PURE__ */ a("section", {
			class: "panel",
			"aria-label": "Figures",
			children: [/* @__PURE__ */ a(Facts, { group }), /* @__PURE__ */ a(FailureChart, { steps: trendSteps(group, group) })]
		}),
		/* @__PURE__ */ a("div", {
			class: "columns-main",
			children: [/* @__PURE__ */ a("div", { children: [
				/* @__PURE__ */ a(Stack, {
					spans,
					frames: group.frames
				}),
				/* @__PURE__ */ a(Samples, { spans }),
				/* @__PURE__ */ a(Differs, { group })
			] }), /* @__PURE__ */ a("div", { children: [
				/* @__PURE__ */ a(Counts, {
					title: "Services affected",
					counts: group.services,
					all: group.count,
					service: true,
					none: "None is named."
				}),
				group.operations.length > 1 && /* @__PURE__ */ a(Counts, {
					title: "Operations",
					counts: group.operations,
					all: group.count,
					none: ""
				}),
				/* @__PURE__ */ a(Counts, {
					title: "Versions",
					counts: group.versions,
					all: group.count,
					none: "No span names a version (service.version)."
				})
			] })]
		})
	] });
}
function ErrorPage({ rest }) {
	const url = `/api/errors/${encodeURIComponent(rest.join("/"))}${rangeQuery(route.value.params)}`;
	const { data, error } = useGet(url);
	useLive([url]);
	const again = () => void refresh(url);
	const kept = {
		from: route.value.params.get("from"),
		to: route.value.params.get("to")
	};
	document.title = `${data ? titleOf(data) : "Error"} · Tracewell`;
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("nav", {
				class: "crumbs",
				"aria-label": "Where this is",
				children: [
					/* @__PURE__ */ a("a", {
						href: href("/errors", kept),
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
					/* @__PURE__ */ a("h1", { children: /* @__PURE__ */ a("bdi", { children: data ? titleOf(data) : "Error group" }) }),
					data && /* @__PURE__ */ a("span", {
						class: "dim",
						children: tellRange(data)
					}),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			data && data.example && data.example !== titleOf(data) && /* @__PURE__ */ a("p", {
				class: "message",
				children: /* @__PURE__ */ a("bdi", { children: data.example })
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
