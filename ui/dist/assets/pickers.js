import { A as a, B as d, E as setParams, T as route, h as zone, o as instant } from "./index.js";
// src/parts/pickers.tsx
var WINDOWS = [
	"1m",
	"5m",
	"15m",
	"30m",
	"1h"
];
/** The window of the page, from `window=`; the API takes 1m to 1h. */
function currentWindow() {
	const value = route.value.params.get("window") ?? "5m";
	return WINDOWS.includes(value) ? value : "5m";
}
function WindowPicker() {
	return /* @__PURE__ */ a("label", {
		class: "field-inline",
		children: [/* @__PURE__ */ a("span", { children: "Last" }), /* @__PURE__ */ a("select", {
			value: currentWindow(),
			onChange: (event) => setParams({ window: event.currentTarget.value === "5m" ? null : event.currentTarget.value }, "push"),
			children: WINDOWS.map((one) => /* @__PURE__ */ a("option", {
				value: one,
				children: one.replace("m", " min").replace("h", " h")
			}, one))
		})]
	});
}
var RANGES = [
	["", "All time"],
	["now-15m", "Last 15 min"],
	["now-1h", "Last hour"],
	["now-6h", "Last 6 h"],
	["now-1d", "Last 24 h"],
	["now-7d", "Last 7 d"]
];
/** `2026-11-22 19:50` in the reader's zone → RFC 3339; other forms go to the server as they are. */
function toBound(text) {
	const match = /^(\d{4}-\d\d-\d\d)(?:[ T](\d\d:\d\d(?::\d\d(?:\.\d+)?)?))?$/.exec(text.trim());
	if (!match) return text.trim() || null;
	const stamp = /* @__PURE__ */ new Date(`${match[1]}T${match[2] ?? "00:00"}${zone.value === "utc" ? "Z" : ""}`);
	return Number.isNaN(stamp.getTime()) ? text.trim() : stamp.toISOString();
}
function fromBound(bound) {
	if (!bound) return "";
	const ms = /^\d{15,}$/.test(bound) ? Number(BigInt(bound) / 1000000n) : Date.parse(bound);
	return Number.isNaN(ms) ? bound : instant(BigInt(ms) * 1000000n, zone.value);
}
function Custom({ onDone }) {
	const { params } = route.value;
	const [from, setFrom] = d(fromBound(params.get("from")));
	const [to, setTo] = d(fromBound(params.get("to")));
	return /* @__PURE__ */ a("form", {
		class: "range-custom",
		onSubmit: (event) => {
			event.preventDefault();
			setParams({
				from: toBound(from),
				to: toBound(to)
			}, "push");
			onDone();
		},
		children: [
			/* @__PURE__ */ a("label", { children: ["From", /* @__PURE__ */ a("input", {
				value: from,
				placeholder: "2026-11-22 19:50 or now-2h",
				onInput: (event) => setFrom(event.currentTarget.value)
			})] }),
			/* @__PURE__ */ a("label", { children: ["To", /* @__PURE__ */ a("input", {
				value: to,
				placeholder: "now",
				onInput: (event) => setTo(event.currentTarget.value)
			})] }),
			/* @__PURE__ */ a("button", {
				type: "submit",
				children: "Apply"
			})
		]
	});
}
function RangePicker() {
	const { params } = route.value;
	const [from, to] = [params.get("from") ?? "", params.get("to") ?? ""];
	const preset = !to && RANGES.some(([value]) => value === from);
	const [custom, setCustom] = d(false);
	return /* @__PURE__ */ a("div", {
		class: "range",
		children: [/* @__PURE__ */ a("label", {
			class: "field-inline",
			children: [/* @__PURE__ */ a("span", { children: "Started" }), /* @__PURE__ */ a("select", {
				value: preset && !custom ? from : "custom",
				onChange: (event) => {
					const value = event.currentTarget.value;
					setCustom(value === "custom");
					if (value !== "custom") setParams({
						from: value,
						to: null
					}, "push");
				},
				children: [RANGES.map(([value, name]) => /* @__PURE__ */ a("option", {
					value,
					children: name
				}, value)), /* @__PURE__ */ a("option", {
					value: "custom",
					children: "Between…"
				})]
			})]
		}), (custom || !preset) && /* @__PURE__ */ a(Custom, { onDone: () => setCustom(false) }, `${from} ${to} ${zone.value}`)]
	});
}
export { WindowPicker as n, currentWindow as r, RangePicker as t };
