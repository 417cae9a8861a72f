// What changed: key by key, and inside each value what differs.

import { byId, element, texts } from "./dom.js";
import { difference } from "./difference.js";
import { bytes, count, many } from "./format.js";
import { isAbsent, kindOf, summary, told } from "./nodes.js";

const MOST_KEYS = 40;
const MOST_ENTRIES = 60;
const MOST_LINES = 200;
const SIGNS = { set: "•", added: "+", removed: "−", changed: "~", same: "=" };

/** The panel of changes. */
export class Changes {
  #attempt;
  #again;

  /** `attempt(what)` does it and tells what goes wrong; `again()` shows the moment anew. */
  constructor(attempt, again) {
    [this.#attempt, this.#again] = [attempt, again];
  }

  /** Return the versions that are compared. */
  wanted(changed) {
    return changed.slice(0, MOST_KEYS).flatMap(({ before, after }) => [before, after]);
  }

  /** Show what changed between two commits; or what one set, if what was before is not known. */
  show(past, values, changed, repeated, isSince) {
    const items = changed.slice(0, MOST_KEYS).map((each) => this.#item(past, values, each, isSince));
    for (const key of repeated) {
      items.push(this.#entry(past.keys[key], "same", "packed with the same value again", []));
    }
    if (items.length === 0) items.push(element("li", { class: "empty" }, "Nothing differs."));
    if (changed.length > MOST_KEYS) {
      items.push(element("li", { class: "empty" }, `and ${many(changed.length - MOST_KEYS, "more key")}`));
    }
    byId("changes").replaceChildren(element("ul", { class: "entries" }, items));
  }

  #item(past, values, { key, before, after }, isSince) {
    const kind = !isSince ? "set" : before < 0 ? "added" : after < 0 ? "removed" : "changed";
    const [old, fresh] = [before, after].map((each) => (each < 0 ? null : past.sizeOf(each, key)));
    const sizes = [old, fresh].filter((each) => each !== null).map(bytes);
    return this.#entry(past.keys[key], kind, [...new Set(sizes)].join(" → "), this.#inside(values, kind, before, after));
  }

  #entry(name, kind, right, inside) {
    return element("li", { class: `change ${kind}` },
      element("div", { class: "head" },
        element("span", { class: "sign", role: "img", "aria-label": kind }, SIGNS[kind]),
        element("span", { class: "key-name" }, texts(name)),
        element("span", { class: "size" }, right)),
      inside);
  }

  /** Return what differs inside a value. */
  #inside(values, kind, before, after) {
    const [old, fresh] = [before, after].map((each) => (each < 0 ? null : values.known(each)));
    if (old === undefined || fresh === undefined) return element("p", { class: "muted" }, "…");
    const large = [before, after].filter((each) => each >= 0 && kindOf(values.known(each)) === "large");
    if (large.length) return this.#fetch(values, large);
    if (kind === "added" || kind === "set") return element("p", {}, one("ins", fresh, 400));
    if (kind === "removed") return element("p", {}, one("del", old, 400));
    if (isAbsent(old) || isAbsent(fresh)) {
      return element("p", {}, one("del", old, 400), " → ", one("ins", fresh, 400));
    }
    const entries = difference(old, fresh);
    if (entries.length === 0) return element("p", { class: "muted" }, "the same value");
    const list = element("ul", { class: "differences" }, entries.slice(0, MOST_ENTRIES).map(shown));
    if (entries.length > MOST_ENTRIES) {
      list.append(element("li", { class: "muted" }, `and ${count(entries.length - MOST_ENTRIES)} more differences`));
    }
    return list;
  }

  #fetch(values, versions) {
    const size = versions.reduce((total, each) => total + values.known(each)[1], 0);
    const fetch = async () => {
      button.disabled = true;
      button.textContent = "Reading…";
      for (const version of versions) await this.#attempt(() => values.loadWhole(version));
      this.#again();
    };
    const button = element("button", { class: "fetch", on: { click: fetch } }, `Read ${bytes(size)} to compare`);
    return button;
  }
}

/** Return a value on one line, as what came or went. */
function one(name, node, room) {
  return element(name, {}, texts(isAbsent(node) ? told(node) : summary(node, room)));
}

/** Return a difference as a line, or as lines. */
function shown(entry) {
  const path = entry.path === "" ? [] : [element("span", { class: "path" }, texts(entry.path)), " "];
  const { kind } = entry;
  if (kind === "added") return element("li", {}, path, one("ins", entry.after, 240));
  if (kind === "removed") return element("li", {}, path, one("del", entry.before, 240));
  if (kind === "changed") {
    return element("li", {}, path, one("del", entry.before, 160), " → ", one("ins", entry.after, 160));
  }
  if (kind === "order") return element("li", {}, path, element("span", { class: "muted" }, "its keys have another order"));
  if (kind === "text") {
    return element("li", {}, path, element("span", { class: "long" },
      texts(entry.head),
      entry.removed === "" ? [] : element("del", {}, texts(entry.removed.slice(0, 2000))),
      entry.added === "" ? [] : element("ins", {}, texts(entry.added.slice(0, 2000))),
      texts(entry.tail)));
  }
  const names = { "+": "ins", "-": "del" };
  const lines = entry.lines.slice(0, MOST_LINES).map(([sign, text]) =>
    sign === "…"
      ? element("span", { class: "gap" }, "⋯")
      : element(names[sign] ?? "span", { class: "line", "data-sign": sign.replace("-", "−") }, texts(text)));
  if (entry.lines.length > MOST_LINES) lines.push(element("span", { class: "gap" }, "⋯"));
  return element("li", {}, path, element("pre", { class: "lines" }, lines));
}
