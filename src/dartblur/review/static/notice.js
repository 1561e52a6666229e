// What is told in passing, and the mark that says whether all is saved.

const MARKS = { saving: "saving…", saved: "all saved", failed: "not saved", conflict: "changed by others", "": "" };

/** Tells something for some seconds; also to screen readers. */
export function notice(text, seconds = 6) {
  const place = document.getElementById("notices");
  const shown = document.createElement("div");
  shown.className = "notice";
  shown.textContent = text;
  place.append(shown);
  while (place.children.length > 3) place.firstChild.remove();
  setTimeout(() => shown.remove(), seconds * 1000);
}

/** state: "saving", "saved", "failed", "conflict" or "". */
export function saveMark(state) {
  const mark = document.getElementById("save-mark");
  if (mark.dataset.state === state) return;
  mark.dataset.state = state;
  mark.textContent = MARKS[state];
}
