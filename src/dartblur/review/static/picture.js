// The page of one picture.

import { base, request } from "./api.js";
import { Boxes } from "./boxes.js";
import { bindKeys } from "./keys.js";
import { Model } from "./model.js";
import { notice, saveMark } from "./notice.js";
import { moved } from "./outlines.js";
import { showChanges } from "./shell.js";
import { Side } from "./side.js";
import { loadBlob, Stage } from "./stage.js";

const $ = (id) => document.getElementById(id);
const model = new Model();
const stage = new Stage();
const boxes = new Boxes(model, stage);
const side = new Side(model, stage, judge);
const query = () => location.search;
let ahead = null; // the next picture, asked for before it is wanted
let removedAt = 0; // where in the order the box was that was deleted last: what followed comes next
let stepping = false; // further steps of a key that is held belong to one move

async function open(id, { push = false } = {}) {
  if (model.picture && !(await model.settle())) {
    notice("Not saved yet; this picture stays until it is.");
    return;
  }
  const mine = ahead?.id === id ? ahead : fetchPicture(id);
  ahead = null;
  if (push) history.pushState(null, "", `${base}/picture/${id}${query()}`);
  try {
    const picture = await mine.detail;
    for (const name of ["loading", "error"]) $(name).hidden = true;
    $("name").textContent = picture.name;
    document.title = `${picture.name} · Review`;
    boxes.setDrawing(false);
    removedAt = 0;
    stage.open(picture.width, picture.height);
    stage.divide(0);
    model.adopt(picture);
    saveMark("");
    await stage.show("after", "", `${picture.name} as it will be written`, mine.image);
    side.refresh();
    if (picture.next !== null) ahead = fetchPicture(picture.next);
  } catch (error) {
    $("loading").hidden = true;
    $("error-text").textContent = error.message;
    $("error").hidden = false;
  }
}

function fetchPicture(id) {
  const detail = request("GET", `/api/pictures/${id}${query()}`);
  const image = loadBlob(`/api/pictures/${id}/result`);
  for (const promise of [detail, image]) promise.catch(() => {}); // told when it is wanted
  return { id, detail, image };
}

async function renderAnew() {
  const { picture, version } = model;
  try {
    await stage.show("after", `/api/pictures/${picture.id}/result?version=${version}`, `${picture.name} as it will be written`);
    side.refresh();
    compare();
  } catch (error) {
    notice(`It could not be made anew: ${error.message}`);
  }
}

async function compare() {
  if (stage.share <= 0 || !model.picture) return;
  const what = $("compare-with").value;
  const kind = what === "original" || what === "output" ? what : `result?method=${what}&version=${model.version}`;
  try {
    await stage.show("before", `/api/pictures/${model.picture.id}/${kind}`, $("compare-with").selectedOptions[0].text);
  } catch (error) {
    stage.divide(0);
    notice(error.message);
  }
}

async function go(way) {
  const id = model.picture?.[way];
  if (id === null || id === undefined) {
    notice(way === "next" ? "This is the last picture of the view" : "This is the first picture of the view");
    return;
  }
  await open(id, { push: true });
}

async function accept() {
  if (!model.picture) return;
  const { next } = model.picture;
  model.accept();
  if (!(await model.settle())) return;
  if (next === null) {
    location.href = `${base}/${sessionStorage.getItem("grid") ?? ""}`;
    return;
  }
  await open(next, { push: true });
}

function chooseFaint(by = 1) {
  const { open: numbers, chosen } = model;
  if (!numbers.length) return notice("No faint candidates are open in this picture");
  const at = chosen?.kind === "faint" ? numbers.indexOf(chosen.at) + by : by > 0 ? 0 : -1;
  choose({ kind: "faint", at: numbers.at(at % numbers.length) });
}

function chooseBox(by) {
  const { order, chosen } = model;
  if (!order.length) return;
  const at = chosen?.kind === "box" ? order.indexOf(chosen.at) + by : by > 0 ? removedAt : removedAt - 1;
  choose({ kind: "box", at: order.at(at % order.length) });
}

function choose(chosen) {
  model.choose(chosen);
  stage.reveal(model.boxOf(chosen));
}

/** action: "take" or "dismiss"; of one candidate, then the next is chosen. */
function judge(action, at) {
  const place = model.open.indexOf(at);
  if (place < 0) return;
  model[action]([at]);
  const left = model.open;
  if (left.length) choose({ kind: "faint", at: left[Math.min(place, left.length - 1)] });
  else model.choose(null);
}

function judgeChosen(action) {
  if (model.chosen?.kind === "faint") judge(action, model.chosen.at);
  else if (action === "dismiss" && model.chosen) remove();
  else chooseFaint();
}

function remove() {
  if (model.chosen?.kind !== "box") return;
  removedAt = model.order.indexOf(model.chosen.at);
  model.remove();
}

function judgeAll(action) {
  if (!model.open.length) return;
  model[action](model.open);
  model.choose(null);
}

/** Steps of a chosen box by keys; false where none is chosen. */
function nudge(event, far, grow) {
  if (model.chosen?.kind !== "box") return false;
  const step = far ? 10 : 1;
  const dx = { ArrowLeft: -step, ArrowRight: step }[event.key] ?? 0;
  const dy = { ArrowUp: -step, ArrowDown: step }[event.key] ?? 0;
  const box = model.boxOf(model.chosen);
  const next = grow
    ? [box[0], box[1], Math.max(box[2] + dx, box[0] + 3), Math.max(box[3] + dy, box[1] + 3)]
    : moved(box, dx, dy, model.picture);
  model.place(grow ? "resize" : "move", next, stepping && event.repeat);
  stepping = true;
  stage.reveal(next);
  return true;
}

