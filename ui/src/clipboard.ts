// Copying works on plain http too, where the clipboard API is forbidden; says what happened in the status line.
import { say } from "./shell/notices";

export async function copy(text: string, what: string): Promise<void> {
  try {
    if (navigator.clipboard) await navigator.clipboard.writeText(text);
    else if (!copyBySelection(text)) throw new Error("refused");
    say(`${what} copied`);
  } catch {
    say(copyBySelection(text) ? `${what} copied` : `The browser did not allow copying the ${what}`);
  }
}

function copyBySelection(text: string): boolean {
  const area = document.createElement("textarea");
  area.value = text;
  area.setAttribute("aria-hidden", "true");
  area.style.position = "fixed";
  area.style.opacity = "0";
  document.body.append(area);
  area.select();
  const done = document.execCommand("copy");
  area.remove();
  return done;
}
