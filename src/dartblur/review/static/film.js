// The page of one film: frames, tracks, and what is drawn besides.

import { base, request } from "./api.js";
import { FilmModel, newName } from "./film-model.js";
import { bindKeys } from "./keys.js";
import { notice, saveMark } from "./notice.js";
import { drawBox, handlesOf, moved, placeBox, resized } from "./outlines.js";
import { showChanges } from "./shell.js";
import { cardOf, drawStrip, markCard } from "./tracks.js";

const $ = (id) => document.getElementById(id);
const root = $("film");
const model = new FilmModel(`/api/films/${root.dataset.id}`);
const originals = Boolean(root.dataset.originals);
let show = originals ? "original" : "result";
const WINDOW = 500; // frames whose boxes the server tells at a time
const CARRIED = 250; // frames each way
const CLICK = 4; // pixels of the screen that a click may move
const LEAST = 2; // pixels of the picture

let film;
let at = 0; // the frame that is shown
let drawing = false; // a press begins a box, on a box too, and by touch
let hovered = 0; // counts the pointer's drags
const windows = new Map(); // boxes by the first frame of their window
const picked = new Set(); // tracks that are chosen together

start().catch((error) => {
  $("loading").hidden = true;
  $("error-text").textContent = error.message;
  $("error").hidden = false;
});

async function start() {
  film = await request("GET", model.url);
  $("loading").hidden = true;
  root.hidden = false;
  $("seek").max = String(film.times.length - 1);
  $("overlay").setAttribute("viewBox", `0 0 ${film.width} ${film.height}`);
  $("no-tracks").hidden = film.tracks.length > 0;
  if (film.source_problem) notice(`Boxes cannot be carried or applied: ${film.source_problem}`, 12);
  makeCards();
  for (const what of ["change", "choose"]) model.addEventListener(what, refresh);
  model.adopt(film);
  new ResizeObserver(fit).observe($("screen"));
  fit();
  await go(film.doubtful[0]?.frame ?? 0);
}

function fit() {
  const { clientWidth, clientHeight } = $("screen");
  const scale = Math.min(clientWidth / film.width, clientHeight / film.height);
  $("canvas").style.width = `${film.width * scale}px`;
  $("canvas").style.height = `${film.height * scale}px`;
  refresh();
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
  return `${base}${model.url}/frames/${frame}?show=${show}&v=${film.stamp}-${model.version}${more}`;
}

async function boxesOf(frame) {
  const first = frame - frame % WINDOW;
  if (!windows.has(first)) windows.set(first, request("GET", `${model.url}/boxes?from=${first}`));
  const { rows } = await windows.get(first);
  return rows.filter((row) => row[0] === frame);
}

async function drawBoxes() {
  const mine = at;
  const rows = await boxesOf(at);
  if (mine !== at) return;
  const { chosen } = model;
  const shown = rows.filter(([, track]) => track > 0 || model.verdict(track) !== "dismissed" || chosen?.track === track);
  const found = shown.map(([, track, x1, y1, x2, y2, score, seen]) => {
    const names = [model.hides(track) ? "detected" : track < 0 ? "faint" : "dismissed", seen ? "" : "filled", chosen?.track === track ? "chosen" : ""];
    return outline([x1, y1, x2, y2], names, `${nameOf(track)}, ${seen ? `score ${score}` : "filled in"}`, { track });
  });
  const drawn = [...model.drawn].flatMap(([name, boxes]) => boxes.filter((box) => box[0] === at).map(([, ...sides]) =>
    outline(sides, ["drawn", chosen?.drawn === name ? "chosen" : ""], "Drawn by hand", { drawn: name })));
  // The large ones below, so that each can be reached.
  const boxes = [...found, ...drawn].sort((a, b) => b.area - a.area);
  $("overlay").replaceChildren(...boxes.map((each) => each.element));
  const box = drawnHere();
  if (box) $("overlay").append(...handlesOf(box.slice(1), $("canvas").clientWidth / film.width));
}

function outline(box, names, told, what) {
  const element = drawBox(box, names.filter(Boolean).join(" "));
  const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
  title.textContent = told;
  element.append(title);
  element.what = what;
  return { element, area: (box[2] - box[0]) * (box[3] - box[1]) };
}

function nameOf(track) { return track > 0 ? `Track ${track}` : `Candidate ${-track}`; }

// The strip

