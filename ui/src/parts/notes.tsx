// What an answer says about itself, and what went wrong, in sentences.
import type { Answer } from "../types";
import type { ApiError } from "../api";

export function Problem({ error, retry }: { error?: ApiError; retry?: () => void }) {
  if (!error) return null;
  return (
    <div class="note error" role="alert">
      <strong>{error.status === 0 ? "No connection" : error.code === "not_found" ? "Not found" : error.code === "bad_parameter" ? "The server refused this" : "The server could not answer"}</strong>
      <span>{error.message}</span>
      {retry && (
        <button type="button" onClick={retry}>
          Try again
        </button>
      )}
    </div>
  );
}

/** In the place of what this server does not have yet, or could not answer. */
export function Lacking({ what, error, retry }: { what: string; error: ApiError; retry?: () => void }) {
  if (error.isAbsent) return <p class="quiet-text">This server does not know {what} yet: it is older than this page. Everything else works.</p>;
  return (
    <div class="padded-note">
      <Problem error={error} retry={retry} />
    </div>
  );
}

/** Shown whenever an answer does not cover everything it was asked for. */
export function Incomplete({ answer }: { answer?: Answer }) {
  if (!answer || answer.complete !== false) return null;
  return (
    <div class="note warn" role="status">
      <strong>This answer is incomplete</strong>
      {(answer.incomplete_reasons ?? []).map((reason) => (
        <span key={reason}>{reason}</span>
      ))}
    </div>
  );
}
