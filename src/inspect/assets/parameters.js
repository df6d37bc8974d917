// Sliders for the parameters. The server cuts anew with each change, from the stored probabilities.
import { json } from "./request.js";

const NO_LIMIT = 61; // the last position of the slider for the maximum length

const element = (id) => document.getElementById(id);

export class Parameters {
  // `recipe` has the parameters that the recording was prepared with. `changed` is called with the segments of others, or with
  // none where they are those of the recipe.
  constructor(recipe, rate, changed) {
    this.recipe = recipe;
    this.rate = rate;
    this.onChange = changed;
    this.sliders = [...document.querySelectorAll(".sliders input")];
    this.set = {}; // what the user has set
    element("parameters").hidden = false;
    for (const slider of this.sliders) slider.addEventListener("input", () => this.move(slider));
    element("reset").addEventListener("click", () => this.reset());
    element("copy").addEventListener("click", () => this.copy());
    element("only-this").addEventListener("change", () => this.showCommand());
    this.reset();
  }

  reset() {
    this.set = {};
    for (const slider of this.sliders) {
      const value = this.recipe[slider.name] ?? NO_LIMIT;
      slider.max = Math.max(slider.max, value); // a recipe may be beyond the usual range
      slider.value = value;
      this.label(slider, value);
    }
    this.request();
  }

  move(slider) {
    const value = Number(slider.value);
    this.label(slider, value);
    if (this.isLimit(slider, value)) this.set[slider.name] = "inf";
    else this.set[slider.name] = value;
    this.request();
  }

  isLimit(slider, value) {
    return slider.name === "max_speech_s" && value >= NO_LIMIT;
  }

  label(slider, value) {
    const text = this.isLimit(slider, value) ? "no limit" : `${value} ${slider.dataset.unit}`.trim();
    slider.nextElementSibling.textContent = text;
    slider.setAttribute("aria-valuetext", text);
  }

  // One request at a time: a slider moves faster than requests are answered.
  async request() {
    if (this.isBusy) {
      this.isStale = true;
      return;
    }
    this.isBusy = true;
    do {
      this.isStale = false;
      const set = { ...this.set };
      try {
        this.show(await json("cuts", set), set);
      } catch (error) {
        element("cuts-status").textContent = error.message;
      }
    } while (this.isStale);
    this.isBusy = false;
  }

  show(cuts, set) {
    this.cuts = cuts;
    const count = cuts.segments.length;
    element("cuts-status").textContent = `${count} segment${count === 1 ? "" : "s"}, ${cuts.speech_s.toFixed(1)} s of speech`;
    this.showCommand();
    element("remarks").replaceChildren(...cuts.remarks.map((remark) => {
      const item = document.createElement("li");
      item.textContent = remark;
      return item;
    }));
    const segments = cuts.segments.map(([start, end, probability, cut]) => ({ from: start / this.rate, to: end / this.rate, probability, cut }));
    const isChanged = Object.keys(set).length > 0;
    const [high, low] = cuts.thresholds;
    this.onChange(isChanged ? segments : null, { high, low });
  }

  showCommand() {
    if (this.cuts) element("command").value = element("only-this").checked ? this.cuts.command_for_this : this.cuts.command;
  }

  async copy() {
    const field = element("command");
    field.select();
    try {
      await navigator.clipboard.writeText(field.value);
      element("copy").textContent = "Copied";
    } catch {
      element("copy").textContent = "Press Ctrl-C"; // the field is selected
    }
    setTimeout(() => (element("copy").textContent = "Copy"), 1500);
  }
}
