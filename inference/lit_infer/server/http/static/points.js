// Points over their picture, joined where the model says so; those of a low score can be hidden.

import { colour } from "./boxes.js";
import { draw, make, percent } from "./dom.js";

/** The picture at this URL with the points of an answer over it, and where they are. */
export function pointed(found, url) {
  const image = make("img", { src: url, alt: "", decoding: "async" });
  image.style.imageOrientation = found.upright ? "from-image" : "none"; // as the model saw it
  const size = Math.max(found.width, found.height) / 70;
  const drawn = new Map(found.points.map((one) => [one.index, { one, node: dot(one, size), item: listed(one) }]));
  const edges = found.skeleton.filter((ends) => ends.every((index) => drawn.has(index)))
    .map((ends) => ({ ends: ends.map((index) => drawn.get(index)), node: line(...ends.map((index) => drawn.get(index).one)) }));
  const picture = draw("svg", { viewBox: `0 0 ${found.width} ${found.height}`, "aria-hidden": "true" });
  picture.append(...edges.map(({ node }) => node), ...[...drawn.values()].map(({ node }) => node));
  const frame = make("div", { className: "masked" }, image, picture);
  if (!drawn.size) return [frame, make("p", {}, "No point scores enough.")];
  const list = make("ol", { className: "areas", "aria-label": "Points" }, ...[...drawn.values()].map(({ item }) => item));
  if (found.points.every(({ score }) => score === null)) return [frame, list];
  const sure = make("input", { type: "range", min: 0, max: 100, value: 0, "aria-label": "Least score of a point" });
  sure.addEventListener("input", () => {
    for (const { one, node, item } of drawn.values()) {
      item.hidden = one.score !== null && one.score * 100 < sure.value;
      node.style.display = item.hidden ? "none" : "";
    }
    for (const { ends, node } of edges) node.style.display = ends.some(({ item }) => item.hidden) ? "none" : "";
  });
  return [frame, list, make("p", { className: "soft" }, make("label", {}, "points from ", sure))];
}

/** A point in words: its name, its place, its score. */
export const said = ({ label, x, y, score }) =>
  `${label} (${x.toFixed(1)}, ${y.toFixed(1)})${score === null ? "" : ` ${percent(score)}`}`;

function listed({ label, index, x, y, score, outside }) {
  const swatch = make("i");
  swatch.style.background = colour(index);
  const place = `${x.toFixed(1)}, ${y.toFixed(1)}${score === null ? "" : ` · ${percent(score)}`}`;
  const where = outside ? " · outside of what the model saw" : "";
  return make("li", {}, make("label", {}, swatch, make("bdi", {}, label)), make("span", {}, place + where));
}

function dot({ index, x, y, outside }, size) {
  const group = draw("g", { fill: colour(index), class: outside ? "outside" : "" });
  group.append(draw("circle", { cx: x, cy: y, r: size }));
  return group;
}

const line = (one, other) => draw("line", { x1: one.x, y1: one.y, x2: other.x, y2: other.y });
