// Prometheus' text, and what two readings of it tell of the time between them.

const LINE = /^([A-Za-z_:][\w:]*)(?:\{(.*)\})? (\S+)/;
const LABEL = /(\w+)="((?:[^"\\]|\\.)*)"/g;

/** Per model: requests answered and failed so far, and the histogram of latency as [[seconds, requests up to it]]. */
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

/** Which versions of which models there are, and which are ready: changes when the server's models do. */
export function whatIsServed(text) {
  return text.split("\n").filter((line) => line.startsWith("lit_serve_model_ready{")).join("\n");
}

/** What happened to a model between two readings; null where the counters were set back. */
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

/** As Prometheus' histogram_quantile: even within a bucket, and the last bound for what lies above it. */
export function quantile(share, bounds, counts) {
  const all = counts.at(-1) ?? 0;
  if (all <= 0) return null;
  const place = counts.findIndex((upTo) => upTo >= share * all);
  if (bounds[place] === Infinity) return bounds[place - 1] ?? null;
  const [low, below] = place === 0 ? [0, 0] : [bounds[place - 1], counts[place - 1]];
  return low + (bounds[place] - low) * ((share * all - below) / (counts[place] - below));
}

function* samples(text) {
  for (const line of text.split("\n")) {
    const found = LINE.exec(line);
    if (!found) continue;
    const labels = Object.fromEntries([...(found[2] ?? "").matchAll(LABEL)].map(([, name, value]) => [name, value]));
    yield { name: found[1], labels, value: Number(found[3]) };
  }
}
