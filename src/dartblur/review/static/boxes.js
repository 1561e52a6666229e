// The boxes over the picture: drawn by drag or by two clicks, moved, resized.

import { arrange, drawBox, handlesOf, moved, placeBox, resized } from "./outlines.js";

const CLICK = 4; // pixels of the screen that a click may move
const LEAST = 3; // pixels of the picture

export class Boxes {
  constructor(model, stage) {
    this.model = model;
    this.stage = stage;
    this.svg = document.getElementById("boxes");
    this.label = document.getElementById("label");
    this.drawing = false;
    this.corner = null; // of a box begun by a click
    this.groups = []; // the large ones first
    this.kept = new Map(); // outlines by what they show: a crowd's are not all made anew by each key
    this.marked = null;
    this.handles = [];
    model.addEventListener("change", () => this.redraw());
    model.addEventListener("choose", () => this.mark());
    stage.onzoom = () => this.redraw();
    this.svg.addEventListener("pointerdown", (event) => this.down(event));
    this.svg.addEventListener("pointermove", (event) => this.hover(event));
    this.svg.addEventListener("pointerleave", () => this.tellOf(null));
  }

  /** drawing: every press begins a box, on a box too, and by touch. */
  setDrawing(drawing) {
    this.drawing = drawing;
    this.corner = null;
    this.preview(null);
    this.svg.classList.toggle("drawing", drawing);
    document.getElementById("draw").setAttribute("aria-pressed", String(drawing));
  }

  redraw() {
    const { model } = this;
    if (!model.picture) return;
    this.svg.setAttribute("viewBox", `0 0 ${model.picture.width} ${model.picture.height}`);
    const groups = [
      ...model.boxes.map((box, at) => this.group("box", at, box.box, box.origin === "detected" && !box.edited ? "detected" : "drawn")),
      ...model.open.map((at) => this.group("faint", at, model.picture.candidates[at].box, "faint")),
    ];
    this.kept = new Map(groups.map((each) => [each.shown, each.element]));
    this.unmark();
    // The large ones below, so that each can be reached.
    this.groups = groups.sort((a, b) => b.area - a.area);
    arrange(this.svg, groups.map((each) => each.element));
    this.mark();
  }

  /** Shows which box is chosen: above all others, with handles. */
  mark() {
    this.unmark();
    const chosen = this.groups.find((each) => this.isChosen(each));
    if (chosen) {
      this.marked = chosen;
      chosen.element.classList.add("chosen");
      if (chosen.kind === "box") this.handles = handlesOf(chosen.box, this.stage.scale);
      this.svg.append(chosen.element, ...this.handles);
    }
    if (!this.hovered) this.tellOf(chosen ?? null);
  }

  unmark() {
    for (const handle of this.handles) handle.remove();
    this.handles = [];
    if (!this.marked) return;
    const { element } = this.marked;
    element.classList.remove("chosen");
    const next = this.groups[this.groups.indexOf(this.marked) + 1];
    this.svg.insertBefore(element, next?.element ?? null);
    this.marked = null;
  }

  isChosen({ kind, at }) {
    return this.model.chosen?.kind === kind && this.model.chosen.at === at;
  }

  group(kind, at, box, style) {
    const shown = JSON.stringify([kind, at, box, style]);
    const element = this.kept.get(shown) ?? drawBox(box, style);
    element.dataset.kind = kind;
    element.dataset.at = at;
    return { element, shown, kind, at, box, area: (box[2] - box[0]) * (box[3] - box[1]) };
  }

  down(event) {
    if (event.button !== 0) return;
    const point = this.stage.point(event);
    const { handle } = event.target.dataset;
    const group = event.target.closest("g.box");
    if (this.corner) return this.finish(this.corner, point, event);
    if (!this.drawing && handle) return this.resize(event, handle, point);
    if (!this.drawing && group) {
      this.model.choose({ kind: group.dataset.kind, at: Number(group.dataset.at) });
      if (group.dataset.kind === "box") this.move(event, point);
      return;
    }
    // A finger scrolls, unless it was told to draw.
    if (event.pointerType === "touch" && !this.drawing) return this.model.choose(null);
    this.begin(event, point);
  }

