import { A as a } from "./index.js";
// src/parts/past.tsx
/** "2.3% an hour ago, 0% a day ago"; what was not stored then is left out. */
function past(was, show) {
	const { hour, day, week } = was ?? {};
	return [
		["an hour", hour],
		["a day", day],
		["a week", week]
	].flatMap(([name, figures]) => figures ? [`${show(figures)} ${name} ago`] : []).join(", ");
}
/** The column beside a figure: the same an hour ago; day and week on hover. */
function wasColumn(key, by, show) {
	const hour = (row) => row.was?.hour ? by(row.was.hour) : null;
	return {
		key: `${key}-was`,
		name: "1 h ago",
		title: "The same window an hour ago; a day and a week ago on hover",
		number: true,
		by: hour,
		show: (row) => /* @__PURE__ */ a("span", {
			class: "dim",
			title: past(row.was, (figures) => show(by(figures))),
			children: show(hour(row))
		})
	};
}
export { wasColumn as n, past as t };
