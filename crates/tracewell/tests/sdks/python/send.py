"""Traces of the OpenTelemetry SDK for Python, unmodified.

`send.py TRACES URL…` sends so many over OTLP/HTTP, the same spans to each URL, and prints their ids. The
last has two spans of a megabyte each.
"""

import os
import sys

from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import Link, SpanKind, Status, StatusCode


def send(exporters, service, note=None):
    """One trace of three spans through the whole SDK; answers its id and its spans' ids by name."""
    provider = TracerProvider(resource=Resource.create({"service.name": service, "host.id": 7}))
    for exporter in exporters:
        provider.add_span_processor(BatchSpanProcessor(exporter))
    tracer = provider.get_tracer("check", "1.0")
    ids = {}
    with tracer.start_as_current_span("POST /checkout", kind=SpanKind.SERVER) as root:
        root.set_attribute("user_id", "u-17")
        root.set_attribute("items", [1, 2, 3])
        root.set_attribute("ratio", 0.25)
        root.set_attribute("vip", True)
        if note:
            root.set_attribute("note", note)
        ids["root"] = f"{root.get_span_context().span_id:016x}"
        with tracer.start_as_current_span("charge", kind=SpanKind.CLIENT) as child:
            if note:
                child.set_attribute("note", note)
            ids["child"] = f"{child.get_span_context().span_id:016x}"
            try:
                raise ValueError("card declined: “Ω” \u0000 end")
            except ValueError as error:
                child.record_exception(error)
                child.set_status(Status(StatusCode.ERROR, "declined"))
        link = Link(root.get_span_context(), {"why": "batch"})
        with tracer.start_as_current_span("mail", kind=SpanKind.PRODUCER, links=[link]):
            pass
    trace_id = f"{root.get_span_context().trace_id:032x}"
    provider.shutdown()
    return trace_id, ids


if __name__ == "__main__":
    traces, urls = int(sys.argv[1]), sys.argv[2:]
    for number in range(traces):
        exporters = [OTLPSpanExporter(endpoint=url) for url in urls]
        note = os.urandom(500_000).hex() if number == traces - 1 else None
        print(send(exporters, f"shop-{number % 3}", note)[0])
