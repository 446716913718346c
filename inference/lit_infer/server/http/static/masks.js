// A mask over its picture: the classes in colours, switched on and off, more or less opaque.

import { count, make, percent } from "./dom.js";

const UNSHOWN = new Set(["background", "__background__", "_background_", "unlabelled", "unlabeled", "void"]);

const COLOUR_TYPE = 25; // in a PNG; 3: it has a palette

/** The picture at this URL with the mask of an answer over it, and its classes. */
export function masked(found, url) {
  if (atob(found.mask.slice(0, 40)).charCodeAt(COLOUR_TYPE) !== 3) {
    return [make("p", { className: "soft" }, "A mask of more than 255 classes is not drawn here.")];
  }
  const image = make("img", { src: url, alt: "", decoding: "async" });
  image.style.imageOrientation = found.upright ? "from-image" : "none"; // as the model saw it
  const canvas = make("canvas", { width: found.width, height: found.height, "aria-hidden": "true" });
  const on = new Map();
  const opaque = make("input", { type: "range", min: 0, max: 100, value: 60, "aria-label": "How opaque the mask is" });
  opaque.addEventListener("input", () => (canvas.style.opacity = opaque.value / 100));
  let indices = [];
  const paint = () => {
    const context = canvas.getContext("2d", { willReadFrequently: true }); // it is filled pixel by pixel
    const drawn = context.createImageData(canvas.width, canvas.height);
    for (let at = 0; at < indices.length; at += 1) {
      const colour = on.get(indices[at]);
      if (colour) drawn.data.set(colour, 4 * at);
    }
    context.putImageData(drawn, 0, 0);
  };
  const areas = found.areas.map((area) => row(area, on, paint));
  indicesOf(found).then((read) => {
    indices = read;
    paint();
  });
  return [
    make("div", { className: "masked" }, image, canvas),
    make("ol", { className: "areas", "aria-label": "Classes" }, ...areas),
    make("p", { className: "soft" }, make("label", {}, "mask ", opaque)),
    ...(found.outside ? [make("p", { className: "soft" }, `${count(found.outside, "pixel")} not seen by the model`)] : []),
  ];
}

/** The class of each pixel. The browser gives an index its palette's colour, so the PNG is read by its colours. */
async function indicesOf({ mask, width, height }) {
  const image = new Image();
  image.src = `data:image/png;base64,${mask}`;
  await image.decode();
  const canvas = make("canvas", { width, height });
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  const pixels = context.getImageData(0, 0, width, height).data;
  const byColour = new Map(Array.from({ length: 256 }, (_, index) => [key(...colourOf(index)), index]));
  return Uint8Array.from({ length: width * height }, (_, at) => byColour.get(key(...pixels.subarray(4 * at, 4 * at + 3))));
}

const key = (red, green, blue) => (red << 16) | (green << 8) | blue;

/** As PASCAL VOC has it, and the PNG's palette: `colours` of lit_infer.images.masks. */
function colourOf(index) {
  const colour = [0, 0, 0];
  for (let left = index, bit = 7; left; left >>= 3, bit -= 1) {
    for (let channel = 0; channel < 3; channel += 1) colour[channel] |= ((left >> channel) & 1) << bit;
  }
  return colour;
}

function row({ label, index, share }, on, paint) {
  const colour = colourOf(index % 255);
  const box = make("input", { type: "checkbox", checked: !UNSHOWN.has(label.toLowerCase()) });
  const use = () => (box.checked ? on.set(index, [...colour, 255]) : on.delete(index));
  box.addEventListener("change", () => {
    use();
    paint();
  });
  use();
  const swatch = make("i", {});
  swatch.style.background = `rgb(${colour})`;
  return make("li", {}, make("label", {}, box, swatch, make("bdi", {}, label)), make("span", {}, percent(share)));
}
