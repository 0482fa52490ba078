import { A as a, C as href, H as $, N as useGet, T as route, c as percent, i as count, j as refresh, l as plural, s as milliseconds, u as rate } from "./index.js";
import { t as Changes } from "./changes.js";
import { c as Sparkline, n as Lacking, r as Problem, s as ServiceLink, t as Incomplete, u as When } from "./notes.js";
import { a as Hotspots, o as comparison, t as ErrorGroups } from "./errorgroups.js";
import { t as FirstSpan } from "./firstspan.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as WindowPicker, r as currentWindow } from "./pickers.js";
import { t as TraceList } from "./tracelist.js";
// src/pages/now.tsx
var ERRORS = "/api/traces?error=true&limit=12";
var NEWEST = "/api/traces?limit=12";
var HOTSPOTS = "/api/hotspots";
var GROUPS = "/api/errors";
var GROUPS_SHOWN = 5;
var SHOWN = 12;
/** Failing ones by error rate, then the rest by p99: what to look at first. */
function worstFirst(a, b) {
	return (b.error_rate ?? -1) - (a.error_rate ?? -1) || (b.p99_ms ?? -1) - (a.p99_ms ?? -1) || (a.service < b.service ? -1 : 1);
}
function Worst({ metrics }) {
	const active = metrics.filter((one) => one.request_count > 0).sort(worstFirst);
	if (active.length === 0) return /* @__PURE__ */ a("p", {
		class: "quiet-text",
		children: "No requests in this window. Widen it, or look at the newest traces below."
	});
	return /* @__PURE__ */ a("div", {
		class: "table-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": "Worst services",
		children: [/* @__PURE__ */ a("table", { children: [
			/* @__PURE__ */ a("caption", {
				class: "unseen",
				children: "Services, worst first"
			}),
			/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
				/* @__PURE__ */ a("th", {
					scope: "col",
					children: "Service"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Errors"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "p99"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Req/s"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					children: "Requests and errors"
				})
			] }) }),
			/* @__PURE__ */ a("tbody", { children: active.slice(0, SHOWN).map((one) => /* @__PURE__ */ a("tr", { children: [
				/* @__PURE__ */ a("td", {
					class: "name",
					children: /* @__PURE__ */ a(ServiceLink, {
						service: one.service,
						row: true
					})
				}),
				/* @__PURE__ */ a("td", {
					class: "number",
					children: one.error_count > 0 ? /* @__PURE__ */ a("a", {
						class: "bad",
						href: href("/errors", { service: one.service }),
						title: plural(one.error_count, "failed request"),
						children: percent(one.error_rate)
					}) : /* @__PURE__ */ a("span", {
						class: "dim",
						children: "0%"
					})
				}),
				/* @__PURE__ */ a("td", {
					class: "number",
					children: milliseconds(one.p99_ms)
				}),
				/* @__PURE__ */ a("td", {
					class: "number",
					children: rate(one.rate_per_s)
				}),
				/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Sparkline, {
					series: one.series,
					label: `${one.service}: ${plural(one.request_count, "request")}, ${plural(one.error_count, "error")}`
				}) })
			] }, one.service)) })
		] }), active.length > SHOWN && /* @__PURE__ */ a("p", {
			class: "table-foot",
			children: /* @__PURE__ */ a("a", {
				href: "/services",
				children: [
					"All ",
					count(active.length),
					" services"
				]
			})
		})]
	});
}
function WorstNow({ data, error }) {
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "hotspots",
		children: [
			/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
				id: "hotspots",
				children: "Worst now"
			}), data && /* @__PURE__ */ a("span", {
				class: "dim",
				children: comparison(data)
			})] }),
			error && /* @__PURE__ */ a(Lacking, {
				what: "hot spots",
				error,
				retry: () => void refresh(HOTSPOTS)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			data ? /* @__PURE__ */ a(Hotspots, { answer: data }) : !error && /* @__PURE__ */ a("p", {
				class: "loading room",
				children: "Looking for what is worse than it was…"
			})
		]
	});
}
function LastErrors({ data, error }) {
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "last-errors",
		children: [
			/* @__PURE__ */ a("header", { children: [
				/* @__PURE__ */ a("h2", {
					id: "last-errors",
					children: "Errors of the last hour"
				}),
				/* @__PURE__ */ a("span", {
					class: "dim",
					children: "most frequent first"
				}),
				/* @__PURE__ */ a("a", {
					href: "/errors",
					children: data && data.group_count > GROUPS_SHOWN ? `All ${count(data.group_count)} groups` : "All errors"
				})
			] }),
			error && /* @__PURE__ */ a(Lacking, {
				what: "error groups",
				error,
				retry: () => void refresh(GROUPS)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			data && (data.groups.length > 0 ? /* @__PURE__ */ a(ErrorGroups, {
				groups: data.groups.slice(0, GROUPS_SHOWN),
				range: data,
				caption: "Errors of the last hour"
			}) : /* @__PURE__ */ a("p", {
				class: "quiet-text good",
				children: "No failures."
			})),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading room",
				children: "Loading…"
			})
		]
	});
}
function Health({ status }) {
	if (!status) return null;
	const lag = Math.max(0, ...status.log.groups.map((group) => group.lag_seconds));
	const { refused } = status.account.since_start;
	const lost = status.account.log.dead_lettered ?? 0;
	return /* @__PURE__ */ a("a", {
		class: `health ${status.problems.length > 0 ? "warn" : ""}`,
		href: "/status",
		children: [
			/* @__PURE__ */ a("span", { children: [/* @__PURE__ */ a("b", { children: rate(status.ingest.spans_per_s) }), " spans/s"] }),
			/* @__PURE__ */ a("span", {
				class: refused > 0 ? "warn-text" : void 0,
				children: [/* @__PURE__ */ a("b", { children: count(refused) }), " refused"]
			}),
			/* @__PURE__ */ a("span", {
				class: lost > 0 ? "bad" : void 0,
				children: [/* @__PURE__ */ a("b", { children: count(lost) }), " dead-lettered"]
			}),
			/* @__PURE__ */ a("span", {
				class: lag > 10 ? "warn-text" : void 0,
				children: [/* @__PURE__ */ a("b", { children: [lag.toFixed(1), " s"] }), " behind"]
			}),
			status.problems.length > 0 && /* @__PURE__ */ a("span", {
				class: "warn-text",
				children: plural(status.problems.length, "problem")
			})
		]
	});
}
function Now() {
	const url = `/api/services?window=${currentWindow()}`;
	const services = useGet(url);
	const hotspots = useGet(HOTSPOTS);
	const groups = useGet(GROUPS);
	const errors = useGet(ERRORS);
	const status = useGet("/api/status");
	const noErrors = errors.data?.traces.length === 0;
	const newest = useGet(noErrors ? NEWEST : null);
	useLive([
		url,
		ERRORS,
		"/api/status",
		...hotspots.error?.isAbsent ? [] : [HOTSPOTS],
		...groups.error?.isAbsent ? [] : [GROUPS],
		...noErrors ? [NEWEST] : []
	]);
	document.title = "Now · Tracewell";
	const empty = services.data?.services.length === 0 && noErrors && newest.data?.traces.length === 0;
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("div", {
				class: "page-head",
				children: [
					/* @__PURE__ */ a("h1", { children: "Now" }),
					/* @__PURE__ */ a(Health, { status: status.data }),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(WindowPicker, {}),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error: services.error ?? errors.error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: services.data }),
			empty ? /* @__PURE__ */ a(FirstSpan, {}) : /* @__PURE__ */ a($, { children: [
				/* @__PURE__ */ a(WorstNow, { ...hotspots }),
				!groups.error?.isAbsent && /* @__PURE__ */ a(LastErrors, { ...groups }),
				/* @__PURE__ */ a("section", {
					class: "panel",
					"aria-labelledby": "changed",
					children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
						id: "changed",
						children: "What changed"
					}), /* @__PURE__ */ a("span", {
						class: "dim",
						children: "in the last 5 minutes, when this page was opened"
					})] }), /* @__PURE__ */ a(Changes, {})]
				}),
				/* @__PURE__ */ a("section", {
					class: "panel",
					"aria-labelledby": "worst",
					children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
						id: "worst",
						children: "Services"
					}), /* @__PURE__ */ a("a", {
						href: href("/services", { window: route.value.params.get("window") }),
						children: "All services"
					})] }), services.data ? /* @__PURE__ */ a(Worst, { metrics: services.data.metrics }) : /* @__PURE__ */ a("p", {
						class: "loading",
						children: "Loading…"
					})]
				}),
				/* @__PURE__ */ a("section", {
					class: "panel",
					"aria-labelledby": "recent-errors",
					children: [
						/* @__PURE__ */ a("header", { children: [
							/* @__PURE__ */ a("h2", {
								id: "recent-errors",
								children: noErrors ? "Newest traces" : "Newest error traces"
							}),
							errors.data && !noErrors && /* @__PURE__ */ a("span", {
								class: "dim",
								children: ["newest ", /* @__PURE__ */ a(When, {
									ns: errors.data.traces[0].start_time_unix_ns,
									relative: true
								})]
							}),
							/* @__PURE__ */ a("span", { class: "grow" }),
							/* @__PURE__ */ a("a", {
								href: noErrors ? "/search" : "/errors",
								children: noErrors ? "Search" : "All errors"
							})
						] }),
						noErrors && /* @__PURE__ */ a("p", {
							class: "quiet-text good",
							children: "No stored trace has an error."
						}),
						noErrors ? newest.data && /* @__PURE__ */ a(TraceList, {
							hits: newest.data.traces,
							caption: "Newest traces"
						}) : errors.data ? /* @__PURE__ */ a(TraceList, {
							hits: errors.data.traces,
							caption: "Newest error traces"
						}) : /* @__PURE__ */ a("p", {
							class: "loading",
							children: "Loading…"
						})
					]
				})
			] })
		]
	});
}
export { Now as default };
