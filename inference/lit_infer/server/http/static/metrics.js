// Parses Prometheus' text format, and computes what happened between two readings.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Per model: requests answered and failed so far, and the latency histogram as [[seconds, requests up to it]]. */
export function read(text) {
  const models = new Map();
  const of = (name) => {
    if (!models.has(name)) models.set(name, { answered: 0, failed: 0, buckets: new Map() });
    return models.get(name);
  };
  for (const { name, labels, value } of samples(text)) {
    if (name === "nv_inference_request_success") of(labels.model).answered += value;
    else if (name === "nv_inference_request_failure") of(labels.model).failed += value;
    else if (name === "lit_serve_request_duration_seconds_bucket") {
      const { buckets } = of(labels.model);
      const bound = Number(labels.le.replace("+Inf", "Infinity"));
      buckets.set(bound, (buckets.get(bound) ?? 0) + value);
    }
  }
  return models;
}

/** The versions of all models and which of them are ready, as text that changes with them. */
export function whatIsServed(text) {
  return text.split("\n").filter((line) => line.startsWith("lit_serve_model_ready{")).join("\n");
}

/** What happened to a model between two readings; null if the counters were reset. */
export function between(before, after, seconds) {
  const answered = after.answered - (before?.answered ?? 0);
  const failed = after.failed - (before?.failed ?? 0);
  if (answered < 0 || failed < 0) return null;
  const bounds = [...after.buckets.keys()].sort((one, other) => one - other);
  const counts = bounds.map((bound) => after.buckets.get(bound) - (before?.buckets.get(bound) ?? 0));
  return {
    answered: answered / seconds,
    failed: failed / seconds,
    p50: quantile(0.5, bounds, counts),
    p99: quantile(0.99, bounds, counts),
  };
}

/** Like Prometheus' histogram_quantile: linear within a bucket; above the last bound, that bound. */
export function quantile(share, bounds, counts) {
  const all = counts.at(-1) ?? 0;
  if (all <= 0) return null;
  const index = counts.findIndex((upTo) => upTo >= share * all);
  if (bounds[index] === Infinity) return bounds[index - 1] ?? null;
  const [low, below] = index === 0 ? [0, 0] : [bounds[index - 1], counts[index - 1]];
  return low + (bounds[index] - low) * ((share * all - below) / (counts[index] - below));
}

function* samples(text) {
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    yield { name: found[1], labels, value: Number(found[3]) };
  }
}
