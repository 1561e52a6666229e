// The grid: a page of pictures at a time, in the server's order.

import { ApiError, base, request } from "./api.js";
import { bindKeys } from "./keys.js";
import { notice, saveMark } from "./notice.js";
import { showChanges } from "./shell.js";
import { drawBox } from "./outlines.js";

const FILTERS = [
  ["undecided", "Undecided"], ["faint", "Faint candidates"], ["changed", "Changed"],
  ["accepted", "Accepted"], ["failed", "Failed"], ["films", "Films"], ["all", "All"],
];
const EMPTY = {
  undecided: ["Every picture is decided", "Export the decisions, or look at all of them again."],
  faint: ["No faint candidates are open", "All that the detector was unsure of has been judged, or the run kept none."],
  changed: ["No changes wait to be applied", "What you add or remove in a picture shows up here until it is applied."],
  accepted: ["Nothing is accepted yet", "A accepts the chosen picture, Shift+A the whole page."],
  failed: ["Nothing failed", "Every input has its output."],
  films: ["The run has no films", "Its inputs were pictures alone."],
  all: ["The run has no files", "Run dartblur anonymize first."],
};
const COUNT = 60;
const $ = (id) => document.getElementById(id);
const grid = $("grid");
let view = readView();
let shown = { items: [], first: 0, total: 0 };
let chosen = 0;
let asked = 0;

function readView() {
  const query = new URLSearchParams(location.search);
  return {
    sort: query.get("sort") ?? "risk", filter: query.get("filter") ?? "undecided",
    search: query.get("search") ?? "", at: query.get("at") ?? "",
  };
}

function viewQuery() {
  return new URLSearchParams({ sort: view.sort, filter: view.filter, search: view.search }).toString();
}

/** where: "" the first page, "after=ID", "before=ID", or "from=ID" with that picture as the first. */
async function load(where, { keep = false } = {}) {
  const mine = ++asked;
  if (!keep) show("loading");
  try {
    const found = await request("GET", `/api/pictures?${viewQuery()}&count=${COUNT}${where ? `&${where}` : ""}`);
    if (mine !== asked) return;
    shown = found;
    chosen = Math.min(keep ? chosen : 0, Math.max(found.items.length - 1, 0));
    remember();
    draw();
  } catch (error) {
    if (mine !== asked) return;
    $("error-text").textContent = error.message;
    show("error");
  }
}

function remember() {
  const query = new URLSearchParams(viewQuery());
  if (shown.first && shown.items.length) query.set("at", shown.items[0].id);
  history.replaceState(null, "", `${base}/?${query}`);
  // For the way back from a picture.
  sessionStorage.setItem("grid", `?${query}`);
}

function show(what) {
  for (const id of ["loading", "error", "empty", "pages"]) $(id).hidden = id !== what;
  if (what === "error") grid.replaceChildren();
}

function draw() {
  drawFilters();
  showChanges(shown.counts.changed);
  const { items, first, total } = shown;
  show(items.length ? "pages" : "empty");
  if (!items.length) {
    const [title, text] = view.search ? ["No name holds this", "Search for less, or among all pictures."] : EMPTY[view.filter];
    $("empty-title").textContent = title;
    $("empty-text").textContent = text;
  }
  grid.replaceChildren(...items.map(card));
  $("place").textContent = `${number(first + 1)}–${number(first + items.length)} of ${number(total)}`;
  $("previous").disabled = first === 0;
  $("next").disabled = first + items.length >= total;
  choose(chosen, false);
}

function drawFilters() {
  $("filters").replaceChildren(...FILTERS.filter(([name]) => shown.counts[name] || ["undecided", "all", view.filter].includes(name)).map(([name, label]) => {
    const chip = document.createElement("button");
    chip.className = "chip";
    chip.type = "button";
    chip.setAttribute("aria-pressed", String(name === view.filter));
    const count = document.createElement("span");
    count.className = "count";
    count.textContent = number(shown.counts[name]);
    chip.append(label, " ", count);
    chip.addEventListener("click", () => { view.filter = name; load(""); });
    return chip;
  }));
}

function card(item, place) {
  const row = document.createElement("li");
  const link = document.createElement("a");
  link.className = "picture";
  link.dataset.place = place;
  link.tabIndex = -1;
  if (item.done) link.href = `${base}/${item.film ? "film" : "picture"}/${item.id}?${viewQuery()}`;
  const frame = document.createElement("span");
  frame.className = "frame";
  if (item.done && !item.film) {
    const image = document.createElement("img");
    image.loading = "lazy";
    image.decoding = "async";
    image.alt = "";
    image.src = `${base}/api/pictures/${item.id}/thumbnail?${item.stamp}`;
    image.addEventListener("error", () => frame.classList.add("broken"));
    frame.append(image, outlines(item));
  } else {
    frame.classList.add(item.film ? "film" : "broken");
  }
  if (item.accepted) frame.append(mark("✓", "accepted"));
  const name = document.createElement("span");
  name.className = "file";
  name.textContent = item.name.split("/").pop();
  name.title = item.name;
  const badges = document.createElement("span");
  badges.className = "badges";
  badges.append(...badgesOf(item).flatMap((badge) => [badge, " "]));
  link.append(frame, name, " ", badges);
  link.addEventListener("focus", () => choose(place, false));
  row.append(link);
  return row;
}

function outlines(item) {
  const svg = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  svg.setAttribute("viewBox", `0 0 ${item.width} ${item.height}`);
  svg.setAttribute("aria-hidden", "true");
  for (const box of item.open) svg.append(drawBox(box, "faint"));
  return svg;
}

