// The state at a commit: its keys, what stands under each, and since when.

import { byId, element, texts } from "./dom.js";
import { bytes, count, many } from "./format.js";
import { hasParts, isAbsent, kindOf } from "./nodes.js";
import { branches, isOpen, leaf, toggled, type } from "./tree.js";

const AT_ONCE = 200;

/** One key of the state; it stays the same element from one commit to the next. */
class Row {
  element = element("li", { class: "entry" });
  #told = "";

  constructor(key, name, panel) {
    Object.assign(this, { key, name, panel, path: `state\n${name}` });
  }

  /** Show a version, if that is not what is shown. */
  show(version, isChanged, values, past) {
    const node = values.known(version);
    const told = `${version} ${isChanged} ${isOpen(this.path)} ${kindOf(node ?? ["…"])}`;
    if (told === this.#told) return;
    this.#told = told;
    const opened = isOpen(this.path);
    const toggle = () => {
      toggled(this.path);
      this.show(version, isChanged, values, past);
      this.element.querySelector("button").focus();
    };
    const seq = past.versionSeq[version];
    const since = past.placeOf(seq);
    const size = past.sizeOf(version, this.key);
    const label = `Go to commit ${seq}, which set it`;
    const isThere = past.seq[since] === seq;
    const jump = () => this.panel.go(since);
    this.element.className = isChanged ? "entry changed" : "entry";
    this.element.replaceChildren(
      element("div", { class: "head" },
        element("button", {
          class: "twig", "aria-expanded": String(opened), "data-path": this.path, on: { click: toggle },
        },
        element("span", { class: "caret", "aria-hidden": "true" }),
        element("span", { class: "key-name" }, texts(this.name)), " ",
        node === undefined ? element("span", { class: "muted" }, "…") : [leaf(node, 160), type(node)]),
        element("span", { class: "size" }, size === null ? "" : bytes(size)),
        element("button", {
          class: "since", "aria-label": label, title: label, disabled: !isThere, on: { click: jump },
        }, String(seq))),
      ...(opened && node !== undefined ? [this.#body(node, version, values, past, isChanged)] : []),
    );
  }

  #body(node, version, values, past, isChanged) {
    if (kindOf(node) !== "large") return branches(node, this.path);
    const fetch = async () => {
      button.disabled = true;
      button.textContent = "Reading…";
      await this.panel.attempt(() => values.loadWhole(version));
      this.#told = "";
      this.show(version, isChanged, values, past);
    };
    const button = element("button", { class: "fetch", on: { click: fetch } }, `Read all ${bytes(node[1])}`);
    return element("div", { class: "tree" }, button);
  }
}

/** The panel of the state. */
export class State {
  #rows = new Map();
  #shown = AT_ONCE;
  #list = element("ul", { class: "entries" });
  #more = element("button", { class: "quiet more", hidden: true });

  /** `go(place)` goes to a commit; `attempt(what)` does it, and tells what goes wrong. */
  constructor(go, attempt) {
    Object.assign(this, { go, attempt });
    byId("state").replaceChildren(this.#list, this.#more);
    this.#more.addEventListener("click", () => {
      this.#shown *= 4;
      this.go(null);
    });
  }

  /** Forget all rows: they are of another past. */
  clear() {
    this.#rows.clear();
    this.#list.replaceChildren();
  }

  /** Return the versions whose values are shown at a commit. */
  wanted(past, place) {
    return past.stateAt(place).slice(0, this.#shown).map(({ version }) => version);
  }

  /** Show the state at a commit, and what of it has changed since another. */
  show(past, values, place, changed) {
    const state = past.stateAt(place);
    const fresh = new Set(changed.map(({ after }) => after));
    const focused = document.activeElement?.dataset.path;
    const rows = state.slice(0, this.#shown).map(({ key, version }) => {
      let row = this.#rows.get(key);
      if (row === undefined) this.#rows.set(key, (row = new Row(key, past.keys[key], this)));
      row.show(version, fresh.has(version), values, past);
      return row.element;
    });
    const isSame = rows.length === this.#list.children.length && rows.every((each, at) => each === this.#list.children[at]);
    if (!isSame) this.#list.replaceChildren(...rows);
    if (state.length === 0) this.#list.replaceChildren(element("li", { class: "empty" }, "There is nothing."));
    this.#more.hidden = state.length <= this.#shown;
    this.#more.textContent = `Show more of ${count(state.length)} keys`;
    byId("state-count").textContent = many(state.length, "key");
    if (focused !== undefined && document.activeElement?.dataset.path !== focused) {
      const again = [...this.#list.querySelectorAll("[data-path]")].find((each) => each.dataset.path === focused);
      again?.focus({ preventScroll: true });
    }
  }
}

/** Whether a value is worth reading whole before it is compared. */
export function isComparable(node) {
  return node !== undefined && (!isAbsent(node) || hasParts(node));
}
