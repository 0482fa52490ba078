// What became of a span that is missing, in words that a row or a headline has room for.

import type { PartialReason } from "../types";

const REASONS: Record<PartialReason["reason"], string> = {
  arriving: "still arriving",
  sdk_dropped: "dropped by its SDK",
  refused: "refused by the collector",
  sampled_upstream: "not sampled by its caller",
  instance_silent: "its process died",
  uninstrumented: "its caller sends no spans",
  unknown: "nobody knows why",
};

/** "checkout: its process died". */
export const becameOf = ({ service, reason }: Pick<PartialReason, "service" | "reason">): string => `${service ?? "a caller"}: ${REASONS[reason]}`;
