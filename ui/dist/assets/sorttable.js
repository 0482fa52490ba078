import { A as a, E as setParams, T as route } from "./index.js";
// src/parts/sorttable.tsx
function compare(a, b, sign) {
	if (a === null || b === null) return a === b ? 0 : a === null ? 1 : -1;
	return a < b ? -sign : a > b ? sign : 0;
}
function sortedRows(rows, columns, sort) {
	const sign = sort.startsWith("-") ? -1 : 1;
	const by = columns.find((column) => column.key === sort.replace(/^-/, ""))?.by;
	return by ? [...rows].sort((a, b) => compare(by(a), by(b), sign)) : rows;
}
function SortTable({ caption, rows, columns, sort: usual, rowKey, param = "sort", rowClass }) {
	const sort = route.value.params.get(param) ?? usual;
	const turn = (column) => {
		const first = column.number ? `-${column.key}` : column.key;
		const other = column.number ? column.key : `-${column.key}`;
		const next = sort === first ? other : first;
		setParams({ [param]: next === usual ? null : next });
	};
	return /* @__PURE__ */ a("div", {
		class: "table-scroll",
		tabIndex: 0,
		role: "group",
		"aria-label": caption,
		children: /* @__PURE__ */ a("table", { children: [
			/* @__PURE__ */ a("caption", {
				class: "unseen",
				children: caption
			}),
			/* @__PURE__ */ a("thead", { children: /* @__PURE__ */ a("tr", { children: columns.map((column) => {
				const state = sort.replace(/^-/, "") !== column.key ? void 0 : sort.startsWith("-") ? "descending" : "ascending";
				return /* @__PURE__ */ a("th", {
					scope: "col",
					class: column.number ? "number" : void 0,
					"aria-sort": state,
					title: column.title,
					children: column.by ? /* @__PURE__ */ a("button", {
						type: "button",
						class: "sort",
						onClick: () => turn(column),
						children: [column.name, /* @__PURE__ */ a("span", {
							"aria-hidden": "true",
							children: state === "descending" ? " ↓" : state === "ascending" ? " ↑" : ""
						})]
					}) : column.name
				}, column.key);
			}) }) }),
			/* @__PURE__ */ a("tbody", { children: sortedRows(rows, columns, sort).map((row) => /* @__PURE__ */ a("tr", {
				class: rowClass?.(row),
				children: columns.map((column) => /* @__PURE__ */ a("td", {
					class: column.number ? "number" : void 0,
					children: column.show(row)
				}, column.key))
			}, rowKey(row))) })
		] })
	});
}
export { SortTable as t };
