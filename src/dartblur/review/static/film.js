// The page of one film: frames, tracks, and what is drawn besides.

import { base, request } from "./api.js";
import { bindKeys } from "./keys.js";
import { notice, saveMark } from "./notice.js";
import { showChanges } from "./shell.js";

const $ = (id) => document.getElementById(id);
const root = $("film");
const url = `/api/films/${root.dataset.id}`;
const originals = Boolean(root.dataset.originals);
let show = originals ? "original" : "result";
const LANE = 9; // pixels
const WINDOW = 500; // frames whose boxes the server tells at a time
const SVG = "http://www.w3.org/2000/svg";

let film;
let state = { dismissed: [], kept: [], drawn: [], accepted: false };
let version = 0;
let at = 0; // the frame that is shown
let chosen = null; // { track } or { drawn: number }
let drawing = null; // where a box was begun
let wantsBox = false;
let saving = Promise.resolve();
const past = [];
const future = [];
const windows = new Map(); // boxes by the first frame of their window
const picked = new Set(); // tracks that are chosen together

start().catch((error) => {
  $("loading").hidden = true;
  $("error-text").textContent = error.message;
  $("error").hidden = false;
});

async function start() {
  film = await request("GET", url);
  adopt(film);
  $("loading").hidden = true;
  root.hidden = false;
  $("seek").max = String(film.times.length - 1);
  $("overlay").setAttribute("viewBox", `0 0 ${film.width} ${film.height}`);
  $("no-tracks").hidden = film.tracks.length > 0;
  if (film.source_problem) notice(`Boxes cannot be carried or applied: ${film.source_problem}`, 12);
  new ResizeObserver(fit).observe($("screen"));
  fit();
  makeCards();
  await go(film.doubtful[0]?.frame ?? 0);
}

function adopt(told) {
  state = { dismissed: told.dismissed, kept: told.kept, drawn: told.drawn, accepted: told.accepted };
  version = told.version;
}

function fit() {
  const { clientWidth, clientHeight } = $("screen");
  const scale = Math.min(clientWidth / film.width, clientHeight / film.height);
  $("canvas").style.width = `${film.width * scale}px`;
  $("canvas").style.height = `${film.height * scale}px`;
  drawStrip();
}

// Frames

async function go(frame) {
  at = Math.min(Math.max(frame, 0), film.times.length - 1);
  const mine = at;
  $("seek").value = String(at);
  $("place").textContent = `frame ${at + 1} of ${film.times.length}, ${film.times[at].toFixed(2)} s`;
  const doubts = film.doubtful.filter((each) => each.frame === at);
  $("why").textContent = doubts.map((each) => `Track ${each.track}: ${each.why}`).join(" · ");
  $("head").style.left = `${100 * at / Math.max(film.times.length - 1, 1)}%`;
  const image = new Image();
  image.src = frameUrl(at);
  await Promise.all([image.decode().catch(() => notice(`Frame ${mine + 1} cannot be shown`)), boxesOf(mine)]);
  if (mine !== at) return;
  $("frame").src = image.src;
  $("frame").alt = `Frame ${at + 1} of ${film.name}`;
  drawBoxes();
}

function frameUrl(frame, more = "") {
  return `${base}${url}/frames/${frame}?show=${show}&v=${film.stamp}-${version}${more}`;
}

async function boxesOf(frame) {
  const first = frame - frame % WINDOW;
  if (!windows.has(first)) windows.set(first, request("GET", `${url}/boxes?from=${first}`));
  const { rows } = await windows.get(first);
  return rows.filter((row) => row[0] === frame);
}

async function drawBoxes() {
  const mine = at;
  const rows = await boxesOf(at);
  if (mine !== at) return;
  const found = rows.map(([, track, x1, y1, x2, y2, score, seen]) => {
    const names = ["box", seen ? "" : "filled", state.dismissed.includes(track) ? "dismissed" : "", chosen?.track === track ? "chosen" : ""];
    const box = rectangle(x1, y1, x2, y2, names);
    box.append(title(`Track ${track}, ${seen ? `score ${score}` : "filled in"}`));
    box.addEventListener("click", () => choose({ track }));
    return box;
  });
  const drawn = state.drawn.flatMap((track, number) => track.filter((box) => box[0] === at).map(([, ...sides]) => {
    const box = rectangle(...sides, ["box", "drawn", chosen?.drawn === number ? "chosen" : ""]);
    box.append(title(`Drawn ${number + 1}`));
    box.addEventListener("click", () => choose({ drawn: number }));
    return box;
  }));
  $("overlay").replaceChildren(...found, ...drawn);
  refreshButtons();
}

