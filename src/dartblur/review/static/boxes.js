// The boxes over the picture: drawn by drag or by two clicks, moved, resized.

import { drawBox, placeBox } from "./outlines.js";

const SVG = "http://www.w3.org/2000/svg";
const HANDLE = 10; // pixels of the screen
const CLICK = 4; // pixels of the screen that a click may move
const LEAST = 3; // pixels of the picture
const HANDLES = { nw: [0, 0], n: [0.5, 0], ne: [1, 0], e: [1, 0.5], se: [1, 1], s: [0.5, 1], sw: [0, 1], w: [0, 0.5] };

export class Boxes {
  constructor(model, stage) {
    this.model = model;
    this.stage = stage;
    this.svg = document.getElementById("boxes");
    this.label = document.getElementById("label");
    this.drawing = false;
    this.corner = null; // of a box begun by a click
    model.addEventListener("change", () => this.redraw());
    model.addEventListener("choose", () => this.redraw());
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
    // The large ones below, so that each can be reached.
    groups.sort((a, b) => b.area - a.area);
    this.svg.replaceChildren(...groups.map((each) => each.element));
    const chosen = groups.find((each) => this.isChosen(each));
    if (chosen) {
      chosen.element.classList.add("chosen");
      this.svg.append(chosen.element);
      if (chosen.kind === "box") this.svg.append(...this.handles(chosen.box));
    }
    if (!this.hovered) this.tellOf(chosen ?? null);
  }

  isChosen({ kind, at }) {
    return this.model.chosen?.kind === kind && this.model.chosen.at === at;
  }

  group(kind, at, box, style) {
    const element = drawBox(box, style);
    element.dataset.kind = kind;
    element.dataset.at = at;
    return { element, kind, at, box, area: (box[2] - box[0]) * (box[3] - box[1]) };
  }

  handles([x1, y1, x2, y2]) {
    const size = HANDLE / this.stage.scale;
    return Object.entries(HANDLES).map(([name, [across, down]]) => {
      const rect = document.createElementNS(SVG, "rect");
      rect.setAttribute("class", `handle ${name}`);
      rect.dataset.handle = name;
      rect.setAttribute("x", x1 + (x2 - x1) * across - size / 2);
      rect.setAttribute("y", y1 + (y2 - y1) * down - size / 2);
      rect.setAttribute("width", size);
      rect.setAttribute("height", size);
      return rect;
    });
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
        const [x1, y1, x2, y2] = box;
        const [dx, dy] = [x - start[0], y - start[1]];
        const next = [
          handle.includes("w") ? Math.min(x1 + dx, x2 - LEAST) : x1, handle.includes("n") ? Math.min(y1 + dy, y2 - LEAST) : y1,
          handle.includes("e") ? Math.max(x2 + dx, x1 + LEAST) : x2, handle.includes("s") ? Math.max(y2 + dy, y1 + LEAST) : y2,
        ];
        this.model.place("resize", next, same);
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
    this.label.style.left = `${Math.max(4, canvas.left - frame.left + x1 * this.stage.scale)}px`;
    this.label.style.top = `${Math.min(canvas.top - frame.top + y2 * this.stage.scale + 6, frame.height - 30)}px`;
  }
}

/** A box moved within the picture, its size kept. */
export function moved([x1, y1, x2, y2], dx, dy, { width, height }) {
  const x = Math.min(Math.max(dx, -x1), width - x2);
  const y = Math.min(Math.max(dy, -y1), height - y2);
  return [x1 + x, y1 + y, x2 + x, y2 + y];
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
