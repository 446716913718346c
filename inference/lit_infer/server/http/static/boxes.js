// Boxes, and the masks of those that have one, over their picture, in the colours of their classes; those of a low score
// can be hidden.

import { draw, make, percent } from "./dom.js";
import { paintRuns } from "./runs.js";

const GOLDEN = 222.49224; // degrees: neighbours get colours that are far apart

/** The colour of a class or of a point. */
export const colour = (index) => `hsl(${(index * GOLDEN) % 360} 90% 55%)`;

/** The picture at this URL with the boxes of an answer over it, and what they are. */
export function boxed(found, url) {
  const image = make("img", { src: url, alt: "", decoding: "async" });
  image.style.imageOrientation = found.upright ? "from-image" : "none"; // as the model saw it
  const drawn = found.boxes.map((one) => ({ one, node: box(one, Math.max(found.width, found.height)) }));
  const picture = draw("svg", { viewBox: `0 0 ${found.width} ${found.height}`, "aria-hidden": "true" });
  picture.append(...drawn.map(({ node }) => node));
  const canvas = make("canvas", { width: found.width, height: found.height, "aria-hidden": "true" });
  const paint = (shown) => paintRuns(canvas, shown.map(({ one }) => ({ ...one, colour: colour(one.index) })));
  const hasMasks = drawn.some(({ one }) => one.segmentation);
  if (hasMasks) paint(drawn);
  const items = drawn.map(({ one }) => make("li", {}, make("bdi", {}, one.label), make("span", {}, percent(one.score))));
  const sure = make("input", { type: "range", min: 0, max: 100, value: 0, "aria-label": "Least score of a box" });
  sure.addEventListener("input", () => {
    drawn.forEach(({ one, node }, at) => {
      const shown = one.score * 100 >= sure.value;
      node.style.display = shown ? "" : "none";
      items[at].hidden = !shown;
    });
    if (hasMasks) paint(drawn.filter(({ node }) => node.style.display === ""));
  });
  const frame = make("div", { className: "masked" }, image, ...(hasMasks ? [canvas] : []), picture);
  if (!drawn.length) return [frame, make("p", {}, "Nothing was found.")];
  return [
    frame,
    make("ol", { className: "areas", "aria-label": "Boxes" }, ...items),
    make("p", { className: "soft" }, make("label", {}, "boxes from ", sure)),
  ];
}

function box({ label, index, score, box: [left, top, right, bottom] }, longest) {
  const size = longest / 20;
  const group = draw("g", { stroke: colour(index) });
  const text = draw("text", { x: left, y: Math.max(top, size), "font-size": size });
  text.textContent = `${label} ${percent(score)}`;
  group.append(draw("rect", { x: left, y: top, width: right - left, height: bottom - top }), text);
  return group;
}
