// src/trace/kept.ts
var REASONS = {
	error: ["error", "One of its spans failed"],
	outlier: ["outlier", "It took longer than 99 % of the traces with the same root"],
	slow_span: ["slow span", "One of its spans took far longer than its operation does"],
	too_few_samples: ["rare", "Too few like it were seen to say what is normal"],
	partial: ["partial", "Spans of it are missing"],
	pinned: ["pinned", "It was opened or shared, or an alert names it"],
	rule: ["rule", "The settings name its root"],
	diversity: ["example", "One of the few that stand for their operation and latency"],
	share: ["share", "Its id is in the share of healthy traces"],
	late_error: ["late error", "It was dropped, then a span came that failed: what had come before may be gone"],
	late_outlier: ["late outlier", "It was dropped, then a span came that took far too long: what had come before may be gone"]
};
/** Null is a trace that is not decided about; undefined is a server that keeps all. */
function keptBecause(reason) {
	if (reason === void 0) return null;
	if (reason === null) return {
		short: "not decided",
		long: "The sampler has not yet decided whether to keep it"
	};
	const [short, long] = REASONS[reason] ?? [reason.replaceAll("_", " "), "The sampler's word for why it is kept"];
	return {
		short,
		long
	};
}
export { keptBecause as t };
