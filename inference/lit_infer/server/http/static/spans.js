// A text with the parts that were found in it, each in the colour of its label.

import { make, percent } from "./dom.js";
import { colour } from "./boxes.js";

/** The text with the spans of an answer highlighted, and how much of it the model did not see. */
export function highlighted({ spans, unseen }, text) {
  const characters = [...text]; // the server counts characters, and not the halves of some that JavaScript counts
  const labels = [...new Set(spans.map(({ label }) => label))];
  const parts = [];
  let at = 0;
  for (const { label, start, end, score } of spans) {
    const from = Math.max(at, start);
    if (from >= end) continue;
    const mark = make("mark", { title: percent(score) }, characters.slice(from, end).join(""), " ", make("small", {}, label));
    mark.style.backgroundColor = colour(labels.indexOf(label)).replace(")", " / 0.3)");
    parts.push(characters.slice(at, from).join(""), mark);
    at = end;
  }
  const cut = unseen ? [make("p", { className: "bad" }, `${unseen} characters were not seen by the model: the text has too many tokens.`)] : [];
  return [make("p", { className: "highlighted" }, ...parts, characters.slice(at).join("")), ...cut];
}
