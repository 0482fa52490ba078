// The `?` overlay: every key, by where it works.
import { signal } from "@preact/signals";
import { useLayoutEffect, useRef } from "preact/hooks";

export const helpOpen = signal(false);

const GROUPS: [string, [string, string][]][] = [
  [
    "Everywhere",
    [
      ["/", "to the box: trace id, or a filter"],
      ["Ctrl V", "open the trace id in the clipboard"],
      ["g h", "Now"],
      ["g f", "Search"],
      ["g s", "Services"],
      ["g e", "Errors"],
      ["g m", "Map"],
      ["g i", "Status"],
      ["j k", "next, previous row; Enter opens"],
      ["y", "copy a link to what you see"],
      ["Backspace", "back"],
      ["?", "this help; Esc closes"],
    ],
  ],
  [
    "Trace: moving",
    [
      ["j k", "next, previous span"],
      ["h l", "close, open the span's children"],
      ["H L", "close, open all"],
      ["p", "parent"],
      ["e E", "next, previous error"],
      ["c C", "next, previous on the critical path"],
      ["o", "next orphan (its parent is missing)"],
      ["f", "find in the trace"],
      ["n N", "next, previous hit"],
    ],
  ],
  [
    "Trace: looking",
    [
      ["w s", "zoom in, out"],
      ["a d", "earlier, later"],
      ["z", "zoom to the span"],
      ["0", "whole trace"],
      ["Enter", "open the span's details"],
      ["Esc", "close the details"],
      ["v", "next view"],
      ["x", "against the typical trace, and back"],
      ["Y", "copy a summary in Markdown"],
      ["t", "copy the trace id"],
    ],
  ],
  [
    "Trace: marks",
    [
      ["!", "the span failed; red line below its bar"],
      ["3", "errors folded away under it; a click goes there"],
      ["┄┄", "its parent never came"],
      ["▔▔", "on the critical path: the trace waited for it"],
      ["◂ ▸", "the span is left or right of what is shown"],
    ],
  ],
];

export function Help() {
  const dialog = useRef<HTMLDialogElement>(null);
  const open = helpOpen.value;
  // A layout effect: the key after `?` must meet the dialog, however soon it comes.
  useLayoutEffect(() => {
    if (open) dialog.current?.showModal();
    else dialog.current?.close();
  }, [open]);
  return (
    <dialog ref={dialog} class="help" aria-labelledby="help-title" onClose={() => (helpOpen.value = false)}>
      {open && (
        <>
          <header>
            <h2 id="help-title">Keys</h2>
            <button type="button" class="quiet" onClick={() => (helpOpen.value = false)}>
              Close
            </button>
          </header>
          <div class="help-groups">
            {GROUPS.map(([title, keys]) => (
              <section key={title}>
                <h3>{title}</h3>
                <dl>
                  {keys.map(([key, meaning]) => (
                    <div key={key}>
                      <dt>
                        {key.split(" ").map((one) => (
                          <kbd key={one}>{one}</kbd>
                        ))}
                      </dt>
                      <dd>{meaning}</dd>
                    </div>
                  ))}
                </dl>
              </section>
            ))}
          </div>
        </>
      )}
    </dialog>
  );
}
