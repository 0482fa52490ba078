import { A as a, I as A, j as refresh, p as live } from "./index.js";
// src/parts/live.tsx
var EVERY_MS = 1e4;
function useLive(urls) {
	const on = live.value;
	A(() => {
		if (!on) return;
		const again = () => {
			if (!document.hidden) for (const url of urls) refresh(url);
		};
		const timer = setInterval(again, EVERY_MS);
		document.addEventListener("visibilitychange", again);
		return () => {
			clearInterval(timer);
			document.removeEventListener("visibilitychange", again);
		};
	}, [on, urls.join("\n")]);
}
function LiveSwitch() {
	return /* @__PURE__ */ a("button", {
		type: "button",
		class: "live",
		"aria-pressed": live.value,
		title: "Refresh this page every 10 s",
		onClick: () => live.value = !live.value,
		children: [/* @__PURE__ */ a("span", {
			class: "dot",
			"aria-hidden": "true"
		}), live.value ? "Live, 10 s" : "Paused"]
	});
}
export { useLive as n, LiveSwitch as t };
