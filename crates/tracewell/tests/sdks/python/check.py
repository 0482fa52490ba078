"""The OpenTelemetry SDK for Python, unmodified, over gRPC and over HTTP: what it sends is found.

Starts the binary named by TRACEWELL_BIN on free ports. Prints one `test result:` line, as cargo does.
"""

import json
import os
import pathlib
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

from opentelemetry.exporter.otlp.proto.grpc.trace_exporter import OTLPSpanExporter as GrpcExporter
from opentelemetry.exporter.otlp.proto.http import Compression
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter as HttpExporter

from send import send


class Server:
    def __init__(self):
        self.directory = tempfile.TemporaryDirectory(prefix="tracewell-sdk-")
        anywhere = "127.0.0.1:0"
        self.process = subprocess.Popen(
            [
                os.environ["TRACEWELL_BIN"], "start", "--data", self.directory.name,
                "--listen-ingest", anywhere, "--listen-otlp-grpc", anywhere,
                "--listen-query", anywhere, "--listen-admin", anywhere, "--log-level", "warn",
            ]
        )
        path = pathlib.Path(self.directory.name) / "addresses.json"
        for _ in range(600):
            if path.exists():
                self.addresses = json.loads(path.read_text())
                return
            time.sleep(0.1)
        raise SystemExit("the server was not ready within a minute")

    def get(self, path):
        with urllib.request.urlopen(f"http://{self.addresses['query']}{path}") as answer:
            return json.load(answer)

    def eventually(self, path):
        """An acknowledged span is found within a second; a slow machine gets more."""
        for _ in range(100):
            try:
                return self.get(path)
            except urllib.error.HTTPError as error:
                if error.code != 404:
                    raise
            time.sleep(0.1)
        raise AssertionError(f"{path} was not found")

    def stop(self):
        self.process.terminate()
        code = self.process.wait(timeout=60)
        assert code == 0, f"the server ended with {code}"
        self.directory.cleanup()


def check(server, trace_id, ids, service):
    trace = server.eventually(f"/api/traces/{trace_id}")
    assert trace["status"] == "error", trace["status"]
    assert trace["span_count"] == 3 and trace["error_count"] == 1
    assert trace["orphans"] == [] and trace["complete"] is True
    assert trace["root_span"]["span_id"] == ids["root"]
    spans = {span["operation_name"]: span for span in trace["spans"]}
    root, child, mail = spans["POST /checkout"], spans["charge"], spans["mail"]
    assert root["service_name"] == service and root["parent_span_id"] is None
    assert root["tags"] == {"user_id": "u-17", "items": [1, 2, 3], "ratio": 0.25, "vip": True}
    assert root["resource"]["host.id"] == 7
    assert root["kind"] == "server" and child["kind"] == "client" and mail["kind"] == "producer"
    assert child["parent_span_id"] == ids["root"]
    assert child["status"] == "error" and child["status_message"] == "declined"
    event = child["events"][0]
    assert event["name"] == "exception"
    assert event["attributes"]["exception.message"] == "card declined: “Ω” \u0000 end"
    assert "ValueError" in event["attributes"]["exception.stacktrace"]
    assert mail["links"][0]["span_id"] == ids["root"]
    assert mail["links"][0]["attributes"] == {"why": "batch"}
    assert root["scope"] == {"name": "check", "version": "1.0", "attributes": {}}

    tag = urllib.parse.quote("exception.type=ValueError")
    found = server.get(f"/api/traces?service={service}&span_error=true&tag={tag}")
    assert [hit["trace_id"] for hit in found["traces"]] == [trace_id], found
    assert found["traces"][0]["matched_span_id"] == ids["child"]
    assert service in server.get("/api/services")["services"]
    assert "charge" in server.get(f"/api/services/{service}/operations")["operations"]


def main():
    server = Server()
    ingest, grpc = server.addresses["ingest"], server.addresses["otlp_grpc"]
    url = f"http://{ingest}/v1/traces"
    exporters = {
        "python-http": lambda: HttpExporter(endpoint=url),
        "python-http-gzip": lambda: HttpExporter(endpoint=url, compression=Compression.Gzip),
        "python-grpc": lambda: GrpcExporter(endpoint=f"http://{grpc}", insecure=True),
    }
    passed, failed = 0, 0
    for service, exporter in exporters.items():
        try:
            trace_id, ids = send([exporter()], service)
            check(server, trace_id, ids, service)
            passed += 1
            print(f"test {service} ... ok")
        except Exception as error:  # every exporter gets its turn
            failed += 1
            print(f"test {service} ... FAILED: {type(error).__name__}: {error}")
    server.stop()
    outcome = "FAILED" if failed else "ok"
    print(f"test result: {outcome}. {passed} passed; {failed} failed; 0 ignored")
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