  begin(event, start) {
    this.model.choose(null);
    this.follow(event, {
      moved: (point) => this.preview(start, point),
      ended: (point, far) => {
        if (far) this.finish(start, point, event);
        else if (this.drawing) { this.corner = start; this.preview(start, start); }
        else this.preview(null);
      },
    });
  }

  finish(start, end, event) {
    event.preventDefault();
    this.corner = null;
    this.preview(null);
    const box = this.model.within([...start, ...end]);
    if (box[2] - box[0] >= LEAST && box[3] - box[1] >= LEAST) this.model.draw(box);
  }

  move(event, start) {
    const box = this.model.boxOf(this.model.chosen);
    let same = false;
    this.follow(event, {
      moved: ([x, y], far) => {
        if (!far && !same) return;
        this.model.place("move", moved(box, x - start[0], y - start[1], this.model.picture), same);
        same = true;
      },
    });
  }

  resize(event, handle, start) {
    const box = this.model.boxOf(this.model.chosen);
    let same = false;
    this.follow(event, {
      moved: ([x, y]) => {
        this.model.place("resize", resized(box, handle, x - start[0], y - start[1]), same);
        same = true;
      },
    });
  }

  /** Follows a pressed pointer. far: it moved by more than a click does. */
  follow(event, { moved: onmove = () => {}, ended = () => {} }) {
    event.preventDefault();
    this.stage.view.focus({ preventScroll: true });
    this.svg.setPointerCapture(event.pointerId);
    let far = false;
    const move = (now) => {
      far ||= Math.hypot(now.clientX - event.clientX, now.clientY - event.clientY) > CLICK;
      onmove(this.stage.point(now), far);
    };
    const stop = (now) => {
      for (const [name, listener] of [["pointermove", move], ["pointerup", stop], ["pointercancel", stop]]) this.svg.removeEventListener(name, listener);
      if (now.type === "pointerup") ended(this.stage.point(now), far);
      else this.preview(null);
    };
    this.svg.addEventListener("pointermove", move);
    this.svg.addEventListener("pointerup", stop);
    this.svg.addEventListener("pointercancel", stop);
  }

  preview(start, end) {
    this.drawn?.remove();
    this.drawn = null;
    if (!start) return;
    this.drawn = drawBox([0, 0, 0, 0], "drawn chosen");
    placeBox(this.drawn, this.model.within([...start, ...end]));
    this.svg.append(this.drawn);
  }

  hover(event) {
    if (this.corner) this.preview(this.corner, this.stage.point(event));
    const group = event.target.closest("g.box[data-kind]");
    const found = group && { kind: group.dataset.kind, at: Number(group.dataset.at) };
    this.tellOf(found, found);
  }

  /** Shows the score of a box beside it; of the chosen one where none is pointed at. */
  tellOf(box, hovered = null) {
    this.hovered = hovered;
    const shown = box ?? (this.model.chosen && this.model.exists(this.model.chosen) ? this.model.chosen : null);
    this.label.hidden = !shown;
    if (!shown) return;
    const [x1, , , y2] = this.model.boxOf(shown);
    const frame = this.label.parentElement.getBoundingClientRect();
    const canvas = this.stage.canvas.getBoundingClientRect();
    this.label.textContent = described(this.model, shown);
    const left = Math.min(canvas.left - frame.left + x1 * this.stage.scale, frame.width - this.label.offsetWidth - 4);
    this.label.style.left = `${Math.max(4, left)}px`;
    this.label.style.top = `${Math.min(canvas.top - frame.top + y2 * this.stage.scale + 6, frame.height - 30)}px`;
  }
}

/** What a box is, in words. */
export function described(model, { kind, at }) {
  if (kind === "faint") return `faint candidate, score ${model.picture.candidates[at].score.toFixed(2)}`;
  const box = model.boxes[at];
  if (box.origin === "drawn") return "drawn by hand";
  const words = [box.origin === "taken" ? "taken candidate" : "found", `score ${box.score.toFixed(2)}`];
  if (box.seen) words.push(box.seen === 1 ? "seen by one pass" : `seen by ${box.seen} passes`);
  if (box.edited) words.push("moved by hand");
  return words.join(", ");
}
