import { A as a, C as href, H as $, T as route, a as duration, c as percent, h as zone, i as count, l as plural, m as now, r as clock, s as milliseconds, u as rate } from "./index.js";
import { c as Sparkline, d as serviceHref, l as Swatch, s as ServiceLink, u as When } from "./notes.js";
import { t as past } from "./past.js";
// src/parts/hotspots.tsx
var SHOWN = 8;
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
function NowAndWas({ spot, by, show, bad }) {
	return /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("td", {
		class: bad ? "number bad" : "number",
		children: /* @__PURE__ */ a("b", { children: show(by(spot)) })
	}), /* @__PURE__ */ a("td", {
		class: "number dim",
		title: past(spot.was, (figures) => show(by(figures))),
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
function Row$1({ spot }) {
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
				children: [
					/* @__PURE__ */ a("span", {
						class: failing ? "badge error" : "badge partial",
						children: failing ? "Errors" : "Slow"
					}),
					spot.change !== "worse" && /* @__PURE__ */ a("span", {
						class: "badge off",
						title: spot.change === "steady" ? "It fails as much as it did before" : "There was none of it before",
						children: spot.change === "steady" ? "as ever" : "new"
					}),
					/* @__PURE__ */ a("a", {
						href: sample ?? serviceHref(spot.service),
						"data-row-link": "",
						title: sample ? "Open the trace that shows it best, at the guilty span" : "No sample trace; to the service",
						children: name
					})
				]
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
			title: `${milliseconds(spot.charged_ms)} ${spot.change === "steady" ? "as ever" : "beyond the normal"}`,
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
	const spots = answer.hotspots.slice(0, SHOWN);
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
				/* @__PURE__ */ a("tbody", { children: spots.map((spot) => /* @__PURE__ */ a(Row$1, { spot }, `${spot.service}\n${spot.operation}\n${spot.kind}`)) })
			]
		}), answer.hotspots.length > SHOWN && /* @__PURE__ */ a("p", {
			class: "table-foot dim",
			children: ["and ", plural(answer.hotspots.length - SHOWN, "smaller one")]
		})]
	});
}
// src/parts/errorgroups.tsx
/** A group of a fixed range is looked for in that range. */
function groupHref(group) {
	const { params } = route.value;
	return href(`/errors/${encodeURIComponent(group.fingerprint)}`, {
		from: params.get("from"),
		to: params.get("to")
	});
}
/** The trend as the charts draw it: all of it is failures. */
function trendSteps(group, { start_unix_ns, end_unix_ns }) {
	const start = BigInt(start_unix_ns);
	const step = (BigInt(end_unix_ns) - start) / BigInt(Math.max(1, group.trend.length));
	return group.trend.map((errors, at) => ({
		t_unix_ns: start + step * BigInt(at),
		count: errors,
		errors,
		p95_ms: null
	}));
}
var NEW_NS = 900000000000n;
/** Seen first in the last 15 minutes of a longer range. */
function isNew(group, { start_unix_ns, end_unix_ns }) {
	const since = BigInt(end_unix_ns) - NEW_NS;
	return BigInt(group.first_seen_unix_ns) > since && BigInt(start_unix_ns) < since - NEW_NS;
}
var titleOf = (group) => group.exception_type || group.example || group.message || "Error without a message";
/** "15:02:11 to now, from 50% of the traces" */
function tellRange({ start_unix_ns, end_unix_ns, sampled }) {
	const soon = Math.abs(now.value - Number(BigInt(end_unix_ns) / 1000000n)) < 3e4;
	const range = `${clock(start_unix_ns, zone.value, now.value)} to ${soon ? "now" : clock(end_unix_ns, zone.value, now.value)}`;
	return sampled < 1 ? `${range}, from ${percent(sampled)} of the traces` : range;
}
function Cause({ group }) {
	const others = group.services.filter((one) => one.name !== group.root_cause_service);
	return /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a(ServiceLink, { service: group.root_cause_service }), others.length > 0 && /* @__PURE__ */ a("small", {
		class: "reaches",
		title: others.map((one) => `${one.name}: ${count(one.count)}`).join("\n"),
		children: [
			"reaches ",
			others[0].name,
			others.length > 1 && ` and ${plural(others.length - 1, "other")}`
		]
	})] });
}
function Row({ group, range }) {
	const sample = sampleHref(group.sample_trace_id, group.span_id);
	return /* @__PURE__ */ a("tr", { children: [
		/* @__PURE__ */ a("td", {
			class: "name",
			children: /* @__PURE__ */ a("a", {
				href: groupHref(group),
				"data-row-link": "",
				children: [
					group.exception_type && /* @__PURE__ */ a("bdi", {
						class: "service",
						children: group.exception_type
					}),
					" ",
					/* @__PURE__ */ a("bdi", {
						class: "operation",
						children: group.message || (group.exception_type ? "" : "without a message")
					})
				]
			})
		}),
		/* @__PURE__ */ a("td", {
			class: "number",
			children: /* @__PURE__ */ a("b", { children: count(group.count) })
		}),
		/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Sparkline, {
			series: trendSteps(group, range),
			label: `${plural(group.count, "failure")} over time`
		}) }),
		/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Cause, { group }) }),
		/* @__PURE__ */ a("td", {
			class: "nowrap",
			children: [
				/* @__PURE__ */ a(When, { ns: group.first_seen_unix_ns }),
				" ",
				isNew(group, range) && /* @__PURE__ */ a("span", {
					class: "badge error",
					children: "new"
				})
			]
		}),
		/* @__PURE__ */ a("td", {
			class: "nowrap",
			children: /* @__PURE__ */ a(When, {
				ns: group.last_seen_unix_ns,
				relative: true
			})
		}),
		/* @__PURE__ */ a("td", {
			class: "number",
			children: sample && /* @__PURE__ */ a("a", {
				class: "button small",
				href: sample,
				title: "Open a trace of it, at the span that failed",
				children: "Sample"
			})
		})
	] });
}
function ErrorGroups({ groups, range, caption }) {
	return /* @__PURE__ */ a("div", {
		class: "table-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": caption,
		children: /* @__PURE__ */ a("table", {
			class: "groups",
			children: [
				/* @__PURE__ */ a("caption", {
					class: "unseen",
					children: caption
				}),
				/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Error"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						class: "number",
						children: "Count"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Trend"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Began in"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "First seen"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Last seen"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: /* @__PURE__ */ a("span", {
							class: "unseen",
							children: "Sample trace"
						})
					})
				] }) }),
				/* @__PURE__ */ a("tbody", { children: groups.map((group) => /* @__PURE__ */ a(Row, {
					group,
					range
				}, group.fingerprint)) })
			]
		})
	});
}
export { Hotspots as a, trendSteps as i, tellRange as n, comparison as o, titleOf as r, sampleHref as s, ErrorGroups as t };
