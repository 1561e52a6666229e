// Keys of a page, and the list of them that `?` shows.

const bound = [];

/**
 * Binds keys. Each: { keys: ["a"], label, run(event), up(event)?, shown: false? }.
 * A key is event.key as it is typed, with "Ctrl+", "Alt+" or "Shift+" before it where it is held
 * (Shift not for signs, which tell it by themselves). run() may return false: not meant after all.
 */
export function bindKeys(bindings) {
  bound.push(...bindings);
}

document.addEventListener("keydown", (event) => {
  if (isTyping(event)) return;
  const name = nameOf(event);
  for (const binding of bound) {
    if (binding.keys.includes(name) && binding.run(event) !== false) {
      event.preventDefault();
      return;
    }
  }
});

document.addEventListener("keyup", (event) => {
  for (const binding of bound) {
    if (binding.up && binding.keys.some((key) => key.toLowerCase() === event.key.toLowerCase())) binding.up(event);
  }
});

function nameOf(event) {
  let key = event.key;
  const letter = key.length === 1 && key.toLowerCase() !== key.toUpperCase();
  if (letter) key = key.toLowerCase();
  const shift = event.shiftKey && (letter || key.length > 1) ? "Shift+" : "";
  return (event.ctrlKey || event.metaKey ? "Ctrl+" : "") + (event.altKey ? "Alt+" : "") + shift + key;
}

function isTyping(event) {
  if (event.isComposing || document.querySelector("dialog[open]")) return true;
  const target = event.target;
  if (target.matches?.("input:not([type=range]), select, textarea, [contenteditable]")) return true;
  if (target.matches?.("input[type=range]")) return event.key.startsWith("Arrow") || event.key === "Home" || event.key === "End";
  // What has the focus is pressed by these.
  return (event.key === " " || event.key === "Enter") && target.matches?.("button, a, summary");
}

export function showKeys() {
  const list = document.getElementById("keys-list");
  list.replaceChildren(...bound.filter((binding) => binding.shown !== false).map((binding) => {
    const term = document.createElement("dt");
    binding.keys.filter((key) => !binding.more?.includes(key)).forEach((key, number) => {
      if (number) term.append(" or ");
      const cap = document.createElement("kbd");
      cap.textContent = SHOWN[key] ?? key.replace(/(^|\+)([a-z])$/, (_, plus, letter) => plus + letter.toUpperCase());
      term.append(cap);
    });
    const meaning = document.createElement("dd");
    meaning.textContent = binding.label;
    const row = document.createElement("div");
    row.append(term, meaning);
    return row;
  }));
  document.getElementById("keys").showModal();
}

const SHOWN = { " ": "Space", ArrowLeft: "← → ↑ ↓", "Shift+ArrowLeft": "Shift + arrow", "Alt+ArrowLeft": "Alt + arrow", Delete: "Del", Escape: "Esc" };

bindKeys([{ keys: ["?"], label: "This list", run: showKeys }]);
