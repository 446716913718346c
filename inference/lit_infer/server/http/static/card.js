// The model card: what the manifest says, as a list of terms. Rows without a known value are left out.

import { byId, count, make, milliseconds, percent, short } from "./dom.js";


/** Show a card, or the reason why there is none. */
export function showCard(card, reason = "") {
  const panel = byId("card");
  if (!card) return panel.replaceChildren(make("p", { className: "notice" }, reason));
  panel.replaceChildren(
    make("h3", {}, make("bdi", {}, card.name), ` version ${card.version}`),
    terms(facts(card)),
    make("details", {}, make("summary", {}, "How it was made and checked"), terms(details(card))),
  );
}

function facts(card) {
  const { source, graph } = card;
  return [
    ["Task", card.does + (card.labels === null ? "" : `, ${count(card.labels, ...card.nouns)}`)],
    ["Score", source.score && `${source.score.monitor} ${short(source.score.value)}, as recorded in training`],
    ["Score on data", graph?.score && `${graph.score.metric} ${short(graph.score.value)} on ${count(graph.score.images, "image")}`],
    ["Licence", card.license],
    ["Checkpoint", source.reference],
    ["Run", source.run],
    ["Graph", graph && [graph.file, graph.precision, size(graph.bytes)].filter(Boolean).join(", ")],
    ["Runs on", `${card.engine}, ${card.device}`],
    ["Inputs", card.inputs.map(tensor).join("; ")],
    ["Outputs", card.outputs.map(tensor).join("; ")],
    ["At export", graph?.latency && latency(graph.latency)],
  ];
}

function details(card) {
  const { source, graph } = card;
  return [
    ["Prepared by", card.takes_images ? card.prepared_by.join("; ") || "nothing: taken unchanged" : null],
    ["Normalized", card.normalize && `mean ${card.normalize.mean.join(", ")}; std ${card.normalize.std.join(", ")}`],
    ["Pixels", card.pixels],
    ["Rows", card.prepared],
    ["Compared", graph?.parity && parity(graph, card.agreement)],
    ["Not run by the comparison", unexercised(card.proof)],
    ["Taken as given", card.proof?.assumed.join("; ")],
    ["Opset", graph?.opset && String(graph.opset)],
    ["Graph sha256", graph?.sha256],
    ["Checkpoint sha256", source.digest],
    ["Git commit", source.git_commit],
    ["Class", source.class_path],
    ["Part", source.submodule],
    ["Weights", source.weights === "ema" ? "moving average (EMA)" : null],
    ["Made with", Object.entries(card.made_with.versions).map((pair) => pair.join(" ")).join(", ")],
    ["Made on", card.made_with.date?.slice(0, 10)],
  ];
}

function terms(rows) {
  const known = rows.filter(([, value]) => value);
  return make("dl", {}, ...known.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, value)]));
}

const size = (bytes) => (bytes ? (bytes < 1e6 ? `${short(bytes / 1e3)} kB` : `${short(bytes / 1e6)} MB`) : "");

const tensor = ({ name, dtype, shape }) => `${name} ${dtype} ${shape.join(" × ") || "scalar"}`;

function latency({ ms, batch_size: batch, threads, cpu }) {
  return `${milliseconds(ms)} per input in batches of ${batch}, on ${count(threads, "thread")} of ${cpu}`;
}

function parity({ verdict, parity: { agreement } }, name) {
  return verdict + (agreement === null ? "" : `; ${name} ${percent(agreement)}`);
}

function unexercised(proof) {
  const places = proof?.unexercised ?? [];
  const shown = places.slice(0, 5).map(({ file, line, what, text }) => `${file}:${line}, ${what}: ${text}`);
  return shown.join("; ") + (places.length > shown.length ? `; ${places.length - shown.length} more in report.md` : "");
}