function mark(text, meaning) {
  const sign = document.createElement("span");
  sign.className = "mark";
  sign.textContent = text;
  sign.setAttribute("role", "img");
  sign.setAttribute("aria-label", meaning);
  return sign;
}

function badgesOf(item) {
  const badge = (text, kind = "") => {
    const made = document.createElement("span");
    made.className = `badge ${kind}`;
    made.textContent = text;
    return made;
  };
  if (!item.done) return [badge(item.problem ?? "failed", "bad")];
  const badges = [badge(plural(item.faces, "face"))];
  if (item.faint) badges.push(badge(`${item.faint} faint`, "warn"));
  if (item.single) badges.push(badge(`${item.single} seen once`));
  if (item.small) badges.push(badge(`${item.small} small`));
  if (item.people) badges.push(badge(`${item.people} by hand`, "ok"));
  if (item.changed) badges.push(badge("not applied", "warn"));
  return badges;
}

function choose(place, focus = true) {
  const links = grid.querySelectorAll(".picture");
  if (!links.length) return;
  chosen = Math.max(0, Math.min(place, links.length - 1));
  links.forEach((link, at) => { link.tabIndex = at === chosen ? 0 : -1; });
  if (focus) links[chosen].focus();
}

function step(by) {
  const links = [...grid.querySelectorAll(".picture")];
  if (!links.length) return false;
  if (!grid.contains(document.activeElement)) { choose(chosen); return true; }
  choose(chosen + by);
  return true;
}

function columns() {
  return getComputedStyle(grid).gridTemplateColumns.split(" ").length;
}

function turn(way) {
  const { items, first, total } = shown;
  if (way > 0 && first + items.length < total) load(`after=${items.at(-1).id}`).then(top);
  else if (way < 0 && first > 0) load(`before=${items[0].id}`).then(top);
  return true;
}

function top() {
  scrollTo(0, 0);
  choose(0);
}

async function accept(items, { onward = false } = {}) {
  const ids = items.filter((item) => item.done && !item.film && !item.accepted).map((item) => item.id);
  if (!ids.length) return;
  saveMark("saving");
  try {
    const answer = await request("POST", "/api/pictures/accept", { body: { ids } });
    saveMark("saved");
    for (const item of items) if (answer.accepted.includes(item.id)) item.accepted = true;
    shown.counts = answer.counts;
    if (answer.passed.length) notice(`${plural(answer.passed.length, "picture")} changed meanwhile and ${answer.passed.length === 1 ? "was" : "were"} left`);
    const last = shown.items.at(-1);
    const more = shown.first + shown.items.length < shown.total;
    const held = grid.contains(document.activeElement);
    draw();
    if (onward && more) { await load(`after=${last.id}`); top(); }
    else if (onward) await load("");
    else if (held) choose(chosen + 1);
  } catch (error) {
    saveMark("failed");
    notice(error.message);
  }
}

/** Takes or dismisses all open candidates of the chosen picture. */
async function judge(action) {
  const item = shown.items[chosen];
  if (!item?.faint) return;
  if (item.film) return notice("A film's candidates are judged on its page: Enter opens it");
  saveMark("saving");
  try {
    const now = await request("POST", `/api/pictures/${item.id}/faint`, { body: { action } });
    saveMark("saved");
    shown.items[chosen] = now.item;
    shown.counts = now.counts;
    draw();
    choose(chosen);
  } catch (error) {
    saveMark(error instanceof ApiError && error.status === 409 ? "conflict" : "failed");
    notice(error.message);
  }
}

function plural(count, word) { return `${number(count)} ${word}${count === 1 ? "" : "s"}`; }
function number(value) { return value.toLocaleString("en"); }

$("sort").value = view.sort;
$("search").value = view.search;
$("sort").addEventListener("change", () => { view.sort = $("sort").value; load(""); });
let typing;
$("search").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(() => { view.search = $("search").value; load("", { keep: true }); }, 150);
});
$("search").addEventListener("keydown", (event) => { if (event.key === "Escape" || event.key === "Enter") { event.preventDefault(); choose(0); } });
$("previous").addEventListener("click", () => turn(-1));
$("next").addEventListener("click", () => turn(1));
$("retry").addEventListener("click", () => load(""));
$("accept-page").addEventListener("click", () => accept(shown.items, { onward: true }));
document.addEventListener("applied", () => load(shown.items.length ? `from=${shown.items[0].id}` : "", { keep: true }));

bindKeys([
  { keys: ["ArrowLeft"], label: "Choose a picture", run: () => step(-1) },
  { keys: ["ArrowRight"], shown: false, run: () => step(1) },
  { keys: ["ArrowUp"], shown: false, run: () => step(-columns()) },
  { keys: ["ArrowDown"], shown: false, run: () => step(columns()) },
  { keys: ["Enter"], label: "Open it", run: () => grid.querySelectorAll(".picture")[chosen]?.click() },
  { keys: ["a"], label: "Accept it: all faces are hidden", run: () => { accept([shown.items[chosen]]); } },
  { keys: ["Shift+a"], label: "Accept all of this page, and go on", run: () => { accept(shown.items, { onward: true }); } },
  { keys: ["t"], label: "Take its faint candidates: they are faces", run: () => { judge("take"); } },
  { keys: ["x"], label: "Dismiss its faint candidates", run: () => { judge("dismiss"); } },
  { keys: ["j", "PageDown"], label: "Next page", run: () => turn(1) },
  { keys: ["k", "PageUp"], label: "Previous page", run: () => turn(-1) },
  { keys: ["/"], label: "Search by name", run: () => $("search").focus() },
]);

load(view.at ? `from=${view.at}` : "");
