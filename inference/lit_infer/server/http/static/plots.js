// The last two minutes of a model as line plots, each with a summary in words.

import { byId, draw, make, milliseconds } from "./dom.js";
import { between } from "./metrics.js";

const WINDOW_MS = 120_000;
const LONGEST_GAP_MS = 10_000; // a hidden tab does not poll: lines do not bridge the gap
const SHORTEST_MS = 500; // readings that are too close say nothing about the time between
const [WIDTH, HEIGHT] = [240, 80];

const perSecond = (rate) => (rate >= 100 ? rate.toFixed(0) : String(Number(rate.toFixed(1))));
const readings = [];
const plots = [
  {
    title: "Requests/s",
    lines: [{ name: "answered", value: (point) => point.answered }, { name: "failed", value: (point) => point.failed }],
    format: perSecond,
    least: 1,
    words: rateInWords,
  },
  {
    title: "Latency",
    lines: [{ name: "p50", value: (point) => point.p50 }, { name: "p99", value: (point) => point.p99 }],
    format: (seconds) => milliseconds(seconds * 1000),
    least: 0.001,
    words: latencyInWords,
  },
];

/** Keep a reading of /metrics. */
export function keep(models, now) {
  if (now - readings.at(-1)?.now < SHORTEST_MS) readings.pop();
  readings.push({ now, models });
  while (readings.length > 1 && readings[1].now < now - WINDOW_MS) readings.shift();
}

/** Draw both plots of a model. */
export function show(model) {
  const points = history(model);
  const now = readings.at(-1)?.now ?? 0;
  byId("plots").replaceChildren(...plots.map((plot) => figure(plot, points, now)));
}

/** The intervals between readings; null for a gap. */
function history(model) {
  return readings.slice(1).map((after, index) => {
    const before = readings[index];
    const elapsed = after.now - before.now;
    if (elapsed > LONGEST_GAP_MS || !after.models.has(model)) return null;
    const found = between(before.models.get(model), after.models.get(model), elapsed / 1000);
    return found && { ...found, now: after.now };
  });
}

function figure({ title, lines, format, least, words }, points, now) {
  const known = points.filter(Boolean);
  const values = lines.flatMap(({ value }) => known.map(value)).filter((value) => value !== null);
  const top = roundUp(Math.max(least, ...values));
  const text = words(known);
  const paths = lines.toReversed().map(({ name, value }) => draw("path", { class: name, d: path(points, value, top, now) }));
  const legend = lines.map(({ name }) => make("span", { className: name }, name));
  return make("figure", {},
    make("figcaption", {}, make("b", {}, title), " ", ...legend),
    make("div", { className: "plot" },
      draw("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: "none", role: "img", "aria-label": `${title}: ${text}` }, ...paths),
      make("span", { className: "top", "aria-hidden": "true" }, format(top)),
    ),
    make("div", { className: "axis", "aria-hidden": "true" }, make("span", {}, "2 min ago"), make("span", {}, "now")),
    make("p", { className: "soft" }, text));
}

function path(points, value, top, now) {
  let isDown = false;
  const steps = points.map((point) => {
    const here = point ? value(point) : null;
    const at = here === null ? "" : `${x(point.now, now)} ${y(here, top)}`;
    const step = at && (isDown ? `L${at}` : `M${at}h0`); // h0: a lone point is a dot
    isDown = at !== "";
    return step;
  });
  return steps.join("");
}

const x = (then, now) => (WIDTH * (1 - (now - then) / WINDOW_MS)).toFixed(1);
const y = (value, top) => (HEIGHT * (1 - value / top)).toFixed(1);

/** Round up to 1, 2 or 5 times a power of ten. */
function roundUp(value) {
  const unit = 10 ** Math.floor(Math.log10(value));
  return unit * [1, 2, 5, 10].find((step) => step * unit >= value * 0.999999);
}

function rateInWords(known) {
  if (!known.length) return "not known yet.";
  const most = Math.max(...known.map((point) => point.answered));
  const failed = Math.max(...known.map((point) => point.failed));
  const bad = failed ? `; failed: at most ${perSecond(failed)}` : "; none failed";
  return `now ${perSecond(known.at(-1).answered)}, at most ${perSecond(most)}${bad}.`;
}

function latencyInWords(known) {
  const last = known.findLast((point) => point.p50 !== null);
  if (!last) return "no latency was measured in these two minutes.";
  return `of the last requests, half within ${milliseconds(last.p50 * 1000)}, 99% within ${milliseconds(last.p99 * 1000)}.`;
}
