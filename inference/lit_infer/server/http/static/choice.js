// The chosen model, version and number of classes, and the curl command for the same request.

import { byId } from "./dom.js";
import { askJson, needsKey } from "./server.js";

const form = byId("choice");
const { model, version, top_k: topK } = form.elements;
const NEWEST = "";
let listed = [];

/** The current choice. `version` is "" for the newest; `topK` is "" if it does not apply. */
export function chosen() {
  const hasTopK = !topK.disabled && topK.validity.valid;
  return { model: model.value, version: version.value, topK: hasTopK ? topK.value : "" };
}

/** Show the number of classes only for models that have classes. */
export function useTopK(hasClasses) {
  topK.disabled = topK.closest("label").hidden = !hasClasses;
}

/** Call `onModel` when the model or version changes, and `onTopK` when the number of classes does. */
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

/** Load the list of models from the server. The choice stays if it still exists. */
export async function loadModels() {
  const before = chosen();
  listed = await askJson("v2/repository/index", { method: "POST", body: "{}" });
  const names = [...new Set(listed.map((one) => one.name))];
  model.replaceChildren(...names.map((name) => new Option(title(name, of(name)), name)));
  if (names.includes(before.model)) model.value = before.model;
  showVersions(before.version);
}

/** The path of the chosen model or version. */
export function modelPath({ model: name, version: number }) {
  return `v2/models/${encodeURIComponent(name)}${number ? `/versions/${encodeURIComponent(number)}` : ""}`;
}

/** The path for predicting with the choice. */
export function predictPath({ model: name, version: number, topK: most }) {
  const query = new URLSearchParams({ model: name });
  if (number) query.set("version", number);
  if (most) query.set("top_k", most);
  return `predict?${query}`;
}

/** The command for a terminal. It refers to the key by variable and never shows it. */
export function curlLine(choice, file, takesRows) {
  const key = needsKey() ? ' -H "Authorization: Bearer $LIT_API_KEY"' : "";
  const body = file ? ` --data-binary @${file}` : takesRows ? " --json @row.json" : "";
  const path = file || takesRows ? predictPath(choice) : modelPath(choice);
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
