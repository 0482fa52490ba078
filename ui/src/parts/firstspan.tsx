// The empty state: how to get the first span here, ready to copy, with this server's own addresses.
import { useGet } from "../api";
import { plural } from "../format";
import { route, setParams } from "../router";
import type { StatusAnswer } from "../types";
import { CopyButton } from "./bits";

const demoSpan = (ingest: string): string => `NOW=$(date +%s)000000000
curl -i http://${ingest}/v1/spans -H 'Content-Type: application/json' -d '[
  {"trace_id": "'$(openssl rand -hex 16)'", "span_id": "00f067aa0ba902b7", "parent_span_id": null,
   "service_name": "hello", "operation_name": "GET /", "start_time_unix_ns": '$NOW',
   "duration_ms": 12.5, "status": "ok", "tags": {"http.status_code": 200}}
]'`;

const environment = (ingest: string, service: string): string =>
  `export OTEL_EXPORTER_OTLP_ENDPOINT=http://${ingest}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\nexport OTEL_TRACES_EXPORTER=otlp\nexport OTEL_METRICS_EXPORTER=none OTEL_LOGS_EXPORTER=none\nexport OTEL_SERVICE_NAME=${service}`;

const WAYS: [string, string, (ingest: string) => string][] = [
  ["demo", "Demo data", (ingest) => `tracewell demo --to http://${ingest}`],
  ["curl", "curl", demoSpan],
  ["python", "Python", (ingest) => `pip install opentelemetry-distro opentelemetry-exporter-otlp\nopentelemetry-bootstrap -a install\n${environment(ingest, "my-service")}\nopentelemetry-instrument python app.py`],
  ["node", "Node.js", (ingest) => `npm install @opentelemetry/api @opentelemetry/auto-instrumentations-node\n${environment(ingest, "my-service")}\nnode --require @opentelemetry/auto-instrumentations-node/register app.js`],
  ["java", "Java", (ingest) => `# opentelemetry-javaagent.jar: from the releases of opentelemetry-java-instrumentation\n${environment(ingest, "my-service")}\njava -javaagent:opentelemetry-javaagent.jar -jar app.jar`],
];

export function FirstSpan() {
  const status = useGet<StatusAnswer>("/api/status").data;
  const ingest = status?.listeners?.ingest ?? "127.0.0.1:4318";
  const grpc = status?.listeners?.otlp_grpc ?? "127.0.0.1:4317";
  const chosen = WAYS.find(([key]) => key === route.value.params.get("send")) ?? WAYS[0];
  const text = chosen[2](ingest);
  const refused = status?.account.since_start.refused ?? 0;
  return (
    <section class="panel first-span" aria-labelledby="first-span-title">
      <h2 id="first-span-title">No spans yet. Send the first one.</h2>
      {refused > 0 && (
        <p class="note warn">
          Spans do arrive: {plural(refused, "span was", "spans were")} refused, because of{" "}
          <bdi>{Object.keys(status?.account.since_start.refused_by_reason ?? {}).join(", ")}</bdi>. <a href="/status">Status says more</a>.
        </p>
      )}
      <p class="dim">
        Tracewell listens for OTLP over HTTP on <code>{ingest}</code> and over gRPC on <code>{grpc}</code>. Spans show up here within a second.
      </p>
      <div class="tabs" role="group" aria-label="Ways to send spans">
        {WAYS.map(([key, name]) => (
          <button key={key} type="button" aria-pressed={key === chosen[0]} onClick={() => setParams({ send: key === "demo" ? null : key })}>
            {name}
          </button>
        ))}
      </div>
      <div class="snippet">
        <pre tabIndex={0} aria-label={`Commands: ${chosen[1]}`}>
          {text}
        </pre>
        <CopyButton text={text} what="commands" />
      </div>
    </section>
  );
}