function rectangle(x1, y1, x2, y2, names) {
  const box = document.createElementNS(SVG, "rect");
  for (const [name, value] of Object.entries({ x: x1, y: y1, width: Math.max(x2 - x1, 0), height: Math.max(y2 - y1, 0) })) box.setAttribute(name, value);
  box.setAttribute("class", names.filter(Boolean).join(" "));
  return box;
}

function title(text) {
  const made = document.createElementNS(SVG, "title");
  made.textContent = text;
  return made;
}

// The strip: a lane for tracks that do not overlap

function drawStrip() {
  const width = $("strip").clientWidth;
  const last = Math.max(film.times.length - 1, 1);
  const x = (frame) => frame / last * width;
  const ends = [];
  const parts = [];
  const bar = (first, end, lane, names, run) => {
    const made = rectangle(x(first), 8 + lane * LANE, Math.max(x(end), x(first) + 2), 8 + lane * LANE + LANE - 2, ["lane", ...names]);
    made.addEventListener("click", run);
    parts.push(made);
  };
  const laneOf = (first, end) => {
    let lane = ends.findIndex((other) => other < first);
    if (lane < 0) lane = ends.length;
    ends[lane] = end;
    return lane;
  };
  for (const track of [...film.tracks].sort((a, b) => a.first - b.first)) {
    const lane = laneOf(track.first, track.last);
    const dismissed = state.dismissed.includes(track.track) ? "dismissed" : "";
    const run = (event) => { choose({ track: track.track }); go(frameAt(event)); };
    bar(track.first, track.last, lane, [dismissed, chosen?.track === track.track ? "chosen" : ""], run);
    if (!dismissed) for (const [first, end] of track.filled) bar(first, end, lane, ["gap"], run);
  }
  state.drawn.forEach((track, number) => {
    const [first, end] = [track[0][0], track[track.length - 1][0]];
    bar(first, end, laneOf(first, end), ["drawn", chosen?.drawn === number ? "chosen" : ""], (event) => { choose({ drawn: number }); go(frameAt(event)); });
  });
  for (const { frame } of film.doubtful) {
    const mark = rectangle(x(frame) - 1, 0, x(frame) + 2, 5, ["doubt-mark"]);
    parts.push(mark);
  }
  $("lanes").setAttribute("height", String(16 + ends.length * LANE));
  $("lanes").replaceChildren(...parts);
  $("doubt-count").textContent = film.doubtful.length || "";
  $("doubt").disabled = !film.doubtful.length;
}

function frameAt(event) {
  const { left, width } = $("lanes").getBoundingClientRect();
  return Math.round((event.clientX - left) / width * (film.times.length - 1));
}

$("strip").addEventListener("click", (event) => { if (!event.target.matches(".lane")) go(frameAt(event)); });
$("seek").addEventListener("input", () => go(Number($("seek").value)));

// Cards

function makeCards() {
  $("track-count").textContent = film.tracks.length || "";
  // The doubtful first: seen seldom, or with a low score at best.
  const order = [...film.tracks].sort((a, b) => Math.min(a.seen, 10) * a.best - Math.min(b.seen, 10) * b.best);
  $("tracks").replaceChildren(...order.map(card));
  refreshCards();
}

