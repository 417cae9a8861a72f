// The list of commits: only the rows that can be seen are there, however many commits there are.

import { byId, element, plain, texts } from "./dom.js";
import { clock, count, day } from "./format.js";

const ROW = 52;
const BEYOND = 6;

/** The list, newest first. */
export class Commits {
  #past;
  #matches;
  #place = 0;
  #base = -1;
  #list = byId("list");
  #tall = element("div", { class: "tall", role: "presentation" });
  #select;

  /** `select(place, isBase)` is called with what is clicked. */
  constructor(select) {
    this.#select = select;
    this.#list.append(this.#tall);
    this.#list.addEventListener("scroll", () => this.#fill());
    new ResizeObserver(() => this.#fill()).observe(this.#list);
    this.#list.addEventListener("click", (event) => {
      const row = event.target.closest("[data-place]");
      if (row !== null) this.#select(Number(row.dataset.place), event.shiftKey);
    });
  }

  /** Show commits of a past. */
  open(past, matches) {
    [this.#past, this.#matches] = [past, matches];
    this.#tall.style.height = `${matches.length * ROW}px`;
    this.#fill();
  }

  /** Show which commit is chosen, and bring it into sight. */
  move(place, base) {
    [this.#place, this.#base] = [place, base];
    const row = this.#rowOf(place);
    const { scrollTop, clientHeight } = this.#list;
    const y = row * ROW;
    // With the row before and the row after it.
    if (y - ROW < scrollTop) this.#list.scrollTop = y - ROW;
    else if (y + 2 * ROW > scrollTop + clientHeight) this.#list.scrollTop = y + 2 * ROW - clientHeight;
    this.#fill();
    this.#list.setAttribute("aria-activedescendant", `commit-${place}`);
  }

  /** Return the row of a commit: the newest of those that match comes first. */
  #rowOf(place) {
    let [low, high] = [0, this.#matches.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#matches[middle] < place) low = middle + 1;
      else high = middle;
    }
    return this.#matches.length - 1 - low;
  }

  #fill() {
    if (this.#past === undefined) return;
    const { length } = this.#matches;
    const first = Math.max(0, Math.floor(this.#list.scrollTop / ROW) - BEYOND);
    const behind = Math.min(length, Math.ceil((this.#list.scrollTop + this.#list.clientHeight) / ROW) + BEYOND);
    const rows = [];
    for (let row = first; row < behind; row += 1) rows.push(this.#row(row, this.#matches[length - 1 - row]));
    if (length === 0) rows.push(element("p", { class: "empty" }, "No commit is like that."));
    this.#tall.replaceChildren(...rows);
  }

  #row(row, place) {
    const past = this.#past;
    const changes = past.changesOf(place);
    const keys = changes.slice(0, 3).map(({ key, kind }, at) => [
      at ? ", " : "",
      element("span", { class: kind === 2 ? "key-name removed" : "key-name" }, texts(past.keys[key])),
    ]);
    if (changes.length > 3) keys.push(` and ${count(changes.length - 3)} more`);
    if (changes.length === 0) keys.push(element("span", { class: "muted" }, "no change"));
    const node = past.nodeOf(place);
    const note = past.noteOf(place);
    const kind = past.isPinned(place) ? "pinned" : past.isRetained(place) ? "" : "archived";
    const made = element("div", {
      class: `row ${kind} ${place === this.#base ? "base" : ""}`,
      role: "option",
      id: `commit-${place}`,
      "data-place": place,
      "aria-selected": String(place === this.#place),
      "aria-setsize": this.#matches.length,
      "aria-posinset": row + 1,
      title: note === null ? null : plain(note),
    },
    element("span", { class: "seq" }, String(past.seq[place])),
    element("span", { class: "keys" }, keys),
    element("time", { title: day(past.time[place]) }, clock(past.time[place])),
    element("span", { class: "by" },
      node === null ? "" : texts(node),
      past.tagsOf(place).map((tag) => [" ", element("span", { class: "tag" }, texts(tag))]),
      kind === "" ? [] : [" ", element("span", { class: "standing" }, kind)],
      note === null ? [] : [" ", element("span", { class: "note" }, texts(note.slice(0, 200)))],
    ));
    made.style.transform = `translateY(${row * ROW}px)`;
    return made;
  }
}
