import { C as route, O as a, a as duration, c as percent, i as count, j as useGet, k as refresh, l as plural, s as milliseconds, u as rate, x as href, z as $ } from "./index.js";
import { c as Swatch, l as When, n as Lacking, o as ServiceLink, r as Problem, s as Sparkline, t as Incomplete, u as serviceHref } from "./notes.js";
import { t as FirstSpan } from "./firstspan.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as WindowPicker, r as currentWindow } from "./pickers.js";
import { t as TraceList } from "./tracelist.js";
// src/parts/hotspots.tsx
var SHOWN$1 = 8;
var VICTIMS_SHOWN = 3;
var sampleHref = (trace, span) => trace ? href(`/trace/${trace}`, { span }) : null;
/** "5 min", "1 h 30 m": how long a range is. */
function lengthOf({ start_unix_ns, end_unix_ns }) {
	const ns = BigInt(end_unix_ns) - BigInt(start_unix_ns);
	return ns < 3600000000000n && ns % 60000000000n === 0n ? `${ns / 60000000000n} min` : duration(ns).replace(" 00 m", "");
}
function comparison({ now, against }) {
	const part = Math.min(now.sampled, against.sampled);
	return `${lengthOf(now)} against ${lengthOf(against)} before${part < 1 ? `, from ${percent(part)} of the traces` : ""}`;
}
function past(spot, show) {
	const { hour, day, week } = spot.was;
	return [
		["hour", hour],
		["day", day],
		["week", week]
	].flatMap(([name, figures]) => figures ? [`${show(figures)} a ${name} ago`] : []).join(", ");
}
function NowAndWas({ spot, by, show, bad }) {
	return /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("td", {
		class: bad ? "number bad" : "number",
		children: /* @__PURE__ */ a("b", { children: show(by(spot)) })
	}), /* @__PURE__ */ a("td", {
		class: "number dim",
		title: past(spot, (figures) => show(by(figures))),
		children: show(by(spot.was))
	})] });
}
function Victims({ spot }) {
	if (spot.victims.length === 0) return null;
	const more = spot.victims.length - VICTIMS_SHOWN;
	return /* @__PURE__ */ a("p", {
		class: "victims",
		children: [
			/* @__PURE__ */ a("span", {
				"aria-hidden": "true",
				children: "↳"
			}),
			" ",
			/* @__PURE__ */ a("span", {
				class: "dim",
				children: "passed on to"
			}),
			" ",
			spot.victims.slice(0, VICTIMS_SHOWN).map((one) => /* @__PURE__ */ a("a", {
				href: serviceHref(one.service),
				title: `${one.service} ${one.operation}: in ${plural(one.traces, "trace")} of this`,
				children: [
					/* @__PURE__ */ a("bdi", {
						class: "service",
						children: one.service
					}),
					" ",
					/* @__PURE__ */ a("bdi", { children: one.operation || "(no name)" })
				]
			}, `${one.service} ${one.operation}`)),
			more > 0 && /* @__PURE__ */ a("span", {
				class: "dim",
				children: [
					"and ",
					count(more),
					" more"
				]
			})
		]
	});
}
function Row({ spot }) {
	const failing = spot.kind === "error";
	const sample = sampleHref(spot.sample_trace_id, spot.span_id);
	const name = /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a("bdi", {
			class: "service",
			children: spot.service
		}),
		" ",
		/* @__PURE__ */ a("bdi", {
			class: "operation",
			children: spot.operation || "(no name)"
		})
	] });
	return /* @__PURE__ */ a("tr", { children: [
		/* @__PURE__ */ a("td", {
			class: "name",
			children: [/* @__PURE__ */ a("div", {
				class: "hotspot-name",
				children: [/* @__PURE__ */ a("span", {
					class: failing ? "badge error" : "badge partial",
					children: failing ? "Errors" : "Slow"
				}), /* @__PURE__ */ a("a", {
					href: sample ?? serviceHref(spot.service),
					"data-row-link": "",
					title: sample ? "Open the trace that shows it best, at the guilty span" : "No sample trace; to the service",
					children: name
				})]
			}), /* @__PURE__ */ a(Victims, { spot })]
		}),
		/* @__PURE__ */ a(NowAndWas, {
			spot,
			by: (figures) => figures.error_rate,
			show: percent,
			bad: failing
		}),
		/* @__PURE__ */ a(NowAndWas, {
			spot,
			by: (figures) => figures.p99_ms,
			show: milliseconds,
			bad: !failing
		}),
		/* @__PURE__ */ a("td", {
			class: "number",
			children: rate(spot.rate_per_s)
		}),
		/* @__PURE__ */ a("td", {
			class: "number",
			title: `${milliseconds(spot.charged_ms)} beyond the normal`,
			children: percent(spot.share)
		}),
		/* @__PURE__ */ a("td", {
			class: "number nowrap",
			children: /* @__PURE__ */ a("a", {
				class: "button small",
				href: serviceHref(spot.service),
				children: [/* @__PURE__ */ a(Swatch, { service: spot.service }), " Service"]
			})
		})
	] });
}
function Hotspots({ answer }) {
	const spots = answer.hotspots.slice(0, SHOWN$1);
	if (spots.length === 0) return /* @__PURE__ */ a("p", {
		class: "quiet-text good",
		children: [
			"Nothing is worse than it was: ",
			comparison(answer),
			"."
		]
	});
	return /* @__PURE__ */ a("div", {
		class: "table-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": "Hot spots",
		children: [/* @__PURE__ */ a("table", {
			class: "hotspots",
			children: [
				/* @__PURE__ */ a("caption", {
					class: "unseen",
					children: "Hot spots, worst first"
				}),
				/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Cause"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Errors"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "was"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "p99"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "was"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Calls/s"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						title: "Its part of all time beyond the normal; a failure counts as the time of its trace",
						children: "Blame"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: /* @__PURE__ */ a("span", {
							class: "unseen",
							children: "Service"
						})
					})
				] }) }),
				/* @__PURE__ */ a("tbody", { children: spots.map((spot) => /* @__PURE__ */ a(Row, { spot }, `${spot.service}\n${spot.operation}\n${spot.kind}`)) })
			]
		}), answer.hotspots.length > SHOWN$1 && /* @__PURE__ */ a("p", {
			class: "table-foot dim",
			children: ["and ", plural(answer.hotspots.length - SHOWN$1, "smaller one")]
		})]
	});
}
// src/pages/now.tsx
var ERRORS = "/api/traces?error=true&limit=12";
var NEWEST = "/api/traces?limit=12";
var HOTSPOTS = "/api/hotspots";
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
	const errors = useGet(ERRORS);
	const status = useGet("/api/status");
	const noErrors = errors.data?.traces.length === 0;
	const newest = useGet(noErrors ? NEWEST : null);
	useLive([
		url,
		ERRORS,
		"/api/status",
		...hotspots.error?.isAbsent ? [] : [HOTSPOTS],
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
