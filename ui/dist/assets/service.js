import { A as a, B as d, C as href, E as setParams, H as $, L as F, N as useGet, R as T, T as route, V as w, a as duration, c as percent, f as dark, h as zone, i as count, j as refresh, l as plural, m as now, r as clock, s as milliseconds, u as rate } from "./index.js";
import { d as serviceHref, l as Swatch, n as Lacking, o as Part, r as Problem, s as ServiceLink, t as Incomplete } from "./notes.js";
import { t as Changes } from "./changes.js";
import { i as asSearch, n as RedCharts, r as Difference } from "./redchart.js";
import { n as useWidth, t as prepare } from "./canvas.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as wasColumn, t as past } from "./past.js";
import { n as WindowPicker, r as currentWindow } from "./pickers.js";
import { t as SortTable } from "./sorttable.js";
import { t as TraceList } from "./tracelist.js";
// src/parts/heat.ts
/** A gap between the bands of two cells is drawn as so many rows at most: nobody needs to see how empty it is. */
var GAP_ROWS_MAX = 8;
/** The bounds of all rows: of the bands that something is in, and of those between them. */
function boundsOf(bands) {
	const sorted = [...bands].sort((a, b) => a[0] - b[0]);
	const bounds = [];
	for (const [from, to] of sorted) {
		const below = bounds.at(-1);
		if (below === void 0) bounds.push(from);
		else if (below < from) {
			const rows = Math.max(1, Math.min(GAP_ROWS_MAX, Math.round(Math.log(from / below) / Math.log(to / from))));
			for (let row = 1; row <= rows; row++) bounds.push(row === rows ? from : Math.round(below * (from / below) ** (row / rows)));
		}
		if (bounds.at(-1) < to) bounds.push(to);
	}
	return bounds;
}
var nsOf = (ms) => Math.round(ms * 1e6);
function heatOf(answer) {
	const bounds = boundsOf([...new Map(answer.cells.map(({ from_ms, to_ms }) => [nsOf(from_ms), nsOf(to_ms)]))]);
	const rows = new Map(bounds.map((bound, row) => [bound, row]));
	const height = Math.max(0, bounds.length - 1);
	const heat = {
		startNs: BigInt(answer.start_unix_ns),
		stepNs: BigInt(answer.step_ns),
		columns: answer.steps,
		bounds,
		counts: new Float64Array(answer.steps * height),
		errors: new Float64Array(answer.steps * height),
		most: 0,
		total: 0
	};
	for (const { step, from_ms, count, errors } of answer.cells) {
		const at = Math.min(step, answer.steps - 1) * height + rows.get(nsOf(from_ms));
		heat.counts[at] += count;
		heat.errors[at] += errors;
		heat.most = Math.max(heat.most, heat.counts[at]);
		heat.total += count;
	}
	return heat;
}
var rowsOf = (heat) => Math.max(0, heat.bounds.length - 1);
var endNs = (heat) => heat.startNs + heat.stepNs * BigInt(heat.columns);
function inside(heat, { x0, x1, y0, y1 }) {
	let [spans, errors] = [0, 0];
	for (let x = x0; x < x1; x++) for (let y = y0; y < y1; y++) {
		spans += heat.counts[x * rowsOf(heat) + y];
		errors += heat.errors[x * rowsOf(heat) + y];
	}
	return {
		spans,
		errors
	};
}
/** At the edge of the picture a box has no end: nothing is there, and what comes belongs to it. */
function boxOf(heat, { x0, x1, y0, y1 }) {
	const at = (x) => heat.startNs + heat.stepNs * BigInt(x);
	return {
		t0: at(x0),
		t1: at(x1),
		d0: y0 === 0 ? 0 : heat.bounds[y0],
		d1: y1 >= rowsOf(heat) ? null : heat.bounds[y1]
	};
}
/** The cells of a box; null when it lies outside of the picture. */
function cellsOf(heat, box) {
	const column = (t) => Math.round(Number(t - heat.startNs) / Number(heat.stepNs));
	const row = (duration) => {
		const at = heat.bounds.findIndex((bound) => bound >= duration);
		return at < 0 ? rowsOf(heat) : at;
	};
	const clamp = (value, most) => Math.max(0, Math.min(most, value));
	const cells = {
		x0: clamp(column(box.t0), heat.columns),
		x1: clamp(column(box.t1), heat.columns),
		y0: row(box.d0),
		y1: box.d1 === null ? rowsOf(heat) : row(box.d1)
	};
	return cells.x0 < cells.x1 && cells.y0 < cells.y1 ? cells : null;
}
/** `box=t0,d0,t1,d1` in nanoseconds; without an end, d1 is left out. */
var boxParam = ({ t0, t1, d0, d1 }) => `${t0},${d0},${t1},${d1 ?? ""}`;
function parseBox(param) {
	const match = /^(\d{1,19}),(\d{1,16}),(\d{1,19}),(\d{0,16})$/.exec(param ?? "");
	if (!match) return null;
	const box = {
		t0: BigInt(match[1]),
		d0: Number(match[2]),
		t1: BigInt(match[3]),
		d1: match[4] === "" ? null : Number(match[4])
	};
	return box.t0 < box.t1 && (box.d1 === null || box.d0 < box.d1) ? box : null;
}
/** The rows of the slowest: as few as hold this part of all spans, over the whole time. */
function slowest(heat, part) {
	if (heat.total === 0) return null;
	const all = {
		x0: 0,
		x1: heat.columns,
		y1: rowsOf(heat)
	};
	for (let y0 = rowsOf(heat) - 1; y0 >= 0; y0--) if (inside(heat, {
		...all,
		y0
	}).spans >= part * heat.total) return {
		...all,
		y0
	};
	return null;
}
/** Two corners that were dragged, in either order, as cells; both are in it. */
function between(a, b) {
	return {
		x0: Math.min(a[0], b[0]),
		x1: Math.max(a[0], b[0]) + 1,
		y0: Math.min(a[1], b[1]),
		y1: Math.max(a[1], b[1]) + 1
	};
}
/** The box one step further; it keeps its size and stays in the picture. */
function moved(heat, cells, dx, dy) {
	const [x, y] = [Math.max(-cells.x0, Math.min(heat.columns - cells.x1, dx)), Math.max(-cells.y0, Math.min(rowsOf(heat) - cells.y1, dy))];
	return {
		x0: cells.x0 + x,
		x1: cells.x1 + x,
		y0: cells.y0 + y,
		y1: cells.y1 + y
	};
}
/** Its later and its faster edge, moved: the slow ones are what one looks at. */
function sized(heat, cells, dx, dy) {
	return {
		...cells,
		x1: Math.max(cells.x0 + 1, Math.min(heat.columns, cells.x1 + dx)),
		y0: Math.max(0, Math.min(cells.y1 - 1, cells.y0 + dy))
	};
}
// src/parts/heatmap.tsx
var HEIGHT = 196;
var PAD = {
	left: 58,
	right: 8,
	top: 6,
	bottom: 20
};
var SLOW_PART$1 = .05;
function place(heat, width) {
	const cell = (width - PAD.left - PAD.right) / heat.columns;
	const row = (HEIGHT - PAD.top - PAD.bottom) / rowsOf(heat);
	return {
		cell,
		row,
		x: (column) => PAD.left + column * cell,
		y: (at) => HEIGHT - PAD.bottom - at * row
	};
}
/** The cell under a point, the nearest one when it is outside. */
function cellAt(heat, { cell, row }, x, y) {
	const clamp = (value, most) => Math.max(0, Math.min(most, Math.floor(value)));
	return [clamp((x - PAD.left) / cell, heat.columns - 1), clamp((HEIGHT - PAD.bottom - y) / row, rowsOf(heat) - 1)];
}
var timeOf = (heat, column) => clock(heat.startNs + heat.stepNs * BigInt(column), zone.value, now.value);
function paint(canvas, heat, width, isDark) {
	const context = prepare(canvas, width, HEIGHT);
	if (!context) return;
	const at = place(heat, width);
	const [text, plain, error] = isDark ? [
		"#9aa6b5",
		"79, 209, 197",
		"255, 123, 114"
	] : [
		"#55606e",
		"12, 106, 98",
		"192, 40, 28"
	];
	const height = rowsOf(heat);
	for (let column = 0; column < heat.columns; column++) for (let row = 0; row < height; row++) {
		const spans = heat.counts[column * height + row];
		if (spans === 0) continue;
		const failing = heat.errors[column * height + row] / spans;
		const shade = .18 + .82 * Math.log1p(spans) / Math.log1p(heat.most);
		const [x, y, wide, high] = [
			at.x(column),
			at.y(row + 1),
			Math.max(1, at.cell - 1),
			Math.max(1, at.row - 1)
		];
		context.fillStyle = `rgba(${plain}, ${shade})`;
		context.fillRect(x, y, wide, high);
		if (failing === 0) continue;
		context.fillStyle = `rgb(${error})`;
		context.fillRect(x, y, Math.max(2, wide * failing), high);
	}
	context.font = "11px system-ui, sans-serif";
	context.fillStyle = text;
	context.textAlign = "right";
	context.textBaseline = "middle";
	const every = Math.max(1, Math.ceil(18 / at.row));
	for (let row = 0; row <= height; row += every) context.fillText(heat.bounds[row] === 0 ? "0" : duration(heat.bounds[row]), PAD.left - 6, Math.max(8, at.y(row)));
	context.textBaseline = "alphabetic";
	context.fillText(timeOf(heat, heat.columns), width - PAD.right, 191);
	context.textAlign = "left";
	context.fillText(timeOf(heat, 0), PAD.left, 191);
}
/** "16:20:10 to 16:20:30, over 250 ms: 42 spans, 3 failed" */
function tellCells(heat, cells) {
	const { spans, errors } = inside(heat, cells);
	const [low, high] = [duration(heat.bounds[cells.y0]), duration(heat.bounds[cells.y1])];
	const durations = cells.y1 === rowsOf(heat) ? cells.y0 === 0 ? "all durations" : `from ${low}` : cells.y0 === 0 ? `under ${high}` : `${low} to ${high}`;
	return `${timeOf(heat, cells.x0)} to ${timeOf(heat, cells.x1)}, ${durations}: ${plural(spans, "span")}${errors > 0 ? `, ${count(errors)} failed` : ""}`;
}
var ARROWS = {
	ArrowLeft: [-1, 0],
	ArrowRight: [1, 0],
	ArrowUp: [0, 1],
	ArrowDown: [0, -1]
};
function Heatmap({ heat, box, onBox }) {
	const canvas = T(null);
	const width = useWidth(canvas);
	const [drag, setDrag] = d(null);
	const [hover, setHover] = d(null);
	const isDark = dark();
	const at = width > 0 ? place(heat, width) : null;
	F(() => {
		if (canvas.current && width > 0) paint(canvas.current, heat, width, isDark);
	}, [
		heat,
		width,
		isDark,
		zone.value
	]);
	const shown = drag ? between(drag.from, drag.to) : box;
	const pointed = hover && !drag && inside(heat, between(hover, hover)).spans > 0 ? between(hover, hover) : null;
	const under = (event) => cellAt(heat, at, event.offsetX, event.offsetY);
	const onKey = (event) => {
		const arrow = ARROWS[event.key];
		if (!arrow && !(event.key === "Escape" && box)) return;
		event.preventDefault();
		if (!arrow) onBox(null);
		else onBox(box ? (event.shiftKey ? sized : moved)(heat, box, ...arrow) : slowest(heat, SLOW_PART$1));
	};
	return /* @__PURE__ */ a("div", {
		class: "heatmap",
		tabIndex: 0,
		role: "group",
		"aria-label": "Latency heatmap. Arrow keys move a box, with Shift they size it, Escape takes it away.",
		onKeyDown: onKey,
		children: [
			/* @__PURE__ */ a("canvas", {
				ref: canvas,
				role: "img",
				"aria-label": `${plural(heat.total, "span")} by time and duration`,
				style: { height: `${HEIGHT}px` },
				onPointerDown: (event) => {
					if (event.button !== 0 || !at) return;
					event.currentTarget.setPointerCapture(event.pointerId);
					setDrag({
						from: under(event),
						to: under(event)
					});
				},
				onPointerMove: (event) => at && (drag ? setDrag({
					...drag,
					to: under(event)
				}) : setHover(under(event))),
				onPointerLeave: () => setHover(null),
				onPointerUp: () => {
					if (drag) onBox(between(drag.from, drag.to));
					setDrag(null);
				},
				onPointerCancel: () => setDrag(null)
			}),
			shown && at && /* @__PURE__ */ a("div", {
				class: "heat-box",
				style: {
					left: `${at.x(shown.x0)}px`,
					top: `${at.y(shown.y1)}px`,
					width: `${(shown.x1 - shown.x0) * at.cell}px`,
					height: `${(shown.y1 - shown.y0) * at.row}px`
				}
			}),
			(drag ? shown : pointed) && at && /* @__PURE__ */ a("span", {
				class: "tip",
				style: {
					left: `${Math.max(4, Math.min(at.x((drag ? shown : pointed)?.x0 ?? 0), width - 330))}px`,
					top: `${at.y((drag ? shown : pointed)?.y0 ?? 0) + 8}px`
				},
				children: tellCells(heat, drag ? shown : pointed)
			})
		]
	});
}
// src/parts/latency.tsx
var SLOW_PART = .05;
var ms = (ns) => ns / 1e6;
/** The range in question: a fixed one where one is in the URL, else up to now. */
function rangeOf(window) {
	const { params } = route.value;
	const end = params.get("to");
	return {
		start: params.get("from") ?? `now-${window}`,
		...end ? { end } : {}
	};
}
function heatmapUrl(service, window) {
	const operation = route.value.params.get("op");
	return `/api/heatmap?${new URLSearchParams({
		service,
		...rangeOf(window),
		...operation ? { operation } : {}
	})}`;
}
var isFixed = () => route.value.params.has("from");
function boxQuery(of, box) {
	return {
		...of,
		start: box.t0,
		end: box.t1,
		...box.d0 > 0 ? { min_span_duration_ms: ms(box.d0) } : {},
		...box.d1 === null ? {} : { max_span_duration_ms: ms(box.d1 - 1) }
	};
}
function freeze(heat, changes) {
	setParams({
		from: String(heat.startNs),
		to: String(endNs(heat)),
		box: null,
		differ: null,
		...changes
	});
}
var RELEASED = {
	from: null,
	to: null,
	box: null,
	differ: null
};
function Different({ service, heat, cells }) {
	const { params } = route.value;
	const operation = params.get("op");
	const of = {
		service,
		...operation ? { operation } : {}
	};
	const whole = {
		...of,
		start: heat.startNs,
		end: endNs(heat)
	};
	const failures = params.get("differ") === "errors";
	if (!cells && !failures) return /* @__PURE__ */ a("p", {
		class: "quiet-text room",
		children: "Drag a box over the spans in question, or take the slowest or the failures: it then says which versions, hosts, users or other attributes they have and the rest has not."
	});
	const a$1 = failures ? {
		...whole,
		span_error: true
	} : boxQuery(of, boxOf(heat, cells));
	const search = asSearch(a$1);
	const narrow = cells !== null && !failures && cells.x1 - cells.x0 < heat.columns;
	return /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a(Difference, {
		a: a$1,
		b: narrow ? whole : null,
		overlaps: narrow,
		names: failures ? ["failed", "the rest"] : ["in the box", "the rest"],
		search
	}), /* @__PURE__ */ a("p", {
		class: "table-foot",
		children: /* @__PURE__ */ a("a", {
			href: href("/search", search),
			children: "Traces with these spans"
		})
	})] });
}
function Latency({ service, window }) {
	const url = heatmapUrl(service, window);
	const { data: answer, error } = useGet(url);
	const last = T(answer);
	if (answer || error) last.current = answer;
	const data = last.current;
	const heat = w(() => data ? heatOf(data) : null, [data]);
	const { params } = route.value;
	const box = parseBox(params.get("box"));
	const cells = heat && box ? cellsOf(heat, box) : null;
	const failing = heat ? heat.errors.reduce((sum, one) => sum + one, 0) : 0;
	const choose = (next) => heat && (next ? freeze(heat, { box: boxParam(boxOf(heat, next)) }) : setParams(RELEASED));
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "latency",
		children: [
			/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
				id: "latency",
				children: "Latency"
			}), heat && heat.total > 0 && /* @__PURE__ */ a("span", {
				class: "dim",
				children: cells ? tellCells(heat, cells) : `${plural(heat.total, "span")} by time and duration, failures in red`
			})] }),
			error && /* @__PURE__ */ a(Lacking, {
				what: "heatmaps",
				error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading room",
				children: "Loading…"
			}),
			heat && heat.total === 0 && /* @__PURE__ */ a("p", {
				class: "quiet-text",
				children: "No spans in this range."
			}),
			heat && heat.total > 0 && /* @__PURE__ */ a("div", {
				class: "heat",
				children: [/* @__PURE__ */ a("div", { children: [
					/* @__PURE__ */ a(Heatmap, {
						heat,
						box: cells,
						onBox: choose
					}),
					/* @__PURE__ */ a("div", {
						class: "heat-tools",
						children: [
							/* @__PURE__ */ a("button", {
								type: "button",
								onClick: () => choose(slowest(heat, SLOW_PART)),
								children: "Box the slowest 5%"
							}),
							/* @__PURE__ */ a("button", {
								type: "button",
								disabled: failing === 0,
								"aria-pressed": params.get("differ") === "errors",
								onClick: () => freeze(heat, { differ: "errors" }),
								children: "Compare failures"
							}),
							isFixed() && /* @__PURE__ */ a("button", {
								type: "button",
								class: "quiet",
								onClick: () => setParams(RELEASED),
								children: "Clear, back to now"
							})
						]
					}),
					/* @__PURE__ */ a("h3", {
						class: "changes-head",
						children: ["What changed ", cells ? `around ${clock(boxOf(heat, cells).t0, zone.value, now.value)}` : isFixed() ? `around ${clock(endNs(heat), zone.value, now.value)}` : "in the last minutes"]
					}),
					/* @__PURE__ */ a(Changes, {
						service,
						at: cells ? boxOf(heat, cells).t0 : isFixed() ? endNs(heat) : void 0
					})
				] }), /* @__PURE__ */ a("section", {
					class: "differs",
					"aria-labelledby": "differs",
					children: [/* @__PURE__ */ a("h3", {
						id: "differs",
						children: "What differs"
					}), /* @__PURE__ */ a(Different, {
						service,
						heat,
						cells
					})]
				})]
			})
		]
	});
}
// src/parts/spent.tsx
var SHOWN = 8;
/** The operation in question: the one in the URL, else the one that all its callers together wait for longest. */
function askedOperation(operations) {
	const waited = (one) => one.request_count * (one.p50_ms ?? 0);
	const [first, ...others] = operations.filter((one) => one.request_count > 0);
	if (!first) return null;
	return others.reduce((most, one) => waited(one) > waited(most) ? one : most, first).operation;
}
function Table({ answer }) {
	const rows = answer.operations.slice(0, SHOWN);
	const rest = answer.operations.slice(SHOWN);
	const sum = (part) => rest.reduce((all, one) => all + part(one), 0);
	return /* @__PURE__ */ a("div", {
		class: "table-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": "Where the time goes",
		children: [/* @__PURE__ */ a("table", {
			class: "shares",
			children: [
				/* @__PURE__ */ a("caption", {
					class: "unseen",
					children: "Operations by their part of the time"
				}),
				/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "Waited for"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						title: "Of the slowest hundredth of the calls",
						children: "of the slowest"
					}),
					/* @__PURE__ */ a("th", {
						scope: "col",
						children: "of all calls"
					})
				] }) }),
				/* @__PURE__ */ a("tbody", { children: rows.map((one) => /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("td", {
						class: "name",
						children: /* @__PURE__ */ a("a", {
							href: serviceHref(one.service),
							title: `${milliseconds(one.exclusive_ms)} of its own, all calls together`,
							children: /* @__PURE__ */ a("span", { children: [
								/* @__PURE__ */ a(Swatch, { service: one.service }),
								" ",
								/* @__PURE__ */ a("bdi", {
									class: "service",
									children: one.service
								}),
								" ",
								/* @__PURE__ */ a("bdi", { children: one.operation || "(no name)" })
							] })
						})
					}),
					/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Part, {
						share: one.p99_share,
						kind: "a"
					}) }),
					/* @__PURE__ */ a("td", { children: /* @__PURE__ */ a(Part, {
						share: one.share,
						kind: "b"
					}) })
				] }, `${one.service}\n${one.operation}`)) })
			]
		}), rest.length > 0 && /* @__PURE__ */ a("p", {
			class: "table-foot dim",
			children: [
				"and ",
				count(rest.length),
				" more: ",
				percent(sum((one) => one.p99_share)),
				" of the slowest, ",
				percent(sum((one) => one.share)),
				" of all"
			]
		})]
	});
}
function Spent({ service, window, operations }) {
	const asked = route.value.params.get("op") ?? askedOperation(operations);
	const query = new URLSearchParams({
		service,
		operation: asked ?? "",
		...rangeOf(window)
	});
	const url = asked === null ? null : `/api/shares?${query}`;
	const { data, error } = useGet(url);
	if (url === null) return null;
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "spent",
		children: [
			/* @__PURE__ */ a("header", { children: [
				/* @__PURE__ */ a("h2", {
					id: "spent",
					children: "Where the time goes"
				}),
				/* @__PURE__ */ a("label", { children: [/* @__PURE__ */ a("span", {
					class: "dim",
					children: "of "
				}), /* @__PURE__ */ a("select", {
					value: asked ?? "",
					onChange: (event) => setParams({ op: event.currentTarget.value }),
					children: operations.map((one) => /* @__PURE__ */ a("option", {
						value: one.operation,
						children: one.operation || "(no name)"
					}, one.operation))
				})] }),
				data && data.calls > 0 && /* @__PURE__ */ a("span", {
					class: "dim",
					children: [
						plural(data.calls, "call"),
						", p50 ",
						milliseconds(data.p50_ms),
						", p99 ",
						milliseconds(data.p99_ms),
						data.sampled < 1 && `, from ${percent(data.sampled)} of the traces`
					]
				})
			] }),
			error && /* @__PURE__ */ a(Lacking, {
				what: "shares of time",
				error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading room",
				children: "Loading…"
			}),
			data && (data.operations.length > 0 ? /* @__PURE__ */ a(Table, { answer: data }) : /* @__PURE__ */ a("p", {
				class: "quiet-text",
				children: "No finished calls of it in this range."
			}))
		]
	});
}
// src/pages/service.tsx
function Figures({ red }) {
	const figures = [
		[
			"Requests",
			`${rate(red.rate_per_s)}/s`,
			plural(red.request_count, "request")
		],
		[
			"Errors",
			percent(red.error_rate),
			plural(red.error_count, "error")
		],
		[
			"p50",
			milliseconds(red.p50_ms),
			""
		],
		[
			"p95",
			milliseconds(red.p95_ms),
			""
		],
		[
			"p99",
			milliseconds(red.p99_ms),
			""
		]
	];
	return /* @__PURE__ */ a("dl", {
		class: "figures",
		children: figures.map(([name, value, more]) => /* @__PURE__ */ a("div", {
			class: name === "Errors" && red.error_count > 0 ? "bad" : void 0,
			children: [/* @__PURE__ */ a("dt", { children: name }), /* @__PURE__ */ a("dd", { children: [red.request_count === 0 ? "–" : value, more && /* @__PURE__ */ a("small", { children: more })] })]
		}, name))
	});
}
function operationColumns(service) {
	const search = (row, more) => href("/search", {
		service,
		operation: row.operation,
		...more
	});
	return [
		{
			key: "operation",
			name: "Operation",
			by: (row) => row.operation,
			show: (row) => /* @__PURE__ */ a("a", {
				href: search(row, {}),
				"data-row-link": "",
				children: /* @__PURE__ */ a("bdi", { children: row.operation || "(no name)" })
			})
		},
		{
			key: "rate",
			name: "Calls/s",
			number: true,
			by: (row) => row.rate_per_s,
			show: (row) => rate(row.rate_per_s)
		},
		{
			key: "errors",
			name: "Errors",
			number: true,
			by: (row) => row.error_rate,
			show: (row) => row.error_count > 0 ? /* @__PURE__ */ a("a", {
				class: "bad",
				href: search(row, { span_error: "true" }),
				title: plural(row.error_count, "error"),
				children: percent(row.error_rate)
			}) : /* @__PURE__ */ a("span", {
				class: "dim",
				children: percent(row.error_rate)
			})
		},
		wasColumn("errors", (figures) => figures.error_rate, percent),
		{
			key: "p50",
			name: "p50",
			number: true,
			by: (row) => row.p50_ms,
			show: (row) => milliseconds(row.p50_ms)
		},
		{
			key: "p95",
			name: "p95",
			number: true,
			by: (row) => row.p95_ms,
			show: (row) => milliseconds(row.p95_ms)
		},
		wasColumn("p95", (figures) => figures.p95_ms, milliseconds),
		{
			key: "p99",
			name: "p99",
			number: true,
			by: (row) => row.p99_ms,
			show: (row) => milliseconds(row.p99_ms)
		}
	];
}
function Neighbours({ title, edges, other, none }) {
	const sorted = [...edges ?? []].sort((a, b) => b.error_count - a.error_count || b.call_count - a.call_count);
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-label": title,
		children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", { children: title }) }), sorted.length === 0 ? /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: edges ? none : "…"
		}) : /* @__PURE__ */ a("ul", {
			class: "neighbours",
			children: sorted.map((edge) => /* @__PURE__ */ a("li", { children: [
				/* @__PURE__ */ a(ServiceLink, { service: other(edge) }),
				/* @__PURE__ */ a("span", {
					class: "number",
					title: past(edge.was, (figures) => `${rate(figures.rate_per_s)}/s`),
					children: [rate(edge.rate_per_s), "/s"]
				}),
				/* @__PURE__ */ a("span", {
					class: edge.error_count > 0 ? "number bad" : "number dim",
					title: past(edge.was, (figures) => percent(figures.error_rate)),
					children: percent(edge.error_rate)
				}),
				/* @__PURE__ */ a("span", {
					class: "number",
					title: ["p95", past(edge.was, (figures) => milliseconds(figures.p95_ms))].filter(Boolean).join("; "),
					children: milliseconds(edge.p95_ms)
				})
			] }, other(edge)))
		})]
	});
}
function Service({ rest }) {
	const service = rest.join("/");
	const window = currentWindow();
	const urls = {
		services: `/api/services?window=${window}`,
		operations: `/api/services/${encodeURIComponent(service)}/operations?window=${window}`,
		graph: `/api/graph?window=${window}`,
		failing: `/api/traces?${new URLSearchParams({
			service,
			span_error: "true",
			limit: "6"
		})}`,
		slow: `/api/traces?${new URLSearchParams({
			service,
			order: "slowest",
			limit: "6"
		})}`
	};
	const services = useGet(urls.services);
	const operations = useGet(urls.operations);
	const graph = useGet(urls.graph);
	const failing = useGet(urls.failing);
	const slow = useGet(urls.slow);
	useLive([...Object.values(urls), ...isFixed() ? [] : [heatmapUrl(service, window)]]);
	document.title = `${service} · Tracewell`;
	const red = services.data?.metrics.find((one) => one.service === service);
	const edges = graph.data?.edges.filter((edge) => edge.parent !== edge.child);
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("nav", {
				class: "crumbs",
				"aria-label": "Where this is",
				children: [
					/* @__PURE__ */ a("a", {
						href: href("/services", { window: route.value.params.get("window") }),
						children: "Services"
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
					/* @__PURE__ */ a("h1", { children: [
						/* @__PURE__ */ a(Swatch, { service }),
						" ",
						/* @__PURE__ */ a("bdi", { children: service })
					] }),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a("a", {
						class: "button",
						href: href("/search", { service }),
						children: "Search its traces"
					}),
					/* @__PURE__ */ a("a", {
						class: "button",
						href: href("/map", { focus: service }),
						children: "On the map"
					}),
					/* @__PURE__ */ a(WindowPicker, {}),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error: services.error ?? operations.error,
				retry: () => Object.values(urls).forEach((url) => void refresh(url))
			}),
			/* @__PURE__ */ a(Incomplete, { answer: operations.data }),
			services.data && !red && /* @__PURE__ */ a("div", {
				class: "note warn",
				children: "No service of this name is stored. Names are exact, upper and lower case included."
			}),
			!services.data && !services.error && /* @__PURE__ */ a("p", {
				class: "panel loading room",
				children: "Loading…"
			}),
			red && /* @__PURE__ */ a("section", {
				class: "panel",
				"aria-label": "Figures",
				children: [
					/* @__PURE__ */ a(Figures, { red }),
					red.request_count > 0 ? /* @__PURE__ */ a(RedCharts, { steps: red.series ?? [] }) : /* @__PURE__ */ a("p", {
						class: "quiet-text",
						children: "No requests in this window. Widen it, or look at the traces below."
					}),
					red.basis === "all_spans" && /* @__PURE__ */ a("p", {
						class: "table-foot dim",
						children: "It has no server, consumer or root span in this window, so all its spans are counted."
					})
				]
			}),
			/* @__PURE__ */ a(Latency, {
				service,
				window
			}),
			operations.data && /* @__PURE__ */ a(Spent, {
				service,
				window,
				operations: operations.data.metrics
			}),
			/* @__PURE__ */ a("div", {
				class: "columns-main",
				children: [/* @__PURE__ */ a("section", {
					class: "panel",
					"aria-labelledby": "operations",
					children: [
						/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
							id: "operations",
							children: "Operations"
						}) }),
						operations.data && operations.data.metrics.length > 0 && /* @__PURE__ */ a(SortTable, {
							caption: "Operations",
							rows: operations.data.metrics,
							columns: operationColumns(service),
							sort: "-errors",
							rowKey: (row) => row.operation,
							rowClass: (row) => row.request_count === 0 ? "idle" : ""
						}),
						operations.data?.metrics.length === 0 && /* @__PURE__ */ a("p", {
							class: "quiet-text",
							children: "No operations."
						})
					]
				}), /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a(Neighbours, {
					title: "Called by",
					edges: edges?.filter((edge) => edge.child === service),
					other: (edge) => edge.parent,
					none: "Nothing calls it in this window."
				}), /* @__PURE__ */ a(Neighbours, {
					title: "Calls",
					edges: edges?.filter((edge) => edge.parent === service),
					other: (edge) => edge.child,
					none: "It calls nothing in this window."
				})] })]
			}),
			/* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "failing",
				children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
					id: "failing",
					children: "Newest traces in which it failed"
				}), /* @__PURE__ */ a("a", {
					href: href("/errors", { service }),
					children: "All"
				})] }), failing.data && (failing.data.traces.length > 0 ? /* @__PURE__ */ a(TraceList, {
					hits: failing.data.traces,
					caption: "Newest traces in which it failed"
				}) : /* @__PURE__ */ a("p", {
					class: "quiet-text good",
					children: "None stored."
				}))]
			}),
			/* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "slow",
				children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
					id: "slow",
					children: "Slowest traces it is part of"
				}), /* @__PURE__ */ a("a", {
					href: href("/search", {
						service,
						order: "slowest"
					}),
					children: "All"
				})] }), slow.data && (slow.data.traces.length > 0 ? /* @__PURE__ */ a(TraceList, {
					hits: slow.data.traces,
					caption: "Slowest traces it is part of",
					toMatch: true
				}) : /* @__PURE__ */ a("p", {
					class: "quiet-text",
					children: "None stored."
				}))]
			})
		]
	});
}
export { Service as default };