function arrows(before, far, grow) {
  return ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown"].map((key) => ({
    keys: [before + key], shown: key === "ArrowLeft",
    label: `${grow ? "Resize" : "Move"} the chosen box by ${far ? 10 : 1} px`,
    run: (event) => nudge(event, far, grow),
  }));
}

/** A box in the middle of what is shown, for those who draw with keys alone. */
function drawInTheMiddle() {
  if (!boxes.drawing) return false;
  const frame = stage.view.getBoundingClientRect();
  const [x, y] = stage.point({ clientX: frame.left + frame.width / 2, clientY: frame.top + frame.height / 2 });
  const half = Math.max(8, Math.min(frame.width, frame.height) / stage.scale / 16);
  model.draw([x - half, y - half, x + half, y + half]);
  boxes.setDrawing(false);
  return true;
}

function hide(hidden) {
  $("canvas").classList.toggle("without-boxes", hidden);
}

function escape() {
  if (boxes.drawing) boxes.setDrawing(false);
  else model.choose(null);
}

bindKeys([
  { keys: ["a"], label: "Accept, all faces are hidden, and next", run: () => { accept(); } },
  { keys: ["j"], label: "Next picture", run: () => { go("next"); } },
  { keys: ["k"], label: "Previous picture", run: () => { go("previous"); } },
  { keys: ["f"], label: "Next faint candidate", run: () => chooseFaint(1) },
  { keys: ["Shift+f"], label: "Previous faint candidate", run: () => chooseFaint(-1) },
  { keys: ["t"], label: "Take the chosen candidate: it is a face", run: () => judgeChosen("take") },
  { keys: ["x"], label: "It is no face: dismiss the candidate, or delete the box", run: () => judgeChosen("dismiss") },
  { keys: ["Shift+t"], label: "Take all candidates", run: () => judgeAll("take") },
  { keys: ["Shift+x"], label: "Dismiss all candidates", run: () => judgeAll("dismiss") },
  { keys: ["n"], label: "Draw a box: drag, or click two corners; Enter puts one in the middle", run: () => boxes.setDrawing(!boxes.drawing) },
  { keys: ["Enter"], shown: false, run: drawInTheMiddle },
  { keys: ["b"], label: "Next box, the doubtful first", run: () => chooseBox(1) },
  { keys: ["Shift+b"], label: "Previous box", run: () => chooseBox(-1) },
  { keys: ["Delete", "Backspace"], more: ["Backspace"], label: "Delete the chosen box", run: remove },
  ...arrows("", false, false), ...arrows("Shift+", true, false), ...arrows("Alt+", false, true), ...arrows("Alt+Shift+", true, true).map((each) => ({ ...each, shown: false })),
  { keys: ["Ctrl+z"], label: "Undo", run: () => { model.undo(); } },
  { keys: ["Ctrl+y", "Ctrl+Shift+z"], label: "Redo", run: () => { model.redo(); } },
  { keys: ["h"], label: "Hide all boxes while it is held", run: () => hide(true), up: () => hide(false) },
  { keys: [" "], label: "Compare: a slider between two pictures", run: () => stage.divide(stage.share > 0 ? 0 : 50) },
  { keys: ["z"], label: "Closer to the chosen box", run: () => { if (model.chosen) stage.zoomToBox(model.boxOf(model.chosen)); else stage.closer(); } },
  { keys: ["+", "="], more: ["="], label: "Larger (or Ctrl and the wheel)", run: () => stage.closer() },
  { keys: ["-"], label: "Smaller", run: () => stage.further() },
  { keys: ["0"], label: "The whole picture", run: () => stage.whole() },
  { keys: ["Escape"], label: "Choose nothing, end drawing", run: escape },
]);
document.addEventListener("keyup", () => { stepping = false; });
addEventListener("blur", () => hide(false));

model.addEventListener("change", () => {
  const { past, future } = model.history;
  $("undo").disabled = !past.length;
  $("redo").disabled = !future.length;
  $("accepted").hidden = !model.accepted;
});
for (const name of ["change", "choose"]) {
  model.addEventListener(name, () => { $("delete").disabled = model.chosen?.kind !== "box"; });
}
model.addEventListener("saved", async () => {
  renderAnew();
  showChanges((await request("GET", "/api/apply").catch(() => ({ changed: 0 }))).changed);
});
stage.ondivide = () => { if (!$("before").hasAttribute("src")) compare(); };
$("compare-with").addEventListener("change", () => { if (stage.share <= 0) stage.divide(50); compare(); });
$("previous").addEventListener("click", () => go("previous"));
$("next").addEventListener("click", () => go("next"));
$("draw").addEventListener("click", () => boxes.setDrawing(!boxes.drawing));
$("delete").addEventListener("click", remove);
$("undo").addEventListener("click", () => model.undo());
$("redo").addEventListener("click", () => model.redo());
$("accept").addEventListener("click", accept);
$("retry").addEventListener("click", () => location.reload());
addEventListener("popstate", () => open(Number(location.pathname.split("/").pop())));
addEventListener("beforeunload", (event) => { if (!model.saved) event.preventDefault(); });
document.addEventListener("applied", async () => {
  if (model.picture && (await model.settle())) model.adopt(await request("GET", `${model.url}${query()}`));
});

open(Number($("editor").dataset.id));
