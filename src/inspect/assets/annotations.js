// Tags and notes on segments, which the database keeps.
import { post } from "./request.js";

const TAGS = ["good", "bad"];

// `changed` is called after a segment's tag has changed, `failed` with a message where nothing was stored.
export class Annotations {
  constructor(changed, failed) {
    this.onChange = changed;
    this.onProblem = failed;
    this.cells = new Map();
  }

  // The cells of a segment's row.
  row(segment) {
    const tags = document.createElement("td");
    tags.className = "tags";
    const buttons = TAGS.map((tag) => {
      const button = document.createElement("button");
      button.type = "button";
      button.textContent = tag;
      button.setAttribute("aria-label", `Tag segment ${segment.idx} as ${tag}`);
      button.addEventListener("click", () => this.toggle(segment, tag));
      return button;
    });
    tags.append(...buttons);
    const note = document.createElement("input");
    note.type = "text";
    note.maxLength = 4000;
    note.setAttribute("aria-label", `Note on segment ${segment.idx}`);
    note.addEventListener("change", () => this.store(segment, { note: note.value.trim() || null }));
    note.addEventListener("keydown", (event) => event.key === "Enter" && note.blur());
    const cell = document.createElement("td");
    cell.append(note);
    this.cells.set(segment, { buttons, note });
    this.show(segment);
    return [tags, cell];
  }

  show(segment) {
    const cells = this.cells.get(segment);
    if (!cells) return;
    cells.buttons.forEach((button, index) => button.setAttribute("aria-pressed", String(segment.tag === TAGS[index])));
    cells.note.value = segment.note ?? "";
  }

  // Sets a tag, or takes it back.
  toggle(segment, tag) {
    return this.store(segment, { tag: segment.tag === tag ? null : tag });
  }

  edit(segment) {
    this.cells.get(segment)?.note.focus();
  }

  async store(segment, change) {
    const { start, end, tag, note } = { ...segment, ...change };
    try {
      await post(`segment/${segment.idx}/annotation`, { start, end, tag, note });
      Object.assign(segment, change);
      this.onProblem("");
      this.onChange(segment);
    } catch (error) {
      this.onProblem(error.message);
    }
    this.show(segment);
  }
}
