// The canvases of a recording on one axis of time, which can be moved and zoomed. Times are seconds of the source's file.
import * as draw from "./drawing.js";
import { bytes, position } from "./request.js";

const RATE = 16000;
const WINDOW = 512; // samples of a probability
const BANDS = 128;
const SHORTEST = 0.5; // seconds that are in view at least
const FIRST = 60; // seconds that are in view at first

const element = (id) => document.getElementById(id);

export class Timeline {
  // `data` is what the server says of the recording. `chosen` is called with the segment that is clicked, or a time.
  constructor(data, chosen) {
    this.data = data;
    this.start = data.first / RATE;
    this.length = data.samples / RATE;
    this.end = this.start + this.length;
    this.view = [this.start, Math.min(this.end, this.start + FIRST)];
    this.proposed = null;
    this.selected = null;
    this.thresholds = null;
    this.drawn = {}; // what the server has computed: wave, spectrum, curve, and those of the whole recording
    this.root = element("timeline");
    this.onChoice = chosen;
    this.onView = () => {};
    this.listen();
    this.load();
    this.loadOverview();
    this.redraw();
  }

  // Seconds to pixels of a canvas, and back.
  x(canvas, [from, to] = this.view) {
    return (time) => ((time - from) / (to - from)) * canvas.width;
  }

  timeAt(event, [from, to] = this.view) {
    const box = this.root.getBoundingClientRect();
    return from + ((event.clientX - box.left) / box.width) * (to - from);
  }

  show(from, to) {
    const length = Math.min(this.length, Math.max(SHORTEST, to - from));
    const start = Math.min(Math.max(from, this.start), this.end - length);
    this.view = [start, start + length];
    this.redraw();
    this.loadSoon();
    this.onView();
  }

  move(seconds) {
    this.show(this.view[0] + seconds, this.view[1] + seconds);
  }

  // Makes what is in view longer or shorter; the time `around` stays where it is.
  zoom(factor, around = (this.view[0] + this.view[1]) / 2) {
    const [from, to] = this.view;
    const length = Math.min(this.length, Math.max(SHORTEST, (to - from) * factor));
    const share = (around - from) / (to - from);
    this.show(around - share * length, around + (1 - share) * length);
  }

  whole() {
    this.show(this.start, this.end);
  }

  // Moves the view where the time is not in it.
  reveal(time, until = time) {
    const [from, to] = this.view;
    const length = to - from;
    if (until - time > length) this.show(time - 0.05 * (until - time), until + 0.05 * (until - time));
    else if (time < from || until > to) this.show(time - 0.1 * length, time + 0.9 * length);
  }

  select(segment) {
    this.selected = segment;
    this.redraw();
  }

  // Segments and thresholds of other parameters; null where they are those of the recipe.
  propose(segments, thresholds) {
    this.proposed = segments;
    this.thresholds = thresholds;
    this.redraw();
  }

  playhead(time) {
    const [from, to] = this.view;
    const line = element("playhead");
    line.hidden = time < from || time > to;
    line.style.left = `${((time - from) / (to - from)) * 100}%`;
  }