function strip() {
  drawStrip($("lanes"), film, model, (event, what) => { model.choose(what); go(frameAt(event)); });
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
  const sightingUrl = (frame, crop) => `${base}${model.url}/frames/${frame}?show=${originals ? "original" : "output"}&v=${film.stamp}&side=160&crop=${crop}`;
  const card = (track) => cardOf(track, nameOf(track.track), film.times, {
    sightingUrl,
    look: (frame) => { model.choose({ track: track.track }); go(frame); },
    judge: (face) => judge([track.track], face),
    pick: (chosen) => { chosen ? picked.add(track.track) : picked.delete(track.track); refresh(); },
  });
  // The doubtful first: seen seldom, or with a low score at best.
  const order = [...film.tracks].sort((a, b) => Math.min(a.seen, 10) * a.best - Math.min(b.seen, 10) * b.best);
  $("tracks").replaceChildren(...order.map(card));
  $("faint").replaceChildren(...film.faint.map(card));
}

function openFaint() {
  return film.faint.filter(({ track }) => !model.verdict(track));
}

function refresh() {
  drawBoxes();
  strip();
  const { chosen } = model;
  for (const { track } of [...film.tracks, ...film.faint]) markCard(track, model, picked);
  const open = openFaint().length;
  $("faint-section").hidden = !film.faint.length;
  $("faint-count").textContent = open ? `${open} open` : "all judged";
  $("track-count").textContent = film.tracks.length || "";
  $("dismiss-all").disabled = $("keep-all").disabled = !picked.size;
  $("undo").disabled = !model.past.length;
  $("redo").disabled = !model.future.length;
  $("carry").disabled = !drawnHere() || Boolean(film.source_problem);
  $("draw").setAttribute("aria-pressed", String(drawing));
  $("canvas").classList.toggle("drawing", drawing);
  $("accepted").hidden = !model.accepted;
  // On a phone the cards lie below the frame, which is to stay in sight.
  if (chosen?.track && matchMedia("(min-width: 761px)").matches) $(`track-${chosen.track}`).scrollIntoView({ block: "nearest" });
}

// Changes

model.addEventListener("saved", async () => {
  go(at);
  showChanges((await request("GET", "/api/apply")).changed);
});

function judge(tracks, face) {
  const faint = tracks.every((track) => track < 0);
  model.judge(tracks, face ? "kept" : "dismissed", face ? (faint ? "take" : "keep") : "dismiss");
}

/** Judges the chosen track; of faint candidates the next is chosen then. */
function judgeChosen(face) {
  const { track } = model.chosen ?? {};
  if (!track) return false;
  const open = openFaint();
  const place = open.findIndex((each) => each.track === track);
  judge([track], face);
  if (place < 0) return true;
  const left = openFaint();
  if (left.length) look(left[Math.min(place, left.length - 1)]);
  return true;
}

function judgePicked(face) {
  judge([...picked], face);
  picked.clear();
  refresh();
}

function judgeAllFaint(face) {
  judge(openFaint().map(({ track }) => track), face);
}

/** Chooses a track, and shows the frame in which it is largest. */
function look({ track, sightings }) {
  model.choose({ track });
  go(sightings[0][0]);
}

function nextFaint(step) {
  const open = openFaint();
  if (!open.length) return notice("No faint candidates are open in this film");
  const here = open.findIndex(({ track }) => track === model.chosen?.track);
  return look(open.at((here < 0 ? (step > 0 ? 0 : -1) : here + step) % open.length));
}

/** The chosen drawn track's box in this frame. */
function drawnHere() {
  return model.chosenDrawn?.find((box) => box[0] === at);
}

/** Boxes put into a drawn track, in place of those that it has in their frames. */
function merged(name, rows) {
  const frames = new Set(rows.map((row) => row[0]));
  return [...(model.drawn.get(name) ?? []).filter((box) => !frames.has(box[0])), ...rows].sort((a, b) => a[0] - b[0]);
}

async function carry() {
  const box = drawnHere();
  if (!box) return notice("Draw a box first, or choose a drawn one in this frame.");
  const { drawn: name } = model.chosen;
  saveMark("saving");
  try {
    const told = await request("POST", `${model.url}/carry`, { body: { frame: at, box: box.slice(1), count: CARRIED } });
    const known = new Set((model.drawn.get(name) ?? []).map((row) => row[0]));
    // What was drawn by hand stays.
    model.draw(name, merged(name, told.boxes.filter((row) => row[0] === box[0] || !known.has(row[0]))), "carry");
    notice(`Carried from frame ${told.boxes[0][0] + 1} to ${told.boxes.at(-1)[0] + 1}`);
  } catch (error) {
    saveMark("failed");
    notice(error.message);
  }
}

