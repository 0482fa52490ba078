// OTLP JSON → the spans of /v1/spans; as much of it as the browser tests send.

const KINDS = ["unspecified", "internal", "server", "client", "producer", "consumer"];

function value(any = {}) {
  if ("intValue" in any) return BigInt(any.intValue);
  if ("arrayValue" in any) return (any.arrayValue.values ?? []).map(value);
  if ("kvlistValue" in any) return attributes(any.kvlistValue.values);
  if ("bytesValue" in any) return { bytes: any.bytesValue };
  return any.stringValue ?? any.boolValue ?? any.doubleValue ?? null;
}

const attributes = (list = []) => Object.fromEntries(list.map((one) => [one.key, value(one.value)]));

export function fromOtlp(body) {
  return (body.resourceSpans ?? []).flatMap((rs) => {
    const resource = attributes(rs.resource?.attributes);
    return (rs.scopeSpans ?? []).flatMap((ss) => (ss.spans ?? []).map((span) => spanOf(span, resource, ss.scope)));
  });
}

function spanOf(span, resource, scope) {
  return {
    trace_id: span.traceId.toLowerCase(),
    span_id: span.spanId.toLowerCase(),
    parent_span_id: span.parentSpanId?.toLowerCase() || null,
    service_name: resource["service.name"] ?? "unknown_service",
    operation_name: span.name ?? "",
    start_time_unix_ns: BigInt(span.startTimeUnixNano),
    duration_ns: Number(BigInt(span.endTimeUnixNano) - BigInt(span.startTimeUnixNano)),
    status: span.status?.code === 2 || span.status?.code === "STATUS_CODE_ERROR" ? "error" : "ok",
    status_message: span.status?.message ?? "",
    kind: typeof span.kind === "number" ? KINDS[span.kind] : (span.kind ?? "unspecified").replace("SPAN_KIND_", "").toLowerCase(),
    tags: attributes(span.attributes),
    resource,
    scope: { name: scope?.name ?? "", version: scope?.version ?? "", attributes: attributes(scope?.attributes) },
    trace_state: span.traceState ?? "",
    events: (span.events ?? []).map((event) => ({
      time_unix_ns: BigInt(event.timeUnixNano ?? 0),
      name: event.name,
      attributes: attributes(event.attributes),
      dropped_attributes_count: 0,
    })),
    links: (span.links ?? []).map((link) => ({
      trace_id: link.traceId,
      span_id: link.spanId,
      trace_state: link.traceState ?? "",
      flags: 0,
      attributes: attributes(link.attributes),
    })),
  };
}
