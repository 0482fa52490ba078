import { A as a, E as setParams, N as useGet, T as route, l as plural } from "./index.js";
import { a as CopyButton } from "./notes.js";
// src/parts/firstspan.tsx
var demoSpan = (ingest) => `NOW=$(date +%s)000000000
curl -i http://${ingest}/v1/spans -H 'Content-Type: application/json' -d '[
  {"trace_id": "'$(openssl rand -hex 16)'", "span_id": "00f067aa0ba902b7", "parent_span_id": null,
   "service_name": "hello", "operation_name": "GET /", "start_time_unix_ns": '$NOW',
   "duration_ms": 12.5, "status": "ok", "tags": {"http.status_code": 200}}
]'`;
var environment = (ingest, service) => `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${ingest}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_TRACES_EXPORTER=otlp\nexport OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none\nexport OTEL_SERVICE_NAME=${service}`;
var WAYS = [
	[
		"demo",
		"Demo data",
		(ingest) => `tracewell demo --to http://${ingest}`
	],
	[
		"curl",
		"curl",
		demoSpan
	],
	[
		"python",
		"Python",
		(ingest) => `pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\n${environment(ingest, "my-service")}\nopentelemetry-instrument python app.py`
	],
	[
		"node",
		"Node.js",
		(ingest) => `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n${environment(ingest, "my-service")}\nnode --require @opentelemetry/auto-instrumentations-node/register app.js`
	],
	[
		"java",
		"Java",
		(ingest) => `# opentelemetry-javaagent.jar: from the releases of opentelemetry-java-instrumentation\n${environment(ingest, "my-service")}\njava -javaagent:opentelemetry-javaagent.jar -jar app.jar`
	]
];
function FirstSpan() {
	const status = useGet("/api/status").data;
	const ingest = status?.listeners?.ingest ?? "127.0.0.1:4318";
	const grpc = status?.listeners?.otlp_grpc ?? "127.0.0.1:4317";
	const chosen = WAYS.find(([key]) => key === route.value.params.get("send")) ?? WAYS[0];
	const text = chosen[2](ingest);
	const refused = status?.account.since_start.refused ?? 0;
	return /* @__PURE__ */ a("section", {
		class: "panel first-span",
		"aria-labelledby": "first-span-title",
		children: [
			/* @__PURE__ */ a("h2", {
				id: "first-span-title",
				children: "No spans yet. Send the first one."
			}),
			refused > 0 && /* @__PURE__ */ a("p", {
				class: "note warn",
				children: [
					"Spans do arrive: ",
					plural(refused, "span was", "spans were"),
					" refused, because of",
					" ",
					/* @__PURE__ */ a("bdi", { children: Object.keys(status?.account.since_start.refused_by_reason ?? {}).join(", ") }),
					". ",
					/* @__PURE__ */ a("a", {
						href: "/status",
						children: "Status says more"
					}),
					"."
				]
			}),
			/* @__PURE__ */ a("p", {
				class: "dim",
				children: [
					"Tracewell listens for OTLP over HTTP on ",
					/* @__PURE__ */ a("code", { children: ingest }),
					" and over gRPC on ",
					/* @__PURE__ */ a("code", { children: grpc }),
					". Spans show up here within a second."
				]
			}),
			/* @__PURE__ */ a("div", {
				class: "tabs",
				role: "group",
				"aria-label": "Ways to send spans",
				children: WAYS.map(([key, name]) => /* @__PURE__ */ a("button", {
					type: "button",
					"aria-pressed": key === chosen[0],
					onClick: () => setParams({ send: key === "demo" ? null : key }),
					children: name
				}, key))
			}),
			/* @__PURE__ */ a("div", {
				class: "snippet",
				children: [/* @__PURE__ */ a("pre", {
					tabIndex: 0,
					"aria-label": `Commands: ${chosen[1]}`,
					children: text
				}), /* @__PURE__ */ a(CopyButton, {
					text,
					what: "commands"
				})]
			})
		]
	});
}
export { FirstSpan as t };