/** The chosen box, as it is, in the next frame too. */
function copyOn() {
  const box = drawnHere();
  if (!box || at + 1 >= film.times.length) return false;
  const { drawn: name } = model.chosen;
  model.draw(name, merged(name, [[at + 1, ...box.slice(1)]]), "carry");
  go(at + 1);
  return true;
}

function remove({ whole = false } = {}) {
  const { chosen } = model;
  if (chosen?.track) return judgeChosen(false);
  if (!chosen) return false;
  model.draw(chosen.drawn, whole ? [] : model.chosenDrawn.filter((box) => box[0] !== at), "delete");
  return true;
}

/** A box of a new track, or of the chosen one, which has none here or is corrected. */
function addBox(box) {
  const name = model.chosen?.drawn ?? newName();
  model.chosen = { drawn: name };
  model.draw(name, merged(name, [[at, ...within(box)]]), "draw");
}

/** Steps of the drawn box by keys. */
function nudge(event, grow) {
  const box = drawnHere();
  if (!box) return false;
  const step = event.shiftKey ? 10 : 1;
  const dx = { ArrowLeft: -step, ArrowRight: step }[event.key] ?? 0;
  const dy = { ArrowUp: -step, ArrowDown: step }[event.key] ?? 0;
  addBox(grow ? resized(box.slice(1), "se", dx, dy) : moved(box.slice(1), dx, dy, film));
  return true;
}

// The pointer: draws, moves, resizes

$("overlay").addEventListener("pointerdown", (event) => {
  if (event.button) return;
  const first = place(event);
  const { handle } = event.target.dataset;
  const what = event.target.closest("g.box")?.what;
  const box = drawnHere()?.slice(1);
  if (!drawing && handle) return follow(event, (point) => resized(box, handle, point[0] - first[0], point[1] - first[1]));
  if (!drawing && what) {
    const same = what.drawn && model.chosen?.drawn === what.drawn;
    if (!same) model.choose(what);
    else follow(event, (point) => moved(box, point[0] - first[0], point[1] - first[1], film));
    return;
  }
  // A finger scrolls, unless it was told to draw.
  if (event.pointerType === "touch" && !drawing) return;
  // What is drawn over a frame in which the chosen track has no box goes on with it.
  if (box) model.choose(null);
  follow(event, (point) => between(first, point));
});

/** Follows a pressed pointer; boxAt(point) is what it has made of the box. */
function follow(event, boxAt) {
  event.preventDefault();
  const mine = ++hovered;
  const shape = drawBox([0, 0, 0, 0], "drawn chosen new");
  const overlay = $("overlay");
  overlay.setPointerCapture(event.pointerId);
  const far = (now) => Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > CLICK;
  const move = (now) => {
    if (mine !== hovered || !far(now)) return;
    placeBox(shape, within(boxAt(place(now))));
    overlay.append(shape);
  };
  const stop = (now) => {
    for (const [name, listener] of [["pointermove", move], ["pointerup", stop], ["pointercancel", stop]]) overlay.removeEventListener(name, listener);
    shape.remove();
    if (now.type !== "pointerup" || !far(now)) return;
    const box = within(boxAt(place(now)));
    toggleDrawing(false);
    if (box[2] - box[0] >= LEAST && box[3] - box[1] >= LEAST) addBox(box);
  };
  overlay.addEventListener("pointermove", move);
  overlay.addEventListener("pointerup", stop);
  overlay.addEventListener("pointercancel", stop);
}

function place(event) {
  const { left, top, width, height } = $("canvas").getBoundingClientRect();
  return [(event.clientX - left) / width * film.width, (event.clientY - top) / height * film.height];
}

function between([x, y], [u, v]) {
  return [Math.min(x, u), Math.min(y, v), Math.max(x, u), Math.max(y, v)];
}

/** A box inside the picture, to a tenth of a pixel as the server keeps it. */
function within(box) {
  return box.map((side, number) => Math.round(Math.min(Math.max(side, 0), number % 2 ? film.height : film.width) * 10) / 10);
}

