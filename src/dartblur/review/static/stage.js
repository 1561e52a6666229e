// The pictures on the stage: how large they are, and the slider between two of them.

import { ApiError, base } from "./api.js";

const MOST = 16; // times the size in which a picture fits
const STEP = 1.25;

export class Stage {
  constructor() {
    for (const id of ["view", "canvas", "after", "before", "divider", "slider", "busy"]) {
      this[id] = document.getElementById(id);
    }
    this.zoom = 1;
    this.share = 0;
    this.asked = { after: 0, before: 0 };
    this.onzoom = () => {};
    this.view.addEventListener("wheel", (event) => {
      if (!event.ctrlKey) return; // what scrolls, scrolls
      event.preventDefault();
      this.zoomTo(this.zoom * Math.exp(-event.deltaY / 300), event);
    }, { passive: false });
    new ResizeObserver(() => this.fit()).observe(this.view);
    this.slider.addEventListener("input", () => this.divide(Number(this.slider.value)));
    this.divider.addEventListener("pointerdown", (event) => this.drag(event));
  }

  /** Shows a picture of this size; box coordinates are in its pixels. */
  open(width, height) {
    this.size = { width, height };
    this.zoom = 1;
    this.after.removeAttribute("src");
    this.before.removeAttribute("src");
    this.fit();
  }

  fit() {
    if (!this.size) return;
    const { clientWidth, clientHeight } = this.view;
    const { width, height } = this.size;
    // Small pictures are shown larger than they are, but not as a mosaic.
    this.scale = Math.min((clientWidth - 2) / width, (clientHeight - 2) / height, 3) * this.zoom;
    this.canvas.style.width = `${width * this.scale}px`;
    this.canvas.style.height = `${height * this.scale}px`;
    this.canvas.classList.toggle("pixels", this.scale > 3);
    this.onzoom(this.scale);
  }

  /** at: what stays in its place, as clientX and clientY; the middle of the view by default. */
  zoomTo(zoom, at) {
    const frame = this.view.getBoundingClientRect();
    const x = at?.clientX ?? frame.left + frame.width / 2;
    const y = at?.clientY ?? frame.top + frame.height / 2;
    const [left, top] = this.point({ clientX: x, clientY: y });
    this.zoom = Math.min(Math.max(zoom, 1), MOST);
    this.fit();
    const now = this.canvas.getBoundingClientRect();
    this.view.scrollLeft += now.left + left * this.scale - x;
    this.view.scrollTop += now.top + top * this.scale - y;
  }

  closer() { this.zoomTo(this.zoom * STEP); }
  further() { this.zoomTo(this.zoom / STEP); }
  whole() { this.zoomTo(1); }

  /** Lets a box fill about a quarter of the view. */
  zoomToBox([x1, y1, x2, y2]) {
    const { clientWidth, clientHeight } = this.view;
    const wanted = Math.min(clientWidth / (x2 - x1), clientHeight / (y2 - y1)) / 4;
    this.zoomTo(this.zoom * (wanted / this.scale));
    this.centre([x1, y1, x2, y2]);
  }

  centre([x1, y1, x2, y2]) {
    const frame = this.view.getBoundingClientRect();
    const canvas = this.canvas.getBoundingClientRect();
    this.view.scrollLeft += canvas.left - frame.left + (x1 + x2) / 2 * this.scale - frame.width / 2;
    this.view.scrollTop += canvas.top - frame.top + (y1 + y2) / 2 * this.scale - frame.height / 2;
  }

  /** Scrolls only where a box cannot be seen. */
  reveal(box) {
    const frame = this.view.getBoundingClientRect();
    const canvas = this.canvas.getBoundingClientRect();
    const [left, top, right, bottom] = box.map((side) => side * this.scale);
    const inside = canvas.left + left >= frame.left && canvas.left + right <= frame.right
      && canvas.top + top >= frame.top && canvas.top + bottom <= frame.bottom;
    if (!inside) this.centre(box);
  }

  /** The place of a pointer, in pixels of the picture. */
  point({ clientX, clientY }) {
    const canvas = this.canvas.getBoundingClientRect();
    return [(clientX - canvas.left) / this.scale, (clientY - canvas.top) / this.scale];
  }

  /** Loads a picture into "after" or "before"; the last one asked for is shown. */
  async show(which, url, alt, blob = loadBlob(url)) {
    const mine = ++this.asked[which];
    this.busy.hidden = which !== "after" || !this.after.hasAttribute("src");
    try {
      const address = URL.createObjectURL(await blob);
      const image = new Image();
      image.src = address;
      await image.decode();
      if (mine !== this.asked[which]) return URL.revokeObjectURL(address);
      if (this[which].src.startsWith("blob:")) URL.revokeObjectURL(this[which].src);
      this[which].src = address;
      this[which].alt = alt;
      if (which === "after") this.image = image;
    } finally {
      if (mine === this.asked[which]) this.busy.hidden = true;
    }
  }

  /** share: of the width, in percent, that shows "before". */
  divide(share) {
    this.share = share;
    this.slider.value = String(share);
    this.before.hidden = this.divider.hidden = share <= 0;
    this.before.style.clipPath = `inset(0 ${100 - share}% 0 0)`;
    this.divider.style.left = `${share}%`;
    if (share > 0) this.ondivide?.();
  }

  drag(event) {
    event.preventDefault();
    this.divider.setPointerCapture(event.pointerId);
    const move = (moved) => {
      const [x] = this.point(moved);
      this.divide(Math.round(Math.min(Math.max(x / this.size.width, 0.005), 1) * 1000) / 10);
    };
    this.divider.addEventListener("pointermove", move);
    this.divider.addEventListener("lostpointercapture", () => this.divider.removeEventListener("pointermove", move), { once: true });
  }
}

/** What a picture's path below `base` gives; a failure in the server's words. */
export async function loadBlob(url) {
  let response;
  try {
    response = await fetch(base + url);
  } catch {
    throw new ApiError(0, "the server does not answer: is dartblur review still running?");
  }
  if (response.ok) return response.blob();
  const answer = await response.json().catch(() => ({}));
  throw new ApiError(response.status, answer.error ?? `the server said ${response.status}`);
}
