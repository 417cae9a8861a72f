// What nodes are: JSON that tells every type, as `backpack.inspect.values` writes it.

import { bytes, count, many } from "./format.js";

const BRACKETS = { list: "[]", tuple: "()", set: "{}", frozenset: "{}", dict: "{}" };
/** What is no value, but stands in the place of one. */
const ABSENT = ["unavailable", "large", "beyond", "omitted", "unreadable", "gone"];

/** What is called what is stored of a pydantic model besides its fields. */
export const REST = "(fields set, extra, private)";

/** Return what a node is: its type in Python, or what stands in its place. */
export function kindOf(node) {
  if (node === null) return "None";
  if (Array.isArray(node)) return node[0];
  return { string: "str", number: "int", boolean: "bool" }[typeof node];
}

/** Whether something is told in place of a value. */
export function isAbsent(node) {
  return Array.isArray(node) && ABSENT.includes(node[0]);
}

/** Whether a node has parts that can be looked at one by one. */
export function hasParts(node) {
  return Array.isArray(node) && (node[0] in BRACKETS || node[0] === "object");
}

/** Return how many parts a node has. */
export function size(node) {
  if (node[0] === "object") return hasParts(node[2]) ? size(node[2]) : 1;
  return node[0] === "dict" ? node[1].length / 2 : node[1].length;
}

/** Return the parts of a node, so many of them: `{label, node}`; the label of a key that is a text is that. */
export function partsOf(node, most = Infinity) {
  if (node[0] === "object") {
    const fields = hasParts(node[2]) ? partsOf(node[2], most) : [{ label: "value", node: node[2] }];
    return node.length > 3 ? [...fields, { label: REST, node: node[3] }] : fields;
  }
  const parts = [];
  const behind = Math.min(size(node), most);
  for (let at = 0; at < behind; at += 1) {
    if (node[0] === "dict") parts.push({ label: label(node[1][2 * at]), node: node[1][2 * at + 1] });
    else parts.push({ label: node[0].endsWith("set") ? "" : String(at), node: node[1][at] });
  }
  return parts;
}

/** Return what the key of a dict is called. */
export function label(key) {
  return typeof key === "string" && key !== "" ? key : summary(key);
}

/** Return the name of a class without its module, for where there is little room. */
export function shortName(name) {
  return name.slice(name.lastIndexOf(":") + 1) || name;
}

/** Return what a node is and how large, in words: `list of 3`. */
export function about(node) {
  const kind = kindOf(node);
  if (kind === "object") return shortName(node[1]);
  if (hasParts(node)) return `${kind} of ${count(size(node))}`;
  if (kind === "array") return node[1];
  if (kind === "bytes" || kind === "bytearray") return `${kind} of ${count(atob(node[1]).length)}`;
  return kind;
}

/** Return a node on one line, as Python would write it, cut where there is no more room. */
export function summary(node, room = 90) {
  const text = shortened(node, room);
  return text.length > room ? `${text.slice(0, room - 1)}…` : text;
}

function shortened(node, room) {
  if (node === null) return "None";
  if (node === true) return "True";
  if (node === false) return "False";
  if (typeof node === "number") return String(node);
  if (typeof node === "string") return JSON.stringify(node.slice(0, room));
  const [kind, content] = node;
  if (kind === "object") return `${shortName(content)}${inBrackets(node[2], room, "()")}`;
  if (kind in BRACKETS) return inBrackets(node, room, BRACKETS[kind]);
  if (kind === "bytes" || kind === "bytearray") return literal(content, room);
  if (kind === "array") return `[${node[2].slice(0, 12).join(", ")}${node[3] > 12 ? ", …" : ""}]`;
  return isAbsent(node) ? told(node) : content;
}

/** Return what stands in the place of a value, in words. */
export function told(node) {
  const [kind, content] = node;
  if (kind === "unavailable") return `left out of history, ${bytes(content.size)}: ${content.reason}`;
  if (kind === "large") return `${bytes(content)}, not read yet`;
  if (kind === "beyond") return `${bytes(content)}: too large to be shown here`;
  if (kind === "omitted") return `${bytes(content)}: left out of this page by its limit`;
  if (kind === "unreadable") return `cannot be read: ${content}`;
  return "not in the file any more: reload to see what is";
}

function inBrackets(node, room, [open, close]) {
  if (!hasParts(node) || node[0] === "object") return `${open}${shortened(node, room)}${close}`;
  const isNamed = node[0] === "dict";
  let text = open;
  for (const [at, part] of partsOf(node, 20).entries()) {
    if (text.length > room) break;
    const name = isNamed ? `${part.label.slice(0, room)}: ` : "";
    text += `${at ? ", " : ""}${name}${shortened(part.node, Math.max(room - text.length, 8))}`;
  }
  return size(node) > 20 ? `${text}, …` : text + close;
}

/** Return bytes as Python writes them. */
function literal(base64, room) {
  const part = atob(base64.slice(0, 4 * Math.ceil(room / 3)));
  const text = Array.from(part, (each) => {
    if (each === "\\" || each === '"') return `\\${each}`;
    return each >= " " && each <= "~" ? each : `\\x${each.charCodeAt(0).toString(16).padStart(2, "0")}`;
  });
  return `b"${text.join("")}"`;
}

/** Return how many more parts there are, in words. */
export function more(number) {
  return `${many(number, "more")}`.replace("mores", "more");
}
