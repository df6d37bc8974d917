// What the canvases show. `x` maps seconds to pixels of the canvas.

// The colours of the style sheet, which follow light and dark.
export function colours() {
  const style = getComputedStyle(document.documentElement);
  const colour = (name) => style.getPropertyValue(`--${name}`).trim();
  const names = ["bar", "text", "quiet", "line", "grid", "segment", "wave", "curve", "area", "bad", "proposed", "chosen"];
  return Object.fromEntries(names.map((name) => [name, colour(name)]));
}

// Fits the canvas to its size on the screen, and clears it.
export function prepare(canvas) {
  const ratio = window.devicePixelRatio || 1;
  const [width, height] = [Math.round(canvas.clientWidth * ratio), Math.round(canvas.clientHeight * ratio)];
  if (canvas.width !== width || canvas.height !== height) [canvas.width, canvas.height] = [width, height];
  const context = canvas.getContext("2d");
  context.clearRect(0, 0, width, height);
  context.font = `${11 * ratio}px system-ui, sans-serif`;
  context.lineWidth = ratio;
  return { context, width, height, ratio };
}

// Segments behind a drawing.
export function shade({ context, width, height }, x, segments, colour) {
  context.fillStyle = colour;
  for (const { from, to } of segments) {
    const [left, right] = [x(from), x(to)];
    if (right >= 0 && left <= width) context.fillRect(left, 0, Math.max(1, right - left), height);
  }
}

// Gaps, where silence stands for audio that is missing.
export function gaps({ context, width, height, ratio }, x, spans, colour) {
  context.strokeStyle = colour;
  context.beginPath();
  for (const [from, to] of spans) {
    const [left, right] = [Math.max(0, x(from)), Math.min(width, x(to))];
    for (let at = left; at < right; at += 6 * ratio) {
      context.moveTo(at, height);
      context.lineTo(at + 6 * ratio, 0);
    }
  }
  context.stroke();
}

// A line up and down for each column of [least, greatest] pairs of 16 bits.
export function wave({ context, height, ratio }, x, { from, to, pairs }, colour, scale) {
  const [columns, middle] = [pairs.length / 2, height / 2];
  context.fillStyle = colour;
  for (let column = 0; column < columns; column++) {
    const [left, right] = [x(from + ((to - from) * column) / columns), x(from + ((to - from) * (column + 1)) / columns)];
    const [low, high] = [pairs[2 * column] * scale, pairs[2 * column + 1] * scale];
    const top = middle - high * middle;
    context.fillRect(left, top, Math.max(ratio, right - left), Math.max(ratio, (high - low) * middle));
  }
}

// The image of a spectrogram: columns of bands, as bytes from dark to bright.
export function spectrumImage(bytes, bands) {
  const columns = bytes.length / bands;
  const image = new ImageData(columns, bands);
  for (let column = 0; column < columns; column++) {
    for (let band = 0; band < bands; band++) {
      const value = bytes[column * bands + band] / 255;
      const at = ((bands - 1 - band) * columns + column) * 4;
      // From black over violet and orange to light yellow.
      image.data[at] = 255 * Math.min(1, value * 1.6);
      image.data[at + 1] = 255 * Math.max(0, value * 1.5 - 0.5);
      image.data[at + 2] = 255 * (value < 0.4 ? value * 1.3 : Math.max(0, 0.52 - (value - 0.4) * 1.3) + Math.max(0, value - 0.75));
      image.data[at + 3] = 255;
    }
  }
  const canvas = new OffscreenCanvas(columns, bands);
  canvas.getContext("2d").putImageData(image, 0, 0);
  return canvas;
}

export function spectrum({ context, height }, x, { from, to, image }) {
  const [left, right] = [x(from), x(to)];
  context.drawImage(image, left, 0, right - left, height);
}

// The probabilities: between the least and the greatest of each column.
export function curve({ context, width, height }, x, { from, to, bounds }, colour) {
  const columns = bounds.length / 2;
  const middle = (column) => x(from + ((to - from) * (column + 0.5)) / columns);
  const y = (value) => height - 1 - value * (height - 2);
  context.strokeStyle = colour;
  context.lineJoin = "round";
  context.beginPath();
  for (let column = 0; column < columns; column++) {
    const at = middle(column);
    if (at < -width || at > 2 * width) continue;
    context.lineTo(at, y(bounds[2 * column]));
    context.lineTo(at, y(bounds[2 * column + 1]));
  }
  context.stroke();
}

// A threshold of the probabilities.
export function threshold({ context, width, height, ratio }, value, colour, isDashed) {
  const y = height - 1 - value * (height - 2);
  context.strokeStyle = colour;
  context.setLineDash(isDashed ? [4 * ratio, 4 * ratio] : []);
  context.beginPath();
  context.moveTo(0, y);
  context.lineTo(width, y);
  context.stroke();
  context.setLineDash([]);
}

// Segments as boxes between two heights of the canvas; the chosen one has a frame.
export function boxes({ context, width, height, ratio }, x, segments, [top, bottom], colour, chosen) {
  const [y, tall] = [top * height, (bottom - top) * height - 2 * ratio];
  for (const segment of segments) {
    const [left, right] = [x(segment.from), x(segment.to)];
    if (right < 0 || left > width) continue;
    context.fillStyle = typeof colour === "function" ? colour(segment) : colour;
    // Neighbours stay apart.
    context.fillRect(left, y, Math.max(ratio, right - left - ratio), tall);
    if (segment === chosen?.segment) {
      context.strokeStyle = chosen.colour;
      context.lineWidth = 2 * ratio;
      context.strokeRect(left + ratio, y + ratio, Math.max(ratio, right - left - 2 * ratio), tall - 2 * ratio);
    }
  }
}

// Times along the upper edge.
export function ruler({ context, width, height, ratio }, x, [from, to], colour, label) {
  const steps = [0.1, 0.2, 0.5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18000];
  const step = steps.find((step) => ((to - from) / step) * 90 * ratio < width) ?? 36000;
  context.fillStyle = context.strokeStyle = colour;
  context.textBaseline = "middle";
  context.beginPath();
  for (let time = Math.ceil(from / step) * step; time <= to; time += step) {
    const at = Math.round(x(time)) + 0.5;
    context.moveTo(at, 0);
    context.lineTo(at, height);
    context.fillText(label(time), at + 4 * ratio, height / 2);
  }
  context.stroke();
}
