// The results: a card per image, in the order given. A few requests run at once, and each fails on its own.

import { byId, count, make, milliseconds, percent, short, tell } from "./dom.js";
import { chosen, predictPath } from "./choice.js";
import { boxed } from "./boxes.js";
import { heated, split } from "./layers.js";
import { masked } from "./masks.js";
import { pointed, said } from "./points.js";
import { ask, Refused } from "./server.js";
import { highlighted } from "./spans.js";

const AT_ONCE = 3;
const MOST = 100; // for more there is lit-infer; a page could not show them
const FIRST = 8; // numbers of an embedding that are shown
const STAGES = [["queue", "queue"], ["prepare", "prepare"], ["infer", "graph"], ["rest", "other"]];

const list = byId("results");
const status = byId("status");
const entries = [];
let waiting = [];
let running = 0;
let leftOut = 0;

/** Predict these files. */
export function add(files) {
  const room = Math.max(0, MOST - entries.length);
  const taken = [...files].slice(0, room);
  for (const file of taken) {
    const entry = { file, body: make("div", { className: "body" }), url: URL.createObjectURL(file), stop: null };
    entries.push(entry);
    list.append(make("li", {}, thumbnail(entry), entry.body));
  }
  leftOut += files.length - taken.length;
  askFor(entries.slice(entries.length - taken.length));
}

/** Predict a text. */
export function addText(text) {
  if (entries.length >= MOST) return tell(status, `This page shows at most ${MOST}. For files of texts, use lit-infer.`);
  const name = text.length > 60 ? `${text.slice(0, 60)}…` : text;
  const entry = { text, file: { name }, body: make("div", { className: "body" }), url: null, stop: null };
  entries.push(entry);
  list.append(make("li", { className: "text" }, entry.body));
  askFor([entry]);
}

/** Predict all images again, with the current choice. */
export function again() {
  stopAll();
  askFor(entries);
}

/** Remove all images and cancel running requests. */
export function clear() {
  stopAll();
  for (const { url } of entries) if (url) URL.revokeObjectURL(url);
  entries.length = leftOut = 0;
  list.replaceChildren();
  tell(status, "No image yet.");
  showButtons();
}

function askFor(some) {
  const choice = chosen();
  for (const entry of some) {
    entry.state = "waiting";
    entry.choice = choice;
    entry.body.replaceChildren(heading(entry), make("p", { className: "soft" }, "waiting …"));
  }
  waiting.push(...some);
  showButtons();
  tell(status, counts());
  startMore();
}

function stopAll() {
  waiting = [];
  for (const entry of entries) entry.stop?.abort();
}

function startMore() {
  while (running < AT_ONCE && waiting.length) {
    running += 1;
    predict(waiting.shift()).finally(() => {
      running -= 1;
      startMore();
    });
  }
}

async function predict(entry) {
  const stop = new AbortController();
  entry.stop = stop;
  try {
    const isText = entry.text !== undefined;
    const body = isText ? JSON.stringify(entry.text) : await bytes(entry.file);
    const headers = { "Content-Type": isText ? "application/json" : "application/octet-stream" };
    const path = predictPath(entry.choice);
    const found = await (await ask(path, { method: "POST", body, headers, signal: stop.signal })).json();
    if (!stop.signal.aborted) finish(entry, "done", answer(found, entry), summarize(found));
  } catch (error) {
    if (stop.signal.aborted) return;
    const text = error instanceof Refused ? failure(error, entry.file) : `this page failed: ${error.message}`;
    finish(entry, "failed", [make("p", { className: "bad" }, text)], text);
  }
}

function finish(entry, state, nodes, text) {
  entry.state = state;
  entry.body.replaceChildren(heading(entry), ...nodes);
  tell(status, `${counts()} ${entry.file.name}: ${text}`);
}

function counts() {
  const [done, failed] = ["done", "failed"].map((state) => entries.filter((entry) => entry.state === state).length);
  const bad = failed ? `, ${failed} failed` : "";
  const left = leftOut ? ` ${leftOut} left out: this page shows at most ${MOST}. For folders, use lit-infer.` : "";
  const texts = entries.filter(({ text }) => text !== undefined).length;
  const what = texts === 0 ? "image" : texts === entries.length ? "text" : "item";
  return `${done} of ${count(entries.length, what)} answered${bad}.${left}`;
}

async function bytes(file) {
  try {
    return await file.arrayBuffer();
  } catch {
    throw new Refused("this file cannot be read: is it a folder, or was it moved?", 0);
  }
}

function failure(error, file) {
  if (error.status !== 0 || !(file.size >= 2 ** 20)) return error.message;
  return `${error.message}; perhaps ${(file.size / 2 ** 20).toFixed(0)} MiB are more than it accepts`;
}

function showButtons() {
  for (const id of ["again", "clear"]) byId(id).hidden = entries.length === 0;
}

const heading = ({ file }) => make("h3", { className: "file" }, make("bdi", {}, file.name));

function thumbnail({ url }) {
  const image = make("img", { src: url, alt: "", decoding: "async" });
  image.addEventListener("error", () => image.replaceWith(make("div", { className: "blank", "aria-hidden": "true" })));
  return image;
}

