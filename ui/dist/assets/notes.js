import { A as a, C as href, O as copy, c as percent, f as dark, h as zone, m as now, o as instant, r as clock, t as ago } from "./index.js";
// src/colors.ts
var HUES = [
	205,
	145,
	285,
	70,
	180,
	325,
	255,
	110,
	230,
	165,
	305,
	90,
	195,
	270,
	130
];
function slotOf(name) {
	let hash = 2166136261;
	for (let at = 0; at < name.length; at++) hash = Math.imul(hash ^ name.charCodeAt(at), 16777619);
	return (hash >>> 4) % HUES.length;
}
/** Slots for the services of one trace: the own one when it is free, else the next free one. */
function assignSlots(names) {
	const taken = /* @__PURE__ */ new Set();
	return names.map((name) => {
		const wanted = slotOf(name);
		if (taken.size >= HUES.length) return wanted;
		let slot = wanted;
		while (taken.has(slot)) slot = (slot + 1) % HUES.length;
		taken.add(slot);
		return slot;
	});
}
function slotColor(slot, dark) {
	const hue = HUES[slot % HUES.length];
	return `oklch(${(slot & 1 ? .62 : .56) + (dark ? .12 : 0)} ${dark ? .11 : .12} ${hue})`;
}
var serviceColor = (name, dark) => slotColor(slotOf(name), dark);
// src/parts/bits.tsx
function Badge({ status }) {
	return /* @__PURE__ */ a("span", {
		class: `badge ${status}`,
		children: status === "ok" ? "OK" : status === "error" ? "Error" : "Partial"
	});
}
function Swatch({ service }) {
	return /* @__PURE__ */ a("span", {
		class: "swatch",
		style: { background: serviceColor(service, dark()) },
		"aria-hidden": "true"
	});
}
var serviceHref = (service) => href(`/services/${encodeURIComponent(service)}`);
/** `color` is given inside one trace, where services are told apart beyond their usual colours. */
function ServiceLink({ service, row, color }) {
	return /* @__PURE__ */ a("a", {
		class: "service-link",
		href: serviceHref(service),
		"data-row-link": row ? "" : void 0,
		children: [color ? /* @__PURE__ */ a("span", {
			class: "swatch",
			style: { background: color },
			"aria-hidden": "true"
		}) : /* @__PURE__ */ a(Swatch, { service }), /* @__PURE__ */ a("bdi", { children: service })]
	});
}
/** The clock with its distance; the exact instant is in the title. */
function When({ ns, relative = false }) {
	const text = relative ? ago(ns, now.value) : clock(ns, zone.value, now.value);
	return /* @__PURE__ */ a("time", {
		title: `${instant(ns, zone.value, "ns")} ${zone.value === "utc" ? "UTC" : "local time"}`,
		dateTime: new Date(Number(BigInt(ns) / 1000000n)).toISOString(),
		children: text
	});
}
function CopyButton({ text, what, label }) {
	return /* @__PURE__ */ a("button", {
		type: "button",
		class: "quiet small",
		"aria-label": label ? void 0 : `Copy ${what}`,
		title: `Copy ${what}`,
		onClick: () => void copy(text, what),
		children: label ?? "Copy"
	});
}
var W = 120;
var H = 24;
function area(values, most) {
	const step = W / values.length;
	return `M0 ${H}L${values.map((value, at) => `${(at * step).toFixed(1)} ${(H - value / most * 22).toFixed(1)}h${step.toFixed(1)}`).join("L")}V${H}Z`;
}
/** Requests as an area, errors in front of it: two nodes whatever the number of steps. */
function Sparkline({ series, label }) {
	if (!series || series.length === 0) return /* @__PURE__ */ a("svg", {
		class: "spark",
		viewBox: `0 0 ${W} ${H}`,
		"aria-hidden": "true"
	});
	const most = Math.max(1, ...series.map((step) => step.count));
	const failed = series.some((step) => step.errors > 0);
	return /* @__PURE__ */ a("svg", {
		class: "spark",
		viewBox: `0 0 ${W} ${H}`,
		preserveAspectRatio: "none",
		role: "img",
		"aria-label": label,
		children: [/* @__PURE__ */ a("path", {
			class: "spark-all",
			d: area(series.map((step) => step.count), most)
		}), failed && /* @__PURE__ */ a("path", {
			class: "spark-errors",
			d: area(series.map((step) => step.errors), most)
		})]
	});
}
/** A part of a whole, as a bar and a number. */
function Part({ share, kind }) {
	return /* @__PURE__ */ a("span", {
		class: `part ${kind}`,
		children: [/* @__PURE__ */ a("span", {
			class: "part-bar",
			style: { width: `${Math.min(100, share * 100)}%` },
			"aria-hidden": "true"
		}), /* @__PURE__ */ a("span", {
			class: "part-text",
			children: percent(share)
		})]
	});
}
// src/parts/notes.tsx
function Problem({ error, retry }) {
	if (!error) return null;
	return /* @__PURE__ */ a("div", {
		class: "note error",
		role: "alert",
		children: [
			/* @__PURE__ */ a("strong", { children: error.status === 0 ? "No connection" : error.code === "not_found" ? "Not found" : error.code === "bad_parameter" ? "The server refused this" : "The server could not answer" }),
			/* @__PURE__ */ a("span", { children: error.message }),
			retry && /* @__PURE__ */ a("button", {
				type: "button",
				onClick: retry,
				children: "Try again"
			})
		]
	});
}
/** In the place of what this server does not have yet, or could not answer. */
function Lacking({ what, error, retry }) {
	if (error.isAbsent) return /* @__PURE__ */ a("p", {
		class: "quiet-text",
		children: [
			"This server does not know ",
			what,
			" yet: it is older than this page. Everything else works."
		]
	});
	return /* @__PURE__ */ a("div", {
		class: "padded-note",
		children: /* @__PURE__ */ a(Problem, {
			error,
			retry
		})
	});
}
/** Shown whenever an answer does not cover everything it was asked for. */
function Incomplete({ answer }) {
	if (!answer || answer.complete !== false) return null;
	return /* @__PURE__ */ a("div", {
		class: "note warn",
		role: "status",
		children: [/* @__PURE__ */ a("strong", { children: "This answer is incomplete" }), (answer.incomplete_reasons ?? []).map((reason) => /* @__PURE__ */ a("span", { children: reason }, reason))]
	});
}
export { CopyButton as a, Sparkline as c, serviceHref as d, assignSlots as f, Badge as i, Swatch as l, Lacking as n, Part as o, slotColor as p, Problem as r, ServiceLink as s, Incomplete as t, When as u };
