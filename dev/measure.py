#!/usr/bin/env python3
"""Measures a Tracewell server with a load generator and prints figures as JSON, a run a line.

  measure.py BINARY LOADGEN [--runs 3] [--spans 1000000] [--what otlp_http,queries,kill]

CPU time is the server's, from its first byte until a clean stop has sealed everything: unlike wall
time it can be compared when the machine is shared. One server a run, in an empty directory.
docs/performance.md has the figures.
"""
import argparse
import http.client
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

TICK = os.sysconf("SC_CLK_TCK")
INPUTS = {
    "otlp_http": ("http://127.0.0.1:{ingest}/v1/traces", ["--format", "otlp", "--layout", "gateway"]),
    "otlp_http_service": ("http://127.0.0.1:{ingest}/v1/traces", ["--format", "otlp", "--layout", "service"]),
    "otlp_grpc": ("http://127.0.0.1:{grpc}/", ["--format", "otlp", "--grpc"]),
    "spans_json": ("http://127.0.0.1:{ingest}/v1/spans", ["--format", "spans"]),
    "zipkin": ("http://127.0.0.1:{ingest}/api/v2/spans", ["--format", "zipkin"]),
}


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


class Server:
    def __init__(self, binary, data):
        self.ports = {name: free_port() for name in ("ingest", "grpc", "query")}
        began = time.monotonic()
        self.process = subprocess.Popen(
            [binary, "start", "--data", data, "--log-level", "warn"]
            + [f"--listen-{flag}=127.0.0.1:{self.ports[name]}"
               for flag, name in (("ingest", "ingest"), ("otlp-grpc", "grpc"), ("query", "query"))],
            stdout=subprocess.DEVNULL)
        while True:
            try:
                if self.get("/api/status")["ready"]:
                    break
            except (OSError, ValueError, KeyError):
                pass
            if self.process.poll() is not None:
                sys.exit("the server did not start")
            time.sleep(0.01)
        self.started_s = time.monotonic() - began
        self.cpu_at_start = self.cpu()

    def get(self, path):
        connection = http.client.HTTPConnection("127.0.0.1", self.ports["query"], timeout=30)
        connection.request("GET", path)
        body = connection.getresponse().read()
        connection.close()
        return json.loads(body)

    def cpu(self):
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / TICK

    def settle(self):
        """Waits until every span is applied and the server rests."""
        last = None
        while True:
            account = self.get("/api/status")["account"]["log"]
            now = (account["stored"], account["in_flight"], round(self.cpu(), 1))
            if account["in_flight"] == 0 and now == last:
                return account
            last = now
            time.sleep(1)

    def stop(self, how=signal.SIGTERM):
        self.process.send_signal(how)
        _, status, used = os.wait4(self.process.pid, 0)
        self.process.returncode = status
        return used


def load(binary, server, kind, spans, *more):
    url, arguments = INPUTS[kind]
    ran = subprocess.run([binary, "run", "--url", url.format(**server.ports), "--total", str(spans), *arguments, *more],
                         capture_output=True, text=True, check=True)
    return json.loads(ran.stdout.splitlines()[-1])


def ingest(options, kind):
    data = tempfile.mkdtemp(dir=options.dir)
    server = Server(options.binary, data)
    sent = load(options.loadgen, server, kind, options.spans)
    account = server.settle()
    used = server.stop()
    disk = int(subprocess.check_output(["du", "-sb", data]).split()[0])
    shutil.rmtree(data)
    cpu = used.ru_utime + used.ru_stime - server.cpu_at_start
    return {"what": kind, "spans": sent["spans_ok"], "stored": account["stored"],
            "cpu_s_per_m": round(cpu / sent["spans_ok"] * 1e6, 2),
            "user_s": round(used.ru_utime, 2), "system_s": round(used.ru_stime, 2),
            "spans_per_s": round(sent["spans_per_s"]),
            "disk_bytes_per_span": round(disk / sent["spans_ok"], 1), "peak_rss_mb": used.ru_maxrss // 1024,
            "refused_requests": sent["non_2xx"], "answer_p50_us": sent["lat_us_p50"], "answer_p99_us": sent["lat_us_p99"]}


