// Fetching: one small cache on signals. A trace never changes once it is whole, so its answers are kept; the rest is refreshed.
import { signal, type Signal } from "@preact/signals";
import { useEffect } from "preact/hooks";
import { parseExact } from "./json";

export class ApiError extends Error {
  constructor(
    readonly status: number,
    readonly code: string,
    message: string,
    readonly parameter?: string,
  ) {
    super(message);
  }

  /** An older server, that has no such endpoint: the page does without. */
  get isAbsent(): boolean {
    return this.status === 404 && /no such endpoint/.test(this.message);
  }
}

export interface Fetched<T> {
  data?: T;
  error?: ApiError;
  loading: boolean;
  /** When `data` came, in milliseconds of the browser's clock. */
  at: number;
}

const KEPT = 60;
const cache = new Map<string, Signal<Fetched<unknown>>>();

/** Counted for the tests' gates (`?debug`). */
export const requests: string[] = [];

async function failureOf(response: Response): Promise<ApiError> {
  const text = await response.text().catch(() => "");
  try {
    const { error } = JSON.parse(text) as { error: { code: string; message: string; parameter?: string } };
    return new ApiError(response.status, error.code, error.message, error.parameter);
  } catch {
    return new ApiError(response.status, "internal", `the server answered ${response.status} ${response.statusText}`.trim());
  }
}

/** One request; `parse` is JSON.parse for large answers whose big integers the caller knows. A body makes it a POST. */
export async function request<T>(url: string, parse: (text: string) => unknown = parseExact, body?: string): Promise<T> {
  requests.push(url);
  let response: Response;
  const asked: RequestInit = body === undefined ? {} : { method: "POST", body };
  try {
    response = await fetch(url, { ...asked, headers: { accept: "application/json", ...(body === undefined ? {} : { "content-type": "application/json" }) } });
  } catch {
    throw new ApiError(0, "unreachable", "the server does not answer; is it running?");
  }
  if (!response.ok) throw await failureOf(response);
  try {
    return parse(await response.text()) as T;
  } catch {
    throw new ApiError(response.status, "internal", "the answer is not JSON; does a proxy stand in between?");
  }
}

function entry<T>(url: string): Signal<Fetched<T>> {
  let found = cache.get(url);
  if (found) cache.delete(url);
  else found = signal<Fetched<unknown>>({ loading: false, at: 0 });
  cache.set(url, found); // last in the map = used last
  for (const old of cache.keys()) {
    if (cache.size <= KEPT) break;
    cache.delete(old);
  }
  return found as Signal<Fetched<T>>;
}

/** A question with a body has the key `url` + newline + body: the same question is asked once. */
export async function refresh<T>(key: string, parse?: (text: string) => unknown): Promise<void> {
  const slot = entry<T>(key);
  if (slot.peek().loading) return;
  slot.value = { ...slot.peek(), loading: true };
  const [url, body] = key.split(/\n(.*)/s);
  try {
    slot.value = { data: await request<T>(url, parse, body), loading: false, at: Date.now() };
  } catch (error) {
    // The last good answer stays on screen beside the error.
    slot.value = { data: slot.peek().data, at: slot.peek().at, error: error as ApiError, loading: false };
  }
}

const STALE_MS = 5_000;

/** The answer of `url`, fetched when it is not there or stale; `null` fetches nothing. `keep` never refetches. */
export function useGet<T>(url: string | null, options: { keep?: boolean; parse?: (text: string) => unknown } = {}): Fetched<T> {
  const slot = url === null ? null : entry<T>(url);
  useEffect(() => {
    if (url === null) return;
    const { data, error, at } = entry<T>(url).peek();
    if (data === undefined || error || (!options.keep && Date.now() - at > STALE_MS)) void refresh<T>(url, options.parse);
  }, [url]);
  return slot === null ? { loading: false, at: 0 } : slot.value;
}
