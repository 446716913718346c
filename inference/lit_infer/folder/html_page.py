"""The fixed parts of the HTML report, its style and its script: the page's policy allows these two, by digest."""

import base64
import hashlib

STYLE = """
:root { color-scheme: light dark; --ink: #1a1c1e; --soft: #5c6470; --paper: #fff; --card: #f4f5f7; --line: #d7dae0;
  --bad: #b3261e; --mark: #1f6feb; }
@media (prefers-color-scheme: dark) { :root { --ink: #e8eaed; --soft: #a3abb8; --paper: #14161a; --card: #1f2329;
  --line: #363c46; --bad: #ff8a80; --mark: #6ea8fe; } }
* { box-sizing: border-box; }
body { margin: 0; font: 15px/1.45 system-ui, sans-serif; color: var(--ink); background: var(--paper); }
header, main { max-width: 1400px; margin: 0 auto; padding: 1rem; }
h1 { font-size: 1.3rem; margin: 0 0 .2rem; } h2 { font-size: 1.05rem; margin: 1.5rem 0 .5rem; }
p { margin: .2rem 0; color: var(--soft); }
form { position: sticky; top: 0; z-index: 1; display: flex; flex-wrap: wrap; gap: .5rem .9rem; align-items: end;
  padding: .6rem 1rem; background: var(--paper); border-block: 1px solid var(--line); }
label { display: grid; font-size: .8rem; color: var(--soft); }
select, input, button { font: inherit; color: inherit; min-height: 2.4rem; padding: 0 .5rem; background: var(--card);
  border: 1px solid var(--line); border-radius: 6px; max-width: 100%; }
select { max-width: 14rem; } input[type=number] { width: 5.5rem; } input[type=search] { width: 12rem; }
output { color: var(--soft); font-variant-numeric: tabular-nums; padding-bottom: .5rem; }
#cards { display: grid; grid-template-columns: repeat(auto-fill, minmax(160px, 1fr)); gap: .8rem; }
figure { margin: 0; padding: .5rem; background: var(--card); border-radius: 8px; min-width: 0;
  content-visibility: auto; contain-intrinsic-size: auto 250px; }
:is(figure, select, input, button, summary):focus-visible { outline: 3px solid var(--mark); outline-offset: 1px; }
figure img { display: block; width: 100%; height: 160px; object-fit: contain; background: var(--paper);
  border-radius: 4px; image-rendering: auto; }
figcaption { margin-top: .4rem; overflow-wrap: anywhere; }
figcaption b, td:first-child { unicode-bidi: isolate; } meter { width: 100%; height: .6rem; }
.score { float: right; margin-left: .4rem; font-variant-numeric: tabular-nums; }
.path, details { font-size: .8rem; color: var(--soft); unicode-bidi: isolate; } .path { display: block; }
ol { margin: .2rem 0; padding-left: 1.4rem; }
.scroll { overflow-x: auto; } table { border-collapse: collapse; width: 100%; }
th, td { text-align: left; padding: .3rem .7rem .3rem 0; border-bottom: 1px solid var(--line);
  overflow-wrap: anywhere; }
.picture { position: relative; } .picture canvas { position: absolute; inset: 0; width: 100%; height: 160px;
  object-fit: contain; image-rendering: pixelated; opacity: var(--over, .6); }
.picture img.heat, .picture img.split { position: absolute; inset: 0; background: none; }
.heat { opacity: var(--over, .6); } .split { clip-path: inset(0 0 0 var(--split, 50%)); }
.beside { display: flex; gap: 2px; margin-top: 2px; } .beside img { flex: 1; min-width: 0; height: 40px; }
.picture svg { position: absolute; inset: 0; width: 100%; height: 160px; }
.picture rect { fill: none; stroke-width: 2px; vector-effect: non-scaling-stroke; }
.picture line { stroke: white; stroke-width: 2px; stroke-opacity: .8; vector-effect: non-scaling-stroke; }
.picture circle { stroke: white; stroke-width: 1px; vector-effect: non-scaling-stroke; }
.picture .outside circle { fill-opacity: .2; stroke-dasharray: 2; }
.picture text { fill: white; stroke: black; stroke-width: 3px; paint-order: stroke; vector-effect: non-scaling-stroke;
  font-family: system-ui, sans-serif; }
fieldset { display: flex; flex-wrap: wrap; gap: .1rem .8rem; align-items: center; margin: 0; padding: 0; border: 0; }
fieldset label { display: inline-flex; gap: .3rem; align-items: center; min-height: 1.9rem; }
fieldset input { min-height: 0; } fieldset i { width: .9rem; height: .9rem; border-radius: 3px; }
fieldset [type=range] { width: 8rem; }
.confusion { max-width: 1400px; margin: 0 auto; padding: 0 1rem .8rem; font-size: 1em; color: inherit; }
.confusion > summary { min-height: 2.4rem; align-content: center; font-weight: 600; cursor: pointer; }
.parts { display: flex; flex-wrap: wrap; gap: 1rem 2.5rem; align-items: start; }
.parts > * { max-width: 100%; min-width: 0; } .parts table { width: auto; font-variant-numeric: tabular-nums; }
caption { text-align: left; color: var(--soft); font-size: .8rem; padding-bottom: .3rem; }
.confusion button { min-height: 1.6rem; min-width: 2.2rem; padding: 0 .3rem; border: 0; cursor: pointer; }
figcaption .bad { display: block; }
.matrix td { min-width: 2.2rem; padding: 1px; border: 0; text-align: center; white-space: nowrap; }
.matrix td button { width: 100%; background: none; }
.matrix th { border: 0; padding: 0 .4rem; font-weight: 400; white-space: nowrap; }
.matrix th[scope=row] { position: sticky; left: 0; background: var(--paper); text-align: right; }
.matrix th span, .matrix th[scope=row] { max-width: 12rem; overflow: hidden; text-overflow: ellipsis; }
.matrix thead th { vertical-align: bottom; padding: 0 0 .3rem; text-align: center; }
.matrix .long span { display: inline-block; writing-mode: vertical-rl; max-height: 9rem; }
.matrix .share { padding-left: .8rem; color: var(--soft); text-align: right; }
.matrix .right { --shade: var(--mark); } .matrix .wrong { --shade: var(--bad); }
.level1 { background: color-mix(in srgb, var(--shade) 12%, transparent); }
.level2 { background: color-mix(in srgb, var(--shade) 24%, transparent); }
.level3 { background: color-mix(in srgb, var(--shade) 36%, transparent); }
.level4 { background: color-mix(in srgb, var(--shade) 48%, transparent); }
.level5 { background: color-mix(in srgb, var(--shade) 60%, transparent); }
.bad { color: var(--bad); } [hidden] { display: none; }
@media (max-width: 480px) { #cards { grid-template-columns: repeat(2, minmax(0, 1fr)); }
  figure img, .picture :is(canvas, svg) { height: 120px; } }
"""

