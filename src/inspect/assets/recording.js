// The page of a recording: the player, the keys, and what connects the parts.
import { Annotations } from "./annotations.js";
import { Parameters } from "./parameters.js";
import { address, json, position } from "./request.js";
import { SegmentTable } from "./segments.js";
import { Timeline } from "./timeline.js";

const RATE = 16000;
const element = (id) => document.getElementById(id);
const audio = element("audio");

const data = await json("data").catch((error) => {
  element("problem").textContent = error.message;
  throw error;
});
for (const segment of data.segments) [segment.from, segment.to] = [segment.start / RATE, segment.end / RATE];

let timeline, table;
let selected = null;
let end = Infinity; // where playing stops
let first = data.first / RATE; // the time of the audio's first sample
let isDecoded = false;

function update() {
  table.show(timeline.view, selected);
  timeline.playhead(now());
}

function now() {
  return first + audio.currentTime;
}

// Follows the playback.
function follow() {
  if (now() >= end) {
    audio.pause();
    end = Infinity;
  }
  element("time").textContent = position(now());
  timeline.playhead(now());
  if (!audio.paused) {
    if (end === Infinity) timeline.reveal(now());
    requestAnimationFrame(follow);
  }
}

// Plays from a time. A source that cannot be read is replaced by the segment's own file.
function playFrom(time, segment) {
  const own = segment && timeline.isUnreadable && segment.has_file;
  const source = own ? address(`segment/${segment.idx}`) : address("audio.wav", { version: data.token });
  first = own ? segment.from : timeline.start;
  if (audio.getAttribute("src") !== source) audio.src = source;
  audio.currentTime = Math.max(0, time - first);
  audio.play().catch((error) => {
    if (error.name !== "AbortError") element("problem").textContent = `It cannot be played: ${error.message}`;
  });
}

function select(segment, isPlayed = true) {
  selected = segment;
  timeline.select(segment);
  timeline.reveal(segment.from, segment.to);
  update();
  if (!isPlayed) return;
  end = element("repeat").checked ? Infinity : segment.to;
  playFrom(segment.from, segment);
}

// The segment before or after the chosen one, or the place of the playback.
function step(direction) {
  const { segments } = data;
  let index = segments.indexOf(selected);
  if (index < 0) {
    const next = segments.findIndex((segment) => segment.from > now());
    index = direction > 0 ? (next < 0 ? segments.length : next) - 1 : next < 0 ? segments.length : next;
  }
  const segment = segments[index + direction];
  if (segment) select(segment);
}

function toggle() {
  if (!audio.paused) return audio.pause();
  end = Infinity;
  playFrom(audio.getAttribute("src") ? now() : timeline.view[0], timeline.isUnreadable ? selected : null);
}

function seek(time) {
  end = Infinity;
  const target = Math.min(timeline.end, Math.max(timeline.start, time));
  if (audio.paused) playFrom(target, null);
  else audio.currentTime = target - first;
}

timeline = new Timeline(data, (segment, time) => (segment ? select(segment) : seek(time)));
const annotations = new Annotations(
  () => timeline.redraw(),
  (message) => (element("problem").textContent = message),
);
table = new SegmentTable(data.segments, select, annotations);
timeline.onView = update;
timeline.onProgress = (share) => {
  if (!isDecoded) element("progress").textContent = `The source is decoded: ${Math.floor(share * 100)}%`;
};
timeline.onDecoded = () => {
  isDecoded = true;
  element("progress").textContent = "";
};
timeline.onProblem = (part, message) => {
  if (part !== "probabilities") timeline.isUnreadable = true;
  element("progress").textContent = "";
  const what = part === "probabilities" ? "The probabilities cannot be shown" : "The source cannot be read, so there is no waveform";
  element("problem").textContent = `${what}: ${message}`;
};
if (data.has_probabilities) {
  new Parameters(data.parameters, RATE, (segments, thresholds) => timeline.propose(segments, thresholds));
} else {
  element("progress").textContent = "No probabilities are stored, so other parameters cannot be tried here.";
}
update();

audio.addEventListener("play", () => {
  element("play").textContent = "⏸ Pause";
  follow();
});
audio.addEventListener("pause", () => (element("play").textContent = "▶ Play"));
audio.addEventListener("seeked", follow);
audio.addEventListener("error", () => (element("problem").textContent = "The audio cannot be played."));

const actions = {
  play: toggle,
  previous: () => step(-1),
  next: () => step(1),
  "zoom-in": () => timeline.zoom(0.5),
  "zoom-out": () => timeline.zoom(2),
  whole: () => timeline.whole(),
};
for (const [id, action] of Object.entries(actions)) element(id).addEventListener("click", action);

const keys = {
  " ": toggle,
  j: actions.next,
  k: actions.previous,
  ArrowRight: () => seek(now() + 1),
  ArrowLeft: () => seek(now() - 1),
  Enter: () => selected && select(selected),
  "+": actions["zoom-in"],
  "=": actions["zoom-in"],
  "-": actions["zoom-out"],
  0: actions.whole,
  g: () => selected && annotations.toggle(selected, "good"),
  b: () => selected && annotations.toggle(selected, "bad"),
  n: () => selected && annotations.edit(selected),
};
document.addEventListener("keydown", (event) => {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  // Keys of fields and buttons are theirs.
  const isField = event.target.closest("input, select, textarea");
  const isPressed = event.target.closest("button, a, summary") && (event.key === " " || event.key === "Enter");
  const action = keys[event.key];
  if (!action || isField || isPressed) return;
  event.preventDefault();
  action();
});

// The address may name a segment: /recording/12#segment=3.
const named = new URLSearchParams(location.hash.slice(1)).get("segment");
const segment = data.segments.find((segment) => String(segment.idx) === named);
if (segment) select(segment, false);
document.documentElement.dataset.ready = "true";
