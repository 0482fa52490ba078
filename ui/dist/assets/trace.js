import { A as a, B as d, C as href, D as withChanges, E as setParams, F as textOf, H as $, I as A, L as F, N as useGet, O as copy, P as stringifyExact, R as T, S as address, T as route, V as w, a as duration, c as percent, d as ticks, f as dark, g as useKeys, h as zone, i as count, j as refresh, k as say, l as plural, o as instant, s as milliseconds, y as filterOf, z as b } from "./index.js";
import { a as CopyButton, f as assignSlots, i as Badge, n as Lacking, p as slotColor, r as Problem, s as ServiceLink, t as Incomplete, u as When } from "./notes.js";
import { t as keptBecause } from "./kept.js";
import { n as useWidth, t as prepare } from "./canvas.js";
// src/trace/missing.ts
var REASONS = {
	arriving: "still arriving",
	sdk_dropped: "dropped by its SDK",
	refused: "refused by the collector",
	sampled_upstream: "not sampled by its caller",
	instance_silent: "its process died",
	uninstrumented: "its caller sends no spans",
	unknown: "nobody knows why"
};
/** "checkout: its process died". */
var becameOf = ({ service, reason }) => `${service ?? "a caller"}: ${REASONS[reason]}`;
// src/trace/model.ts
var FLAG = {
	error: 1,
	orphan: 2,
	events: 4,
	links: 8,
	exception: 16,
	marked: 32,
	cycle: 64
};
var KINDS = [
	"",
	"internal",
	"server",
	"client",
	"producer",
	"consumer"
];
/** Row of the parent by the depth-first path, or -1 where the order does not hold (a span is then a root of its own). */
function parentsAndDepths(wanted) {
	const parent = new Int32Array(wanted.length).fill(-1);
	const depth = new Int32Array(wanted.length);
	const path = new Int32Array(wanted.length + 1);
	for (let row = 0; row < wanted.length; row++) {
		const above = wanted[row];
		if (above >= 0 && above < row && depth[above] <= depth[row - 1] && path[depth[above]] === above) {
			parent[row] = above;
			depth[row] = depth[above] + 1;
		}
		path[depth[row]] = row;
	}
	return {
		parent,
		depth
	};
}
function rowsWith(flags, bit) {
	let total = 0;
	for (let row = 0; row < flags.length; row++) if (flags[row] & bit) total++;
	const rows = new Int32Array(total);
	for (let row = 0, at = 0; row < flags.length; row++) if (flags[row] & bit) rows[at++] = row;
	return rows;
}
function buildModel(answer) {
	const count = answer.parent.length;
	const { parent, depth } = parentsAndDepths(answer.parent);
	const size = new Int32Array(count).fill(1);
	for (let row = count - 1; row >= 0; row--) if (parent[row] >= 0) size[parent[row]] += size[row];
	const flags = Uint8Array.from(answer.flags);
	const errorsBefore = new Int32Array(count + 1);
	for (let row = 0; row < count; row++) errorsBefore[row + 1] = errorsBefore[row] + (flags[row] & FLAG.error);
	return {
		traceId: answer.trace_id,
		count,
		startUnixNs: BigInt(answer.start_time_unix_ns),
		durationNs: Math.max(1, Number(answer.duration_ns)),
		spanId: Array.from({ length: count }, (_none, row) => answer.span_ids.slice(row * 16, row * 16 + 16)),
		services: answer.services,
		operations: answer.operations,
		service: Uint32Array.from(answer.service),
		operation: Uint32Array.from(answer.operation),
		start: Float64Array.from(answer.start_ns),
		duration: Float64Array.from(answer.duration),
		parent,
		depth,
		size,
		flags,
		kind: Uint8Array.from(answer.kind),
		errors: rowsWith(flags, FLAG.error),
		orphans: rowsWith(flags, FLAG.orphan),
		errorsBefore,
		missingParent: answer.missing_parent ?? {},
		missingBecause: Object.fromEntries(answer.partial_reasons.map((reason) => [reason.parent_span_id ?? "", becameOf(reason)]))
	};
}
/** The trace's start needs all its digits; every other number of the columns is small. So JSON.parse may do the work. */
function parseColumns(text) {
	const answer = JSON.parse(text);
	const digits = /"start_time_unix_ns"\s*:\s*(\d+)/.exec(text);
	if (digits) answer.start_time_unix_ns = BigInt(digits[1]);
	return answer;
}
/** Errors below a row, itself not counted: what a closed row bubbles up. */
function errorsBelow(model, row) {
	return model.errorsBefore[row + model.size[row]] - model.errorsBefore[row + 1];
}
var isError = (model, row) => (model.flags[row] & FLAG.error) !== 0;
/** The deepest error span with no failing child: where the failure began. The earliest of several; -1 without errors. */
function rootCause(model) {
	const failingChild = new Uint8Array(model.count);
	for (const row of model.errors) if (model.parent[row] >= 0) failingChild[model.parent[row]] = 1;
	let best = -1;
	for (const row of model.errors) {
		if (failingChild[row]) continue;
		const deeper = best < 0 ? 1 : model.depth[row] - model.depth[best];
		if (deeper > 0 || deeper === 0 && model.start[row] < model.start[best]) best = row;
	}
	return best;
}
/** The next (step 1) or previous (step -1) of the ascending `rows` after `from`, around the ends; -1 when there is none. */
function nextOf(rows, from, step) {
	if (rows.length === 0) return -1;
	let low = 0;
	let high = rows.length;
	while (low < high) {
		const middle = low + high >> 1;
		if (rows[middle] < from || step === 1 && rows[middle] === from) low = middle + 1;
		else high = middle;
	}
	return rows[((step === 1 ? low : low - 1) + rows.length) % rows.length];
}
/** Rows on screen when the subtrees under `closed` rows are folded away. */
function visibleRows(model, closed) {
	const rows = new Int32Array(model.count);
	let shown = 0;
	for (let row = 0; row < model.count; row += closed.has(row) ? model.size[row] : 1) rows[shown++] = row;
	return rows.subarray(0, shown);
}
/** Where `row` is among the ascending visible rows; when it is folded away, the closed row that hides it. */
function placeOf(visible, row) {
	let low = 0;
	let high = visible.length;
	while (low < high) {
		const middle = low + high >> 1;
		if (visible[middle] <= row) low = middle + 1;
		else high = middle;
	}
	return low - 1;
}
/** `closed` without the ancestors of `row`, so that it shows; the same set when nothing changes. */
function openTo(model, closed, row) {
	let next = null;
	for (let above = model.parent[row]; above >= 0; above = model.parent[above]) if (closed.has(above)) (next ??= new Set(closed)).delete(above);
	return next ?? closed;
}
function rowsWithChildren(model) {
	const rows = /* @__PURE__ */ new Set();
	for (let row = 0; row < model.count; row++) if (model.size[row] > 1) rows.add(row);
	return rows;
}
/** `span=` in the URL: the id, and `~k` when it is the k-th further span with that id (Zipkin shares ids). */
function spanParam(model, row) {
	const id = model.spanId[row];
	let nth = 0;
	for (let at = model.spanId.indexOf(id); at >= 0 && at < row; at = model.spanId.indexOf(id, at + 1)) nth++;
	return nth === 0 ? id : `${id}~${nth}`;
}
function rowOfParam(model, param) {
	if (!param) return -1;
	const [id, nth] = param.toLowerCase().split("~");
	let row = model.spanId.indexOf(id.padStart(16, "0"));
	for (let left = Number(nth ?? 0); left > 0 && row >= 0; left--) row = model.spanId.indexOf(model.spanId[row], row + 1);
	return row;
}
/** Time of a span not covered by its children, for every row. Children of one parent come ordered by start. */
function selfTimes(model) {
	const self = Float64Array.from(model.duration);
	const coveredTo = Float64Array.from(model.start);
	for (let row = 0; row < model.count; row++) {
		const above = model.parent[row];
		if (above < 0) continue;
		const from = Math.max(model.start[row], coveredTo[above]);
		const to = Math.min(model.start[row] + model.duration[row], model.start[above] + model.duration[above]);
		if (to <= from) continue;
		self[above] -= to - from;
		coveredTo[above] = to;
	}
	return self;
}
function byService(model, self) {
	const shares = model.services.map((_name, service) => ({
		service,
		spans: 0,
		errors: 0,
		self: 0,
		first: -1
	}));
	for (let row = 0; row < model.count; row++) {
		const share = shares[model.service[row]];
		share.spans++;
		share.self += self[row];
		if (isError(model, row)) share.errors++;
		if (share.first < 0) share.first = row;
	}
	return shares.filter((share) => share.spans > 0).sort((a, b) => b.self - a.self);
}
// src/trace/critical.ts
/** Siblings overlapping by less than this part of their parent count as one after the other. */
var OVERLAP_PART = 100;
var [SERVER, CONSUMER] = [KINDS.indexOf("server"), KINDS.indexOf("consumer")];
/** Children of every row, `child[first[row]] … child[first[row + 1] - 1]`; tops have the place after the last row. Orphans
hang under the earliest root: the parent that is not there was beneath it. */
function childrenOf({ count, parent, flags, start }) {
	const isOrphan = (row) => (flags[row] & (FLAG.orphan | FLAG.cycle)) !== 0;
	let root = -1;
	for (let row = 0; row < count; row++) if (parent[row] < 0 && !isOrphan(row) && (root < 0 || start[row] < start[root])) root = row;
	const above = (row) => parent[row] >= 0 ? parent[row] : isOrphan(row) && root >= 0 ? root : count;
	const first = new Int32Array(count + 2);
	for (let row = 0; row < count; row++) first[above(row) + 1]++;
	for (let row = 0; row <= count; row++) first[row + 1] += first[row];
	const child = new Int32Array(count);
	const fill = first.slice();
	for (let row = 0; row < count; row++) child[fill[above(row)]++] = row;
	return {
		first,
		child
	};
}
/** How many of the ascending `values` are less than `bound`. */
function below(values, bound) {
	let [low, high] = [0, values.length];
	while (low < high) {
		const middle = low + high >> 1;
		if (values[middle] < bound) low = middle + 1;
		else high = middle;
	}
	return low;
}
/** Which children were waited for, latest first. */
function waitedFor(inside, length) {
	inside.sort((a, b) => b.to - a.to || a.from - b.from);
	let events = null;
	const waited = [];
	for (const part of inside) {
		const later = waited.at(-1);
		if (later && part.to > later.from) {
			if (!(part.to < later.to && part.from < later.from && (part.to - later.from) * OVERLAP_PART < length)) continue;
			events ??= Float64Array.from(inside.flatMap(({ from, to }) => [from, to])).sort();
			let until = below(events, part.to);
			while (until < events.length && events[until] === part.to) until++;
			if (until - below(events, later.from) !== 2) continue;
		}
		waited.push(part);
	}
	return waited;
}
function criticalPath(model) {
	const { count, start, duration, kind } = model;
	const path = {
		from: new Float64Array(count),
		to: new Float64Array(count),
		exclusive: new Float64Array(count),
		on: new Uint8Array(count)
	};
	const moves = new Float64Array(count);
	const { first, child } = childrenOf(model);
	const enter = (parts) => {
		let time = 0;
		for (const { row, from, to, moved } of parts) {
			path.on[row] = 1;
			[path.from[row], path.to[row], moves[row]] = [
				from - moved,
				to - moved,
				moved
			];
			time += to - from;
		}
		return time;
	};
	const tops = child.subarray(first[count], first[count + 1]);
	const whole = tops.reduce((most, row) => Math.max(most, start[row] + duration[row]), 0) - tops.reduce((least, row) => Math.min(least, start[row]), Infinity);
	enter(waitedFor(Array.from(tops, (row) => ({
		row,
		from: start[row],
		to: start[row] + duration[row],
		moved: 0
	})), whole));
	for (let row = 0; row < count; row++) {
		if (!path.on[row]) continue;
		const [from, to] = [path.from[row] + moves[row], path.to[row] + moves[row]];
		const inside = [];
		const siblings = first[row + 1] - first[row];
		for (let at = first[row]; at < first[row + 1]; at++) {
			const one = child[at];
			if (kind[one] === CONSUMER) continue;
			let moved = moves[row];
			if (kind[one] === SERVER && kind[row] !== SERVER && siblings === 1 && duration[one] <= to - from) moved += Math.max(0, from - start[one] - moved) - Math.max(0, start[one] + moved + duration[one] - to);
			const part = {
				row: one,
				moved,
				from: Math.max(from, start[one] + moved),
				to: Math.min(to, start[one] + moved + duration[one])
			};
			if (part.from < part.to || part.from === part.to && duration[one] === 0) inside.push(part);
		}
		path.exclusive[row] = Math.max(0, to - from - enter(waitedFor(inside, to - from)));
	}
	return {
		rows: Int32Array.from(path.on.keys()).filter((row) => path.on[row] === 1),
		...path
	};
}
/** Whose own time the path was: the operation with most of it, and how much; null without a path. */
function longestOnPath(model, path) {
	const sums = /* @__PURE__ */ new Map();
	let [totalNs, most] = [0, -1];
	for (const row of path.rows) {
		const key = model.service[row] * model.operations.length + model.operation[row];
		const sum = sums.get(key) ?? {
			ns: 0,
			row
		};
		if (path.exclusive[row] > path.exclusive[sum.row]) sum.row = row;
		sum.ns += path.exclusive[row];
		sums.set(key, sum);
		totalNs += path.exclusive[row];
		if (most < 0 || sum.ns > (sums.get(most)?.ns ?? 0)) most = key;
	}
	const found = sums.get(most);
	return found && found.ns > 0 ? {
		service: model.service[found.row],
		operation: model.operation[found.row],
		...found,
		totalNs
	} : null;
}
// src/trace/drawer.tsx
var FIRST_SHOWN = 24;
var LONG = 300;
var SETTLE_MS = 100;
/** The address when the text is one of the web's, else null: `javascript:` and the like stay text. */
function webAddress(text) {
	if (!/^https?:\/\//i.test(text) || /\s/.test(text)) return null;
	try {
		const url = new URL(text);
		return url.protocol === "http:" || url.protocol === "https:" ? url.href : null;
	} catch {
		return null;
	}
}
function Value({ value }) {
	const [all, setAll] = d(false);
	if (value === null) return /* @__PURE__ */ a("span", {
		class: "dim",
		children: "no value"
	});
	const text = textOf(value);
	const link = typeof value === "string" ? webAddress(text) : null;
	if (link) return /* @__PURE__ */ a("a", {
		href: link,
		target: "_blank",
		rel: "noopener noreferrer nofollow",
		children: /* @__PURE__ */ a("bdi", { children: text })
	});
	if (text.length <= LONG) return /* @__PURE__ */ a("bdi", {
		class: typeof value === "string" ? void 0 : "literal",
		children: text
	});
	return /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a("bdi", { children: all ? text : `${text.slice(0, LONG)}…` }),
		" ",
		/* @__PURE__ */ a("button", {
			type: "button",
			class: "quiet small",
			onClick: () => setAll(!all),
			children: all ? "less" : `all ${count(text.length)} characters`
		})
	] });
}
function Attribute({ name, value }) {
	const filter = filterOf(name, value);
	return /* @__PURE__ */ a("div", {
		class: "attribute",
		children: [
			/* @__PURE__ */ a("dt", { children: /* @__PURE__ */ a("bdi", { children: name }) }),
			/* @__PURE__ */ a("dd", { children: /* @__PURE__ */ a(Value, { value }) }),
			/* @__PURE__ */ a("dd", {
				class: "actions",
				children: [filter !== null && /* @__PURE__ */ a("a", {
					class: "button quiet small",
					href: href("/search", { tag: filter }),
					"aria-label": `+filter: search traces with ${name} as here`,
					title: "Search for this",
					children: "+filter"
				}), /* @__PURE__ */ a(CopyButton, {
					text: textOf(value),
					what: `value of ${name}`
				})]
			})
		]
	});
}
function AttributeList({ attributes }) {
	const [all, setAll] = d(false);
	const [wanted, setWanted] = d("");
	const entries = Object.entries(attributes);
	const low = wanted.toLowerCase();
	const matching = low ? entries.filter(([key, value]) => key.toLowerCase().includes(low) || textOf(value).toLowerCase().includes(low)) : entries;
	const shown = all ? matching : matching.slice(0, FIRST_SHOWN);
	return /* @__PURE__ */ a($, { children: [
		entries.length > FIRST_SHOWN / 2 && /* @__PURE__ */ a("input", {
			type: "search",
			class: "attribute-find",
			"aria-label": "Find in these attributes",
			placeholder: `Find in ${entries.length}`,
			value: wanted,
			onInput: (event) => setWanted(event.currentTarget.value)
		}),
		/* @__PURE__ */ a("dl", {
			class: "attributes",
			children: shown.map(([key, value]) => /* @__PURE__ */ a(Attribute, {
				name: key,
				value
			}, key))
		}),
		shown.length < matching.length && /* @__PURE__ */ a("button", {
			type: "button",
			class: "quiet",
			onClick: () => setAll(true),
			children: ["Show all ", count(matching.length)]
		})
	] });
}
function Section({ title, number, open = false, children }) {
	const [shown, setShown] = d(open);
	return /* @__PURE__ */ a("section", {
		class: "drawer-section",
		children: [/* @__PURE__ */ a("h3", { children: /* @__PURE__ */ a("button", {
			type: "button",
			class: "fold",
			"aria-expanded": shown,
			onClick: () => setShown(!shown),
			children: [
				/* @__PURE__ */ a("span", {
					"aria-hidden": "true",
					children: shown ? "▾" : "▸"
				}),
				" ",
				title,
				" ",
				/* @__PURE__ */ a("span", {
					class: "dim",
					children: number
				})
			]
		}) }), shown && children()]
	});
}
/** Events may be before the span's start (clocks); the sign is kept. */
var offset = (at, start) => `+${duration(BigInt(at) - BigInt(start))}`.replace("+−", "−");
function Exception({ event, start }) {
	const { "exception.type": type, "exception.message": message, "exception.stacktrace": stack } = event.attributes;
	return /* @__PURE__ */ a("div", {
		class: "exception",
		children: [
			/* @__PURE__ */ a("p", { children: [
				/* @__PURE__ */ a("strong", { children: /* @__PURE__ */ a("bdi", { children: type === void 0 ? "exception" : textOf(type) }) }),
				" ",
				/* @__PURE__ */ a("span", {
					class: "dim",
					children: offset(event.time_unix_ns, start)
				}),
				/* @__PURE__ */ a("span", { class: "grow" }),
				stack !== void 0 && /* @__PURE__ */ a(CopyButton, {
					text: textOf(stack),
					what: "stack trace",
					label: "Copy stack"
				})
			] }),
			message !== void 0 && /* @__PURE__ */ a("p", { children: /* @__PURE__ */ a("bdi", { children: textOf(message) }) }),
			stack !== void 0 && /* @__PURE__ */ a("pre", {
				tabIndex: 0,
				"aria-label": "Stack trace",
				children: textOf(stack)
			})
		]
	});
}
function Failure({ span }) {
	const exceptions = span.events.filter((event) => event.name === "exception");
	if (span.status !== "error" && exceptions.length === 0) return null;
	return /* @__PURE__ */ a("div", {
		class: span.status === "error" ? "failure" : "failure handled",
		children: [
			span.status_message && /* @__PURE__ */ a("p", {
				class: "status-message",
				children: /* @__PURE__ */ a("bdi", { children: span.status_message })
			}),
			exceptions.map((event, at) => /* @__PURE__ */ a(Exception, {
				event,
				start: span.start_time_unix_ns
			}, at)),
			!span.status_message && exceptions.length === 0 && /* @__PURE__ */ a("p", { children: "Marked as failed, without a message or an exception. Its attributes may say more." })
		]
	});
}
var MARKS = {
	no_start_time: "It came without a start time.",
	end_before_start: "It ended before it started; its duration is shown as 0.",
	attributes_cut: "Some attributes were over the size limit and were cut.",
	duplicate_span_id: "Another, different span has the same id.",
	duplicate_keys: "A key stands twice; the first is shown. The OTLP download has all."
};
function Remarks({ span }) {
	const dropped = [
		[span.dropped_attributes_count, "attributes"],
		[span.dropped_events_count, "events"],
		[span.dropped_links_count, "links"]
	];
	const remarks = [...span.marks.map((mark) => MARKS[mark] ?? mark.replaceAll("_", " ")), ...dropped.filter(([lost]) => lost > 0).map(([lost, what]) => `The sender dropped ${count(lost)} ${what}.`)];
	if (remarks.length === 0) return null;
	return /* @__PURE__ */ a("ul", {
		class: "note warn",
		children: remarks.map((remark) => /* @__PURE__ */ a("li", { children: remark }, remark))
	});
}
function Events({ span }) {
	return /* @__PURE__ */ a("ol", {
		class: "events",
		children: span.events.map((event, at) => /* @__PURE__ */ a("li", { children: [/* @__PURE__ */ a("p", { children: [
			/* @__PURE__ */ a("span", {
				class: "number dim",
				children: offset(event.time_unix_ns, span.start_time_unix_ns)
			}),
			" ",
			/* @__PURE__ */ a("bdi", { children: event.name || "(no name)" })
		] }), Object.keys(event.attributes).length > 0 && event.name !== "exception" && /* @__PURE__ */ a(AttributeList, { attributes: event.attributes })] }, at))
	});
}
function Links({ span }) {
	return /* @__PURE__ */ a("ul", {
		class: "events",
		children: span.links.map((link, at) => /* @__PURE__ */ a("li", { children: [/* @__PURE__ */ a("a", {
			href: href(`/trace/${encodeURIComponent(link.trace_id)}`, { span: link.span_id }),
			children: [
				/* @__PURE__ */ a("code", { children: [link.trace_id.slice(0, 16), "…"] }),
				" span ",
				/* @__PURE__ */ a("code", { children: link.span_id })
			]
		}), Object.keys(link.attributes).length > 0 && /* @__PURE__ */ a(AttributeList, { attributes: link.attributes })] }, at))
	});
}
function Facts({ span, model, row }) {
	const parent = model.parent[row];
	return /* @__PURE__ */ a("dl", {
		class: "facts",
		children: [
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Duration" }), /* @__PURE__ */ a("dd", {
				title: `${count(span.duration_ns)} ns`,
				children: duration(span.duration_ns)
			})] }),
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Starts at" }), /* @__PURE__ */ a("dd", { children: ["+", duration(model.start[row])] })] }),
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Share" }), /* @__PURE__ */ a("dd", { children: [(model.duration[row] / model.durationNs * 100).toFixed(1), "%"] })] }),
			/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("dt", { children: "Kind" }), /* @__PURE__ */ a("dd", { children: span.kind })] }),
			/* @__PURE__ */ a("div", {
				class: "wide",
				children: [/* @__PURE__ */ a("dt", { children: "Time" }), /* @__PURE__ */ a("dd", { children: [
					instant(span.start_time_unix_ns, zone.value, "ns"),
					" ",
					zone.value === "utc" ? "UTC" : ""
				] })]
			}),
			/* @__PURE__ */ a("div", {
				class: "wide",
				children: [/* @__PURE__ */ a("dt", { children: "Span ID" }), /* @__PURE__ */ a("dd", { children: [
					/* @__PURE__ */ a("code", { children: span.span_id }),
					" ",
					/* @__PURE__ */ a(CopyButton, {
						text: span.span_id,
						what: "span id"
					})
				] })]
			}),
			/* @__PURE__ */ a("div", {
				class: "wide",
				children: [/* @__PURE__ */ a("dt", { children: "Parent" }), /* @__PURE__ */ a("dd", { children: parent >= 0 ? /* @__PURE__ */ a("a", {
					href: href(route.value.path, withChanges(route.value.params, { span: spanParam(model, parent) })),
					children: [
						/* @__PURE__ */ a("bdi", { children: model.services[model.service[parent]] }),
						" ",
						/* @__PURE__ */ a("bdi", { children: model.operations[model.operation[parent]] })
					]
				}) : span.parent_span_id ? /* @__PURE__ */ a("span", {
					class: "warn-text",
					children: [
						"missing: ",
						/* @__PURE__ */ a("code", { children: span.parent_span_id }),
						" is not stored"
					]
				}) : "none, it is a root" })]
			})
		]
	});
}
/** The row, once the reader has stopped on it: holding `j` down does not ask for every span passed. */
function useSettled(row) {
	const [settled, setSettled] = d(row);
	A(() => {
		const timer = setTimeout(() => setSettled(row), SETTLE_MS);
		return () => clearTimeout(timer);
	}, [row]);
	return settled;
}
function Drawer({ model, row, color, onClose, onStale }) {
	const settled = useSettled(row);
	const url = `/api/traces/${model.traceId}/spans?rows=${settled}`;
	const { data, error } = useGet(url, { keep: true });
	const span = settled === row ? data?.spans[0] : void 0;
	const moved = span !== void 0 && span.span_id !== model.spanId[row];
	const service = model.services[model.service[row]];
	return /* @__PURE__ */ a("aside", {
		class: "drawer",
		"aria-label": "Span details",
		children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h2", { children: /* @__PURE__ */ a("bdi", { children: model.operations[model.operation[row]] || "(no name)" }) }), /* @__PURE__ */ a(ServiceLink, {
			service,
			color
		})] }), /* @__PURE__ */ a("button", {
			type: "button",
			class: "quiet",
			"aria-label": "Close the span details",
			title: "Close (Esc)",
			onClick: onClose,
			children: "✕"
		})] }), /* @__PURE__ */ a("div", {
			class: "drawer-body",
			tabIndex: 0,
			role: "group",
			"aria-label": "Details",
			children: [
				/* @__PURE__ */ a(Problem, {
					error,
					retry: () => void refresh(url)
				}),
				/* @__PURE__ */ a(Incomplete, { answer: data }),
				moved && /* @__PURE__ */ a("div", {
					class: "note warn",
					children: ["The trace has grown since it was opened.", /* @__PURE__ */ a("button", {
						type: "button",
						onClick: onStale,
						children: "Reload it"
					})]
				}),
				!span && !error && /* @__PURE__ */ a("p", {
					class: "loading",
					children: "Loading…"
				}),
				span && !moved && /* @__PURE__ */ a("div", { children: [
					/* @__PURE__ */ a(Failure, { span }),
					/* @__PURE__ */ a(Facts, {
						span,
						model,
						row
					}),
					/* @__PURE__ */ a(Remarks, { span }),
					/* @__PURE__ */ a(Section, {
						title: "Tags",
						number: Object.keys(span.tags).length,
						open: true,
						children: () => /* @__PURE__ */ a(AttributeList, { attributes: span.tags })
					}),
					span.events.length > 0 && /* @__PURE__ */ a(Section, {
						title: "Events",
						number: span.events.length,
						open: span.events.length <= 10,
						children: () => /* @__PURE__ */ a(Events, { span })
					}),
					span.links.length > 0 && /* @__PURE__ */ a(Section, {
						title: "Links",
						number: span.links.length,
						open: true,
						children: () => /* @__PURE__ */ a(Links, { span })
					}),
					/* @__PURE__ */ a(Section, {
						title: "Resource",
						number: Object.keys(span.resource).length,
						children: () => /* @__PURE__ */ a(AttributeList, { attributes: span.resource })
					}),
					span.scope && (span.scope.name || span.scope.version || Object.keys(span.scope.attributes ?? {}).length > 0) && /* @__PURE__ */ a(Section, {
						title: "Scope",
						number: Object.keys(span.scope.attributes ?? {}).length + 1,
						children: () => /* @__PURE__ */ a(AttributeList, { attributes: {
							name: span.scope?.name,
							...span.scope?.version ? { version: span.scope.version } : {},
							...span.scope?.attributes
						} })
					}),
					span.trace_state && /* @__PURE__ */ a(Section, {
						title: "Trace state",
						number: 1,
						children: () => /* @__PURE__ */ a(AttributeList, { attributes: { tracestate: span.trace_state } })
					})
				] }, `${span.span_id} ${row}`)
			]
		})]
	});
}
// src/trace/find.ts
function matching(names, word) {
	return Uint8Array.from(names, (name) => name.toLowerCase().includes(word) ? 1 : 0);
}
/** Every word must be in the service or operation name, or begin the span id. */
function find(model, text) {
	const words = text.toLowerCase().split(/\s+/).filter(Boolean);
	const hit = new Uint8Array(model.count);
	if (words.length === 0) return {
		rows: /* @__PURE__ */ new Int32Array(0),
		hit
	};
	hit.fill(1);
	for (const word of words) {
		const service = matching(model.services, word);
		const operation = matching(model.operations, word);
		const maybeId = /^[0-9a-f]{4,16}$/.test(word);
		for (let row = 0; row < model.count; row++) {
			if (hit[row] === 0 || service[model.service[row]] || operation[model.operation[row]]) continue;
			if (!maybeId || !model.spanId[row].startsWith(word)) hit[row] = 0;
		}
	}
	let total = 0;
	for (let row = 0; row < model.count; row++) total += hit[row];
	const rows = new Int32Array(total);
	for (let row = 0, at = 0; row < model.count; row++) if (hit[row]) rows[at++] = row;
	return {
		rows,
		hit
	};
}
// src/trace/folding.ts
/** A longer list would make the URL too long for other tools; further folds are then not kept. */
var LISTED_MAX = 60;
function parseClosed(param, model) {
	if (!param) return /* @__PURE__ */ new Set();
	const parts = param.split(",");
	const closed = parts.includes("all") ? rowsWithChildren(model) : /* @__PURE__ */ new Set();
	for (const part of parts) {
		const row = Number(part);
		if (!Number.isInteger(row) || Math.abs(row) >= model.count) continue;
		if (part.startsWith("-")) closed.delete(-row);
		else if (model.size[row] > 1) closed.add(row);
	}
	return closed;
}
function closedParam(closed, model) {
	if (closed.size === 0) return null;
	if (closed.size <= LISTED_MAX) return [...closed].sort((a, b) => a - b).join(",");
	const open = [...rowsWithChildren(model)].filter((row) => !closed.has(row));
	return open.length <= LISTED_MAX ? ["all", ...open.map((row) => `-${row}`)].join(",") : [...closed].slice(0, LISTED_MAX).join(",");
}
var CRITICAL = {
	top: 3,
	height: 2
};
var BAR = {
	top: 6,
	height: 12
};
var FAILED = {
	top: 19,
	height: 3
};
var NARROWEST_PX = 2;
var PALETTES = {
	light: {
		grid: "#e8ebef",
		text: "#55606e",
		cursor: "#0f766e1f",
		hover: "#1a20270a",
		hit: "#f2c94c55",
		error: "#c0281c",
		critical: "#1a2027b0",
		orphan: "#8a5a00",
		inside: "#ffffff"
	},
	dark: {
		grid: "#222933",
		text: "#9aa6b5",
		cursor: "#4fd1c526",
		hover: "#ffffff0a",
		hit: "#e3b34140",
		error: "#ff7b72",
		critical: "#f0f4f8b0",
		orphan: "#e3b341",
		inside: "#0d1117"
	}
};
/** Returns the number of boxes drawn: the gate of the browser tests. */
function paintRows(canvas, width, height, scene) {
	const context = prepare(canvas, width, height);
	if (!context) return 0;
	const palette = PALETTES[scene.dark ? "dark" : "light"];
	const scale = width / (scene.zoom.to - scene.zoom.from);
	context.fillStyle = palette.grid;
	for (const mark of scene.marks) context.fillRect(Math.round((mark - scene.zoom.from) * scale), 0, 1, height);
	context.font = "11px system-ui, sans-serif";
	context.textBaseline = "middle";
	let boxes = 0;
	for (let place = scene.first; place < scene.last; place++) {
		const y = (place - scene.first) * 24 - scene.shift;
		boxes += paintRow(context, scene, palette, scene.visible[place], y, width, scale);
	}
	return boxes;
}
function paintRow(context, scene, palette, row, y, width, scale) {
	const { model, zoom, critical } = scene;
	let boxes = 0;
	const wash = row === scene.cursor ? palette.cursor : scene.hit?.[row] ? palette.hit : row === scene.hover ? palette.hover : null;
	if (wash) {
		context.fillStyle = wash;
		context.fillRect(0, y, width, 24);
		boxes++;
	}
	if (model.flags[row] & FLAG.orphan) dashes(context, palette.orphan, y + .5, width);
	const x0 = (model.start[row] - zoom.from) * scale;
	const x1 = x0 + Math.max(NARROWEST_PX, model.duration[row] * scale);
	const [left, right] = [Math.max(0, x0), Math.min(width, x1)];
	if (right <= left) {
		context.fillStyle = palette.text;
		context.fillText(x1 <= 0 ? "◂" : "▸", x1 <= 0 ? 2 : width - 10, y + 12);
		return boxes;
	}
	const failed = (model.flags[row] & FLAG.error) !== 0;
	context.fillStyle = slotColor(scene.slots[model.service[row]], scene.dark);
	context.fillRect(left, y + BAR.top, right - left, BAR.height);
	boxes++;
	if (failed) {
		context.fillStyle = palette.error;
		context.fillRect(left, y + FAILED.top, right - left, FAILED.height);
		boxes++;
	}
	if (critical.on[row]) {
		const [from, to] = [Math.max(0, (critical.from[row] - zoom.from) * scale), Math.min(width, (critical.to[row] - zoom.from) * scale)];
		context.fillStyle = palette.critical;
		context.fillRect(from, y + CRITICAL.top, Math.max(1, to - from), CRITICAL.height);
		boxes++;
	}
	label(context, duration(model.duration[row]), failed ? palette.error : palette.text, left, right, y + 12, width, palette.inside);
	return boxes;
}
/** After the bar where there is room, else before it, else on it. */
function label(context, text, color, left, right, y, width, inside) {
	const wide = text.length * 6.2 + 8;
	context.fillStyle = color;
	if (right + wide <= width) context.fillText(text, right + 5, y);
	else if (left - wide >= 0) context.fillText(text, left - wide + 3, y);
	else {
		context.fillStyle = inside;
		context.fillText(text, left + 5, y);
	}
}
function dashes(context, color, y, width) {
	context.strokeStyle = color;
	context.lineWidth = 1;
	context.setLineDash([5, 4]);
	context.beginPath();
	context.moveTo(0, y);
	context.lineTo(width, y);
	context.stroke();
	context.setLineDash([]);
}
/** All visible rows in lanes of the minimap's height: each span adds two numbers, so a million spans are a million additions. */
function minimapImage(model, visible, width, height, dark) {
	const lanes = Math.min(height, Math.max(1, visible.length));
	const all = new Float32Array((width + 1) * lanes);
	const failing = new Float32Array((width + 1) * lanes);
	const scale = width / model.durationNs;
	for (let place = 0; place < visible.length; place++) {
		const row = visible[place];
		const lane = Math.floor(place * lanes / visible.length) * (width + 1);
		const x0 = Math.min(width - 1, Math.max(0, Math.floor(model.start[row] * scale)));
		const x1 = Math.min(width, Math.max(x0 + 1, Math.ceil((model.start[row] + model.duration[row]) * scale)));
		all[lane + x0]++;
		all[lane + x1]--;
		if ((model.flags[row] & FLAG.error) === 0) continue;
		failing[lane + x0]++;
		failing[lane + x1]--;
	}
	return colorLanes(all, failing, lanes, width, height, dark);
}
function colorLanes(all, failing, lanes, width, height, dark) {
	const image = new ImageData(width, height);
	const pixels = new Uint32Array(image.data.buffer);
	const [plain, error] = dark ? [11051100, 7502847] : [9932607, 1845440];
	const laneHeight = lanes < height ? Math.max(1, Math.min(4, Math.floor(height / lanes) - 1)) : 1;
	for (let lane = 0; lane < lanes; lane++) {
		const top = Math.floor(lane * height / lanes);
		let [spans, errors] = [0, 0];
		for (let x = 0; x < width; x++) {
			spans += all[lane * (width + 1) + x];
			errors += failing[lane * (width + 1) + x];
			if (spans <= 0) continue;
			const pixel = ((errors > 0 ? 255 : Math.min(240, 120 + 40 * Math.log2(1 + spans))) << 24 | (errors > 0 ? error : plain)) >>> 0;
			for (let y = top; y < top + laneHeight && y < height; y++) pixels[y * width + x] = pixel;
		}
	}
	return image;
}
// src/trace/viewport.ts
/** Closer than this a bar says nothing more. */
var NARROWEST_NS = 20;
function parseZoom(param, total) {
	const match = /^(\d+)-(\d+)$/.exec(param ?? "");
	return match ? clampZoom({
		from: Number(match[1]),
		to: Number(match[2])
	}, total) : {
		from: 0,
		to: total
	};
}
function zoomParam(zoom, total) {
	const [from, to] = [Math.round(zoom.from), Math.round(zoom.to)];
	return from <= 0 && to >= total ? null : `${from}-${to}`;
}
function clampZoom(zoom, total) {
	const width = Math.min(total, Math.max(Math.min(NARROWEST_NS, total), zoom.to - zoom.from));
	const from = Math.min(Math.max(0, zoom.from), total - width);
	return {
		from,
		to: from + width
	};
}
/** `factor` below 1 goes closer; the moment `at` stays where it is on screen. */
function zoomAround(zoom, factor, at, total) {
	const width = Math.max(Math.min(NARROWEST_NS, total), (zoom.to - zoom.from) * factor);
	const share = (at - zoom.from) / (zoom.to - zoom.from);
	return clampZoom({
		from: at - share * width,
		to: at + (1 - share) * width
	}, total);
}
function panBy(zoom, share, total) {
	const by = (zoom.to - zoom.from) * share;
	const width = zoom.to - zoom.from;
	const from = Math.min(Math.max(0, zoom.from + by), total - width);
	return {
		from,
		to: from + width
	};
}
/** A span with a little air on both sides. */
function zoomToSpan(start, duration, total) {
	const air = Math.max(duration * .1, NARROWEST_NS / 4);
	return clampZoom({
		from: start - air,
		to: start + duration + air
	}, total);
}
// src/trace/minimap.tsx
var HEIGHT = 48;
function Minimap({ model, visible, zoom, dark, onZoom }) {
	const canvas = T(null);
	const width = useWidth(canvas);
	const [drag, setDrag] = d(null);
	F(() => {
		const now = canvas.current;
		if (!now || width === 0) return;
		now.width = width;
		now.height = HEIGHT;
		now.getContext("2d")?.putImageData(minimapImage(model, visible, width, HEIGHT, dark), 0, 0);
	}, [
		model,
		visible,
		width,
		dark
	]);
	const total = model.durationNs;
	const whole = zoom.from <= 0 && zoom.to >= total;
	const [from, to] = drag ? [Math.min(...drag) / width, Math.max(...drag) / width] : [zoom.from / total, zoom.to / total];
	const finish = () => {
		if (!drag) return;
		const [x0, x1] = [Math.min(...drag), Math.max(...drag)];
		if (x1 - x0 > 3) onZoom(clampZoom({
			from: x0 / width * total,
			to: x1 / width * total
		}, total));
		else if (!whole) onZoom(panBy(zoom, (x0 / width * total - (zoom.from + zoom.to) / 2) / (zoom.to - zoom.from), total));
		setDrag(null);
	};
	return /* @__PURE__ */ a("div", {
		class: "minimap",
		children: [/* @__PURE__ */ a("canvas", {
			ref: canvas,
			role: "img",
			"aria-label": "All spans of the trace over time, errors in red",
			style: { height: `${HEIGHT}px` },
			onPointerDown: (event) => {
				event.currentTarget.setPointerCapture(event.pointerId);
				setDrag([event.offsetX, event.offsetX]);
			},
			onPointerMove: (event) => drag && setDrag([drag[0], Math.max(0, Math.min(width, event.offsetX))]),
			onPointerUp: finish,
			onPointerCancel: () => setDrag(null),
			onDblClick: () => onZoom({
				from: 0,
				to: total
			})
		}), (!whole || drag && drag[0] !== drag[1]) && /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("div", {
			class: "veil",
			style: {
				left: 0,
				width: `${from * 100}%`
			}
		}), /* @__PURE__ */ a("div", {
			class: "veil",
			style: {
				left: `${to * 100}%`,
				right: 0
			}
		})] })]
	});
}
// src/trace/virtual.ts
var TALLEST_PX = 8e6;
function useVirtual(count, rowHeight) {
	const element = T(null);
	const [scrolled, setScrolled] = d(0);
	const [height, setHeight] = d(0);
	const whole = count * rowHeight;
	const spacer = Math.min(whole, TALLEST_PX);
	const scale = spacer > height ? Math.max(1, (whole - height) / (spacer - height)) : 1;
	const box = b((next) => element.current = next, []);
	F(() => {
		const now = element.current;
		if (!now) return;
		const watcher = new ResizeObserver(() => setHeight(now.clientHeight));
		watcher.observe(now);
		setHeight(now.clientHeight);
		return () => watcher.disconnect();
	}, []);
	const top = Math.min(scrolled * scale, Math.max(0, whole - height));
	const first = Math.floor(top / rowHeight);
	const show = (place) => {
		const now = element.current;
		if (!now || place < 0) return;
		const y = place * rowHeight;
		const seen = now.clientHeight;
		const at = now.scrollTop * scale;
		if (y >= at && y + rowHeight <= at + seen) return;
		const near = y + rowHeight > at + seen && y < at + seen + 3 * rowHeight ? y + rowHeight - seen : y < at && y > at - 3 * rowHeight ? y : y - seen / 3;
		now.scrollTop = Math.max(0, near) / scale;
		setScrolled(now.scrollTop);
	};
	return {
		box,
		onScroll: () => element.current && setScrolled(element.current.scrollTop),
		spacer,
		height,
		first,
		last: Math.min(count, Math.ceil((top + height) / rowHeight)),
		shift: top - first * rowHeight,
		show
	};
}
// src/trace/views.tsx
var ROW = 28;
var HEADS = [
	["service", "Service"],
	["operation", "Operation"],
	["start", "Start"],
	["duration", "Duration"],
	["self", "Own time"]
];
function order(model, self, hit, sort) {
	const sign = sort.startsWith("-") ? -1 : 1;
	const rank = (names) => {
		const sorted = names.map((_name, at) => at).sort((a, b) => names[a] < names[b] ? -1 : 1);
		const ranks = [];
		sorted.forEach((at, place) => ranks[at] = place);
		return ranks;
	};
	const key = sort.replace(/^-/, "");
	const [services, operations] = [key === "service" ? rank(model.services) : [], key === "operation" ? rank(model.operations) : []];
	const value = (row) => key === "duration" ? model.duration[row] : key === "self" ? self[row] : key === "service" ? services[model.service[row]] : key === "operation" ? operations[model.operation[row]] : model.start[row];
	const values = Float64Array.from({ length: model.count }, (_none, row) => value(row));
	return Int32Array.from({ length: model.count }, (_none, row) => row).filter((row) => !hit || hit[row] === 1).sort((a, b) => sign * (values[a] - values[b]) || a - b);
}
function TableView({ model, self, slots, dark, hit, cursor, onSelect }) {
	const sort = route.value.params.get("sort") ?? "-self";
	const rows = w(() => order(model, self, hit, sort), [
		model,
		self,
		hit,
		sort
	]);
	const virtual = useVirtual(rows.length, ROW);
	return /* @__PURE__ */ a("div", {
		class: "span-table",
		role: "table",
		"aria-label": "Spans",
		"aria-rowcount": rows.length + 1,
		children: [/* @__PURE__ */ a("div", {
			role: "rowgroup",
			children: /* @__PURE__ */ a("div", {
				class: "st-row st-head",
				role: "row",
				children: HEADS.map(([key, name]) => {
					const state = sort.replace(/^-/, "") !== key ? void 0 : sort.startsWith("-") ? "descending" : "ascending";
					const text = key === "service" || key === "operation";
					return /* @__PURE__ */ a("span", {
						role: "columnheader",
						"aria-sort": state,
						class: text ? void 0 : "number",
						children: /* @__PURE__ */ a("button", {
							type: "button",
							class: "sort",
							onClick: () => setParams({ sort: sort === (text ? key : `-${key}`) ? text ? `-${key}` : key : text ? key : `-${key}` }),
							children: [name, /* @__PURE__ */ a("span", {
								"aria-hidden": "true",
								children: state === "descending" ? " ↓" : state === "ascending" ? " ↑" : ""
							})]
						})
					}, key);
				})
			})
		}), /* @__PURE__ */ a("div", {
			class: "st-scroll",
			ref: virtual.box,
			onScroll: virtual.onScroll,
			role: "rowgroup",
			tabIndex: 0,
			"aria-label": "Spans, scrolls",
			children: /* @__PURE__ */ a("div", {
				role: "presentation",
				style: { height: `${virtual.spacer}px` },
				children: /* @__PURE__ */ a("div", {
					role: "presentation",
					class: "wf-sticky",
					style: { height: `${virtual.height}px` },
					children: /* @__PURE__ */ a("div", {
						role: "presentation",
						class: "st-rows",
						style: { transform: `translateY(${-virtual.shift}px)` },
						children: Array.from(rows.subarray(virtual.first, virtual.last)).map((row, at) => /* @__PURE__ */ a("div", {
							role: "row",
							"aria-rowindex": virtual.first + at + 2,
							class: `st-row${row === cursor ? " selected" : ""}`,
							onClick: () => onSelect(row),
							children: [
								/* @__PURE__ */ a("span", {
									role: "cell",
									children: [/* @__PURE__ */ a("span", {
										class: "swatch",
										style: { background: slotColor(slots[model.service[row]], dark) }
									}), /* @__PURE__ */ a("bdi", { children: model.services[model.service[row]] })]
								}),
								/* @__PURE__ */ a("span", {
									role: "cell",
									class: isError(model, row) ? "bad" : void 0,
									children: /* @__PURE__ */ a("bdi", { children: model.operations[model.operation[row]] })
								}),
								/* @__PURE__ */ a("span", {
									role: "cell",
									class: "number",
									children: duration(model.start[row])
								}),
								/* @__PURE__ */ a("span", {
									role: "cell",
									class: "number",
									children: duration(model.duration[row])
								}),
								/* @__PURE__ */ a("span", {
									role: "cell",
									class: "number",
									children: duration(self[row])
								})
							]
						}, row))
					})
				})
			})
		})]
	});
}
function ServicesView({ model, self, slots, dark }) {
	const shares = w(() => byService(model, self), [model, self]);
	const all = Math.max(1, shares.reduce((sum, share) => sum + share.self, 0));
	return /* @__PURE__ */ a("div", {
		class: "view-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": "Services of this trace",
		children: /* @__PURE__ */ a("table", { children: [
			/* @__PURE__ */ a("caption", {
				class: "unseen",
				children: "Services of this trace by own time"
			}),
			/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
				/* @__PURE__ */ a("th", {
					scope: "col",
					children: "Service"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Spans"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Errors"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					children: "Own time"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Share"
				})
			] }) }),
			/* @__PURE__ */ a("tbody", { children: shares.map((share) => {
				const name = model.services[share.service];
				return /* @__PURE__ */ a("tr", { children: [
					/* @__PURE__ */ a("td", {
						class: "name",
						children: /* @__PURE__ */ a("a", {
							class: "service-link",
							"data-row-link": "",
							href: href(route.value.path, withChanges(route.value.params, {
								view: null,
								find: name
							})),
							title: "Find its spans",
							children: [/* @__PURE__ */ a("span", {
								class: "swatch",
								style: { background: slotColor(slots[share.service], dark) }
							}), /* @__PURE__ */ a("bdi", { children: name })]
						})
					}),
					/* @__PURE__ */ a("td", {
						class: "number",
						children: count(share.spans)
					}),
					/* @__PURE__ */ a("td", {
						class: share.errors > 0 ? "number bad" : "number dim",
						children: count(share.errors)
					}),
					/* @__PURE__ */ a("td", {
						class: "bar-cell",
						children: [/* @__PURE__ */ a("span", {
							class: "bar",
							style: { width: `${Math.max(.5, share.self / all * 100)}%` },
							"aria-hidden": "true"
						}), /* @__PURE__ */ a("span", {
							class: "bar-text",
							children: duration(share.self)
						})]
					}),
					/* @__PURE__ */ a("td", {
						class: "number",
						children: percent(share.self / all)
					})
				] }, name);
			}) })
		] })
	});
}
/** More would be megabytes of text on the page; the download has everything. */
var JSON_SPANS_MAX = 1e3;
function JsonView({ model, row }) {
	const whole = model.count <= JSON_SPANS_MAX;
	const url = whole ? `/api/traces/${model.traceId}` : row >= 0 ? `/api/traces/${model.traceId}/spans?rows=${row}` : null;
	const { data, error } = useGet(url, { keep: true });
	const pre = T(null);
	const text = w(() => data ? stringifyExact(data) : "", [data]);
	return /* @__PURE__ */ a("div", {
		class: "json-view",
		children: [
			/* @__PURE__ */ a("div", {
				class: "toolbar",
				children: [
					!whole && /* @__PURE__ */ a("span", {
						class: "dim",
						children: [count(model.count), " spans are too many to show: this is the chosen span. The downloads have all."]
					}),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a("button", {
						type: "button",
						disabled: !text,
						onClick: () => void copy(text, "JSON"),
						children: "Copy"
					}),
					/* @__PURE__ */ a("a", {
						class: "button",
						href: `/api/traces/${model.traceId}`,
						download: `trace-${model.traceId}.json`,
						children: "Download JSON"
					}),
					/* @__PURE__ */ a("a", {
						class: "button",
						href: `/api/traces/${model.traceId}?format=otlp`,
						download: `trace-${model.traceId}.otlp.json`,
						children: "Download OTLP"
					})
				]
			}),
			/* @__PURE__ */ a(Problem, { error }),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			/* @__PURE__ */ a("pre", {
				ref: pre,
				class: "view-scroll",
				tabIndex: 0,
				"aria-label": "The trace as JSON",
				children: text || (url ? "Loading…" : "Choose a span in the waterfall first.")
			})
		]
	});
}
// src/trace/typical.tsx
var SHOWN = 40;
/** Less of a difference is nothing to look at. */
var TIMES_SHOWN = 1.1;
/** "×9.2", "×0.4"; empty where there is nothing to compare with, or no difference. */
function times(own, typical) {
	if (typical <= 0 || own < 0) return "";
	const ratio = own / typical;
	if (ratio < TIMES_SHOWN && ratio > 1 / TIMES_SHOWN) return "";
	return `×${ratio >= 99.5 ? count(Math.round(ratio)) : ratio >= 9.95 ? ratio.toFixed(0) : ratio.toFixed(1)}`;
}
/** The more of the trace's own time it cost than usual, the higher. */
var excess = (one) => one.this.exclusive_ms - one.exclusive_ms;
/** This part of the trace's time is worth a colour. */
var TELLING_PART = .02;
function Row({ one, ownMs }) {
	const more = excess(one);
	const gone = one.this.calls === 0;
	return /* @__PURE__ */ a("tr", {
		class: gone ? "idle" : void 0,
		children: [
			/* @__PURE__ */ a("td", {
				class: "name",
				children: [
					/* @__PURE__ */ a("a", {
						href: href(route.value.path, withChanges(route.value.params, {
							view: null,
							find: `${one.service} ${one.operation}`
						})),
						"data-row-link": "",
						title: "Find its spans in the waterfall",
						children: [
							/* @__PURE__ */ a("bdi", {
								class: "service",
								children: one.service
							}),
							" ",
							/* @__PURE__ */ a("bdi", { children: one.operation || "(no name)" })
						]
					}),
					gone && /* @__PURE__ */ a("small", { children: " not in this trace" }),
					!gone && one.calls === 0 && /* @__PURE__ */ a("small", {
						class: "warn-text",
						children: " usually not there"
					})
				]
			}),
			/* @__PURE__ */ a("td", {
				class: "number",
				children: count(one.this.calls)
			}),
			/* @__PURE__ */ a("td", {
				class: "number dim",
				children: count(one.calls)
			}),
			/* @__PURE__ */ a("td", {
				class: "number",
				children: milliseconds(one.this.duration_ms)
			}),
			/* @__PURE__ */ a("td", {
				class: "number dim",
				children: milliseconds(one.duration_ms)
			}),
			/* @__PURE__ */ a("td", {
				class: "number",
				children: times(one.this.duration_ms, one.duration_ms)
			}),
			/* @__PURE__ */ a("td", {
				class: more > ownMs * TELLING_PART ? "number bad" : "number dim",
				children: Math.abs(more) < .001 ? "0" : `${more > 0 ? "+" : "−"}${milliseconds(Math.abs(more))}`
			})
		]
	});
}
function Compared({ answer }) {
	const [all, setAll] = d(false);
	const rows = [...answer.operations].sort((a, b) => excess(b) - excess(a));
	const shown = all ? rows : rows.slice(0, SHOWN);
	const own = answer.compared?.duration_ms ?? 0;
	return /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a("p", {
			class: "quiet-text",
			role: "status",
			children: [
				"This one took ",
				/* @__PURE__ */ a("b", { children: milliseconds(own) }),
				", the",
				" ",
				answer.trace_id ? /* @__PURE__ */ a("a", {
					href: href(`/trace/${answer.trace_id}`),
					children: "median"
				}) : "median",
				" of ",
				plural(answer.traces, "trace"),
				" of ",
				/* @__PURE__ */ a("bdi", { children: answer.service }),
				" ",
				/* @__PURE__ */ a("bdi", { children: answer.operation }),
				" before it ",
				/* @__PURE__ */ a("b", { children: milliseconds(answer.duration_ms) }),
				times(own, answer.duration_ms ?? 0) && `: ${times(own, answer.duration_ms ?? 0)}`,
				"."
			]
		}),
		/* @__PURE__ */ a("table", { children: [
			/* @__PURE__ */ a("caption", {
				class: "unseen",
				children: "Operations of this trace and of the typical one, those that cost most more first"
			}),
			/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
				/* @__PURE__ */ a("th", {
					scope: "col",
					children: "Operation"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Calls"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "typical"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Time"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "typical"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					children: "Times"
				}),
				/* @__PURE__ */ a("th", {
					scope: "col",
					class: "number",
					title: "Of its own time on the critical path: what the trace waited longer for",
					children: "Waited more"
				})
			] }) }),
			/* @__PURE__ */ a("tbody", { children: shown.map((one) => /* @__PURE__ */ a(Row, {
				one,
				ownMs: own
			}, `${one.service}\n${one.operation}`)) })
		] }),
		shown.length < rows.length && /* @__PURE__ */ a("p", {
			class: "table-foot",
			children: /* @__PURE__ */ a("button", {
				type: "button",
				class: "quiet small",
				onClick: () => setAll(true),
				children: ["Show all ", count(rows.length)]
			})
		})
	] });
}
function TypicalView({ traceId }) {
	const url = `/api/typical?trace_id=${traceId}`;
	const { data, error } = useGet(url, { keep: true });
	return /* @__PURE__ */ a("div", {
		class: "view-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": "This trace against the typical one",
		children: [
			error && /* @__PURE__ */ a(Lacking, {
				what: "typical traces",
				error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			data && (data.traces > 0 ? /* @__PURE__ */ a(Compared, { answer: data }) : /* @__PURE__ */ a("p", {
				class: "quiet-text",
				children: "No other trace of this root is stored from the hour before it: there is nothing to compare with."
			})),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading room",
				children: "Comparing with the traces before it…"
			})
		]
	});
}
// src/trace/waterfall.tsx
var INDENT = 12;
var INDENTS_MAX = 14;
function Label({ model, row, closed, indent, selected, hit, color }) {
	const service = model.services[model.service[row]];
	const operation = model.operations[model.operation[row]];
	const failed = isError(model, row);
	const orphan = (model.flags[row] & FLAG.orphan) !== 0;
	const because = orphan && model.missingBecause[model.missingParent[row]];
	const below = closed ? errorsBelow(model, row) : 0;
	const parent = model.size[row] > 1;
	return /* @__PURE__ */ a("div", {
		role: "treeitem",
		id: `row-${row}`,
		"data-row": row,
		class: `wf-row${selected ? " selected" : ""}${hit ? " hit" : ""}${orphan ? " orphan" : ""}${failed ? " failed" : ""}`,
		"aria-level": model.depth[row] + 1,
		"aria-selected": selected,
		"aria-expanded": parent ? !closed : void 0,
		"aria-description": `${duration(model.duration[row])}${failed ? ", error" : ""}${below > 0 ? `, ${below} errors inside` : ""}`,
		title: `${service} · ${operation}${KINDS[model.kind[row]] ? ` (${KINDS[model.kind[row]]})` : ""}`,
		style: { paddingLeft: `${6 + indent * INDENT}px` },
		children: [
			/* @__PURE__ */ a("span", {
				class: "toggle",
				"data-toggle": parent ? "" : void 0,
				"aria-hidden": "true",
				children: parent ? closed ? "▸" : "▾" : ""
			}),
			/* @__PURE__ */ a("span", {
				class: "swatch",
				style: { background: color },
				"aria-hidden": "true"
			}),
			orphan && /* @__PURE__ */ a("span", {
				class: "gap",
				children: ["parent missing", because && ` – ${because}`]
			}),
			failed && /* @__PURE__ */ a("span", {
				class: "mark",
				"aria-hidden": "true",
				children: "!"
			}),
			below > 0 && /* @__PURE__ */ a("span", {
				class: "mark hollow",
				"data-jump": "",
				"aria-hidden": "true",
				children: below
			}),
			/* @__PURE__ */ a("bdi", {
				class: "service",
				children: service
			}),
			/* @__PURE__ */ a("bdi", {
				class: "operation",
				children: operation || "(no name)"
			})
		]
	});
}
function Axis({ zoom, marks, width, total }) {
	const scale = width / (zoom.to - zoom.from);
	return /* @__PURE__ */ a("div", {
		class: "wf-axis",
		"aria-hidden": "true",
		children: marks.map((mark) => {
			const x = (mark - zoom.from) * scale;
			return x > width - 40 && mark < total ? null : /* @__PURE__ */ a("span", {
				style: { transform: `translateX(${x}px)${x > width - 60 ? " translateX(-100%)" : ""}` },
				children: mark === 0 ? "0" : duration(mark)
			}, mark);
		})
	});
}
function Waterfall(props) {
	const { model, visible, closed, zoom, cursor, hit, critical, slots, dark, onZoom } = props;
	const rows = useVirtual(visible.length, 24);
	const canvas = T(null);
	const width = useWidth(canvas);
	const [hover, setHover] = d(-1);
	const [drag, setDrag] = d(null);
	const place = cursor < 0 ? -1 : placeOf(visible, cursor);
	const total = model.durationNs;
	const marks = width > 0 ? ticks(zoom.from, zoom.to, Math.max(2, Math.floor(width / 120))) : [];
	F(() => rows.show(place), [place, rows.height > 0]);
	F(() => {
		if (!canvas.current || width === 0) return;
		const { first, last, shift } = rows;
		const boxes = paintRows(canvas.current, width, rows.height, {
			model,
			visible,
			first,
			last,
			shift,
			zoom,
			marks,
			cursor,
			hover,
			hit,
			critical,
			slots,
			dark
		});
		const counters = window.__tracewell;
		if (counters) Object.assign(counters, {
			boxes,
			rows: last - first
		});
	});
	const latest = T({
		zoom,
		total,
		width,
		onZoom
	});
	latest.current = {
		zoom,
		total,
		width,
		onZoom
	};
	A(() => {
		const now = canvas.current;
		const wheel = (event) => {
			const { zoom: seen, total: all, width: wide, onZoom: change } = latest.current;
			const sideways = event.shiftKey ? event.deltaY || event.deltaX : Math.abs(event.deltaX) > Math.abs(event.deltaY) ? event.deltaX : 0;
			if (event.ctrlKey || event.metaKey) {
				event.preventDefault();
				const at = seen.from + event.offsetX / wide * (seen.to - seen.from);
				change(zoomAround(seen, Math.exp(Math.max(-60, Math.min(60, event.deltaY)) * .005), at, all));
			} else if (sideways !== 0) {
				event.preventDefault();
				change(panBy(seen, sideways / wide, all));
			}
		};
		now?.addEventListener("wheel", wheel, { passive: false });
		return () => now?.removeEventListener("wheel", wheel);
	}, []);
	const rowAt = (event) => visible[rows.first + Math.floor((event.offsetY + rows.shift) / 24)] ?? -1;
	const finishDrag = (event) => {
		if (drag && Math.abs(drag.x1 - drag.x0) > 4) {
			const at = (x) => zoom.from + x / width * (zoom.to - zoom.from);
			onZoom(clampZoom({
				from: at(Math.min(drag.x0, drag.x1)),
				to: at(Math.max(drag.x0, drag.x1))
			}, total));
		} else {
			const row = rowAt(event);
			if (row >= 0) props.onSelect(row);
		}
		setDrag(null);
	};
	const shown = Array.from(visible.subarray(rows.first, rows.last));
	const shallowest = shown.reduce((least, row) => Math.min(least, model.depth[row]), Number.MAX_SAFE_INTEGER);
	const base = Math.max(0, shallowest - 3);
	return /* @__PURE__ */ a("div", {
		class: "waterfall",
		children: [/* @__PURE__ */ a("div", {
			class: "wf-head",
			children: [/* @__PURE__ */ a("div", {
				class: "wf-label-head",
				children: base > 0 ? `Span, from level ${count(base + 1)}` : "Span"
			}), /* @__PURE__ */ a(Axis, {
				zoom,
				marks,
				width,
				total
			})]
		}), /* @__PURE__ */ a("div", {
			class: "wf-scroll",
			ref: rows.box,
			onScroll: rows.onScroll,
			children: /* @__PURE__ */ a("div", {
				style: { height: `${rows.spacer}px` },
				children: /* @__PURE__ */ a("div", {
					class: "wf-sticky",
					style: { height: `${rows.height}px` },
					children: [/* @__PURE__ */ a("div", {
						class: "wf-labels",
						role: "tree",
						tabIndex: 0,
						"aria-label": "Spans",
						"aria-activedescendant": place >= rows.first && place < rows.last ? `row-${visible[place]}` : void 0,
						onClick: (event) => {
							const target = event.target;
							const row = Number(target.closest("[data-row]")?.dataset.row ?? -1);
							if (row < 0) return;
							if (target.closest("[data-toggle]")) props.onToggle(row);
							else if (target.closest("[data-jump]")) props.onJumpBelow(row);
							else props.onSelect(row);
						},
						children: /* @__PURE__ */ a("div", {
							role: "presentation",
							style: { transform: `translateY(${-rows.shift}px)` },
							children: shown.map((row) => /* @__PURE__ */ a(Label, {
								model,
								row,
								closed: closed.has(row),
								indent: Math.min(INDENTS_MAX, model.depth[row] - base),
								selected: row === cursor,
								hit: hit !== null && hit[row] === 1,
								color: slotColor(slots[model.service[row]], dark)
							}, row))
						})
					}), /* @__PURE__ */ a("div", {
						class: "wf-bars",
						children: [/* @__PURE__ */ a("canvas", {
							ref: canvas,
							role: "img",
							"aria-label": "Bars of the spans over time; the list beside it has the same spans",
							style: { height: `${rows.height}px` },
							onPointerDown: (event) => {
								if (event.button !== 0) return;
								event.currentTarget.setPointerCapture(event.pointerId);
								setDrag({
									x0: event.offsetX,
									x1: event.offsetX
								});
							},
							onPointerMove: (event) => {
								if (drag) setDrag({
									...drag,
									x1: Math.max(0, Math.min(width, event.offsetX))
								});
								else setHover(rowAt(event));
							},
							onPointerLeave: () => setHover(-1),
							onPointerUp: finishDrag,
							onPointerCancel: () => setDrag(null)
						}), drag && Math.abs(drag.x1 - drag.x0) > 4 && /* @__PURE__ */ a("div", {
							class: "wf-drag",
							style: {
								left: `${Math.min(drag.x0, drag.x1)}px`,
								width: `${Math.abs(drag.x1 - drag.x0)}px`
							},
							children: duration(Math.abs(drag.x1 - drag.x0) / width * (zoom.to - zoom.from))
						})]
					})]
				})
			})
		})]
	});
}
// src/pages/trace.tsx
var VIEWS = [
	"waterfall",
	"table",
	"services",
	"typical",
	"json"
];
var VIEW_NAMES = {
	json: "JSON",
	typical: "Against typical"
};
var currentView = () => VIEWS.find((view) => view === route.value.params.get("view")) ?? "waterfall";
var viewParam = (view) => view === "waterfall" ? null : view;
/** Everything derived from the columns; made once per answer. */
function useTrace(answer) {
	const model = w(() => buildModel(answer), [answer]);
	return {
		model,
		...w(() => {
			const self = selfTimes(model);
			const counts = new Float64Array(model.services.length);
			for (let row = 0; row < model.count; row++) counts[model.service[row]]++;
			const busiest = model.services.map((_name, at) => at).sort((a, b) => counts[b] - counts[a] || (model.services[a] < model.services[b] ? -1 : 1));
			const slots = [];
			assignSlots(busiest.map((at) => model.services[at])).forEach((slot, at) => slots[busiest[at]] = slot);
			const critical = criticalPath(model);
			return {
				self,
				slots,
				cause: rootCause(model),
				critical,
				longest: longestOnPath(model, critical)
			};
		}, [model])
	};
}
/** What the keys and the mouse do; each is a change of the URL. */
function useActions(model, row, closed, zoom) {
	const select = (next, open = false) => {
		if (next < 0 || next >= model.count) return;
		setParams({
			span: spanParam(model, next),
			closed: closedParam(openTo(model, closed, next), model),
			...open ? { panel: null } : {}
		});
	};
	const fold = (next) => setParams({ closed: closedParam(next, model) });
	const setZoom = (next) => setParams({ zoom: zoomParam(next, model.durationNs) });
	const toggle = (at) => {
		const next = new Set(closed);
		if (!next.delete(at)) next.add(at);
		fold(next);
	};
	return {
		select,
		fold,
		setZoom,
		toggle,
		middle: row >= 0 && model.start[row] >= zoom.from && model.start[row] <= zoom.to ? Math.min(model.start[row] + model.duration[row] / 2, zoom.to) : (zoom.from + zoom.to) / 2
	};
}
function jump(rows, context, step, none) {
	const next = nextOf(rows, context.row, step);
	if (next < 0) return say(none);
	context.actions.select(next);
	if (rows.length === 1 && next === context.row) say("There is only this one");
}
function keysOf(context) {
	const { model, row, visible, closed, zoom, actions } = context;
	const total = model.durationNs;
	const step = (by) => actions.select(visible[Math.min(visible.length - 1, Math.max(0, (row < 0 ? -1 : placeOf(visible, row)) + by))]);
	const page = 20;
	return {
		j: () => step(1),
		k: () => step(-1),
		ArrowDown: () => step(1),
		ArrowUp: () => step(-1),
		PageDown: () => step(page),
		PageUp: () => step(-20),
		Home: () => actions.select(visible[0]),
		End: () => actions.select(visible[visible.length - 1]),
		h: () => row >= 0 && model.size[row] > 1 && !closed.has(row) ? actions.toggle(row) : row >= 0 && actions.select(model.parent[row]),
		l: () => row >= 0 && (closed.has(row) ? actions.toggle(row) : model.size[row] > 1 && actions.select(row + 1)),
		ArrowLeft: () => keysOf(context).h(new KeyboardEvent("keydown")),
		ArrowRight: () => keysOf(context).l(new KeyboardEvent("keydown")),
		H: () => {
			const all = rowsWithChildren(model);
			setParams({
				closed: closedParam(all, model),
				span: row >= 0 ? spanParam(model, visibleRows(model, all)[Math.max(0, placeOf(visibleRows(model, all), row))]) : null
			});
		},
		L: () => actions.fold(/* @__PURE__ */ new Set()),
		p: () => row >= 0 && (model.parent[row] >= 0 ? actions.select(model.parent[row]) : say("This span has no parent here")),
		e: () => jump(model.errors, context, 1, "No errors in this trace"),
		E: () => jump(model.errors, context, -1, "No errors in this trace"),
		c: () => jump(context.criticalRows, context, 1, "No critical path"),
		C: () => jump(context.criticalRows, context, -1, "No critical path"),
		o: () => jump(model.orphans, context, 1, "No orphans: every parent is here"),
		n: () => jump(context.found, context, 1, "Nothing found; f to find"),
		N: () => jump(context.found, context, -1, "Nothing found; f to find"),
		f: () => document.querySelector("#find")?.focus(),
		w: () => actions.setZoom(zoomAround(zoom, .6, actions.middle, total)),
		s: () => actions.setZoom(zoomAround(zoom, 1 / .6, actions.middle, total)),
		a: () => actions.setZoom(panBy(zoom, -.2, total)),
		d: () => actions.setZoom(panBy(zoom, .2, total)),
		z: () => row >= 0 && actions.setZoom(zoomToSpan(model.start[row], model.duration[row], total)),
		"0": () => setParams({ zoom: null }),
		Enter: () => row >= 0 && setParams({ panel: null }),
		Escape: () => setParams({ panel: "0" }),
		v: () => setParams({ view: viewParam(VIEWS[(VIEWS.indexOf(currentView()) + 1) % VIEWS.length]) }),
		x: () => setParams({ view: currentView() === "typical" ? null : "typical" }),
		y: () => void copy(address(), "link"),
		t: () => void copy(model.traceId, "trace id")
	};
}
/** For a chat or an incident's notes. Backticks keep names from being read as Markdown. */
function summary(answer, model, cause) {
	const name = (row) => `\`${`${model.services[model.service[row]]} ${model.operations[model.operation[row]]}`.replaceAll("`", "'")}\``;
	return [
		`**${answer.root >= 0 ? name(answer.root) : "root span missing"}** ${duration(answer.duration_ns)}, ${plural(answer.span_count, "span")}, ${plural(model.services.length, "service")}, ${plural(answer.error_count, "error")}, ${answer.status}`,
		`- started ${instant(answer.start_time_unix_ns, "utc", "ms")} UTC`,
		...cause >= 0 ? [`- failure began in ${name(cause)} after ${duration(model.start[cause])}`] : [],
		...answer.partial_reasons.slice(0, 5).map((reason) => `- partial: ${reason.detail}`),
		`- ${address()}`
	].join("\n");
}
/** "checkout: its process died; cart: still arriving", each once. */
function headline(reasons) {
	const said = reasons.map(({ service, parent_span_id, reason, detail }) => parent_span_id === null ? detail : becameOf({
		service,
		reason
	}));
	return [...new Set(said)].slice(0, 3).join("; ");
}
function Partial({ answer, onOrphan }) {
	const reasons = answer.partial_reasons;
	if (reasons.length === 0 && answer.warnings.length === 0 && answer.status !== "partial") return null;
	return /* @__PURE__ */ a("details", {
		class: "note warn partial-note",
		open: reasons.length > 0 || answer.status === "partial",
		children: [
			/* @__PURE__ */ a("summary", { children: [
				/* @__PURE__ */ a("strong", { children: answer.status === "partial" ? "This trace is partial" : "Remarks" }),
				" ",
				/* @__PURE__ */ a("bdi", { children: headline(reasons) })
			] }),
			/* @__PURE__ */ a("ul", { children: [
				reasons.slice(0, 5).map((reason, at) => /* @__PURE__ */ a("li", { children: [
					reason.parent_span_id !== null && /* @__PURE__ */ a($, { children: [
						"Span ",
						/* @__PURE__ */ a("code", { children: reason.parent_span_id }),
						",",
						" "
					] }),
					/* @__PURE__ */ a("bdi", { children: reason.detail }),
					reason.instance !== null && /* @__PURE__ */ a($, { children: [
						" ",
						"(",
						/* @__PURE__ */ a("code", { children: reason.instance }),
						reason.at !== null && /* @__PURE__ */ a($, { children: [", ", /* @__PURE__ */ a(When, { ns: reason.at })] }),
						")"
					] })
				] }, at)),
				reasons.length > 5 && /* @__PURE__ */ a("li", { children: [
					"and ",
					count(reasons.length - 5),
					" more"
				] }),
				answer.warnings.slice(0, 5).map((warning) => /* @__PURE__ */ a("li", { children: warning }, warning))
			] }),
			answer.missing_parents.length > 0 && /* @__PURE__ */ a("button", {
				type: "button",
				onClick: onOrphan,
				children: ["Next orphan ", /* @__PURE__ */ a("kbd", { children: "o" })]
			})
		]
	});
}
function Head({ answer, model, cause, longest, onSelect, onReload }) {
	const root = answer.root;
	const kept = keptBecause(answer.kept_because);
	const name = (row) => /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a("bdi", {
			class: "service",
			children: model.services[model.service[row]]
		}),
		" ",
		/* @__PURE__ */ a("bdi", { children: model.operations[model.operation[row]] || "(no name)" })
	] });
	return /* @__PURE__ */ a("div", {
		class: "trace-head",
		children: [/* @__PURE__ */ a("div", {
			class: "trace-title",
			children: [
				/* @__PURE__ */ a("h1", { children: root >= 0 ? name(root) : "Root span missing" }),
				/* @__PURE__ */ a(Badge, { status: answer.status }),
				/* @__PURE__ */ a("span", { class: "grow" }),
				/* @__PURE__ */ a("code", {
					class: "trace-id",
					title: "Trace ID",
					children: answer.trace_id
				}),
				/* @__PURE__ */ a(CopyButton, {
					text: answer.trace_id,
					what: "trace id",
					label: "Copy ID"
				}),
				/* @__PURE__ */ a("button", {
					type: "button",
					class: "quiet small",
					title: "Copy a link to what you see (y)",
					onClick: () => void copy(address(), "link"),
					children: "Copy link"
				}),
				/* @__PURE__ */ a("button", {
					type: "button",
					class: "quiet small",
					title: "Fetch the trace again: spans may have come since",
					onClick: onReload,
					children: "Reload"
				})
			]
		}), /* @__PURE__ */ a("div", {
			class: "trace-facts",
			children: [
				/* @__PURE__ */ a("span", { children: /* @__PURE__ */ a("b", { children: duration(answer.duration_ns) }) }),
				/* @__PURE__ */ a("span", { children: [
					/* @__PURE__ */ a("b", { children: count(answer.span_count) }),
					" ",
					answer.span_count === 1 ? "span" : "spans"
				] }),
				/* @__PURE__ */ a("span", { children: [
					/* @__PURE__ */ a("b", { children: count(model.services.length) }),
					" ",
					model.services.length === 1 ? "service" : "services"
				] }),
				/* @__PURE__ */ a("span", {
					class: answer.error_count > 0 ? "bad" : void 0,
					children: [
						/* @__PURE__ */ a("b", { children: count(answer.error_count) }),
						" ",
						answer.error_count === 1 ? "error" : "errors"
					]
				}),
				/* @__PURE__ */ a("span", { children: [
					/* @__PURE__ */ a(When, { ns: answer.start_time_unix_ns }),
					" ",
					/* @__PURE__ */ a("span", {
						class: "dim",
						children: [
							"(",
							/* @__PURE__ */ a(When, {
								ns: answer.start_time_unix_ns,
								relative: true
							}),
							")"
						]
					})
				] }),
				kept && /* @__PURE__ */ a("span", {
					title: kept.long,
					children: [answer.kept_because === null ? "Sampling: " : "Kept: ", /* @__PURE__ */ a("b", { children: kept.short })]
				}),
				cause >= 0 && /* @__PURE__ */ a("button", {
					type: "button",
					class: "cause",
					onClick: () => onSelect(cause),
					title: "The deepest failing span with no failing child",
					children: [
						/* @__PURE__ */ a("span", {
							class: "mark",
							"aria-hidden": "true",
							children: "!"
						}),
						"Failure began in ",
						name(cause)
					]
				}),
				longest && model.count > 1 && /* @__PURE__ */ a("button", {
					type: "button",
					class: "slow-part",
					onClick: () => onSelect(longest.row),
					title: "Its own time on the critical path, which the whole waited for",
					children: [
						/* @__PURE__ */ a("b", { children: duration(longest.ns) }),
						" of ",
						duration(longest.totalNs),
						" in ",
						name(longest.row)
					]
				})
			]
		})]
	});
}
function Toolbar({ hits, model, row, found }) {
	const text = route.value.params.get("find") ?? "";
	const view = currentView();
	return /* @__PURE__ */ a("div", {
		class: "toolbar",
		children: [
			/* @__PURE__ */ a("nav", {
				class: "tabs",
				"aria-label": "Views of the trace",
				children: VIEWS.map((one) => /* @__PURE__ */ a("a", {
					href: href(route.value.path, withChanges(route.value.params, { view: viewParam(one) })),
					"aria-current": one === view ? "true" : void 0,
					children: VIEW_NAMES[one] ?? `${one[0].toUpperCase()}${one.slice(1)}`
				}, one))
			}),
			/* @__PURE__ */ a("label", {
				class: "find",
				children: [/* @__PURE__ */ a("span", {
					class: "unseen",
					children: "Find by service, operation or span id"
				}), /* @__PURE__ */ a("input", {
					id: "find",
					type: "search",
					placeholder: "Find service, operation, span id  (f)",
					value: text,
					onInput: (event) => setParams({ find: event.currentTarget.value }),
					onKeyDown: (event) => {
						if (event.key !== "Enter") return;
						const next = nextOf(found, row, event.shiftKey ? -1 : 1);
						if (next >= 0) setParams({
							span: spanParam(model, next),
							closed: closedParam(openTo(model, parseClosed(route.value.params.get("closed"), model), next), model)
						});
					}
				})]
			}),
			/* @__PURE__ */ a("span", {
				class: "dim",
				role: "status",
				children: text && (hits === 0 ? "nothing found" : plural(hits, "hit"))
			}),
			/* @__PURE__ */ a("span", { class: "grow" }),
			/* @__PURE__ */ a("span", {
				class: "dim hints",
				"aria-hidden": "true",
				children: [
					/* @__PURE__ */ a("kbd", { children: "e" }),
					" next error ",
					/* @__PURE__ */ a("kbd", { children: "c" }),
					" critical path ",
					/* @__PURE__ */ a("kbd", { children: "j" }),
					/* @__PURE__ */ a("kbd", { children: "k" }),
					" move ",
					/* @__PURE__ */ a("kbd", { children: "z" }),
					" zoom ",
					/* @__PURE__ */ a("kbd", { children: "?" }),
					" keys"
				]
			})
		]
	});
}
function Loaded({ answer, onReload }) {
	const { model, self, slots, cause, critical, longest } = useTrace(answer);
	const { params } = route.value;
	const row = rowOfParam(model, params.get("span"));
	const closed = w(() => parseClosed(params.get("closed"), model), [params.get("closed"), model]);
	const visible = w(() => visibleRows(model, closed), [model, closed]);
	const text = params.get("find") ?? "";
	const found = w(() => find(model, text), [model, text]);
	const zoom = w(() => parseZoom(params.get("zoom"), model.durationNs), [params.get("zoom"), model]);
	const actions = useActions(model, row, closed, zoom);
	const context = {
		model,
		row,
		visible,
		closed,
		zoom,
		found: found.rows,
		criticalRows: critical.rows,
		actions
	};
	useKeys({
		...keysOf(context),
		Y: () => void copy(summary(answer, model, cause), "summary")
	});
	F(() => {
		if (cause >= 0 && !params.has("span")) actions.select(cause);
	}, [model]);
	A(() => {
		if (params.get("span") && row < 0) say(`No span ${params.get("span")} in this trace`);
	}, [model]);
	const view = currentView();
	const look = {
		model,
		self,
		slots,
		dark: dark()
	};
	const hit = text ? found.hit : null;
	const drawer = row >= 0 && params.get("panel") !== "0" && view !== "json" && view !== "typical";
	return /* @__PURE__ */ a($, { children: [
		/* @__PURE__ */ a(Head, {
			answer,
			model,
			cause,
			longest,
			onSelect: (to) => actions.select(to, true),
			onReload
		}),
		/* @__PURE__ */ a(Incomplete, { answer }),
		/* @__PURE__ */ a(Partial, {
			answer,
			onOrphan: () => jump(model.orphans, context, 1, "No orphans")
		}),
		/* @__PURE__ */ a(Toolbar, {
			hits: found.rows.length,
			model,
			row,
			found: found.rows
		}),
		view === "waterfall" && /* @__PURE__ */ a(Minimap, {
			model,
			visible,
			zoom,
			dark: look.dark,
			onZoom: actions.setZoom
		}),
		/* @__PURE__ */ a("div", {
			class: `trace-body${drawer ? " with-drawer" : ""}`,
			children: [
				view === "waterfall" && /* @__PURE__ */ a(Waterfall, {
					...look,
					visible,
					closed,
					zoom,
					cursor: row,
					hit,
					critical,
					onSelect: (to) => actions.select(to, true),
					onToggle: actions.toggle,
					onZoom: actions.setZoom,
					onJumpBelow: (at) => errorsBelow(model, at) > 0 && actions.select(nextOf(model.errors, at, 1), true)
				}),
				view === "table" && /* @__PURE__ */ a(TableView, {
					...look,
					hit,
					cursor: row,
					onSelect: (to) => actions.select(to, true)
				}),
				view === "services" && /* @__PURE__ */ a(ServicesView, { ...look }),
				view === "typical" && /* @__PURE__ */ a(TypicalView, { traceId: model.traceId }),
				view === "json" && /* @__PURE__ */ a(JsonView, {
					model,
					row
				}),
				drawer && /* @__PURE__ */ a(Drawer, {
					model,
					row,
					color: slotColor(slots[model.service[row]], look.dark),
					onClose: () => setParams({ panel: "0" }),
					onStale: onReload
				})
			]
		})
	] });
}
function Failed({ id, error, retry }) {
	if (error.code !== "not_found") return /* @__PURE__ */ a("div", {
		class: "page",
		children: [/* @__PURE__ */ a("div", {
			class: "page-head",
			children: /* @__PURE__ */ a("h1", { children: "This trace could not be opened" })
		}), /* @__PURE__ */ a(Problem, {
			error,
			retry
		})]
	});
	return /* @__PURE__ */ a("div", {
		class: "panel padded",
		children: [
			/* @__PURE__ */ a("h1", { children: "Trace not found" }),
			/* @__PURE__ */ a("p", { children: [
				"No span of ",
				/* @__PURE__ */ a("code", { children: id }),
				" is stored."
			] }),
			/* @__PURE__ */ a("ul", { children: [
				/* @__PURE__ */ a("li", { children: "It may still be on its way: SDKs send every few seconds." }),
				/* @__PURE__ */ a("li", { children: "It may have been sampled out by its sender, or be older than what is kept." }),
				/* @__PURE__ */ a("li", { children: "The id may be cut short: it has 32 hexadecimal digits (older Zipkin ones 16)." })
			] }),
			/* @__PURE__ */ a("button", {
				type: "button",
				onClick: retry,
				children: "Look again"
			})
		]
	});
}
function Trace({ rest }) {
	const id = (rest[0] ?? "").toLowerCase();
	const url = `/api/traces/${encodeURIComponent(id)}?view=columns`;
	const { data, error } = useGet(url, { parse: parseColumns });
	const reload = () => void refresh(url, parseColumns);
	const shown = data ? `${data.services[data.service[Math.max(0, data.root)]] ?? ""} ${data.operations[data.operation[Math.max(0, data.root)]] ?? ""}`.trim() : "";
	document.title = `${shown || id.slice(0, 16)} · Tracewell`;
	return /* @__PURE__ */ a("div", {
		class: "trace-page",
		children: data ? /* @__PURE__ */ a(Loaded, {
			answer: data,
			onReload: reload
		}) : error ? /* @__PURE__ */ a(Failed, {
			id,
			error,
			retry: reload
		}) : /* @__PURE__ */ a("p", {
			class: "loading",
			children: "Loading the trace…"
		})
	});
}
export { Trace as default };