/** How answers of a kind are summarised in a line and drawn. */
const KINDS = {
  classes: { summarize: (found) => `${found.label ?? "no label"}, ${percent(found.score)}`, drawn: (found) => [bars(found.top)] },
  labels: { summarize: summarizeLabels, drawn: (found) => [bars(found.top, new Set(found.labels.map(({ index }) => index)))] },
  values: { summarize: summarizeValues, drawn: (found) => [values(found.values)] },
  vector: { summarize: summarizeVector, drawn: drawVector },
  boxes: { summarize: summarizeBoxes, drawn: (found, { url }) => boxed(found, url) },
  points: { summarize: summarizePoints, drawn: (found, { url }) => pointed(found, url) },
  image: { summarize: summarizeImage, drawn: (found, { url }) => split(found, url) },
  anomaly: { summarize: summarizeAnomaly, drawn: (found, { url }) => [make("p", {}, summarizeAnomaly(found)), ...heated(found, url)] },
  instances: { summarize: summarizeBoxes, drawn: (found, { url }) => boxed(found, url) },
  spans: { summarize: summarizeSpans, drawn: (found, { text }) => highlighted(found, text) },
  mask: { summarize: summarizeMask, drawn: (found, { url }) => masked(found, url) },
};

function summarize(found) {
  return KINDS[found.kind].summarize(found);
}

function answer(found, entry) {
  const by = make("p", { className: "soft" }, `${found.model} version ${found.version}`);
  return [...KINDS[found.kind].drawn(found, entry), stages(found.ms), by];
}

function summarizeLabels({ labels }) {
  return labels.map(({ label }) => label).join(", ") || "no label";
}

function summarizeBoxes({ boxes }) {
  return boxes.map(({ label, score }) => `${label} ${percent(score)}`).join(", ") || "nothing was found";
}

function summarizeSpans({ spans }) {
  return spans.map(({ text, label }) => `${text} (${label})`).join(", ") || "nothing was found";
}

function summarizePoints({ points }) {
  const more = points.length > 3 ? `, and ${points.length - 3} more` : "";
  return (points.slice(0, 3).map(said).join(", ") || "no point") + more;
}

function summarizeMask({ areas, confidence }) {
  const shares = areas.slice(0, 3).map(({ label, share }) => `${label} ${percent(share)}`).join(", ");
  return confidence === null ? shares : `${shares}; mean score ${percent(confidence)}`;
}

function summarizeImage({ width, height, mean }) {
  return `${width} x ${height}, mean ${short(mean)}`;
}

function summarizeAnomaly({ is_anomalous, score, threshold }) {
  if (threshold === null) return `score ${short(score)}; no threshold is known`;
  return `${is_anomalous ? "anomalous" : "normal"}: score ${short(score)}, threshold ${short(threshold)}`;
}

function summarizeValues(found) {
  return found.values.map((one) => `${one.name} ${withUnit(one)}`).join(", ");
}

function withUnit({ value, unit }) {
  return `${short(value)}${unit ? ` ${unit}` : ""}`;
}

function values(all) {
  const rows = all.flatMap((one) => [make("dt", {}, make("bdi", {}, one.name)), make("dd", {}, withUnit(one))]);
  return make("dl", { "aria-label": "Values" }, ...rows);
}

/** Bars of scores; `above`: the indices that are labels of the image, if only some are. */
function bars(top, above = null) {
  const bar = ({ label, index, score }) => {
    const meter = make("meter", { min: 0, max: 1, value: score ?? 0, "aria-label": `${label}: ${percent(score)}` });
    const isLabel = above === null || above.has(index);
    const name = make(above !== null && isLabel ? "b" : "bdi", { className: "label" }, label);
    return make("li", { className: isLabel ? "" : "soft" }, name, make("span", {}, percent(score)), meter);
  };
  return make("ol", { className: "bars", "aria-label": "Best classes" }, ...top.map(bar));
}

function summarizeVector(found) {
  const numbers = [found.embedding].flat(Infinity);
  const norm = Math.sqrt(numbers.reduce((sum, one) => sum + one * one, 0));
  return `an embedding of ${count(numbers.length, "number")}, of norm ${short(numbers.includes(null) ? null : norm)}`;
}

function drawVector(found) {
  const numbers = [found.embedding].flat(Infinity);
  const first = numbers.slice(0, FIRST).map(short).join(", ");
  const more = numbers.length > FIRST ? ", …" : "";
  return [make("p", {}, summarize(found)), make("p", { className: "numbers" }, `[${first}${more}]`)];
}

function stages(ms) {
  const times = { ...ms, rest: Math.max(0, ms.total - ms.queue - ms.prepare - ms.infer) };
  const parts = STAGES.map(([name, text]) => {
    const part = make("span", { className: name });
    part.style.flexGrow = (1000 * times[name]) / times.total || 0;
    return { part, text: `${text} ${milliseconds(times[name])}`, name };
  });
  const bar = make("div", { className: "stages", "aria-hidden": "true" }, ...parts.map(({ part }) => part));
  const legend = parts.map(({ name, text }) => make("li", { className: name }, text));
  return make("div", { className: "times" },
    make("p", {}, `${milliseconds(times.total)} in the server`), bar, make("ul", { "aria-label": "Time by stage" }, ...legend));
}
