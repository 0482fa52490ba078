import { A as a, a as duration, h as zone, l as plural, m as now, r as clock, s as milliseconds } from "./index.js";
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
export { RedCharts as n, FailureChart as t };
