// The timeline: what each commit set, what its past takes, and the slider over both.

import { byId, element, plain } from "./dom.js";
import { bytes, count } from "./format.js";

/** Heights in pixels: the bars of commits, the dots of tags, the curve of what is superseded. */
const BARS = 54;
const TAGS = 68;
const CURVE_TOP = 82;
const CURVE = 54;
const HEIGHT = CURVE_TOP + CURVE;
const EDGE = 10;

/** The canvas, and the slider over it. */
export class Timeline {
  #past;
  #matches = null;
  #loudness;
  #place = 0;
  #base = -1;
  #slider = byId("timeline-slider");
  #canvas = byId("canvas");
  #select;

  /** `select(place, isBase)` is called with what is pointed at. */
  constructor(select) {
    this.#select = select;
    new ResizeObserver(() => this.#draw()).observe(this.#slider);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
    this.#slider.addEventListener("pointerdown", (event) => {
      this.#slider.setPointerCapture(event.pointerId);
      this.#point(event);
    });
    this.#slider.addEventListener("pointermove", (event) => {
      if (this.#slider.hasPointerCapture(event.pointerId)) this.#point(event);
    });
  }

  /** Show another past. */
  open(past) {
    this.#past = past;
    this.#loudness = new Float32Array(past.length);
    for (let place = 0; place < past.length; place += 1) {
      this.#loudness[place] = Math.log2(past.weight(place) + 2);
    }
    this.#matches = null;
    this.#slider.setAttribute("aria-valuemin", "1");
    this.#slider.setAttribute("aria-valuemax", String(Math.max(past.length, 1)));
    this.#draw();
  }

  /** Show which commits a filter lets through; null for all. */
  filter(matches) {
    this.#matches = matches;
    this.#draw();
  }

  /** Move the slider; `words` say where it is. */
  move(place, base, words) {
    [this.#place, this.#base] = [place, base];
    this.#slider.setAttribute("aria-valuenow", String(place + 1));
    this.#slider.setAttribute("aria-valuetext", plain(words));
    byId("playhead").style.transform = `translateX(${this.#x(place)}px)`;
    byId("base-line").hidden = base < 0;
    byId("base-line").style.transform = `translateX(${this.#x(Math.max(base, 0))}px)`;
    this.#tell();
  }

  get #width() {
    return this.#slider.clientWidth;
  }

  /** Return how wide a commit is, in pixels; less than one where there are many. */
  get #step() {
    return (this.#width - 2 * EDGE) / Math.max(this.#past.length, 1);
  }

  #x(place) {
    return EDGE + (place + 0.5) * this.#step;
  }

  #point(event) {
    const x = event.clientX - this.#slider.getBoundingClientRect().left - EDGE;
    const place = Math.floor(x / this.#step);
    this.#select(Math.min(Math.max(place, 0), this.#past.length - 1), event.shiftKey);
  }

  /** Say what the lanes are, with the numbers of this moment. */
  #tell() {
    const { seen, archived } = this.#past.superseded();
    const { budget } = this.#past.about;
    const key = (name) => element("i", { class: `key ${name}`, "aria-hidden": "true" });
    const has = [seen, archived].map((column) => bytes(column[this.#place] ?? 0));
    const isArchive = archived[this.#past.length - 1] > 0;
    const budgeted = budget === null ? "" : `history budget ${bytes(budget)}`;
    const off = this.#isBudgetDrawn ? "" : ", above this scale";
    byId("legend").replaceChildren(
      element("span", {}, key("bar"), "bytes set by a commit"),
      ...(this.#past.tags.length ? [element("span", {}, key("dot"), "tagged")] : []),
      element("span", {}, key("area"), "superseded versions, as stored in this file: ",
        element("b", {}, has[0]), isArchive ? " of retained commits" : ""),
      ...(isArchive ? [element("span", {}, key("old"), element("b", {}, has[1]), " of archived ones")] : []),
      ...(budgeted ? [element("span", {}, key("line"), budgeted + off)] : []),
    );
  }

  get #most() {
    const { seen, archived } = this.#past.superseded();
    const end = this.#past.length - 1;
    return (seen[end] ?? 0) + (archived[end] ?? 0);
  }

  get #isBudgetDrawn() {
    const { budget } = this.#past.about;
    return budget !== null && budget <= 4 * this.#most;
  }

  // --- drawing -------------------------------------------------------------------------

  #draw() {
    if (this.#past === undefined || this.#width === 0) return;
    const ratio = window.devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: this.#width * ratio, height: HEIGHT * ratio });
    const paint = this.#canvas.getContext("2d");
    paint.scale(ratio, ratio);
    const style = getComputedStyle(document.documentElement);
    const colour = (name) => style.getPropertyValue(`--${name}`).trim();
    this.#drawBars(paint, colour);
    this.#drawCurve(paint, colour);
    this.move(this.#place, this.#base, this.#slider.getAttribute("aria-valuetext") ?? "");
  }

  /** Draw a bar for each commit, or for each pixel the loudest of those that fall on it. */
  #drawBars(paint, colour) {
    const { length } = this.#past;
    const isMatch = new Uint8Array(length).fill(this.#matches === null ? 1 : 0);
    for (const place of this.#matches ?? []) isMatch[place] = 1;
    const loudest = this.#loudness.reduce((one, other) => Math.max(one, other), 1);
    const columns = Math.min(length, Math.max(this.#width - 2 * EDGE, 1));
    const wide = (this.#width - 2 * EDGE) / columns;
    const bar = Math.max(Math.min(wide - (wide > 3 ? 1.5 : 0), 18), 1);
    paint.fillStyle = colour("rule");
    paint.fillRect(EDGE, BARS, this.#width - 2 * EDGE, 1);
    const tops = [new Float32Array(columns), new Float32Array(columns)];
    for (let place = 0; place < length; place += 1) {
      const column = Math.floor((place * columns) / length);
      const layer = tops[isMatch[place]];
      layer[column] = Math.max(layer[column], this.#loudness[place]);
    }
    for (const [layer, name] of [[tops[0], "faint"], [tops[1], "bar"]]) {
      paint.fillStyle = colour(name);
      for (let column = 0; column < columns; column += 1) {
        const tall = (layer[column] / loudest) ** 1.6 * (BARS - 4);
        if (tall > 0) paint.fillRect(EDGE + (column + 0.5) * wide - bar / 2, BARS - tall, bar, tall);
      }
    }
    paint.fillStyle = colour("accent");
    for (const place of Object.keys(this.#past.commits.tags)) {
      paint.globalAlpha = isMatch[place] ? 1 : 0.3;
      paint.beginPath();
      paint.arc(this.#x(Number(place)), TAGS, 3, 0, 2 * Math.PI);
      paint.fill();
    }
    paint.globalAlpha = 1;
  }

  #drawCurve(paint, colour) {
    const { length, about } = this.#past;
    const { seen, archived } = this.#past.superseded();
    const top = Math.max(this.#most, this.#isBudgetDrawn ? about.budget : 0, 1) * 1.06;
    const y = (size) => HEIGHT - 1 - (size / top) * (CURVE - 2);
    const area = (name, sizes) => {
      paint.beginPath();
      paint.moveTo(EDGE, HEIGHT);
      const stride = Math.max(1, Math.floor(1 / this.#step));
      for (let place = 0; place < length; place += stride) {
        paint.lineTo(EDGE + place * this.#step, y(sizes(place)));
        paint.lineTo(EDGE + Math.min(place + stride, length) * this.#step, y(sizes(place)));
      }
      paint.lineTo(this.#width - EDGE, HEIGHT);
      paint.fillStyle = colour(name);
      paint.fill();
    };
    area("old", (place) => seen[place] + archived[place]);
    area("area", (place) => seen[place]);
    paint.fillStyle = colour("rule");
    paint.fillRect(EDGE, HEIGHT - 1, this.#width - 2 * EDGE, 1);
    if (this.#isBudgetDrawn) {
      paint.strokeStyle = colour("muted");
      paint.setLineDash([4, 4]);
      paint.beginPath();
      paint.moveTo(EDGE, y(about.budget));
      paint.lineTo(this.#width - EDGE, y(about.budget));
      paint.stroke();
      paint.setLineDash([]);
    }
  }
}

/** Return where a commit is among all, in words. */
export function whereabouts(past, place) {
  return `${count(place + 1)} of ${count(past.length)}`;
}
