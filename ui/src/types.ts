// The shapes of docs/api.md, as the UI reads them.

export type Int = number | bigint;

export interface Searched {
  backend?: string;
  segments?: number;
  head_spans?: number;
  [key: string]: unknown;
}

export interface Answer {
  complete: boolean;
  incomplete_reasons?: string[];
  searched?: Searched;
}

export type TraceStatus = "ok" | "error" | "partial";

export interface ServiceCount {
  name: string;
  span_count: number;
  error_count: number;
}

export interface TraceHit {
  trace_id: string;
  root_service: string | null;
  root_operation: string | null;
  start_time_unix_ns: Int;
  duration_ms: number;
  duration_ns: Int;
  span_count: number;
  error_count: number;
  services: ServiceCount[];
  status: TraceStatus;
  matched_span_id: string | null;
  /** Absent where nobody samples, null until it is decided. */
  kept_because?: string | null;
}

export interface SearchAnswer extends Answer {
  traces: TraceHit[];
  next_cursor: string | null;
}

/** Figures of one operation in one range of time. */
export interface Figures {
  rate_per_s: number | null;
  error_rate: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

/** The figures of the same window before. */
export interface Was {
  hour?: Figures;
  day?: Figures;
  week?: Figures;
}

export interface Hotspot extends Figures {
  rank: number;
  service: string;
  operation: string;
  kind: "error" | "latency";
  /** Steady: it fails as much as before; these stand beneath what changed. */
  change: "new" | "worse" | "steady";
  /** Time beyond the normal that is charged to it, and its part of all that is charged. */
  charged_ms: number;
  share: number;
  was: Figures & Was;
  victims: { service: string; operation: string; traces: number }[];
  sample_trace_id: string | null;
  span_id: string | null;
}

/** A range that was looked at: so many of its spans, this part of all. */
export interface Looked {
  start_unix_ns: Int;
  end_unix_ns: Int;
  spans: number;
  sampled: number;
}

export interface HotspotsAnswer extends Answer {
  hotspots: Hotspot[];
  now: Looked;
  against: Looked;
}

/** Spans in steps of time and bands of duration; cells that nothing is in are left out. */
export interface HeatmapAnswer extends Answer {
  start_unix_ns: Int;
  step_ns: Int;
  steps: number;
  cells: { step: number; from_ms: number; to_ms: number; count: number; errors: number }[];
}

/** Conditions on one span, by the names of a search. */
export interface SpanQuery {
  service?: string;
  operation?: string;
  span_error?: boolean;
  min_span_duration_ms?: number;
  max_span_duration_ms?: number;
  tag?: string[];
  start?: Int;
  end?: Int;
}

export interface DifferentValue {
  key: string;
  value: string;
  /** Where the key stands; a field is what every span has. */
  source: "field" | "span" | "resource" | "scope" | "event";
  /** Spans of either set that have it. */
  a: number;
  b: number;
  score: number;
}

export interface DifferenceAnswer extends Answer {
  n_a: number;
  n_b: number;
  /** Most telling first. */
  attributes: DifferentValue[];
  /** Keys with too many values to say anything. */
  left_out: string[];
  /** The part that was counted: 1 is all, null is unknown. */
  sampled: number | null;
}

export interface NamedCount {
  name: string;
  count: number;
}

/** Failures that began in one service, with the same exception and top frames; without frames, the same message. */
export interface ErrorGroup {
  fingerprint: string;
  root_cause_service: string;
  exception_type: string;
  /** Without what varies. */
  message: string;
  /** The latest one as it came. */
  example: string;
  frames: string[];
  count: number;
  /** By equal steps of the range. */
  trend: number[];
  first_seen_unix_ns: Int;
  last_seen_unix_ns: Int;
  /** Most first. */
  operations: NamedCount[];
  versions: NamedCount[];
  services: NamedCount[];
  sample_trace_id: string | null;
  span_id: string | null;
}

/** The range that was looked at, and the part of its traces. */
export interface Ranged {
  start_unix_ns: Int;
  end_unix_ns: Int;
  sampled: number;
}

export interface ErrorsAnswer extends Answer, Ranged {
  groups: ErrorGroup[];
  /** Of all groups; the answer may have fewer. */
  group_count: number;
  /** Errors in no group, because there were too many groups. */
  other_errors: number;
}

export interface ErrorGroupAnswer extends ErrorGroup, Answer, Ranged {
  /** The latest ones, in full; null is one that has gone since. */
  samples: (Span | null)[];
}

export interface Step {
  t_unix_ns: Int;
  count: number;
  errors: number;
  p95_ms: number | null;
  /** Absent from older servers. */
  p50_ms?: number | null;
  p99_ms?: number | null;
}

export interface Red {
  rate_per_s: number | null;
  error_rate: number | null;
  request_count: number;
  error_count: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface ServiceRed extends Red {
  service: string;
  basis?: "entry_spans" | "all_spans";
  series?: Step[];
}

export interface ServicesAnswer extends Answer {
  services: string[];
  metrics: ServiceRed[];
  window_s: number;
  capped: boolean;
}

export interface OperationRed extends Red {
  operation: string;
  was?: Was;
}

export interface OperationsAnswer extends Answer {
  service: string;
  operations: string[];
  metrics: OperationRed[];
  window_s: number;
  capped: boolean;
}

export interface GraphNode {
  service: string;
  rate_per_s: number | null;
  error_rate: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
}

export interface GraphEdge {
  parent: string;
  child: string;
  call_count: number;
  error_count: number;
  rate_per_s: number;
  error_rate: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  was?: Was;
}

export interface GraphAnswer extends Answer {
  nodes: GraphNode[];
  edges: GraphEdge[];
  unjoined: { no_parent_in_window: number; over_cap: number };
  window_s: number;
}

export interface MissingParent {
  span_id: string;
  children: number;
  child_services: string[];
}

export interface PartialReason {
  service: string | null;
  parent_span_id: string | null;
  reason: "arriving" | "sdk_dropped" | "refused" | "sampled_upstream" | "instance_silent" | "uninstrumented" | "unknown";
  instance: string | null;
  at: Int | null;
  detail: string;
}

export interface ColumnsAnswer extends Answer {
  trace_id: string;
  status: TraceStatus;
  start_time_unix_ns: Int;
  duration_ns: number;
  span_count: number;
  error_count: number;
  depth: number;
  root: number;
  services: string[];
  operations: string[];
  /** 16 hex digits a row, end to end. */
  span_ids: string;
  parent: number[];
  missing_parent: Record<string, string>;
  start_ns: number[];
  duration: number[];
  service: number[];
  operation: number[];
  kind: number[];
  flags: number[];
  partial_reasons: PartialReason[];
  /** Absent where nobody samples, null until it is decided. */
  kept_because?: string | null;
  warnings: string[];
  missing_parents: MissingParent[];
}

export type Attributes = Record<string, unknown>;

export interface SpanEvent {
  time_unix_ns: Int;
  name: string;
  attributes: Attributes;
  dropped_attributes_count: number;
}

export interface SpanLink {
  trace_id: string;
  span_id: string;
  trace_state: string;
  flags: number;
  attributes: Attributes;
}

export interface Span {
  trace_id: string;
  span_id: string;
  parent_span_id: string | null;
  service_name: string;
  operation_name: string;
  start_time_unix_ns: Int;
  duration_ms: number;
  duration_ns: Int;
  status: "ok" | "error";
  status_message: string;
  kind: string;
  depth: number;
  orphan: boolean;
  tags: Attributes;
  resource: Attributes;
  scope: { name: string; version: string; attributes: Attributes } | null;
  trace_state: string;
  flags: number;
  events: SpanEvent[];
  links: SpanLink[];
  dropped_attributes_count: number;
  dropped_events_count: number;
  dropped_links_count: number;
  marks: string[];
}

export interface SpansAnswer extends Answer {
  trace_id: string;
  spans: Span[];
}

export interface StatusAnswer {
  version: string;
  started_at_unix_ns: Int;
  uptime_s: number;
  roles: string[];
  data_dir: string;
  ready: boolean;
  listeners: Record<string, string>;
  account: {
    since_start: { received: number; accepted: number; refused: number; refused_by_reason: Record<string, number> };
    log: Record<string, number>;
    balances: boolean;
  };
  ingest: { spans_per_s: number; bytes_per_s: number };
  log: { bytes: number; files: number; groups: { group: string; lag_records: number; lag_spans: number; lag_seconds: number }[] };
  store: Record<string, Int>;
  problems: string[];
}

export interface Change {
  at_unix_ns: Int;
  service: string;
  kind: "version" | "host" | "environment" | "caller" | "service";
  /** Of the resource's attribute; empty for services and callers. */
  key: string;
  value: string;
  change: "began" | "ended";
}

export interface ChangesAnswer extends Answer {
  /** By time. */
  changes: Change[];
  start_unix_ns: Int;
  end_unix_ns: Int;
  /** What was there from here on is not new. */
  before_unix_ns: Int;
  capped: boolean;
}

/** An operation's part in a trace: all its calls together. */
export interface OperationPart {
  calls: number;
  duration_ms: number;
  /** Of its own on the critical path. */
  exclusive_ms: number;
}

/** The median over the traces, and what it is in the one that is compared. */
export interface TypicalOperation extends OperationPart {
  service: string;
  operation: string;
  this: OperationPart;
}

export interface TypicalAnswer extends Answer {
  service: string;
  operation: string;
  /** So many were looked at. */
  traces: number;
  /** The one of median duration. */
  trace_id: string | null;
  duration_ms: number | null;
  operations: TypicalOperation[];
  compared: { trace_id: string; duration_ms: number } | null;
}

export interface SharesAnswer extends Answer {
  service: string;
  operation: string;
  calls: number;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
  /** The largest part of the slow calls first. */
  operations: { service: string; operation: string; share: number; p99_share: number; exclusive_ms: number }[];
  sampled: number;
}

/** What the sampler would decide now of all it has not decided about. */
export interface WhatIfAnswer extends Pick<SamplingAnswer, "kept" | "dropped" | "share" | "healthy_traces" | "healthy_kept" | "kept_spans" | "dropped_spans"> {
  error_traces: number;
  error_traces_lost_by_head_sampling: number;
}

export interface SamplingAnswer {
  enabled: boolean;
  /** Traces by reason. */
  kept: Record<string, number>;
  dropped: Record<string, number>;
  /** Of the healthy traces, the part that is kept. */
  share: number;
  healthy_traces: number;
  healthy_kept: number;
  kept_spans: number;
  dropped_spans: number;
  live_window_s: number;
  decided_through_unix_ns: Int;
  waiting: string | null;
  problems: string[];
}