def times(server, paths):
    taken = []
    connection = http.client.HTTPConnection("127.0.0.1", server.ports["query"], timeout=60)
    incomplete = empty = 0
    for path in paths:
        began = time.perf_counter()
        connection.request("GET", path)
        answer = connection.getresponse()
        body = answer.read()
        taken.append((time.perf_counter() - began) * 1e3)
        incomplete += answer.getheader("Tracewell-Complete") == "false"
        empty += b'"spans":[]' in body or b'"traces":[]' in body or answer.status != 200
    taken.sort()
    at = lambda share: round(taken[int((len(taken) - 1) * share)], 2)
    return {"p50_ms": at(0.5), "p99_ms": at(0.99), "max_ms": at(1.0), "requests": len(taken), "incomplete": incomplete, "empty": empty}


def queries(options):
    data = tempfile.mkdtemp(dir=options.dir)
    server = Server(options.binary, data)
    ids = os.path.join(options.dir, "ids.tsv")
    load(options.loadgen, server, "otlp_http", options.spans, "--ids-out", ids, "--ids", "1000")
    server.settle()
    server.stop()
    server = Server(options.binary, data)
    traces = [line.split("\t") for line in open(ids, encoding="utf-8").read().splitlines()]
    roots = sorted({trace[4] for trace in traces})
    out = {"what": "queries", "spans": options.spans, "start_s": round(server.started_s, 3)}
    wants = {
        "trace": [f"/api/traces/{trace[0]}" for trace in traces],
        "columns": [f"/api/traces/{trace[0]}?view=columns" for trace in traces],
        "missing": [f"/api/traces/{random.getrandbits(128):032x}" for _ in range(300)],
        "newest": ["/api/traces?limit=20"] * 100,
        "service": [f"/api/traces?service={root}&limit=20" for root in roots] * 20,
        "service_error": [f"/api/traces?service={root}&span_error=true&limit=20" for root in roots] * 10,
        "service_error_duration": [f"/api/traces?service={root}&span_error=true&min_span_duration_ms={ms}&limit=20" for root in roots for ms in (5, 20, 50, 100)] * 5,
        "service_error_duration_tag": [f"/api/traces?service={root}&span_error=true&min_span_duration_ms=20&tag=http.status_code=503&limit=20" for root in roots] * 10,
        "slowest": ["/api/traces?order=slowest&limit=20"] * 30,
        "slowest_service": [f"/api/traces?service={root}&order=slowest&limit=20" for root in roots] * 5,
        "regex": ["/api/traces?tag=http.target~=.*9.*7.*&limit=20"] * 20,
        "regex_no_match": ["/api/traces?tag=http.target~=zzz.*q&limit=20"] * 20,
        "no_match": ["/api/traces?tag=tenant.id=nobody&limit=20"] * 50,
        "long_no_match": ["/api/traces?min_span_duration_ms=100000000&limit=20"] * 50,
        "services": ["/api/services"] * 50,
    }
    for what, paths in wants.items():
        out[what] = times(server, paths)
    out["rss_mb"] = server.stop().ru_maxrss // 1024
    shutil.rmtree(data)
    return out


def kill(options):
    data = tempfile.mkdtemp(dir=options.dir)
    server = Server(options.binary, data)
    url, arguments = INPUTS["otlp_http"]
    generator = subprocess.Popen([options.loadgen, "run", "--url", url.format(**server.ports), "--total", str(options.spans), *arguments, 
                                  "--seconds", "600"],
                                 stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True)
    while server.get("/api/status")["account"]["log"]["accepted"] < options.spans // 2:
        time.sleep(0.05)
    server.stop(signal.SIGKILL)
    told = json.loads(generator.communicate()[0].splitlines()[-1])["spans_ok"]
    log = int(subprocess.check_output(["du", "-sb", data + "/log"]).split()[0])
    server = Server(options.binary, data)
    began = time.monotonic()
    account = server.settle()
    replayed_s = time.monotonic() - began - 1
    server.stop()
    shutil.rmtree(data)
    return {"what": "kill -9", "acknowledged": told, "stored": account["stored"], "lost": max(0, told - account["stored"]),
            "log_mib": log >> 20, "ready_s": round(server.started_s, 3), "replayed_s": round(replayed_s, 1)}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("binary")
    parser.add_argument("loadgen")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--spans", type=int, default=1_000_000)
    parser.add_argument("--what", default="otlp_http,otlp_grpc,spans_json,zipkin,queries,kill")
    options = parser.parse_args()
    options.dir = tempfile.mkdtemp(prefix="tracewell-measure-")
    try:
        for what in options.what.split(","):
            for _ in range(options.runs):
                ran = {"queries": queries, "kill": kill}.get(what, lambda options: ingest(options, what))(options)
                print(json.dumps(ran), flush=True)
    finally:
        shutil.rmtree(options.dir, ignore_errors=True)


if __name__ == "__main__":
    main()
