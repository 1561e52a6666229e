// How a box is drawn: a dark line below a coloured one, so that it shows on any picture.

const SVG = "http://www.w3.org/2000/svg";

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