  listen() {
    let width = this.root.clientWidth;
    new ResizeObserver(() => {
      if (this.root.clientWidth === width) return;
      width = this.root.clientWidth;
      this.redraw();
      this.loadSoon();
    }).observe(this.root);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.redraw());
    const overview = element("overview");
    this.drag(this.root, (event) => event.target !== overview, (event, last) => {
      const [from, to] = this.view;
      this.move(((last - event.clientX) / this.root.clientWidth) * (to - from));
    });
    this.drag(this.root, (event) => event.target === overview, (event) => this.centre(event));
    this.root.addEventListener("click", (event) => {
      if (event.target === overview) this.centre(event);
      else if (!this.wasDragged) this.choose(this.timeAt(event));
    });
    this.root.addEventListener("wheel", (event) => {
      const [from, to] = this.view;
      if (event.ctrlKey) this.zoom(Math.exp(event.deltaY * 0.005), this.timeAt(event));
      else if (event.shiftKey || event.deltaX) this.move(((event.deltaX || event.deltaY) / 1000) * (to - from));
      else return;
      event.preventDefault();
    }, { passive: false });
  }

  centre(event) {
    const half = (this.view[1] - this.view[0]) / 2;
    const time = this.timeAt(event, [this.start, this.end]);
    this.show(time - half, time + half);
  }

  // Calls `moved` as the pointer is dragged. A few pixels are a click.
  drag(target, applies, moved) {
    target.addEventListener("pointerdown", (down) => {
      this.wasDragged = false;
      if (down.button !== 0 || !applies(down)) return;
      let last = down.clientX;
      const follow = (event) => {
        if (!this.wasDragged && Math.abs(event.clientX - down.clientX) < 4) return;
        this.wasDragged = true;
        moved(event, last);
        last = event.clientX;
      };
      const stop = () => window.removeEventListener("pointermove", follow);
      window.addEventListener("pointermove", follow);
      window.addEventListener("pointerup", stop, { once: true });
      window.addEventListener("pointercancel", stop, { once: true });
    });
  }

  choose(time) {
    const isAt = (segment) => segment.from <= time && time < segment.to;
    this.onChoice(this.data.segments.find(isAt) ?? null, time);
  }

  loadSoon() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.load(), 60);
  }

  // Asks for what is in view, a little beyond its edges, so that moving shows something at once.
  async load() {
    this.request?.abort();
    const request = (this.request = new AbortController());
    const [from, to] = this.view;
    const edge = (to - from) / 4;
    const span = [Math.max(this.start, from - edge), Math.min(this.end, to + edge)];
    const columns = Math.round(this.root.clientWidth * Math.min(2, devicePixelRatio) * ((span[1] - span[0]) / (to - from)));
    await this.compute(span, columns, request.signal, "");
  }

  async loadOverview() {
    await this.compute([this.start, this.end], Math.round(this.root.clientWidth), new AbortController().signal, "whole ");
  }

  // Whole windows of the detector, so that the columns of all drawings are the same.
  async compute(span, columns, signal, prefix) {
    const window = (time, round) => round(((time - this.start) * RATE) / WINDOW) * WINDOW;
    const [first, last] = [window(span[0], Math.floor), window(span[1], Math.ceil)];
    const parameters = { from: first, to: last, columns: Math.max(50, columns) };
    const at = (sample) => this.start + sample / RATE;
    const get = async (part, use) => {
      try {
        const buffer = await bytes(part, parameters, { signal }, (share) => this.onProgress(share));
        // The last window may extend beyond the end; samples do not.
        const end = part === "probabilities" ? last : Math.min(last, this.data.samples);
        this.drawn[prefix + part] = { from: at(first), to: at(end), ...use(buffer) };
        this.redraw();
        return true;
      } catch (error) {
        if (error.name !== "AbortError") this.onProblem(part, error.message);
        return false;
      }
    };
    const curve = this.data.has_probabilities && get("probabilities", (buffer) => ({ bounds: new Float32Array(buffer) }));
    if (!this.isUnreadable) {
      const decoded = await get("peaks", (buffer) => ({ pairs: new Int16Array(buffer) }));
      if (decoded) this.onDecoded();
      const image = (buffer) => ({ image: draw.spectrumImage(new Uint8Array(buffer), BANDS) });
      if (decoded && !prefix && !signal.aborted) await get("spectrogram", image);
    }
    await curve;
  }

  redraw() {
    this.frame ??= requestAnimationFrame(() => {
      this.frame = null;
      this.drawAll(draw.colours());
    });
  }

  drawAll(colour) {
    const { segments, gaps } = this.data;
    const { peaks, spectrogram, probabilities } = this.drawn;
    const on = (id, paint, view) => {
      const surface = draw.prepare(element(id));
      paint(surface, this.x(surface, view));
    };
    on("overview", (surface, x) => this.drawOverview(surface, x, colour), [this.start, this.end]);
    on("ruler", (surface, x) => draw.ruler(surface, x, this.view, colour.quiet, position));
    on("wave", (surface, x) => {
      draw.shade(surface, x, segments, colour.segment);
      if (peaks) draw.wave(surface, x, peaks, colour.wave, this.scale());
      draw.gaps(surface, x, gaps ?? [], colour.bad);
    });
    on("spectrum", (surface, x) => {
      if (spectrogram) draw.spectrum(surface, x, spectrogram);
    });
    on("curve", (surface, x) => {
      draw.shade(surface, x, this.proposed ?? segments, this.proposed ? colour.proposed : colour.segment);
      if (this.thresholds) {
        draw.threshold(surface, this.thresholds.high, colour.bad, false);
        draw.threshold(surface, this.thresholds.low, colour.bad, true);
      }
      if (probabilities) draw.curve(surface, x, probabilities, colour.curve);
    });
    on("lanes", (surface, x) => {
      const chosen = { segment: this.selected, colour: colour.chosen };
      const tagged = (segment) => (segment.tag === "bad" ? colour.bad : segment.tag === "good" ? colour.bar : colour.wave);
      draw.boxes(surface, x, segments, [0.04, this.proposed ? 0.5 : 1], tagged, chosen);
      if (this.proposed) draw.boxes(surface, x, this.proposed, [0.54, 1], colour.curve, null);
    });
  }

  drawOverview(surface, x, colour) {
    const { context, height, ratio } = surface;
    draw.shade(surface, x, this.proposed ?? this.data.segments, colour.segment);
    const wave = this.drawn["whole peaks"];
    if (wave) draw.wave(surface, x, wave, colour.wave, this.scale());
    const curve = this.drawn["whole probabilities"];
    if (curve && !wave) draw.curve(surface, x, curve, colour.curve);
    const [left, right] = this.view.map(x);
    context.strokeStyle = colour.bar;
    context.lineWidth = 2 * ratio;
    context.strokeRect(left + ratio, ratio, Math.max(2 * ratio, right - left - 2 * ratio), height - 2 * ratio);
  }

  // The loudest sample of the recording fills the height.
  scale() {
    const pairs = this.drawn["whole peaks"]?.pairs ?? [];
    let loudest = 300;
    for (const sample of pairs) loudest = Math.max(loudest, Math.abs(sample));
    return 1 / loudest;
  }
}
