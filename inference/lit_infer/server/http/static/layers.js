// A picture that was made of another, over it: from a slider on, or more or less opaque.

import { count, make } from "./dom.js";

/** The picture at this URL on the left of the slider, what was made of it on the right. */
export function split(found, url) {
  if (found.media !== "image/png") {
    return [make("p", { className: "soft" }, `${found.width} x ${found.height} values of several channels, which are not drawn here.`)];
  }
  const after = make("img", { src: `data:image/png;base64,${found.image}`, alt: "", className: "over" });
  const slider = make("input", { type: "range", min: 0, max: 100, value: 50, "aria-label": "From where on the new picture is shown" });
  const cut = () => (after.style.clipPath = `inset(0 0 0 ${slider.value}%)`);
  slider.addEventListener("input", cut);
  cut();
  const range = `${found.min.toPrecision(3)} to ${found.max.toPrecision(3)}`;
  return [
    make("div", { className: "masked" }, before(found, url), after),
    make("p", { className: "soft" }, make("label", {}, "before ", slider, " after")),
    make("p", { className: "soft" }, `${found.width} x ${found.height}, ${range}`),
    ...(found.outside ? [make("p", { className: "soft" }, `${count(found.outside, "pixel")} not seen by the model`)] : []),
  ];
}

/** The picture at this URL under the heat of an answer's map, if it has one. */
export function heated(found, url) {
  if (!found.map) return [];
  const heat = make("img", { src: `data:image/png;base64,${found.map}`, alt: "", className: "over" });
  const slider = make("input", { type: "range", min: 0, max: 100, value: 60, "aria-label": "How opaque the heat is" });
  const fade = () => (heat.style.opacity = slider.value / 100);
  slider.addEventListener("input", fade);
  fade();
  return [
    make("div", { className: "masked" }, before(found, url), heat),
    make("p", { className: "soft" }, make("label", {}, "heat ", slider)),
  ];
}

function before({ upright }, url) {
  const image = make("img", { src: url, alt: "", decoding: "async" });
  image.style.imageOrientation = upright ? "from-image" : "none"; // as the model saw it
  return image;
}
