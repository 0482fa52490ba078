// The status line: short confirmations ("link copied"), read out by screen readers too.
import { signal } from "@preact/signals";

const message = signal("");
let timer = 0;

export function say(text: string): void {
  message.value = text;
  clearTimeout(timer);
  timer = window.setTimeout(() => (message.value = ""), 2500);
}

export function Notices() {
  return (
    <div class="notices" role="status" aria-live="polite">
      {message.value && <span>{message.value}</span>}
    </div>
  );
}
