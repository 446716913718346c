// The page: dropped, pasted or chosen images are predicted; the server's state is shown beside them.

import { chosen, curlLine, loadModels, modelPath, onChoice, useTopK } from "./choice.js";
import { showCard } from "./card.js";
import { byId, tell } from "./dom.js";
import { read, whatIsServed } from "./metrics.js";
import * as plots from "./plots.js";
import { add, addText, again, clear } from "./results.js";
import { ask, askJson, needsKey, useKey } from "./server.js";

const EVERY_MS = 2000;
const KEPT = "Kept until this tab is closed.";
let card = null;
let served = "";
let timer = 0;
let turn = 0;

/** Show the choice: its card, its curl command, its plots. */
async function choose() {
  const choice = chosen();
  if (!choice.model) return;
  showLine();
  plots.show(choice.model);
  try {
    const found = await askJson(`${modelPath(choice)}/card`);
    if (choice.model !== chosen().model || choice.version !== chosen().version) return; // the choice has changed meanwhile
    card = found;
    showCard(card);
  } catch (error) {
    card = null;
    showCard(null, error.message);
  }
  showLine();
}

const takesImages = () => card?.takes_images !== false;
const takesText = () => Boolean(card?.fields?.text && !card.fields.text.pair);

function showLine() {
  useTopK(card?.takes_top_k === true);
  const file = takesImages() ? "image.jpg" : card?.takes_audio ? "recording.wav" : "";
  byId("curl").textContent = curlLine(chosen(), file, card?.takes_rows === true);
  byId("drop").hidden = !takesImages();
  byId("write").hidden = !takesText();
  const infer = new URL(`${modelPath(chosen())}/infer`, document.baseURI).pathname;
  const others = card?.takes_audio
    ? "This model takes recordings, not images: send one as a file, as below"
    : card?.takes_rows
    ? "This model takes rows, not images: send one as JSON, or a list, as below"
    : `This model takes tensors, not images: send them to ${infer}`;
  tell(byId("note"), takesImages() || takesText() ? "" : others);
}

function askAgain() {
  if (takesText()) again();
  else ifImages(again);
}

function listenForText() {
  const text = byId("text");
  byId("write").addEventListener("submit", (event) => {
    event.preventDefault();
    addText(text.value);
  });
  text.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !(event.ctrlKey || event.metaKey)) return;
    event.preventDefault();
    addText(text.value);
  });
}

const take = (files) => ifImages(() => add(files));

function ifImages(act) {
  if (!chosen().model) tell(byId("status"), "There is no model.");
  else if (!takesImages()) tell(byId("status"), "The chosen model takes tensors, not images.");
  else act();
}

/** Poll the server while the page is visible. A newer call replaces the one in progress. */
async function poll() {
  clearTimeout(timer);
  turn += 1;
  const mine = turn;
  if (document.hidden) return;
  const isOpen = await look();
  if (isOpen && mine === turn) timer = setTimeout(poll, EVERY_MS);
}

/** Show the server's metrics, and its models if they have changed. False: it needs a key first. */
async function look() {
  try {
    const text = await (await ask("metrics", { signal: AbortSignal.timeout(5 * EVERY_MS) })).text();
    await noteModels(whatIsServed(text));
    document.body.classList.remove("locked");
    plots.keep(read(text), performance.now());
    plots.show(chosen().model);
    tell(byId("polling"), "");
  } catch (error) {
    if (error.status === 401) return false;
    tell(byId("polling"), `${error.message}; asking again`);
  }
  return true;
}

async function noteModels(found) {
  if (served === found) return;
  await loadModels();
  await choose();
  served = found;
}

function listenForFiles() {
  const input = byId("files");
  input.addEventListener("change", () => {
    take(input.files);
    input.value = ""; // the same file can be picked again
  });
  const drag = (isOver) => document.body.classList.toggle("dragging", isOver);
  document.addEventListener("dragover", (event) => {
    event.preventDefault();
    drag(true);
  });
  document.addEventListener("dragleave", (event) => drag(event.relatedTarget !== null));
  document.addEventListener("drop", (event) => {
    event.preventDefault();
    drag(false);
    if (event.dataTransfer.files.length) take(event.dataTransfer.files);
    else tell(byId("status"), "That was not a file: drop image files, or copy an image and paste it here.");
  });
  document.addEventListener("paste", (event) => {
    if (event.clipboardData.files.length) take(event.clipboardData.files);
  });
}

function listenForKey() {
  const form = byId("key");
  form.hidden = !needsKey();
  if (needsKey()) tell(byId("key-note"), KEPT);
  document.addEventListener("key-refused", (event) => {
    form.hidden = false;
    document.body.classList.toggle("locked", !chosen().model);
    tell(byId("key-note"), event.detail.wasGiven ? "The server does not know this key." : "This server asks for a key.");
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const key = byId("secret").value.trim();
    if (!/^[\x21-\x7e]*$/.test(key)) return tell(byId("key-note"), "A key has only printable ASCII characters without spaces.");
    useKey(key);
    tell(byId("key-note"), key ? KEPT : "Forgotten.");
    poll();
  });
}

async function copy() {
  const button = byId("copy");
  try {
    await navigator.clipboard.writeText(byId("curl").textContent);
    button.textContent = "Copied";
  } catch { // no clipboard without HTTPS, except on localhost
    getSelection().selectAllChildren(byId("curl"));
    button.textContent = "Selected";
  }
  setTimeout(() => (button.textContent = "Copy"), 2000);
}

listenForFiles();
listenForText();
listenForKey();
onChoice(choose, showLine);
byId("again").addEventListener("click", askAgain);
byId("clear").addEventListener("click", () => {
  clear();
  byId("files").focus(); // the button is gone
});
byId("copy").addEventListener("click", copy);
document.addEventListener("visibilitychange", poll);
poll();
