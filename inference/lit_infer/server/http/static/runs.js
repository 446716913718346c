// Masks of instances, as COCO's compressed runs: column by column, how many pixels are outside, inside, outside …

/** Draw instances of {segmentation, colour} into a canvas of the image's size, the first one on top. */
export function paintRuns(canvas, instances) {
  const context = canvas.getContext("2d", { willReadFrequently: true }); // many small rectangles
  context.clearRect(0, 0, canvas.width, canvas.height);
  for (const { segmentation, colour } of [...instances].reverse()) {
    context.fillStyle = colour;
    let at = 0;
    runs(segmentation.counts).forEach((length, index) => {
      if (index % 2) fill(context, at, length, canvas.height);
      at += length;
    });
  }
}

function fill(context, at, length, height) {
  for (let left = length, start = at; left > 0;) {
    const y = start % height;
    const part = Math.min(left, height - y);
    context.fillRect((start - y) / height, y, 1, part);
    start += part;
    left -= part;
  }
}

/** Five bits a character, the lowest first; from the fourth number on, the difference to the last but one. */
function runs(counts) {
  const found = [];
  for (let value = 0, place = 0, at = 0; at < counts.length; at += 1) {
    const bits = counts.charCodeAt(at) - 48;
    value += (bits & 31) * 2 ** (5 * place);
    place += 1;
    if (bits & 32) continue;
    if (bits & 16) value -= 2 ** (5 * place);
    found.push(value + (found.length > 2 ? found[found.length - 2] : 0));
    [value, place] = [0, 0];
  }
  return found;
}
