import { A as a, B as d, H as $, N as useGet, a as duration, c as percent, i as count, j as refresh, l as plural, n as bytes, u as rate } from "./index.js";
import { a as CopyButton, n as Lacking, r as Problem, u as When } from "./notes.js";
import { n as useLive, t as LiveSwitch } from "./live.js";
import { t as keptBecause } from "./kept.js";
// src/parts/rows.tsx
function Rows({ rows }) {
	return /* @__PURE__ */ a("dl", {
		class: "rows",
		children: rows.map(([name, value, kind]) => /* @__PURE__ */ a("div", {
			class: kind,
			children: [/* @__PURE__ */ a("dt", { children: name }), /* @__PURE__ */ a("dd", { children: value })]
		}, name))
	});
}
// src/parts/sampling.tsx
var SAMPLING = "/api/sampling";
var WHAT_IF = "/api/sampling/what-if";
var DROPPED = {
	healthy: "healthy, not in the share",
	share_used_up: "healthy, the share was used up"
};
var total = (counts) => Object.values(counts).reduce((sum, one) => sum + one, 0);
var inner = (counts, name) => Object.entries(counts).sort((a, b) => b[1] - a[1]).map(([reason, traces]) => [
	name(reason),
	count(traces),
	"inner"
]);
function Decided({ kept, dropped }) {
	return /* @__PURE__ */ a(Rows, { rows: [
		[
			"kept",
			count(total(kept)),
			"total"
		],
		...inner(kept, (reason) => keptBecause(reason)?.short ?? reason),
		[
			"dropped",
			count(total(dropped)),
			"total"
		],
		...inner(dropped, (reason) => DROPPED[reason] ?? reason.replaceAll("_", " "))
	] });
}
var spansAndShare = (answer) => [
	[
		"healthy traces kept",
		`${count(answer.healthy_kept)} of ${count(answer.healthy_traces)}, ${percent(answer.share)}`,
		"total"
	],
	["spans kept", count(answer.kept_spans)],
	["spans dropped", count(answer.dropped_spans)]
];
function Books({ answer }) {
	return /* @__PURE__ */ a("div", {
		class: "columns-even",
		children: [/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h3", { children: "Traces, decided once each" }), /* @__PURE__ */ a(Decided, {
			kept: answer.kept,
			dropped: answer.dropped
		})] }), /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h3", { children: "Share and window" }), /* @__PURE__ */ a(Rows, { rows: [
			...spansAndShare(answer),
			["everything is there for", duration(answer.live_window_s * 1e9)],
			["decided up to", answer.decided_through_unix_ns ? /* @__PURE__ */ a(When, {
				ns: answer.decided_through_unix_ns,
				relative: true
			}) : "nothing yet"],
			...answer.waiting ? [[
				"waits",
				answer.waiting,
				"warn-text"
			]] : []
		] })] })]
	});
}
/** Asked for only when wanted: it decides about every trace of the live window. */
function WhatIf() {
	const [wanted, setWanted] = d(false);
	const { data, error } = useGet(wanted ? WHAT_IF : null);
	if (!wanted) return /* @__PURE__ */ a("p", {
		class: "quiet-text",
		children: /* @__PURE__ */ a("button", {
			type: "button",
			onClick: () => setWanted(true),
			children: "What would be kept now?"
		})
	});
	if (error) return /* @__PURE__ */ a(Lacking, {
		what: "what-if",
		error,
		retry: () => void refresh(WHAT_IF)
	});
	if (!data) return /* @__PURE__ */ a("p", {
		class: "loading",
		children: "Loading…"
	});
	return /* @__PURE__ */ a("div", {
		class: "columns-even",
		children: [/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h3", { children: "Of the traces that are not decided yet" }), /* @__PURE__ */ a(Decided, {
			kept: data.kept,
			dropped: data.dropped
		})] }), /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h3", { children: "What that comes to" }), /* @__PURE__ */ a(Rows, { rows: [
			...spansAndShare(data),
			[
				"traces with an error, all kept",
				count(data.error_traces),
				"total"
			],
			[
				"of them sampling at the head would have lost",
				count(data.error_traces_lost_by_head_sampling),
				data.error_traces_lost_by_head_sampling > 0 ? "warn-text" : void 0
			]
		] })] })]
	});
}
function Sampling() {
	const { data, error } = useGet(SAMPLING);
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "sampling",
		children: [
			/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
				id: "sampling",
				children: "Sampling"
			}), data && /* @__PURE__ */ a("span", {
				class: `badge ${data.enabled ? "ok" : "off"}`,
				children: data.enabled ? "On" : "Off"
			})] }),
			error && /* @__PURE__ */ a(Lacking, {
				what: "sampling",
				error,
				retry: () => void refresh("/api/sampling")
			}),
			data?.problems.map((problem) => /* @__PURE__ */ a("p", {
				class: "quiet-text warn-text",
				children: problem
			}, problem)),
			data && !data.enabled && /* @__PURE__ */ a("p", {
				class: "quiet-text",
				children: "Every trace is kept until its retention ends."
			}),
			data?.enabled && /* @__PURE__ */ a(Books, { answer: data }),
			data && /* @__PURE__ */ a(WhatIf, {}),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading",
				children: "Loading…"
			})
		]
	});
}
// src/pages/status.tsx
var URL = "/api/status";
/** received = accepted + refused; accepted = stored + duplicate + …: each line is a sum a reader can check. */
function Account({ account }) {
	const { since_start: since, log } = account;
	const reasons = Object.entries(since.refused_by_reason ?? {});
	const parts = Object.entries(log).filter(([name]) => name !== "accepted" && name !== "expired" && name !== "erased");
	const left = Object.entries(log).filter(([name]) => name === "expired" || name === "erased");
	const sum = parts.reduce((total, [, value]) => total + value, 0);
	const name = (key) => key.replaceAll("_", " ");
	const reading = since.received - since.accepted - since.refused;
	const moving = !account.balances && reading > 0 && sum === log.accepted;
	const [verdict, kind] = account.balances ? ["Balances", "ok"] : moving ? ["Balances but for what is being read", "partial"] : ["Does not balance", "error"];
	return /* @__PURE__ */ a("section", {
		class: "panel",
		"aria-labelledby": "account",
		children: [/* @__PURE__ */ a("header", { children: [/* @__PURE__ */ a("h2", {
			id: "account",
			children: "The account of every span"
		}), /* @__PURE__ */ a("span", {
			class: `badge ${kind}`,
			children: verdict
		})] }), /* @__PURE__ */ a("div", {
			class: "columns-even",
			children: [/* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h3", { children: "At the door, since start" }), /* @__PURE__ */ a(Rows, { rows: [
				[
					"received",
					count(since.received),
					"total"
				],
				["accepted", count(since.accepted)],
				[
					"refused",
					count(since.refused),
					since.refused > 0 ? "warn-text" : void 0
				],
				...moving ? [["being read", count(reading)]] : [],
				...reasons.map(([reason, value]) => [
					`because of ${name(reason)}`,
					count(value),
					"inner"
				])
			] })] }), /* @__PURE__ */ a("div", { children: [/* @__PURE__ */ a("h3", { children: "In the log, over all restarts" }), /* @__PURE__ */ a(Rows, { rows: [
				[
					"accepted",
					count(log.accepted),
					"total"
				],
				...parts.map(([key, value]) => [
					name(key),
					count(value),
					key === "dead_lettered" && value > 0 ? "bad" : void 0
				]),
				[
					"together",
					count(sum),
					sum === log.accepted ? "total" : "total warn-text"
				],
				...left.map(([key, value]) => [
					`${name(key)}, since stored`,
					count(value),
					"inner"
				])
			] })] })]
		})]
	});
}
var STORE_NAMES = {
	head_spans: "spans in memory",
	segments: "segments",
	segment_spans: "spans in segments",
	disk_bytes: "on disk",
	damaged_blocks: "damaged blocks",
	oldest_unix_ns: "oldest span"
};
function storeValue(key, value) {
	if (key.endsWith("_unix_ns")) return Number(value) > 0 ? /* @__PURE__ */ a(When, {
		ns: value,
		relative: true
	}) : "–";
	return key.endsWith("_bytes") ? bytes(value) : count(value);
}
function Status() {
	const { data, error } = useGet(URL);
	useLive([URL, SAMPLING]);
	document.title = "Status · Tracewell";
	return /* @__PURE__ */ a("div", {
		class: "page",
		children: [
			/* @__PURE__ */ a("div", {
				class: "page-head",
				children: [
					/* @__PURE__ */ a("h1", { children: "Status" }),
					data && /* @__PURE__ */ a("span", {
						class: `badge ${data.ready ? "ok" : "partial"}`,
						children: data.ready ? "Ready" : "Not ready"
					}),
					/* @__PURE__ */ a("span", { class: "grow" }),
					/* @__PURE__ */ a(LiveSwitch, {})
				]
			}),
			/* @__PURE__ */ a(Problem, {
				error,
				retry: () => void refresh(URL)
			}),
			!data && !error && /* @__PURE__ */ a("p", {
				class: "loading",
				children: "Loading…"
			}),
			data && /* @__PURE__ */ a($, { children: [
				data.problems.length > 0 ? /* @__PURE__ */ a("div", {
					class: "note warn",
					role: "status",
					children: [/* @__PURE__ */ a("strong", { children: "To look at" }), /* @__PURE__ */ a("ul", { children: data.problems.map((problem) => /* @__PURE__ */ a("li", { children: problem }, problem)) })]
				}) : /* @__PURE__ */ a("div", {
					class: "note good",
					role: "status",
					children: "Nothing an operator should look at."
				}),
				/* @__PURE__ */ a(Account, { account: data.account }),
				/* @__PURE__ */ a("div", {
					class: "columns-even",
					children: [/* @__PURE__ */ a("section", {
						class: "panel",
						"aria-labelledby": "log",
						children: [
							/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
								id: "log",
								children: "Ingest and log"
							}) }),
							/* @__PURE__ */ a(Rows, { rows: [
								["spans per second", rate(data.ingest.spans_per_s)],
								["per second", `${bytes(Math.round(data.ingest.bytes_per_s))}/s`],
								["log", `${bytes(data.log.bytes)} in ${plural(data.log.files, "file")}`]
							] }),
							/* @__PURE__ */ a("table", { children: [
								/* @__PURE__ */ a("caption", {
									class: "unseen",
									children: "How far the groups are behind the log"
								}),
								/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: [
									/* @__PURE__ */ a("th", {
										scope: "col",
										children: "Group"
									}),
									/* @__PURE__ */ a("th", {
										scope: "col",
										class: "number",
										children: "Records behind"
									}),
									/* @__PURE__ */ a("th", {
										scope: "col",
										class: "number",
										children: "Spans behind"
									}),
									/* @__PURE__ */ a("th", {
										scope: "col",
										class: "number",
										children: "Time behind"
									})
								] }) }),
								/* @__PURE__ */ a("tbody", { children: data.log.groups.map((group) => /* @__PURE__ */ a("tr", { children: [
									/* @__PURE__ */ a("td", { children: group.group }),
									/* @__PURE__ */ a("td", {
										class: "number",
										children: count(group.lag_records)
									}),
									/* @__PURE__ */ a("td", {
										class: "number",
										children: count(group.lag_spans)
									}),
									/* @__PURE__ */ a("td", {
										class: group.lag_seconds > 10 ? "number warn-text" : "number",
										children: [group.lag_seconds.toFixed(1), " s"]
									})
								] }, group.group)) })
							] })
						]
					}), /* @__PURE__ */ a("section", {
						class: "panel",
						"aria-labelledby": "store",
						children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
							id: "store",
							children: "Store"
						}) }), /* @__PURE__ */ a(Rows, { rows: Object.entries(data.store).map(([key, value]) => [
							STORE_NAMES[key] ?? key.replaceAll("_", " "),
							storeValue(key, value),
							key === "damaged_blocks" && Number(value) > 0 ? "bad" : void 0
						]) })]
					})]
				}),
				/* @__PURE__ */ a(Sampling, {}),
				/* @__PURE__ */ a("section", {
					class: "panel",
					"aria-labelledby": "server",
					children: [/* @__PURE__ */ a("header", { children: /* @__PURE__ */ a("h2", {
						id: "server",
						children: "Server"
					}) }), /* @__PURE__ */ a(Rows, { rows: [
						["version", data.version],
						["up for", duration(data.uptime_s * 1e9)],
						["roles", data.roles.join(", ")],
						["data directory", /* @__PURE__ */ a("code", { children: data.data_dir }, "dir")],
						...Object.entries(data.listeners).map(([name, address]) => [`${name.replaceAll("_", " ")} listens on`, /* @__PURE__ */ a("span", { children: [
							/* @__PURE__ */ a("code", { children: address }),
							" ",
							/* @__PURE__ */ a(CopyButton, {
								text: address,
								what: `address of ${name}`
							})
						] }, name)])
					] })]
				})
			] })
		]
	});
}
export { Status as default };
