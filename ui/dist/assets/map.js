import { A as a, C as href, D as withChanges, E as setParams, H as $, N as useGet, T as route, c as percent, i as count, j as refresh, l as plural, s as milliseconds, u as rate } from "./index.js";
import { d as serviceHref, r as Problem, s as ServiceLink, t as Incomplete } from "./notes.js";
import { t as FirstSpan } from "./firstspan.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { n as wasColumn } from "./past.js";
import { n as WindowPicker, r as currentWindow } from "./pickers.js";
import { t as SortTable } from "./sorttable.js";
// src/map/layout.ts
/** Layer of each node, cycles cut at the edge that closes them (met while its target is still open), with an own stack. */
function layersOf(names, out, roots) {
	const state = /* @__PURE__ */ new Map();
	const order = [];
	const closing = /* @__PURE__ */ new Set();
	for (const root of [...roots, ...names]) {
		if (state.has(root)) continue;
		const stack = [{
			name: root,
			next: 0
		}];
		state.set(root, 1);
		while (stack.length > 0) {
			const top = stack[stack.length - 1];
			const child = (out.get(top.name) ?? [])[top.next++];
			if (child === void 0) {
				state.set(top.name, 2);
				order.push(top.name);
				stack.pop();
			} else if (state.get(child) === 1) closing.add(`${top.name}\u0000${child}`);
			else if (!state.has(child)) {
				state.set(child, 1);
				stack.push({
					name: child,
					next: 0
				});
			}
		}
	}
	const layer = new Map(names.map((name) => [name, 0]));
	for (const name of order.reverse()) for (const child of out.get(name) ?? []) {
		if (closing.has(`${name}\u0000${child}`)) continue;
		layer.set(child, Math.max(layer.get(child) ?? 0, (layer.get(name) ?? 0) + 1));
	}
	return layer;
}
function neighbours(edges, from) {
	const to = from === "parent" ? "child" : "parent";
	const map = /* @__PURE__ */ new Map();
	for (const edge of edges) {
		if (edge.parent === edge.child) continue;
		const list = map.get(edge[from]);
		if (list) list.push(edge[to]);
		else map.set(edge[from], [edge[to]]);
	}
	return map;
}
function sweep(layers, near, centre) {
	for (const layer of layers) {
		const wanted = /* @__PURE__ */ new Map();
		for (const name of layer) {
			const others = near.get(name) ?? [];
			const sum = others.reduce((total, other) => total + (centre.get(other) ?? 0), 0);
			wanted.set(name, others.length > 0 ? sum / others.length : centre.get(name) ?? 0);
		}
		layer.sort((a, b) => (wanted.get(a) ?? 0) - (wanted.get(b) ?? 0) || (a < b ? -1 : 1));
		layer.forEach((name, place) => centre.set(name, place - (layer.length - 1) / 2));
	}
}
function layout(names, edges) {
	const sorted = [...names].sort();
	const known = new Set(sorted);
	const inside = edges.filter((edge) => known.has(edge.parent) && known.has(edge.child));
	const out = neighbours(inside, "parent");
	const into = neighbours(inside, "child");
	const layer = layersOf(sorted, out, sorted.filter((name) => !into.has(name)));
	const layers = [];
	for (const name of sorted) (layers[layer.get(name) ?? 0] ??= []).push(name);
	for (let at = 0; at < layers.length; at++) layers[at] ??= [];
	const centre = /* @__PURE__ */ new Map();
	for (const one of layers) one.forEach((name, place) => centre.set(name, place - (one.length - 1) / 2));
	for (let round = 0; round < 4; round++) {
		sweep(layers, into, centre);
		sweep([...layers].reverse(), out, centre);
	}
	const nodes = /* @__PURE__ */ new Map();
	layers.forEach((one, at) => one.forEach((name, place) => nodes.set(name, {
		name,
		layer: at,
		place
	})));
	return {
		nodes,
		layers
	};
}
/** Services within `hops` calls of `focus`, in either direction. */
function neighbourhood(focus, hops, edges) {
	const near = /* @__PURE__ */ new Set([focus]);
	for (let hop = 0; hop < hops; hop++) {
		const ring = edges.filter((edge) => near.has(edge.parent) !== near.has(edge.child));
		for (const edge of ring) near.add(edge.parent).add(edge.child);
	}
	return near;
}
// src/pages/map.tsx
var BOX = {
	w: 168,
	h: 46
};
var GAP = {
	x: 96,
	y: 20
};
var MARGIN = 12;
/** More than this at once is a picture of nothing; the worst neighbourhood is shown and the table has the rest. */
var NODES_MAX = 80;
var errorClass = (share) => !share ? "fine" : share < .01 ? "some" : share < .05 ? "more" : "most";
function positions(placed) {
	const height = Math.max(1, ...placed.layers.map((layer) => layer.length)) * (BOX.h + GAP.y) - GAP.y + 24;
	const at = /* @__PURE__ */ new Map();
	for (const node of placed.nodes.values()) {
		const used = placed.layers[node.layer].length * (BOX.h + GAP.y) - GAP.y;
		at.set(node.name, {
			x: MARGIN + node.layer * (BOX.w + GAP.x),
			y: (height - used) / 2 + node.place * (BOX.h + GAP.y)
		});
	}
	return {
		at,
		height,
		width: placed.layers.length * (BOX.w + GAP.x) - GAP.x + 24
	};
}
function curve(from, to) {
	const [x0, y0, x1, y1] = [
		from.x + BOX.w,
		from.y + BOX.h / 2,
		to.x,
		to.y + BOX.h / 2
	];
	if (x1 > x0) {
		const bend = (x1 - x0) / 2;
		return `M${x0} ${y0}C${x0 + bend} ${y0} ${x1 - bend} ${y1} ${x1 - 5} ${y1}`;
	}
	const low = Math.max(y0, y1) + BOX.h;
	return `M${x0} ${y0}C${x0 + 50} ${low} ${x1 - 50} ${low} ${x1 - 5} ${y1}`;
}
var cut = (text, length) => text.length > length ? `${text.slice(0, length - 1)}…` : text;
function Picture({ nodes, edges, focus }) {
	const { at, width, height } = positions(layout(nodes.map((node) => node.service), edges));
	const most = Math.max(.001, ...edges.map((edge) => edge.rate_per_s));
	return /* @__PURE__ */ a("div", {
		class: "map-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": "Service map",
		children: /* @__PURE__ */ a("svg", {
			width,
			height,
			viewBox: `0 0 ${width} ${height}`,
			role: "group",
			"aria-label": `${plural(nodes.length, "service")}, ${plural(edges.length, "call path")}`,
			children: [
				/* @__PURE__ */ a("defs", { children: [
					"fine",
					"some",
					"more",
					"most"
				].map((kind) => /* @__PURE__ */ a("marker", {
					id: `arrow-${kind}`,
					class: `arrow ${kind}`,
					viewBox: "0 0 8 8",
					refX: "3",
					refY: "4",
					markerWidth: "9",
					markerHeight: "9",
					markerUnits: "userSpaceOnUse",
					orient: "auto",
					children: /* @__PURE__ */ a("path", { d: "M0 0L8 4L0 8Z" })
				}, kind)) }),
				edges.map((edge) => {
					const [from, to] = [at.get(edge.parent), at.get(edge.child)];
					if (!from || !to || edge.parent === edge.child) return null;
					const kind = errorClass(edge.error_rate);
					return /* @__PURE__ */ a("path", {
						class: `edge ${kind}`,
						d: curve(from, to),
						"stroke-width": 1 + 4 * Math.sqrt(edge.rate_per_s / most),
						"marker-end": `url(#arrow-${kind})`,
						children: /* @__PURE__ */ a("title", { children: `${edge.parent} → ${edge.child}: ${rate(edge.rate_per_s)}/s, ${percent(edge.error_rate)} errors, p95 ${milliseconds(edge.p95_ms)}` })
					}, `${edge.parent}\u0000${edge.child}`);
				}),
				nodes.map((node) => {
					const place = at.get(node.service);
					if (!place) return null;
					return /* @__PURE__ */ a("g", {
						transform: `translate(${place.x} ${place.y})`,
						children: /* @__PURE__ */ a("a", {
							href: href("/map", withChanges(route.value.params, { focus: focus === node.service ? null : node.service })),
							class: `node ${errorClass(node.error_rate)} ${focus === node.service ? "focus" : ""}`,
							"data-row-link": "",
							children: [
								/* @__PURE__ */ a("title", { children: `${node.service}: ${rate(node.rate_per_s)}/s, ${percent(node.error_rate)} errors, p95 ${milliseconds(node.p95_ms)}` }),
								/* @__PURE__ */ a("rect", {
									width: BOX.w,
									height: BOX.h,
									rx: "6"
								}),
								/* @__PURE__ */ a("text", {
									x: "10",
									y: "19",
									class: "node-name",
									children: cut(node.service, 22)
								}),
								/* @__PURE__ */ a("text", {
									x: "10",
									y: "36",
									class: "node-figures",
									children: `${rate(node.rate_per_s)}/s  ${milliseconds(node.p95_ms)}`
								}),
								/* @__PURE__ */ a("text", {
									x: BOX.w - 10,
									y: "36",
									"text-anchor": "end",
									class: "node-errors",
									children: percent(node.error_rate)
								})
							]
						})
					}, node.service);
				})
			]
		})
	});
}
var COLUMNS = [
	{
		key: "parent",
		name: "Caller",
		by: (edge) => edge.parent,
		show: (edge) => /* @__PURE__ */ a(ServiceLink, { service: edge.parent })
	},
	{
		key: "child",
		name: "Callee",
		by: (edge) => edge.child,
		show: (edge) => /* @__PURE__ */ a(ServiceLink, { service: edge.child })
	},
	{
		key: "rate",
		name: "Calls/s",
		number: true,
		by: (edge) => edge.rate_per_s,
		show: (edge) => rate(edge.rate_per_s)
	},
	{
		key: "errors",
		name: "Errors",
		number: true,
		by: (edge) => edge.error_rate,
		show: (edge) => /* @__PURE__ */ a("span", {
			class: edge.error_count > 0 ? "bad" : "dim",
			children: percent(edge.error_rate)
		})
	},
	wasColumn("errors", (figures) => figures.error_rate, percent),
	{
		key: "p95",
		name: "p95",
		number: true,
		by: (edge) => edge.p95_ms,
		show: (edge) => milliseconds(edge.p95_ms)
	},
	wasColumn("p95", (figures) => figures.p95_ms, milliseconds)
];
function shown(graph, focus, hops) {
	if (focus) return {
		names: neighbourhood(focus, hops, graph.edges),
		cut: false
	};
	if (graph.nodes.length <= NODES_MAX) return {
		names: new Set(graph.nodes.map((node) => node.service)),
		cut: false
	};
	const names = /* @__PURE__ */ new Set();
	for (const edge of [...graph.edges].sort((a, b) => b.error_count - a.error_count || b.call_count - a.call_count)) {
		if (names.size > 78) break;
		names.add(edge.parent).add(edge.child);
	}
	return {
		names,
		cut: true
	};
}
function ServiceMap() {
	const { params } = route.value;
	const url = `/api/graph?window=${currentWindow()}`;
	const { data, error } = useGet(url);
	useLive([url]);
	document.title = "Map · Tracewell";
	const focus = params.get("focus") ?? "";
	const hops = Math.min(9, Math.max(1, Number(params.get("hops")) || 1));
	const view = data && shown(data, focus, hops);
	const nodes = data && view ? data.nodes.filter((node) => view.names.has(node.service)) : [];
	const edges = data && view ? data.edges.filter((edge) => view.names.has(edge.parent) && view.names.has(edge.child)) : [];
	const unjoined = data ? data.unjoined.no_parent_in_window + data.unjoined.over_cap : 0;
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("div", {
				class: "page-head",
				children: [
					/* @__PURE__ */ a("h1", { children: "Map" }),
					data && /* @__PURE__ */ a("label", {
						class: "field-inline",
						children: [/* @__PURE__ */ a("span", { children: "Around" }), /* @__PURE__ */ a("select", {
							value: focus,
							onChange: (event) => setParams({ focus: event.currentTarget.value || null }, "push"),
							children: [/* @__PURE__ */ a("option", {
								value: "",
								children: "all services"
							}), [...data.nodes].sort((a, b) => a.service < b.service ? -1 : 1).map((node) => /* @__PURE__ */ a("option", {
								value: node.service,
								children: node.service
							}, node.service))]
						})]
					}),
					focus && /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("label", {
						class: "field-inline",
						children: [/* @__PURE__ */ a("span", { children: "Hops" }), /* @__PURE__ */ a("select", {
							value: String(hops),
							onChange: (event) => setParams({ hops: event.currentTarget.value === "1" ? null : event.currentTarget.value }, "push"),
							children: [
								1,
								2,
								3,
								9
							].map((one) => /* @__PURE__ */ a("option", {
								value: String(one),
								children: one
							}, one))
						})]
					}), /* @__PURE__ */ a("a", {
						class: "button",
						href: serviceHref(focus),
						children: ["Open ", focus]
					})] }),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(WindowPicker, {}),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error,
				retry: () => void refresh(url)
			}),
			/* @__PURE__ */ a(Incomplete, { answer: data }),
			view?.cut && /* @__PURE__ */ a("div", {
				class: "note",
				children: [
					"Showing the services with the most failing and busiest calls, ",
					count(nodes.length),
					" of ",
					count(data?.nodes.length ?? 0),
					". Choose one to see all around it."
				]
			}),
			data && data.nodes.length === 0 ? /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("p", {
				class: "quiet-text",
				children: "No calls in this window."
			}), /* @__PURE__ */ a(EmptyHint, {})] }) : data && /* @__PURE__ */ a($, { children: [/* @__PURE__ */ a("section", {
				class: "panel map",
				"aria-label": "Map",
				children: [/* @__PURE__ */ a(Picture, {
					nodes,
					edges,
					focus
				}), /* @__PURE__ */ a("p", {
					class: "table-foot legend",
					children: [
						/* @__PURE__ */ a("span", {
							class: "key fine",
							children: "no errors"
						}),
						/* @__PURE__ */ a("span", {
							class: "key some",
							children: "under 1%"
						}),
						/* @__PURE__ */ a("span", {
							class: "key more",
							children: "under 5%"
						}),
						/* @__PURE__ */ a("span", {
							class: "key most",
							children: "5% and more"
						}),
						/* @__PURE__ */ a("span", {
							class: "dim",
							children: "wider: more calls. Figures: rate, p95, errors."
						}),
						unjoined > 0 && /* @__PURE__ */ a("span", {
							class: "dim",
							title: "Their caller's span did not come within the window, or the table was full",
							children: [plural(unjoined, "call"), " could not be joined to a caller"]
						})
					]
				})]
			}), /* @__PURE__ */ a("section", {
				class: "panel",
				"aria-labelledby": "calls",
				children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
					id: "calls",
					children: "Calls"
				}) }), /* @__PURE__ */ a(SortTable, {
					caption: "Calls between services",
					rows: edges,
					columns: COLUMNS,
					sort: "-errors",
					rowKey: (edge) => `${edge.parent}\u0000${edge.child}`
				})]
			})] }),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading",
				children: "Loading…"
			})
		]
	});
}
function EmptyHint() {
	return useGet("/api/services?window=5m").data?.services.length === 0 ? /* @__PURE__ */ a(FirstSpan, {}) : null;
}
export { ServiceMap as default };