function card(track) {
  const made = element("li", { className: "card track", id: `track-${track.track}` });
  const pick = element("input", { type: "checkbox" });
  pick.setAttribute("aria-label", `Choose track ${track.track}`);
  pick.addEventListener("change", () => { pick.checked ? picked.add(track.track) : picked.delete(track.track); refreshCards(); });
  const head = element("header");
  head.append(pick, element("strong", { textContent: `Track ${track.track}` }), element("span", { className: "badge" }));
  const pictures = element("div", { className: "sightings" });
  for (const [frame, x1, y1, x2, y2] of track.sightings) {
    const button = element("button", { type: "button" });
    button.setAttribute("aria-label", `Track ${track.track}, frame ${frame + 1}`);
    const [w, h] = [(x2 - x1) * 0.4, (y2 - y1) * 0.4];
    const crop = [x1 - w, y1 - h, x2 + w, y2 + h].map(Math.round).join(",");
    const source = originals ? "original" : "output";
    const image = element("img", { loading: "lazy", alt: "", src: `${base}${url}/frames/${frame}?show=${source}&v=${film.stamp}&side=160&crop=${crop}` });
    button.append(image);
    button.addEventListener("click", () => { choose({ track: track.track }); go(frame); });
    pictures.append(button);
  }
  const seconds = (frame) => film.times[frame].toFixed(1);
  const scores = new Set([track.least.toFixed(2), track.best.toFixed(2)]);
  const facts = element("p", { className: "facts", textContent: `${seconds(track.first)} to ${seconds(track.last)} s, seen in ${track.seen} ${track.seen === 1 ? "frame" : "frames"}, score ${[...scores].join(" to ")}` });
  const choices = element("div", { className: "choices" });
  const keep = element("button", { type: "button", className: "button keep", textContent: "Keep" });
  const dismiss = element("button", { type: "button", className: "button dismiss", textContent: "Not a face" });
  keep.addEventListener("click", () => judge([track.track], true));
  dismiss.addEventListener("click", () => judge([track.track], false));
  choices.append(keep, dismiss);
  made.append(head, pictures, facts, choices);
  return made;
}

function refreshCards() {
  for (const { track } of film.tracks) {
    const made = $(`track-${track}`);
    const dismissed = state.dismissed.includes(track);
    const kept = state.kept.includes(track);
    made.classList.toggle("dismissed", dismissed);
    made.setAttribute("aria-current", String(chosen?.track === track));
    made.querySelector("input").checked = picked.has(track);
    const badge = made.querySelector(".badge");
    badge.textContent = dismissed ? "not a face" : kept ? "kept" : "";
    badge.hidden = !dismissed && !kept;
    made.querySelector(".keep").setAttribute("aria-pressed", String(kept));
    made.querySelector(".dismiss").setAttribute("aria-pressed", String(dismissed));
  }
  $("dismiss-all").disabled = $("keep-all").disabled = !picked.size;
}

function element(name, properties = {}) {
  return Object.assign(document.createElement(name), properties);
}

function choose(what) {
  chosen = what;
  drawBoxes();
  drawStrip();
  refreshCards();
  if (what?.track) $(`track-${what.track}`).scrollIntoView({ block: "nearest" });
}

// Changes

function change(action, next) {
  past.push(state);
  future.length = 0;
  put(action, { ...state, accepted: false, ...next });
}

function put(action, next) {
  state = next;
  if (chosen && "drawn" in chosen && !state.drawn[chosen.drawn]) chosen = null;
  refresh();
  saveMark("saving");
  // One after the other: each is made to the version before it.
  saving = saving.then(() => save(action, next));
}

async function save(action, next) {
  try {
    const told = await request("PUT", url, { version, body: { action, ...next } });
    version = told.version;
    saveMark("saved");
    showApply();
    if (state === next) go(at);
  } catch (error) {
    if (error.status === 409 && error.current) {
      past.push(next);
      adopt(error.current);
      saveMark("conflict");
      notice(`${error.message}. Ctrl+Z brings yours back.`, 12);
    } else {
      saveMark("failed");
      notice(`Not saved: ${error.message}`);
      const told = await request("GET", url).catch(() => null);
      if (told) adopt(told);
    }
    refresh();
  }
}

async function showApply() {
  showChanges((await request("GET", "/api/apply")).changed);
}

function refresh() {
  drawBoxes();
  drawStrip();
  refreshCards();
}

function refreshButtons() {
  $("undo").disabled = !past.length;
  $("redo").disabled = !future.length;
  $("carry").disabled = !drawnHere() || Boolean(film.source_problem);
  $("draw").setAttribute("aria-pressed", String(wantsBox));
  $("canvas").classList.toggle("drawing", wantsBox);
  $("accepted").hidden = !state.accepted;
}

function judge(tracks, face) {
  const others = (list) => list.filter((track) => !tracks.includes(track));
  const [kept, dismissed] = [others(state.kept), others(state.dismissed)];
  (face ? kept : dismissed).push(...tracks);
  change(face ? "keep" : "dismiss", { kept, dismissed });
}

