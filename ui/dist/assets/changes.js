import { A as a, H as $, N as useGet, h as zone, i as count, j as refresh, m as now, r as clock } from "./index.js";
import { n as Lacking, s as ServiceLink, t as Incomplete, u as When } from "./notes.js";
// src/parts/changes.tsx
var SHOWN = 10;
var VALUES_SHOWN = 3;
/** Twelve pods of one rollout are one row, at the time of the first. */
function rowsOfChanges(changes) {
	const rows = /* @__PURE__ */ new Map();
	for (const { value, ...change } of changes) {
		const key = [
			change.service,
			change.kind,
			change.key,
			change.change
		].join("\n");
		const row = rows.get(key);
		if (row) row.values.push(value);
		else rows.set(key, {
			...change,
			values: [value]
		});
	}
	return [...rows.values()];
}
function Row({ row, own }) {
	const more = row.values.length - VALUES_SHOWN;
	return /* @__PURE__ */ a("li", { children: [/* @__PURE__ */ a("span", {
		class: "dim nowrap",
		children: /* @__PURE__ */ a(When, { ns: row.at_unix_ns })
	}), /* @__PURE__ */ a("span", { children: [!own && /* @__PURE__ */ a(ServiceLink, { service: row.service }), row.kind === "service" ? ` ${row.change}` : /* @__PURE__ */ a($, { children: [
		" ",
		/* @__PURE__ */ a("span", {
			title: row.key || void 0,
			children: row.kind
		}),
		" ",
		/* @__PURE__ */ a("bdi", {
			class: "literal",
			children: row.values.slice(0, VALUES_SHOWN).join(", ")
		}),
		more > 0 && ` and ${count(more)} more`,
		" ",
		/* @__PURE__ */ a("span", {
			class: row.change === "began" ? "warn-text" : "dim",
			children: row.change
		})
	] })] })] });
}
var urlOf = (service, at) => {
	const query = new URLSearchParams({
		...service ? { service } : {},
		...at === void 0 ? {} : { at: String(at) }
	});
	return query.size > 0 ? `/api/changes?${query}` : "/api/changes";
};
/** Without a time: now. It is asked once, not with every refresh of the page: it reads much. */
function Changes({ service, at }) {
	const url = urlOf(service, at);
	const { data, error } = useGet(url, { keep: at !== void 0 });
	const rows = data ? rowsOfChanges(data.changes) : [];
	const range = data && `${clock(data.start_unix_ns, zone.value, now.value)} to ${clock(data.end_unix_ns, zone.value, now.value)}`;
	return /* @__PURE__ */ a($, { children: [
		error && /* @__PURE__ */ a(Lacking, {
			what: "what changed",
			error,
			retry: () => void refresh(url)
		}),
		/* @__PURE__ */ a(Incomplete, { answer: data }),
		!data && !error && /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: "Looking for what changed…"
		}),
		data && rows.length === 0 && /* @__PURE__ */ a("p", {
			class: "quiet-text",
			children: [
				"No version, host or caller came or went, ",
				range,
				"."
			]
		}),
		rows.length > 0 && /* @__PURE__ */ a("ul", {
			class: "changes",
			children: [rows.slice(0, SHOWN).map((row) => /* @__PURE__ */ a(Row, {
				row,
				own: service !== void 0
			}, `${row.service} ${row.kind} ${row.key} ${row.change}`)), rows.length > SHOWN && /* @__PURE__ */ a("li", {
				class: "dim",
				children: [
					"and ",
					count(rows.length - SHOWN),
					" more"
				]
			})]
		}),
		data?.capped && /* @__PURE__ */ a("p", {
			class: "quiet-text warn-text",
			children: "There were more values than are held; some changes may be missing."
		})
	] });
}
export { Changes as t };
