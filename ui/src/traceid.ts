// Finds the trace id in whatever was pasted: an id, a traceparent, a B3 header, a log line, a URL of ours or of another tool.

export interface Pasted {
  trace: string;
  span?: string;
}

const TRACEPARENT = /(?<![0-9a-f])[0-9a-f]{2}-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(?![0-9a-f])/;
const B3 = /(?<![0-9a-f])([0-9a-f]{32}|[0-9a-f]{16})-([0-9a-f]{16})(?:-[01d])?(?![0-9a-f-])/;
const UUID = /(?<![0-9a-f])([0-9a-f]{8})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{4})-([0-9a-f]{12})(?![0-9a-f])/;
const BARE = /(?<![0-9a-z_])(?:0x)?([0-9a-f]{32}|[0-9a-f]{16})(?![0-9a-z_])/;

const isZero = (id: string): boolean => /^0*$/.test(id);

export function findTraceId(text: string): Pasted | null {
  const low = text.slice(0, 10_000).toLowerCase();
  const header = TRACEPARENT.exec(low) ?? B3.exec(low);
  if (header && !isZero(header[1])) return { trace: header[1].padStart(32, "0"), span: header[2] };
  const uuid = UUID.exec(low);
  if (uuid && !isZero(uuid.slice(1).join(""))) return { trace: uuid.slice(1).join("") };
  const bare = BARE.exec(low);
  return bare && !isZero(bare[1]) ? { trace: bare[1].padStart(32, "0") } : null;
}
