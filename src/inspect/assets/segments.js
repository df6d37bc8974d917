// The table of the segments in view.
import { position } from "./request.js";

const MOST = 200; // rows, so that zooming out stays fast

const cell = (text, isNumber) => {
  const cell = document.createElement("td");
  cell.textContent = text;
  if (isNumber) cell.className = "number";
  return cell;
};
const number = (value, digits, unit = "") => (value === null ? "" : `${value.toFixed(digits).replace("-", "−")}${unit}`);

export class SegmentTable {
  // `play` is called with the segment whose button is pressed.
  constructor(segments, play, annotations) {
    this.segments = segments;
    this.play = play;
    this.annotations = annotations;
    this.body = document.getElementById("segments");
    this.status = document.getElementById("segments-status");
    this.rows = new Map();
  }

  // Shows the segments that overlap the view. Rows stay as they are while their segments are the same, and so does the focus.
  show([from, to], selected) {
    const inView = this.segments.filter((segment) => segment.to > from && segment.from < to);
    const shown = inView.slice(0, MOST);
    const first = shown[0]?.idx, last = shown.at(-1)?.idx;
    if (this.first !== first || this.last !== last) {
      [this.first, this.last] = [first, last];
      this.rows = new Map(shown.map((segment) => [segment, this.rows.get(segment) ?? this.row(segment)]));
      this.body.replaceChildren(...this.rows.values());
      const total = `of ${this.segments.length}`;
      this.status.textContent = inView.length > MOST ? `The first ${MOST} of ${inView.length} in view, ${total}.` : `${inView.length} ${total}.`;
    }
    for (const [segment, row] of this.rows) {
      if (segment === selected) row.setAttribute("aria-current", "true");
      else row.removeAttribute("aria-current");
    }
  }

  row(segment) {
    const row = document.createElement("tr");
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = `▶ ${position(segment.from)} – ${position(segment.to)}`;
    button.setAttribute("aria-label", `Play segment ${segment.idx}, from ${position(segment.from)} to ${position(segment.to)}`);
    button.addEventListener("click", () => this.play(segment));
    const time = document.createElement("td");
    time.append(button);
    row.append(
      cell(segment.idx, true), time, cell(number(segment.to - segment.from, 2, " s"), true),
      cell(number(segment.probability, 2), true), cell(number(segment.snr_db, 1, " dB"), true),
      cell(number(segment.level_dbfs, 1, " dB"), true), cell((segment.cut ?? "").replaceAll("_", " ")),
    );
    row.append(...this.annotations.row(segment));
    return row;
  }
}
