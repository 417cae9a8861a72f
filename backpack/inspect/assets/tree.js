// Values as trees: nothing is made of what is closed, and of what is open not all at once.

import { element, texts } from "./dom.js";
import { count } from "./format.js";
import { about, hasParts, isAbsent, kindOf, partsOf, size, summary, told } from "./nodes.js";

const AT_ONCE = 100;
const MOST_TEXT = 4000;
/** So many characters of a value are on a line of their own. */
const LINE = 90;
/** What needs no label: how it is written tells what it is. */
const PLAIN = ["str", "int", "float", "bool", "None"];

/** Which parts of trees are open, by their paths; kept from one commit to the next. */
const open = new Set();

/** Return the parts of a value, as a list; of one that has none, the whole value. */
export function branches(node, path, shown = AT_ONCE) {
  const list = element("ul", { class: "tree" });
  if (!hasParts(node)) {
    list.append(element("li", { class: "whole" }, whole(node)));
    return list;
  }
  for (const part of partsOf(node, shown)) list.append(branch(part, `${path}\n${part.label}`));
  if (size(node) > shown) {
    const rest = `Show more of ${count(size(node))}`;
    const grow = () => list.replaceWith(branches(node, path, shown * 4));
    list.append(element("li", {}, element("button", { class: "quiet", on: { click: grow } }, rest)));
  }
  if (size(node) === 0) list.append(element("li", { class: "muted" }, "empty"));
  return list;
}

function branch({ label, node }, path) {
  const name = label === "" ? [] : [element("span", { class: "label" }, texts(label)), " "];
  const isText = typeof node === "string";
  const isLong = isText ? node.length > LINE || node.includes("\n") : summary(node, 2 * LINE).length > LINE;
  if (!hasParts(node) && !isLong) {
    return element("li", {}, element("span", { class: "leaf" }, name, leaf(node), type(node)));
  }
  const twig = element("li", {});
  const caret = element("span", { class: "caret", "aria-hidden": "true" });
  const line = [caret, name, leaf(node), type(node)];
  const toggle = () => {
    if (!open.delete(path)) open.add(path);
    unfold();
  };
  const button = element("button", { class: "twig", "data-path": path, on: { click: toggle } }, line);
  const unfold = () => {
    button.setAttribute("aria-expanded", String(open.has(path)));
    twig.replaceChildren(button, ...(open.has(path) ? [branches(node, path)] : []));
    button.focus({ preventScroll: true });
  };
  button.setAttribute("aria-expanded", String(open.has(path)));
  twig.append(button, ...(open.has(path) ? [branches(node, path)] : []));
  return twig;
}

/** Return a value on one line. */
export function leaf(node, room = LINE) {
  const kind = isAbsent(node) ? "absent" : kindOf(node);
  return element("span", { class: `value ${kind.toLowerCase()}` }, texts(summary(node, room)));
}

/** Return what type a value has, if how it is written does not tell. */
export function type(node) {
  if (PLAIN.includes(kindOf(node)) || isAbsent(node)) return [];
  return [" ", element("span", { class: `type ${kindOf(node)}` }, texts(about(node)))];
}

/** Return a value without parts as it is, whole but for what is very long. */
function whole(node) {
  if (typeof node === "string") return block(node);
  if (kindOf(node) === "unavailable") {
    const { hint, preview, digest } = node[1];
    return [
      element("p", { class: "value absent" }, texts(told(node))),
      element("p", { class: "muted" }, texts(`What to do: ${hint}.`)),
      element("p", { class: "muted" }, texts(`BLAKE2b-128 ${digest}`)),
      preview === null ? [] : [element("p", { class: "muted" }, "It begins with"), block(preview)],
    ];
  }
  if (isAbsent(node)) return element("span", { class: "value absent" }, texts(told(node)));
  if (kindOf(node) === "array") return block(`${node[2].join(", ")}${node[3] > node[2].length ? ", …" : ""}`);
  return [leaf(node, MOST_TEXT), type(node)];
}

/** Return a text with its lines. */
function block(text) {
  const box = element("pre", {}, texts(text.slice(0, MOST_TEXT)));
  if (text === "") return element("span", { class: "value str" }, '""');
  if (text.length <= MOST_TEXT) return box;
  const all = () => box.replaceChildren(...texts(text));
  const label = `Show all ${count(text.length)} characters`;
  const button = element("button", { class: "quiet", on: { click: () => (all(), button.remove()) } }, label);
  return [box, button];
}

/** Whether a part of a tree is open. */
export function isOpen(path) {
  return open.has(path);
}

/** Open or close a part of a tree; return whether it is open. */
export function toggled(path) {
  if (!open.delete(path)) open.add(path);
  return open.has(path);
}
