// Which model, which version, how many classes; and the curl line that asks the same.

import { byId } from "./dom.js";
import { askJson, needsKey } from "./server.js";

const form = byId("choice");
const { model, version, top_k: topK } = form.elements;
const NEWEST = "";
let listed = [];

/** What is chosen now. `version` is "" for the newest; `topK` is "" where it has no meaning. */
export function chosen() {
  const hasTopK = !topK.disabled && topK.validity.valid;
  return { model: model.value, version: version.value, topK: hasTopK ? topK.value : "" };
}

/** Whether the model has classes, of which so many are to be shown. */
export function useTopK(hasClasses) {
  topK.disabled = topK.closest("label").hidden = !hasClasses;
}

/** Call back when another model or version is chosen, and when another number of classes is. */
export function onChoice(onModel, onTopK) {
  form.addEventListener("submit", (event) => event.preventDefault());
  model.addEventListener("change", () => {
    showVersions(NEWEST);
    onModel();
  });
  version.addEventListener("change", onModel);
  topK.addEventListener("change", () => {
    topK.value = Math.min(topK.max, Math.max(topK.min, Math.round(topK.valueAsNumber || 5)));
    onTopK();
  });
  topK.addEventListener("input", onTopK);
}

/** Ask the server for its models; what was chosen stays chosen where it is still there. */
export async function loadModels() {
  const before = chosen();
  listed = await askJson("v2/repository/index", { method: "POST", body: "{}" });
  const names = [...new Set(listed.map((one) => one.name))];
  model.replaceChildren(...names.map((name) => new Option(title(name, of(name)), name)));
  if (names.includes(before.model)) model.value = before.model;
  showVersions(before.version);
}

/** The path that is chosen below v2/models. */
export function modelPath({ model: name, version: number }) {
  return `v2/models/${encodeURIComponent(name)}${number ? `/versions/${encodeURIComponent(number)}` : ""}`;
}

/** The path that predicts with what is chosen. */
export function predictPath({ model: name, version: number, topK: most }) {
  const query = new URLSearchParams({ model: name });
  if (number) query.set("version", number);
  if (most) query.set("top_k", most);
  return `predict?${query}`;
}

/** The line for a terminal. A key is named, not shown. */
export function curlLine(choice, takesImages) {
  const key = needsKey() ? ' -H "Authorization: Bearer $LIT_API_KEY"' : "";
  const body = takesImages ? " --data-binary @image.jpg" : "";
  const path = takesImages ? predictPath(choice) : modelPath(choice);
  return `curl${body}${key} "${new URL(path, document.baseURI)}"`;
}

const of = (name) => listed.filter((one) => one.name === name);

function title(text, slots) {
  return slots.some((one) => one.state === "READY") ? text : `${text} (not ready)`;
}

function showVersions(wanted) {
  const slots = of(model.value);
  const options = slots.map((one) => new Option(title(one.version, [one]), one.version));
  version.replaceChildren(new Option("newest", NEWEST), ...options);
  version.value = slots.some((one) => one.version === wanted) ? wanted : NEWEST;
}