SCRIPT = """
const form = document.querySelector("form");
const cards = Array.from(document.querySelectorAll("figure"));
const failures = Array.from(document.querySelectorAll("#errors + .scroll tbody tr"));
function show() {
  const chosen = (name) => form.elements[name]?.value ?? "";
  const share = (name, otherwise) => chosen(name) === "" ? otherwise : chosen(name) / 100;
  const wanted = chosen("text").toLowerCase(), group = chosen("group");
  const right = chosen("right"), truth = chosen("truth");
  const low = share("least", 0), high = share("most", 1);
  let shown = 0;
  for (const card of cards) {
    const score = Number(card.dataset.score);
    const groups = JSON.parse(card.dataset.groups);
    const fits = (group === "" || groups.includes(group.slice(1))) && (right === "" || card.dataset.right === right)
      && (truth === "" || card.dataset.truth === truth) && score >= low && score <= high
      && (wanted === "" || card.querySelector(".path").textContent.toLowerCase().includes(wanted));
    card.hidden = !fits;
    shown += fits;
  }
  for (const row of failures) row.hidden = wanted !== "" && !row.textContent.toLowerCase().includes(wanted);
  form.querySelector("output").value = `${shown} of ${cards.length} shown`;
}
function move(event) {
  const visible = cards.filter((card) => !card.hidden);
  const here = visible.indexOf(document.activeElement);
  if (here < 0 || event.altKey || event.ctrlKey || event.metaKey) return;
  const columns = visible.filter((card) => card.offsetTop === visible[0].offsetTop).length;
  const steps = { ArrowRight: 1, ArrowLeft: -1, ArrowDown: columns, ArrowUp: -columns,
    Home: -here, End: visible.length - 1 - here };
  if (event.key === "Enter") {
    const more = visible[here].querySelector("details");
    if (more) more.open = !more.open;
  } else if (event.key in steps) {
    visible[Math.min(visible.length - 1, Math.max(0, here + steps[event.key]))].focus();
  } else return;
  event.preventDefault();
}
form.addEventListener("input", show);
form.addEventListener("reset", () => setTimeout(show));
form.addEventListener("submit", (event) => event.preventDefault());
document.addEventListener("keydown", move);
for (const button of document.querySelectorAll(".confusion button")) {
  button.addEventListener("click", () => {
    form.reset();
    form.elements.truth.value = button.dataset.truth;
    form.elements.group.value = button.dataset.answer;
    setTimeout(() => form.scrollIntoView());
  });
}
form.hidden = cards.length === 0;
show();

// Masks: a grey PNG of class indices for each picture, drawn over it in the colours of those that are switched on.
// Beside boxes it has their numbers, from 1, and those that are shown are drawn in the colours of their boxes.
const layers = Array.from(document.querySelectorAll("canvas"));
const classes = JSON.parse(form.dataset.classes ?? "[]");
const on = new Map();
const boxes = Array.from(document.querySelectorAll("svg g"));
const lines = Array.from(document.querySelectorAll("svg line"));
function outline() {
  const least = (form.elements.sure?.value ?? 0) / 100;
  for (const { dataset, style } of boxes) {
    style.display = on.has(Number(dataset.index)) && dataset.score >= least ? "" : "none";
  }
  for (const line of lines) {  // of points: as long as both are there
    const ends = line.dataset.ends.split(" ").map((index) => line.parentNode.querySelector(`[data-index="${index}"]`));
    line.style.display = ends.every(({ style }) => style.display === "") ? "" : "none";
  }
  layers.forEach(paint);
}
function coloursOf(canvas) {
  if (!canvas.nextElementSibling) return on;
  const shown = Array.from(canvas.parentNode.querySelectorAll("g")).filter(({ style }) => style.display !== "none");
  return new Map(shown.map(({ dataset }) => [Number(dataset.number), on.get(Number(dataset.index))]));
}
function paint(canvas) {
  if (!canvas.indices) return;
  const colours = coloursOf(canvas);
  const context = canvas.getContext("2d"), drawn = context.createImageData(canvas.width, canvas.height);
  canvas.indices.forEach((index, at) => {
    if (colours.has(index)) drawn.data.set(colours.get(index), 4 * at);
  });
  context.putImageData(drawn, 0, 0);
}
async function load(canvas) {
  const image = new Image();
  image.src = canvas.dataset.mask;
  await image.decode();
  [canvas.width, canvas.height] = [image.naturalWidth, image.naturalHeight];
  const context = canvas.getContext("2d", { willReadFrequently: true });
  context.drawImage(image, 0, 0);
  canvas.indices = context.getImageData(0, 0, canvas.width, canvas.height).data.filter((_, at) => at % 4 === 0);
  paint(canvas);
}
function legend() {
  const box = form.querySelector("fieldset");
  for (const { index, label, colour, shown } of classes) {
    const input = Object.assign(document.createElement("input"), { type: "checkbox", checked: shown });
    const swatch = document.createElement("i"), text = document.createElement("label");
    swatch.style.background = `rgb(${colour})`;
    const use = () => input.checked ? on.set(index, [...colour, 255]) : on.delete(index);
    input.addEventListener("change", () => {
      use();
      outline();
    });
    use();
    text.append(input, swatch, label);
    box.append(text);
  }
  form.elements.sure?.addEventListener("input", outline);
}
form.elements.over?.addEventListener("input", ({ target }) => {
  document.body.style.setProperty("--over", target.value / 100);
});
form.elements.split?.addEventListener("input", ({ target }) => {
  document.body.style.setProperty("--split", `${target.value}%`);
});
if (classes.length) {
  legend();
  const seen = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) {
      if (!isIntersecting) continue;
      seen.unobserve(target);
      load(target);
    }
  }, { rootMargin: "500px" });
  layers.forEach((canvas) => seen.observe(canvas));
}
"""


def policy() -> str:
    """The page's Content-Security-Policy: only this style and this script, images only from the page itself."""
    return f"default-src 'none'; img-src data:; style-src '{_digest(STYLE)}'; script-src '{_digest(SCRIPT)}'"


def _digest(text: str) -> str:
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
