// The lists beside the picture: faint candidates to judge, and all that is hidden.

import { described } from "./boxes.js";
import { arrange } from "./outlines.js";

const CROP = 56; // pixels of the screen
const AROUND = 0.5; // of the box, shown on every side of it

export class Side {
  constructor(model, stage, judge) {
    this.model = model;
    this.stage = stage;
    this.judge = judge;
    this.faint = document.getElementById("faint-list");
    this.boxes = document.getElementById("box-list");
    this.rows = new Map(); // what is shown of each box: rows that stay the same are kept
    this.marked = null;
    // Crops of hundreds of boxes are drawn as they come into sight.
    this.seen = new IntersectionObserver((entries) => {
      for (const { isIntersecting, target } of entries) if (isIntersecting) this.crop(target);
    }, { root: document.querySelector(".side-scroll"), rootMargin: "100px" });
    model.addEventListener("change", () => this.redraw());
    model.addEventListener("choose", () => this.mark());
  }

  redraw() {
    const { model } = this;
    if (!model.picture) return;
    const held = document.activeElement?.closest("li")?.dataset.key;
    const before = this.rows;
    this.rows = new Map();
    const { open } = model;
    document.getElementById("faint-section").hidden = !model.picture.candidates.length;
    document.getElementById("faint-count").textContent = open.length ? `${open.length} open` : "all judged";
    document.getElementById("box-count").textContent = model.boxes.length;
    document.getElementById("no-boxes").hidden = model.boxes.length > 0;
    const rows = (boxes, buttons) => boxes.map((box) => {
      const key = keyOf(box);
      const shown = JSON.stringify([model.picture.id, described(model, box), model.boxOf(box)]);
      const kept = before.get(key);
      const row = kept?.shown === shown ? kept.row : this.row(box, buttons(box.at));
      this.rows.set(key, { shown, row });
      return row;
    });
    arrange(this.faint, rows(open.map((at) => ({ kind: "faint", at })), (at) => [
      this.button("Take", "It is a face: hide it (T)", () => this.judge("take", at)),
      this.button("No", "It is no face (X)", () => this.judge("dismiss", at)),
    ]));
    arrange(this.boxes, rows(model.order.map((at) => ({ kind: "box", at })), () => []));
    for (const [key, { row }] of before) {
      if (this.rows.get(key)?.row !== row) this.seen.unobserve(row.querySelector("canvas"));
    }
    this.mark();
    if (held && !document.activeElement?.closest("li")) document.querySelector(`li[data-key="${held}"] button`)?.focus();
  }

  row(box, buttons) {
    const row = document.createElement("li");
    row.dataset.key = keyOf(box);
    const choose = document.createElement("button");
    choose.type = "button";
    choose.className = "choose";
    choose.setAttribute("aria-pressed", "false");
    const crop = document.createElement("canvas");
    crop.width = crop.height = CROP * Math.min(devicePixelRatio, 2);
    crop.setAttribute("aria-hidden", "true");
    crop.dataset.kind = box.kind;
    crop.dataset.at = box.at;
    const text = document.createElement("span");
    text.textContent = described(this.model, box);
    choose.append(crop, text);
    choose.addEventListener("click", () => this.model.choose(box));
    row.append(choose, ...buttons);
    this.seen.observe(crop);
    return row;
  }

  button(text, title, run) {
    const made = document.createElement("button");
    made.type = "button";
    made.className = "button";
    made.textContent = text;
    made.title = title;
    made.addEventListener("click", run);
    return made;
  }

  mark() {
    const { chosen } = this.model;
    const row = (chosen && this.rows.get(keyOf(chosen))?.row) ?? null;
    if (this.marked !== row) tell(this.marked, false);
    tell(row, true);
    this.marked = row;
    row?.scrollIntoView({ block: "nearest" });
  }

  /** Draws all crops in sight anew, of the picture that is shown now. */
  refresh() {
    for (const canvas of document.querySelectorAll(".rows canvas")) {
      this.seen.unobserve(canvas);
      this.seen.observe(canvas);
    }
  }

  crop(canvas) {
    const { image } = this.stage;
    const box = { kind: canvas.dataset.kind, at: Number(canvas.dataset.at) };
    if (!image || !this.model.exists(box)) return;
    const [x1, y1, x2, y2] = this.model.boxOf(box);
    const side = Math.max(x2 - x1, y2 - y1) * (1 + 2 * AROUND);
    const pen = canvas.getContext("2d");
    const scale = image.naturalWidth / this.model.picture.width;
    pen.clearRect(0, 0, canvas.width, canvas.height);
    pen.drawImage(
      image, ((x1 + x2) / 2 - side / 2) * scale, ((y1 + y2) / 2 - side / 2) * scale, side * scale, side * scale,
      0, 0, canvas.width, canvas.height,
    );
  }
}

function keyOf({ kind, at }) { return `${kind}-${at}`; }

function tell(row, chosen) {
  row?.classList.toggle("chosen", chosen);
  row?.querySelector(".choose").setAttribute("aria-pressed", String(chosen));
}
