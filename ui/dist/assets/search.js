import { A as a, B as d, C as href, E as setParams, I as A, M as request, N as useGet, R as T, T as route, _ as SINGLE, a as duration, b as parseMs, f as dark, h as zone, i as count, j as refresh, m as now, r as clock, v as apiQuery, w as navigate } from "./index.js";
import { n as LoadMore, t as usePager } from "./pager.js";
import { r as Problem, t as Incomplete } from "./notes.js";
import { t as RangePicker } from "./pickers.js";
import { t as TraceList } from "./tracelist.js";
// src/parts/scatter.tsx
var HEIGHT = 96;
var PAD = {
	left: 56,
	right: 12,
	top: 8,
	bottom: 18
};
var REACH = 14;
var msOf = (hit) => Number(BigInt(hit.start_time_unix_ns) / 1000n) / 1e3;
function place(hits, width) {
	const times = hits.map(msOf);
	const longs = hits.map((hit) => Math.log10(Math.max(1, Number(hit.duration_ns))));
	const [t0, t1] = [Math.min(...times), Math.max(...times)];
	const [low, high] = [Math.min(...longs) - .1, Math.max(...longs) + .1];
	return {
		dots: hits.map((hit, at) => ({
			hit,
			x: PAD.left + (times[at] - t0) / Math.max(1, t1 - t0) * (width - PAD.left - PAD.right),
			y: HEIGHT - PAD.bottom - (longs[at] - low) / (high - low) * (HEIGHT - PAD.top - PAD.bottom)
		})),
		t0,
		t1,
		low,
		high
	};
}
function paint(canvas, hits, isDark) {
	const width = canvas.clientWidth;
	const ratio = devicePixelRatio || 1;
	canvas.width = width * ratio;
	canvas.height = HEIGHT * ratio;
	const context = canvas.getContext("2d");
	if (!context || hits.length === 0) return [];
	context.scale(ratio, ratio);
	const { dots, t0, t1, low, high } = place(hits, width);
	context.font = "11px system-ui, sans-serif";
	context.fillStyle = isDark ? "#9aa6b5" : "#55606e";
	context.strokeStyle = isDark ? "#2a313c" : "#e1e5ea";
	context.textAlign = "right";
	for (let power = Math.ceil(low); power <= high; power++) {
		const y = HEIGHT - PAD.bottom - (power - low) / (high - low) * (HEIGHT - PAD.top - PAD.bottom);
		context.fillText(duration(10 ** power), PAD.left - 8, y + 4);
		context.beginPath();
		context.moveTo(PAD.left, y);
		context.lineTo(width - PAD.right, y);
		context.stroke();
	}
	const text = (ms) => clock(BigInt(Math.round(ms)) * 1000000n, zone.value, now.value);
	context.textAlign = "left";
	context.fillText(text(t0), PAD.left, 92);
	context.textAlign = "right";
	context.fillText(text(t1), width - PAD.right, 92);
	for (const dot of [...dots].sort((a, b) => a.hit.error_count - b.hit.error_count)) {
		const failed = dot.hit.error_count > 0;
		context.fillStyle = failed ? isDark ? "#ff7b72" : "#c0281c" : isDark ? "#4fd1c5aa" : "#0f766eaa";
		context.beginPath();
		context.arc(dot.x, dot.y, failed ? 3.5 : 3, 0, 7);
		context.fill();
	}
	return dots;
}
function Scatter({ hits }) {
	const canvas = T(null);
	const dots = T([]);
	const [over, setOver] = d(null);
	const [width, setWidth] = d(0);
	const isDark = dark();
	A(() => {
		const watcher = new ResizeObserver(() => setWidth(canvas.current?.clientWidth ?? 0));
		if (canvas.current) watcher.observe(canvas.current);
		return () => watcher.disconnect();
	}, []);
	A(() => {
		if (canvas.current) dots.current = paint(canvas.current, hits, isDark);
	}, [
		hits,
		width,
		isDark,
		zone.value
	]);
	const nearest = (event) => {
		let best = null;
		let reach = REACH;
		for (const dot of dots.current) {
			const away = Math.hypot(dot.x - event.offsetX, dot.y - event.offsetY);
			if (away < reach) [best, reach] = [dot, away];
		}
		return best;
	};
	return /* @__PURE__ */ a("div", {
		class: "scatter",
		children: [/* @__PURE__ */ a("canvas", {
			ref: canvas,
			role: "img",
			"aria-label": `${hits.length} traces by start and duration`,
			style: {
				height: `${HEIGHT}px`,
				cursor: over ? "pointer" : "default"
			},
			onMouseMove: (event) => setOver(nearest(event)),
			onMouseLeave: () => setOver(null),
			onClick: (event) => {
				const dot = nearest(event);
				if (dot) navigate(href(`/trace/${dot.hit.trace_id}`));
			}
		}), over && /* @__PURE__ */ a("span", {
			class: "tip",
			style: {
				left: `${Math.min(over.x, width - 240)}px`,
				top: `${over.y + 12}px`
			},
			children: [
				over.hit.root_service ?? "root span missing",
				" ",
				over.hit.root_operation ?? "",
				" · ",
				duration(over.hit.duration_ns)
			]
		})]
	});
}
// src/pages/search.tsx
var param = (name) => route.value.params.get(name) ?? "";
var set = (name, value) => setParams({ [name]: value.trim() || null }, "push");
function TextField({ name, label, list, placeholder }) {
	return /* @__PURE__ */ a("label", {
		class: "field",
		children: [label, /* @__PURE__ */ a("input", {
			defaultValue: param(name),
			list,
			placeholder,
			autocomplete: "off",
			spellcheck: false,
			onChange: (event) => set(name, event.currentTarget.value)
		}, param(name))]
	});
}
/** A duration with a unit; the URL and the API hold milliseconds. */
function DurationField({ name, label }) {
	const [bad, setBad] = d(false);
	return /* @__PURE__ */ a("label", {
		class: "field",
		children: [
			label,
			/* @__PURE__ */ a("input", {
				defaultValue: param(name) && `${param(name)}ms`,
				placeholder: "500ms",
				autocomplete: "off",
				"aria-invalid": bad,
				onChange: (event) => {
					const text = event.currentTarget.value.trim();
					const ms = text === "" ? null : parseMs(text);
					setBad(text !== "" && ms === null);
					if (text === "" || ms !== null) set(name, ms === null ? "" : String(ms));
				}
			}, param(name)),
			bad && /* @__PURE__ */ a("small", {
				class: "bad",
				children: "A number and a unit: 20us, 500ms, 1.5s, 2m"
			})
		]
	});
}
function ChoiceField({ name, label, choices }) {
	return /* @__PURE__ */ a("label", {
		class: "field",
		children: [label, /* @__PURE__ */ a("select", {
			value: param(name),
			onChange: (event) => set(name, event.currentTarget.value),
			children: choices.map(([value, text]) => /* @__PURE__ */ a("option", {
				value,
				children: text
			}, value))
		})]
	});
}
var DEBOUNCE_MS = 60;
/** Keys while a key is typed, `key=value` once there is a `=`; answers to older questions are dropped. */
function useTagCompletion(text) {
	const [list, setList] = d([]);
	A(() => {
		let current = true;
		const timer = setTimeout(async () => {
			const [, key, op, prefix] = /^([^=!~]+)(=|!=)(.*)$/.exec(text) ?? [];
			const query = new URLSearchParams({
				prefix: key ? prefix : text,
				limit: "20"
			});
			try {
				const answer = await request(key ? `/api/tags/${encodeURIComponent(key)}/values?${query}` : `/api/tags?${query}`);
				if (current) setList(key ? (answer.values ?? []).map((value) => `${key}${op}${value}`) : answer.keys ?? []);
			} catch {
				if (current) setList([]);
			}
		}, DEBOUNCE_MS);
		return () => (current = false, clearTimeout(timer));
	}, [text]);
	return list;
}
function Tags() {
	const tags = route.value.params.getAll("tag");
	const [text, setText] = d("");
	const [focused, setFocused] = d(false);
	const list = useTagCompletion(focused ? text : "");
	const add = () => {
		if (!text.trim()) return;
		setParams({ tag: [...tags, text.trim()] }, "push");
		setText("");
	};
	return /* @__PURE__ */ a("div", {
		class: "field",
		children: [
			/* @__PURE__ */ a("label", {
				for: "tag",
				children: "Tags"
			}),
			tags.length > 0 && /* @__PURE__ */ a("ul", {
				class: "tag-list",
				children: tags.map((tag, at) => /* @__PURE__ */ a("li", { children: [/* @__PURE__ */ a("code", { children: /* @__PURE__ */ a("bdi", { children: tag }) }), /* @__PURE__ */ a("button", {
					type: "button",
					class: "quiet small",
					"aria-label": `Remove the tag filter ${tag}`,
					onClick: () => setParams({ tag: tags.filter((_one, other) => other !== at) }, "push"),
					children: "✕"
				})] }, `${at} ${tag}`))
			}),
			/* @__PURE__ */ a("div", {
				class: "with-button",
				children: [/* @__PURE__ */ a("input", {
					id: "tag",
					value: text,
					list: "tag-completions",
					placeholder: "key=value",
					autocomplete: "off",
					spellcheck: false,
					onFocus: () => setFocused(true),
					onBlur: () => setFocused(false),
					onInput: (event) => setText(event.currentTarget.value),
					onKeyDown: (event) => event.key === "Enter" && (event.preventDefault(), add())
				}), /* @__PURE__ */ a("button", {
					type: "button",
					onClick: add,
					children: "Add"
				})]
			}),
			/* @__PURE__ */ a("small", { children: "key=value, key!=value, key~=regex, or a key alone" }),
			/* @__PURE__ */ a("datalist", {
				id: "tag-completions",
				children: list.map((one) => /* @__PURE__ */ a("option", { value: one }, one))
			})
		]
	});
}
var CLEARED = Object.fromEntries([
	...SINGLE,
	"tag",
	"from",
	"to"
].map((name) => [name, null]));
function Filters() {
	const service = param("service");
	const services = useGet("/api/services?window=5m");
	const operations = useGet(service ? `/api/services/${encodeURIComponent(service)}/operations?window=5m` : null);
	return /* @__PURE__ */ a("form", {
		class: "filters",
		"aria-label": "Filters",
		onSubmit: (event) => event.preventDefault(),
		children: [
			/* @__PURE__ */ a("fieldset", { children: [
				/* @__PURE__ */ a("legend", { children: "One span has all of" }),
				/* @__PURE__ */ a(TextField, {
					name: "service",
					label: "Service",
					list: "services",
					placeholder: "any"
				}),
				/* @__PURE__ */ a(TextField, {
					name: "operation",
					label: "Operation",
					list: "operations",
					placeholder: "any"
				}),
				/* @__PURE__ */ a(ChoiceField, {
					name: "span_error",
					label: "This span failed",
					choices: [
						["", "any"],
						["true", "yes"],
						["false", "no"]
					]
				}),
				/* @__PURE__ */ a("div", {
					class: "pair",
					children: [/* @__PURE__ */ a(DurationField, {
						name: "min_span_duration_ms",
						label: "Span at least"
					}), /* @__PURE__ */ a(DurationField, {
						name: "max_span_duration_ms",
						label: "Span at most"
					})]
				}),
				/* @__PURE__ */ a(Tags, {})
			] }),
			/* @__PURE__ */ a("fieldset", { children: [
				/* @__PURE__ */ a("legend", { children: "The whole trace has" }),
				/* @__PURE__ */ a(ChoiceField, {
					name: "error",
					label: "An error in any span",
					choices: [
						["", "any"],
						["true", "yes"],
						["false", "no, none"]
					]
				}),
				/* @__PURE__ */ a(ChoiceField, {
					name: "status",
					label: "Status",
					choices: [
						["", "any"],
						["ok", "ok"],
						["error", "error"],
						["partial", "partial"]
					]
				}),
				/* @__PURE__ */ a("div", {
					class: "pair",
					children: [/* @__PURE__ */ a(DurationField, {
						name: "min_duration_ms",
						label: "Trace at least"
					}), /* @__PURE__ */ a(DurationField, {
						name: "max_duration_ms",
						label: "Trace at most"
					})]
				})
			] }),
			/* @__PURE__ */ a("button", {
				type: "button",
				class: "quiet",
				onClick: () => setParams(CLEARED, "push"),
				children: "Clear all filters"
			}),
			/* @__PURE__ */ a("datalist", {
				id: "services",
				children: (services.data?.services ?? []).map((one) => /* @__PURE__ */ a("option", { value: one }, one))
			}),
			/* @__PURE__ */ a("datalist", {
				id: "operations",
				children: (operations.data?.operations ?? []).map((one) => /* @__PURE__ */ a("option", { value: one }, one))
			})
		]
	});
}
/** What keeps a search from finding anything, most likely first. */
function NothingFound() {
	const { params } = route.value;
	const hints = [
		params.get("from") && "The time range counts the trace's start; try All time.",
		params.get("span_error") === "true" && params.get("service") && "“This span failed” asks for an error of this very service; “An error in any span” also finds errors below it.",
		params.getAll("tag").length > 1 && "All tags must be on one and the same span.",
		params.get("operation") && "Operation names are exact."
	].filter(Boolean);
	return /* @__PURE__ */ a("div", {
		class: "quiet-text",
		children: [/* @__PURE__ */ a("p", { children: /* @__PURE__ */ a("strong", { children: "No trace matches." }) }), hints.length > 0 && /* @__PURE__ */ a("ul", { children: hints.map((hint) => /* @__PURE__ */ a("li", { children: hint }, hint)) })]
	});
}
var spanConditions = (params) => [
	"service",
	"operation",
	"min_span_duration_ms",
	"max_span_duration_ms",
	"tag"
].some((name) => params.has(name)) && params.get("error") !== "true" && params.get("span_error") !== "true";
function Search() {
	const { params } = route.value;
	const url = `/api/traces?${apiQuery(params, { limit: "50" })}`;
	const found = usePager(url);
	document.title = "Search · Tracewell";
	return /* @__PURE__ */ a("div", {
		class: "page search",
		children: [/* @__PURE__ */ a(Filters, {}), /* @__PURE__ */ a("div", {
			class: "results",
			children: [
				/* @__PURE__ */ a("div", {
					class: "page-head",
					children: [
						/* @__PURE__ */ a("h1", { children: "Search" }),
						/* @__PURE__ */ a("span", {
							class: "dim",
							role: "status",
							children: found.traces ? `${count(found.traces.length)}${found.hasMore ? "+" : ""} ${found.traces.length === 1 ? "trace" : "traces"}` : ""
						}),
						/* @__PURE__ */ a("span", { class: "grow" }),
						/* @__PURE__ */ a(RangePicker, {}),
						/* @__PURE__ */ a("label", {
							class: "field-inline",
							children: [/* @__PURE__ */ a("span", { children: "Order" }), /* @__PURE__ */ a("select", {
								value: param("order") || "newest",
								onChange: (event) => set("order", event.currentTarget.value === "newest" ? "" : event.currentTarget.value),
								children: [/* @__PURE__ */ a("option", {
									value: "newest",
									children: "newest first"
								}), /* @__PURE__ */ a("option", {
									value: "slowest",
									children: "slowest first"
								})]
							})]
						}),
						/* @__PURE__ */ a("button", {
							type: "button",
							title: "Search again",
							onClick: () => void refresh(url),
							children: "Refresh"
						})
					]
				}),
				/* @__PURE__ */ a(Problem, {
					error: found.error,
					retry: () => void refresh(url)
				}),
				/* @__PURE__ */ a(Incomplete, { answer: found.answer }),
				!found.traces && !found.error && /* @__PURE__ */ a("p", {
					class: "loading",
					children: "Searching…"
				}),
				found.traces && found.traces.length > 0 && /* @__PURE__ */ a("section", {
					class: "panel",
					children: [
						found.traces.length > 1 && /* @__PURE__ */ a(Scatter, { hits: found.traces }),
						/* @__PURE__ */ a(TraceList, {
							hits: found.traces,
							caption: "Found traces",
							toMatch: spanConditions(params),
							relative: false
						}),
						/* @__PURE__ */ a(LoadMore, { found })
					]
				}),
				found.traces?.length === 0 && /* @__PURE__ */ a("section", {
					class: "panel",
					children: /* @__PURE__ */ a(NothingFound, {})
				})
			]
		})]
	});
}
export { Search as default };
