// How a box is drawn: a dark line below a coloured one, so that it shows on any picture.

const SVG = "http://www.w3.org/2000/svg";
const HANDLE = 10; // pixels of the screen
const HANDLES = { nw: [0, 0], n: [0.5, 0], ne: [1, 0], e: [1, 0.5], se: [1, 1], s: [0.5, 1], sw: [0, 1], w: [0, 0.5] };
const LEAST = 3; // pixels of the picture that a box keeps

/** A group of the box's lines. box: x1, y1, x2, y2. kind: "detected", "faint" or "drawn". */
export function drawBox(box, kind) {
  const group = document.createElementNS(SVG, "g");
  group.setAttribute("class", `box ${kind}`);
  for (const line of ["under", "over"]) {
    const rect = document.createElementNS(SVG, "rect");
    rect.setAttribute("class", line);
    group.append(rect);
  }
  placeBox(group, box);
  return group;
}

/** Moves a drawn box. */
export function placeBox(group, [x1, y1, x2, y2]) {
  for (const rect of group.querySelectorAll("rect")) {
    rect.setAttribute("x", x1);
    rect.setAttribute("y", y1);
    rect.setAttribute("width", Math.max(0, x2 - x1));
    rect.setAttribute("height", Math.max(0, y2 - y1));
  }
}

/** The handles of a box, to resize it by. scale: pixels of the screen a pixel of the picture takes. */
export function handlesOf([x1, y1, x2, y2], scale) {
  const size = HANDLE / scale;
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

/** A box of which a handle was moved; it may lead out of the picture. */
export function resized([x1, y1, x2, y2], handle, dx, dy) {
  return [
    handle.includes("w") ? Math.min(x1 + dx, x2 - LEAST) : x1, handle.includes("n") ? Math.min(y1 + dy, y2 - LEAST) : y1,
    handle.includes("e") ? Math.max(x2 + dx, x1 + LEAST) : x2, handle.includes("s") ? Math.max(y2 + dy, y1 + LEAST) : y2,
  ];
}

/** A box moved within the picture, its size kept. */
export function moved([x1, y1, x2, y2], dx, dy, { width, height }) {
  const x = Math.min(Math.max(dx, -x1), width - x2);
  const y = Math.min(Math.max(dy, -y1), height - y2);
  return [x1 + x, y1 + y, x2 + x, y2 + y];
}

/** Lets an element have these children, in this order; those that it has already are not touched. */
export function arrange(parent, children) {
  const wanted = new Set(children);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  children.forEach((child, at) => {
    if (parent.children[at] !== child) parent.insertBefore(child, parent.children[at] ?? null);
  });
}
