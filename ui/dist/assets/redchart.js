import { A as a, B as d, C as href, H as $, N as useGet, P as stringifyExact, a as duration, c as percent, h as zone, i as count, j as refresh, l as plural, m as now, r as clock, s as milliseconds, y as filterOf } from "./index.js";
import { a as CopyButton, n as Lacking, o as Part, t as Incomplete } from "./notes.js";
// src/parts/difference.tsx
var SHOWN = 12;
/** The first answer is of what the server can count in this time; then it is asked for everything. */
var FIRST_MS = 250;
/** The key of the cache: a POST with this body. */
var differenceKey = (a, b, within_ms) => `/api/difference\n${stringifyExact({
	a,
	b,
	...within_ms ? { within_ms } : {}
})}`;
/** A first answer soon, and exact counts when they are there. */
function useDifference(a, b) {
	const [soon, all] = [differenceKey(a, b, FIRST_MS), differenceKey(a, b)];
	const first = useGet(soon, { keep: true });
	const isPart = first.data?.complete === false;
	const exact = useGet(isPart ? all : null, { keep: true });
	return {
		data: exact.data ?? first.data,
		error: exact.error ?? first.error,
		isPart: isPart && !exact.data,
		retry: () => void refresh(isPart ? all : soon)
	};
}
/** The same conditions as the address of /search has them. */
var asSearch = (query) => Object.fromEntries(Object.entries(query).map(([key, value]) => [key === "start" ? "from" : key === "end" ? "to" : key, String(value)]));
/** The second set without the first, which is in it: then the counts are of the rest. */
function withoutFirst(answer) {
	return {
		...answer,
		n_b: answer.n_b - answer.n_a,
		attributes: answer.attributes.map((one) => ({
			...one,
			b: one.b - one.a
		}))
	};
}
/** What every span has is asked for by its own name; a kind or a band of durations cannot be. */
function conditions({ key, value, source }) {
	if (source === "field") return key === "service" || key === "operation" ? {
		has: { [key]: value },
		hasNot: null
	} : null;
	const tag = filterOf(key, value);
	return tag === null ? null : {
		has: { tag },
		hasNot: { tag: `${key}!=${value}` }
	};
}
function Row({ one, answer, search }) {
	const asked = conditions(one);
	const [a$1, b] = [one.a / Math.max(1, answer.n_a), one.b / Math.max(1, answer.n_b)];
	return /* @__PURE__ */ a("tr", { children: [
		/* @__PURE__ */ a("td", {
			class: "name",
			title: one.value.length > 60 ? one.value : void 0,
			children: asked ? /* @__PURE__ */ a("a", {
				href: href("/search", {
					...search,
					...asked.has
				}),
				"data-row-link": "",
				title: "Search for traces with it",
				children: [
					/* @__PURE__ */ a("bdi", {
						class: "dim",
						children: one.key
					}),
					" ",
					/* @__PURE__ */ a("bdi", { children: one.value })
				]
			}) : /* @__PURE__ */ a("span", { children: [
				/* @__PURE__ */ a("bdi", {
					class: "dim",
					children: one.key
				}),
				" ",
				/* @__PURE__ */ a("bdi", { children: one.value })
			] })
		}),
		/* @__PURE__ */ a("td", {
			title: `${count(one.a)} of ${count(answer.n_a)}`,
			children: /* @__PURE__ */ a(Part, {
				share: a$1,
				kind: "a"
			})
		}),
		/* @__PURE__ */ a("td", {
			title: `${count(one.b)} of ${count(answer.n_b)}`,
			children: /* @__PURE__ */ a(Part, {
				share: b,
				kind: "b"
			})
		}),
		/* @__PURE__ */ a("td", {
			class: "number nowrap",
			children: [asked?.hasNot && /* @__PURE__ */ a("a", {
				class: "button quiet small",
				href: href("/search", {
					...search,
					...asked.hasNot
				}),
				title: "Search for traces without it",
				children: "without"
			}), /* @__PURE__ */ a(CopyButton, {
				text: one.value,
				what: `value of ${one.key}`
			})]
		})
	] });
}
function Difference({ a: a$2, b, overlaps, names, search }) {
	const { data: answered, error, isPart, retry } = useDifference(a$2, b);
	const data = answered && overlaps ? withoutFirst(answered) : answered;
	const [all, setAll] = d(false);
	if (error) return /* @__PURE__ */ a(Lacking, {
		what: "differences",
		error,
		retry
	});
	if (!data) return /* @__PURE__ */ a("p", {
		class: "loading room",
		children: "Comparing…"
	});
	const shown = all ? data.attributes : data.attributes.slice(0, SHOWN);
	return /* @__PURE__ */ a($, { children: [
		!isPart && /* @__PURE__ */ a(Incomplete, { answer: data }),
		/* @__PURE__ */ a("p", {
			class: "quiet-text",
			role: "status",
			children: [
				plural(data.n_a, "span"),
				" ",
				names[0],
				", ",
				count(data.n_b),
				" ",
				names[1],
				isPart && ` so far${data.sampled !== null && data.sampled < 1 ? `, in ${percent(data.sampled)} of all` : ""}; counting the rest…`
			]
		}),
		data.attributes.length === 0 ? /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: data.n_a === 0 ? "No span is in it: nothing to compare." : "No attribute differs."
		}) : /* @__PURE__ */ a("div", {
			class: "table-scroll",
			tabIndex: 0,
			role: "group",
			"aria-label": "What differs",
			children: /* @__PURE__ */ a("table", {
				class: "difference",
				children: [
					/* @__PURE__ */ a("caption", {
						class: "unseen",
						children: "What differs, most first"
					}),
					/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
						/* @__PURE__ */ a("th", {
							scope: "col",
							children: "Attribute"
						}),
						/* @__PURE__ */ a("th", {
							scope: "col",
							children: names[0]
						}),
						/* @__PURE__ */ a("th", {
							scope: "col",
							children: names[1]
						}),
						/* @__PURE__ */ a("th", {
							scope: "col",
							children: /* @__PURE__ */ a("span", {
								class: "unseen",
								children: "Actions"
							})
						})
					] }) }),
					/* @__PURE__ */ a("tbody", { children: shown.map((one) => /* @__PURE__ */ a(Row, {
						one,
						answer: data,
						search
					}, `${one.source}\n${one.key}\n${one.value}`)) })
				]
			})
		}),
		data.left_out.length > 0 && /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: ["Left out, for too many values: ", /* @__PURE__ */ a("bdi", { children: data.left_out.join(", ") })]
		}),
		data.attributes.length > shown.length && /* @__PURE__ */ a("p", {
			class: "table-foot",
			children: /* @__PURE__ */ a("button", {
				type: "button",
				class: "quiet small",
				onClick: () => setAll(true),
				children: ["Show all ", count(data.attributes.length)]
			})
		})
	] });
}
// src/parts/redchart.tsx
var W = 300;
var H = 64;
function bars(values, most) {
	const step = W / values.length;
	return values.map((value, at) => value ? `M${(at * step + 1).toFixed(1)} ${H}v${-Math.max(1, value / most * 60).toFixed(1)}h${(step - 2).toFixed(1)}V${H}Z` : "").join("");
}
function line(values, most) {
	const step = W / values.length;
	let pen = "M";
	return values.map((value, at) => {
		if (value === null) return pen = "M", "";
		const part = `${pen}${((at + .5) * step).toFixed(1)} ${(H - value / most * 60).toFixed(1)}h.01`;
		pen = "L";
		return part;
	}).join("");
}
/** Failures over time, as wide as the page. */
function FailureChart({ steps }) {
	if (steps.length === 0) return null;
	return /* @__PURE__ */ a("div", {
		class: "charts one",
		children: /* @__PURE__ */ a(Chart, {
			steps,
			series: {
				kind: "errors",
				lines: [{
					name: "Failures",
					values: steps.map((step) => step.errors)
				}],
				text: (value) => `${plural(value, "failure")} ${inOne(steps)}`
			}
		})
	});
}
var stepNs = (steps) => steps.length > 1 ? Number(BigInt(steps[1].t_unix_ns) - BigInt(steps[0].t_unix_ns)) : 0;
/** "in 10 s": what one bar stands for. */
var inOne = (steps) => `in ${duration(Math.round(stepNs(steps) / 1e9) * 1e9).replace(".0", "").replace(" 00 s", "")}`;
function endOf(steps) {
	const end = Number(BigInt(steps[steps.length - 1].t_unix_ns) / 1000000n) + stepNs(steps) / 1e6;
	return Math.abs(now.value - end) < Math.max(15e3, stepNs(steps) / 1e6) ? "now" : clock(BigInt(Math.round(end)) * 1000000n, zone.value, now.value);
}
function Chart({ series, steps }) {
	const known = series.lines.flatMap((one) => one.values.filter((value) => value !== null));
	const most = Math.max(series.kind === "latency" ? .001 : 1, ...known);
	const draw = series.kind === "latency" ? line : bars;
	const upTo = known.length > 0 ? `up to ${series.text(Math.max(...known))}` : "no data";
	return /* @__PURE__ */ a("figure", {
		class: `chart ${series.kind}`,
		children: [
			/* @__PURE__ */ a("figcaption", { children: [/* @__PURE__ */ a("span", { children: series.lines.map((one) => /* @__PURE__ */ a("b", {
				class: `of-${one.name}`,
				children: one.name
			}, one.name)) }), /* @__PURE__ */ a("span", {
				class: "dim",
				children: upTo
			})] }),
			/* @__PURE__ */ a("svg", {
				viewBox: `0 0 ${W} ${H}`,
				preserveAspectRatio: "none",
				role: "img",
				"aria-label": `${series.lines.map((one) => one.name).join(", ")}: ${upTo}`,
				children: [/* @__PURE__ */ a("path", {
					class: "base",
					d: `M0 63.5H${W}`
				}), series.lines.map((one) => /* @__PURE__ */ a("path", {
					class: `data of-${one.name}`,
					d: draw(one.values, most)
				}, one.name))]
			}),
			/* @__PURE__ */ a("div", {
				class: "chart-axis",
				"aria-hidden": "true",
				children: [/* @__PURE__ */ a("span", { children: clock(steps[0].t_unix_ns, zone.value, now.value) }), /* @__PURE__ */ a("span", { children: endOf(steps) })]
			})
		]
	});
}
/** Those that the server gives; a step that nothing came in is a gap. */
function percentiles(steps) {
	return [
		"p50_ms",
		"p95_ms",
		"p99_ms"
	].map((key) => ({
		name: key.slice(0, 3),
		values: steps.map((step) => step.count > 0 ? step[key] ?? null : null),
		given: key in steps[0]
	})).filter((one) => one.given);
}
function RedCharts({ steps }) {
	if (steps.length === 0) return null;
	const each = inOne(steps);
	return /* @__PURE__ */ a("div", {
		class: "charts",
		children: [
			/* @__PURE__ */ a(Chart, {
				steps,
				series: {
					kind: "rate",
					lines: [{
						name: "Requests",
						values: steps.map((step) => step.count)
					}],
					text: (value) => `${plural(value, "request")} ${each}`
				}
			}),
			/* @__PURE__ */ a(Chart, {
				steps,
				series: {
					kind: "errors",
					lines: [{
						name: "Errors",
						values: steps.map((step) => step.errors)
					}],
					text: (value) => `${plural(value, "error")} ${each}`
				}
			}),
			/* @__PURE__ */ a(Chart, {
				steps,
				series: {
					kind: "latency",
					lines: percentiles(steps),
					text: (value) => milliseconds(value)
				}
			})
		]
	});
}
export { asSearch as i, RedCharts as n, Difference as r, FailureChart as t };
