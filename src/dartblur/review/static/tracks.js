// The tracks of a film: a card each, and the strip that shows them through time.

const SVG = "http://www.w3.org/2000/svg";
const LANE = 9; // pixels
const AROUND = 0.4; // of a box, shown on every side of it

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

/** A card: the largest sightings, what is known, and the two verdicts. */
export function cardOf(track, name, times, { sightingUrl, look, judge, pick }) {
  const faint = track.track < 0;
  const made = element("li", { className: "card track", id: `track-${track.track}` });
  const head = element("header");
  if (!faint) {
    const box = element("input", { type: "checkbox" });
    box.setAttribute("aria-label", `Choose ${name.toLowerCase()}`);
    box.addEventListener("change", () => pick(box.checked));
    head.append(box);
  }
  head.append(element("strong", { textContent: name }), element("span", { className: "badge" }));
  const pictures = element("div", { className: "sightings" });
  for (const [frame, x1, y1, x2, y2] of track.sightings) {
    const button = element("button", { type: "button" });
    button.setAttribute("aria-label", `${name}, frame ${frame + 1}`);
    const [w, h] = [(x2 - x1) * AROUND, (y2 - y1) * AROUND];
    const crop = [x1 - w, y1 - h, x2 + w, y2 + h].map(Math.round).join(",");
    button.append(element("img", { loading: "lazy", alt: "", src: sightingUrl(frame, crop) }));
    button.addEventListener("click", () => look(frame));
    pictures.append(button);
  }
  const seconds = (frame) => times[frame].toFixed(1);
  const scores = new Set([track.least.toFixed(2), track.best.toFixed(2)]);
  const facts = element("p", { className: "facts", textContent: `${seconds(track.first)} to ${seconds(track.last)} s, seen in ${track.seen} ${track.seen === 1 ? "frame" : "frames"}, score ${[...scores].join(" to ")}` });
  const choices = element("div", { className: "choices" });
  const keep = element("button", { type: "button", className: "button keep", textContent: faint ? "Take" : "Keep" });
  const dismiss = element("button", { type: "button", className: "button dismiss", textContent: "Not a face" });
  keep.addEventListener("click", () => judge(true));
  dismiss.addEventListener("click", () => judge(false));
  choices.append(keep, dismiss);
  made.append(head, pictures, facts, choices);
  return made;
}

/** Shows on a card what was decided. */
export function markCard(track, model, picked) {
  const made = document.getElementById(`track-${track}`);
  const verdict = model.verdict(track);
  made.classList.toggle("dismissed", verdict === "dismissed");
  // A faint candidate that is none needs no place; undo brings it back.
  made.hidden = track < 0 && verdict === "dismissed";
  made.setAttribute("aria-current", String(model.chosen?.track === track));
  const box = made.querySelector("input");
  if (box) box.checked = picked.has(track);
  const badge = made.querySelector(".badge");
  badge.textContent = { dismissed: "not a face", kept: track < 0 ? "taken" : "kept" }[verdict] ?? "";
  badge.hidden = !verdict;
  made.querySelector(".keep").setAttribute("aria-pressed", String(verdict === "kept"));
  made.querySelector(".dismiss").setAttribute("aria-pressed", String(verdict === "dismissed"));
}

/** A lane for tracks that do not overlap. run(event, what): a lane is pressed. */
export function drawStrip(svg, film, model, run) {
  const width = svg.parentElement.clientWidth;
  const last = Math.max(film.times.length - 1, 1);
  const x = (frame) => frame / last * width;
  const ends = [];
  const parts = [];
  const bar = (first, end, lane, names, what) => {
    const made = rectangle(x(first), 8 + lane * LANE, Math.max(x(end) - x(first), 2), LANE - 2, ["lane", ...names]);
    made.addEventListener("click", (event) => run(event, what));
    parts.push(made);
  };
  const laneOf = (first, end) => {
    let lane = ends.findIndex((other) => other < first);
    if (lane < 0) lane = ends.length;
    ends[lane] = end;
    return lane;
  };
  const { chosen } = model;
  // Of faint candidates those alone that are hidden, or looked at: there may be hundreds.
  const faint = film.faint.filter(({ track }) => model.hides(track) || chosen?.track === track);
  for (const track of [...film.tracks, ...faint].sort((a, b) => a.first - b.first)) {
    const lane = laneOf(track.first, track.last);
    const hidden = model.hides(track.track);
    const what = { track: track.track };
    bar(track.first, track.last, lane, [hidden ? "" : track.track < 0 ? "faint" : "dismissed", chosen?.track === track.track ? "chosen" : ""], what);
    if (hidden) for (const [first, end] of track.filled) bar(first, end, lane, ["gap"], what);
  }
  for (const [name, boxes] of model.drawn) {
    const [first, end] = [boxes[0][0], boxes.at(-1)[0]];
    bar(first, end, laneOf(first, end), ["drawn", chosen?.drawn === name ? "chosen" : ""], { drawn: name });
  }
  for (const { frame } of film.doubtful) parts.push(rectangle(x(frame) - 1, 0, 3, 5, ["doubt-mark"]));
  svg.setAttribute("height", String(16 + ends.length * LANE));
  svg.replaceChildren(...parts);
}

function rectangle(x, y, width, height, names) {
  const made = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x, y, width, height })) made.setAttribute(name, value);
  made.setAttribute("class", names.filter(Boolean).join(" "));
  return made;
}