function judgePicked(face) {
  judge([...picked], face);
  picked.clear();
  refreshCards();
}

function undo(from, to, action) {
  if (!from.length) return false;
  to.push(state);
  put(action, from.pop());
  return true;
}

/** The chosen drawn track's box in this frame. */
function drawnHere() {
  return chosen && "drawn" in chosen ? state.drawn[chosen.drawn]?.find((box) => box[0] === at) : undefined;
}

/** Boxes put into a drawn track, in place of those that it has in their frames. */
function merged(number, rows) {
  const frames = new Set(rows.map((row) => row[0]));
  const track = [...(state.drawn[number] ?? []).filter((box) => !frames.has(box[0])), ...rows].sort((a, b) => a[0] - b[0]);
  const drawn = [...state.drawn];
  drawn[number] = track;
  return drawn;
}

async function carry() {
  const box = drawnHere();
  if (!box) return notice("Draw a box first, or choose a drawn one in this frame.");
  const { drawn: number } = chosen;
  saveMark("saving");
  try {
    const told = await request("POST", `${url}/carry`, { body: { frame: at, box: box.slice(1), count: 250 } });
    const known = new Set((state.drawn[number] ?? []).map((row) => row[0]));
    // What was drawn by hand stays.
    const rows = told.boxes.filter((row) => row[0] === at || !known.has(row[0]));
    change("carry", { drawn: merged(number, rows.length ? rows : [box]) });
    notice(`Carried from frame ${told.boxes[0][0] + 1} to ${told.boxes[told.boxes.length - 1][0] + 1}`);
  } catch (error) {
    saveMark("failed");
    notice(error.message);
  }
}

/** The chosen box, as it is, in the next frame too. */
async function copyOn() {
  const box = drawnHere();
  if (!box || at + 1 >= film.times.length) return false;
  change("carry", { drawn: merged(chosen.drawn, [[at + 1, ...box.slice(1)]]) });
  go(at + 1);
  return true;
}

function remove({ whole = false } = {}) {
  if (chosen?.track) return judge([chosen.track], false);
  if (!chosen) return false;
  const rest = whole ? [] : state.drawn[chosen.drawn].filter((box) => box[0] !== at);
  const drawn = state.drawn.map((track, number) => (number === chosen.drawn ? rest : track)).filter((track) => track.length);
  if (!rest.length) chosen = null;
  change("delete", { drawn });
  return true;
}

// Drawing

const place = (event) => {
  const { left, top, width, height } = $("canvas").getBoundingClientRect();
  const inside = (value, most) => Math.min(Math.max(value, 0), most);
  return [
    inside((event.clientX - left) / width * film.width, film.width),
    inside((event.clientY - top) / height * film.height, film.height),
  ];
};

$("canvas").addEventListener("pointerdown", (event) => {
  if (!wantsBox || event.button) return;
  event.preventDefault();
  drawing = place(event);
  $("canvas").setPointerCapture(event.pointerId);
});

$("canvas").addEventListener("pointermove", (event) => {
  if (!drawing) return;
  $("overlay").querySelector(".new")?.remove();
  $("overlay").append(rectangle(...between(drawing, place(event)), ["box", "drawn", "new"]));
});

$("canvas").addEventListener("pointerup", (event) => {
  if (!drawing) return;
  const box = between(drawing, place(event));
  drawing = null;
  wantsBox = false;
  const large = box[2] - box[0] >= 2 && box[3] - box[1] >= 2;
  if (large) addBox(box.map((side) => Math.round(side * 10) / 10));
  else drawBoxes();
});

$("canvas").addEventListener("pointercancel", () => { drawing = null; drawBoxes(); });