/** A box in the middle, for those who draw with keys alone. */
function drawInTheMiddle() {
  if (!drawing) return false;
  const half = Math.min(film.width, film.height) / 16;
  const [x, y] = [film.width / 2, film.height / 2];
  toggleDrawing(false);
  addBox([x - half, y - half, x + half, y + half]);
  return true;
}

function nextDoubt(step) {
  const frames = [...new Set(film.doubtful.map((each) => each.frame))];
  const next = step > 0 ? frames.find((frame) => frame > at) : frames.findLast((frame) => frame < at);
  if (next === undefined) return notice("No further doubtful frame.");
  model.choose({ track: film.doubtful.find((each) => each.frame === next).track });
  return go(next);
}

function toggleDrawing(wanted = !drawing) {
  drawing = wanted;
  refresh();
}

function swapShown() {
  if (!originals) return notice("Clear frames are shown with --show-originals only.");
  show = show === "original" ? "result" : "original";
  return go(at);
}

for (const [id, run] of Object.entries({
  back: () => go(at - 1), on: () => go(at + 1), doubt: () => nextDoubt(1), draw: () => toggleDrawing(), carry,
  undo: () => model.undo(), redo: () => model.redo(), accept: () => model.accept(),
  "dismiss-all": () => judgePicked(false), "keep-all": () => judgePicked(true),
})) $(id).addEventListener("click", run);

function arrows(before, label, run) {
  return ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].flatMap((key) => [
    { keys: [before + key], shown: key === "ArrowLeft", label, run },
    { keys: [`${before}Shift+${key}`], shown: false, run },
  ]);
}

bindKeys([
  { keys: ["ArrowLeft", "ArrowRight"], more: ["ArrowRight"], label: "Previous, next frame", run: (event) => { go(at + (event.key === "ArrowLeft" ? -1 : 1)); } },
  { keys: ["Shift+ArrowLeft", "Shift+ArrowRight"], more: ["Shift+ArrowRight"], label: "Ten frames", run: (event) => { go(at + (event.key === "ArrowLeft" ? -10 : 10)); } },
  { keys: ["["], label: "Previous doubtful frame", run: () => { nextDoubt(-1); } },
  { keys: ["]"], label: "Next doubtful frame", run: () => { nextDoubt(1); } },
  { keys: ["f"], label: "Next faint candidate", run: () => { nextFaint(1); } },
  { keys: ["Shift+f"], label: "Previous faint candidate", run: () => { nextFaint(-1); } },
  { keys: ["t", "k"], label: "The chosen track is a face: take it, keep it", run: () => judgeChosen(true) },
  { keys: ["x"], label: "It is no face", run: () => judgeChosen(false) },
  { keys: ["Shift+t"], label: "Take all faint candidates", run: () => judgeAllFaint(true) },
  { keys: ["Shift+x"], label: "Dismiss all faint candidates", run: () => judgeAllFaint(false) },
  { keys: ["n"], label: "Draw a box: drag; Enter puts one in the middle", run: () => toggleDrawing() },
  { keys: ["Enter"], shown: false, run: drawInTheMiddle },
  ...arrows("Alt+", "Move the drawn box by 1 px (with Shift by 10)", (event) => nudge(event, false)),
  ...arrows("Ctrl+", "Resize it by 1 px (with Shift by 10)", (event) => nudge(event, true)),
  { keys: ["c"], label: "Carry the drawn box forward and back", run: () => { carry(); } },
  { keys: ["Ctrl+b"], label: "The drawn box as it is in the next frame", run: () => { copyOn(); } },
  { keys: ["Delete"], label: "Delete the drawn box here; of a track: not a face", run: () => remove() },
  { keys: ["Shift+Delete"], label: "Delete the whole drawn track", run: () => remove({ whole: true }) },
  { keys: ["Ctrl+z"], label: "Undo", run: () => model.undo() },
  { keys: ["Ctrl+Shift+z", "Ctrl+y"], label: "Redo", run: () => model.redo() },
  { keys: ["o"], label: "The clear frame or the hidden one (with --show-originals)", run: swapShown },
  { keys: ["a"], label: "Accept the film, or take that back", run: () => model.accept() },
  { keys: ["Escape"], label: "Choose nothing, draw nothing", run: () => { hovered += 1; drawing = false; model.choose(null); } },
]);

addEventListener("beforeunload", (event) => { if (model.waiting) event.preventDefault(); });
document.addEventListener("applied", async () => {
  await model.saving;
  film = { ...film, ...(await request("GET", model.url)) };
  makeCards();
  model.adopt(film);
  await go(at);
});