function between([x, y], [u, v]) {
  return [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
}

/** A box of a new track, or of the chosen one, which has none here or is corrected. */
function addBox(box) {
  const number = chosen && "drawn" in chosen ? chosen.drawn : state.drawn.length;
  change("draw", { drawn: merged(number, [[at, ...box]]) });
  choose({ drawn: number });
}

function nudge(event, x, y) {
  const box = drawnHere();
  if (!box) return false;
  const far = event.shiftKey ? 10 : 1;
  const [, x1, y1, x2, y2] = box;
  const [dx, dy] = [Math.min(Math.max(x * far, -x1), film.width - x2), Math.min(Math.max(y * far, -y1), film.height - y2)];
  change("draw", { drawn: merged(chosen.drawn, [[at, x1 + dx, y1 + dy, x2 + dx, y2 + dy]]) });
  return true;
}

function nextDoubt(step) {
  const frames = [...new Set(film.doubtful.map((each) => each.frame))];
  const next = step > 0 ? frames.find((frame) => frame > at) : frames.findLast((frame) => frame < at);
  if (next === undefined) return notice("No further doubtful frame.");
  choose({ track: film.doubtful.find((each) => each.frame === next).track });
  return go(next);
}

function toggleDrawing(wanted = !wantsBox) {
  wantsBox = wanted;
  refreshButtons();
}

function swapShown() {
  if (!originals) return notice("Clear frames are shown with --show-originals only.");
  show = show === "original" ? "result" : "original";
  return go(at);
}

function accept() {
  past.push(state);
  future.length = 0;
  put(state.accepted ? "reopen" : "accept", { ...state, accepted: !state.accepted });
}

for (const [id, run] of Object.entries({
  back: () => go(at - 1), on: () => go(at + 1), doubt: () => nextDoubt(1), draw: () => toggleDrawing(), carry,
  undo: () => undo(past, future, "undo"), redo: () => undo(future, past, "redo"), accept,
  "dismiss-all": () => judgePicked(false), "keep-all": () => judgePicked(true),
})) $(id).addEventListener("click", run);

bindKeys([
  { keys: ["ArrowLeft", "ArrowRight"], label: "Previous, next frame", run: (event) => { go(at + (event.key === "ArrowLeft" ? -1 : 1)); } },
  { keys: ["Shift+ArrowLeft", "Shift+ArrowRight"], label: "Ten frames", run: (event) => { go(at + (event.key === "ArrowLeft" ? -10 : 10)); } },
  { keys: ["["], label: "Previous doubtful frame", run: () => { nextDoubt(-1); } },
  { keys: ["]"], label: "Next doubtful frame", run: () => { nextDoubt(1); } },
  { keys: ["k"], label: "Keep the chosen track", run: () => (chosen?.track ? judge([chosen.track], true) : false) },
  { keys: ["x"], label: "The chosen track is not a face", run: () => (chosen?.track ? judge([chosen.track], false) : false) },
  { keys: ["n"], label: "Draw a box", run: () => toggleDrawing() },
  { keys: ["Alt+ArrowLeft"], label: "Move the drawn box by 1 pixel (with Shift by 10)", run: (event) => nudge(event, -1, 0) },
  { keys: ["Alt+ArrowRight", "Alt+Shift+ArrowRight"], shown: false, label: "", run: (event) => nudge(event, 1, 0) },
  { keys: ["Alt+Shift+ArrowLeft"], shown: false, label: "", run: (event) => nudge(event, -1, 0) },
  { keys: ["Alt+ArrowUp", "Alt+Shift+ArrowUp"], shown: false, label: "", run: (event) => nudge(event, 0, -1) },
  { keys: ["Alt+ArrowDown", "Alt+Shift+ArrowDown"], shown: false, label: "", run: (event) => nudge(event, 0, 1) },
  { keys: ["c"], label: "Carry the drawn box forward and back", run: () => { carry(); } },
  { keys: ["Ctrl+b"], label: "The drawn box as it is in the next frame", run: () => { copyOn(); } },
  { keys: ["Delete"], label: "Delete the drawn box here; of a found track: not a face", run: () => remove() },
  { keys: ["Shift+Delete"], label: "Delete the whole drawn track", run: () => remove({ whole: true }) },
  { keys: ["Ctrl+z"], label: "Undo", run: () => undo(past, future, "undo") },
  { keys: ["Ctrl+Shift+z", "Ctrl+y"], label: "Redo", run: () => undo(future, past, "redo") },
  { keys: ["o"], label: "The clear frame or the hidden one (with --show-originals)", run: swapShown },
  { keys: ["a"], label: "Accept the film, or take that back", run: accept },
  { keys: ["Escape"], label: "Choose nothing, draw nothing", run: () => { drawing = null; toggleDrawing(false); choose(null); } },
]);

document.addEventListener("applied", async () => {
  film = { ...film, ...(await request("GET", url)) };
  adopt(film);
  makeCards();
  refresh();
  await go(at);
});
