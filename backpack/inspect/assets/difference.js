// What differs between two values: nested, and line by line in long texts. Nothing of the page is here.

import { hasParts, isAbsent, label, REST, size, summary } from "./nodes.js";

/** Two lists are compared item by item as long as they have no more pairs of items. */
const MOST_PAIRS = 250_000;
/** A text is long, and compared inside, from so many characters on. */
const LONG = 60;
/** So many lines, or characters, around a difference are told. */
const AROUND_LINES = 2;
const AROUND_CHARACTERS = 40;

const known = new WeakMap();

/** Return a node as a text: equal for equal values. */
function exact(node) {
  if (!Array.isArray(node)) return JSON.stringify(node);
  let text = known.get(node);
  if (text === undefined) known.set(node, (text = JSON.stringify(node)));
  return text;
}

/**
 * Return what differs, as entries `{path, kind}` in order.
 *
 * `kind` is `added` (with `after`), `removed` (with `before`), `changed` (with both), `order` (of
 * the keys of a dict), `lines` (with `lines`, `[sign, text]` each) or `text` (with `head`,
 * `removed`, `added` and `tail`).
 */
export function difference(before, after, path = "") {
  if (exact(before) === exact(after)) return [];
  if (typeof before === "string" && typeof after === "string") return ofTexts(before, after, path);
  if (!hasParts(before) || !hasParts(after) || before[0] !== after[0] || isAbsent(before)) {
    return [{ path, kind: "changed", before, after }];
  }
  if (before[0] === "object") {
    if (before[1] !== after[1]) return [{ path, kind: "changed", before, after }];
    const rest = before.length > 3 && after.length > 3;
    const more = rest ? difference(before[3], after[3], path === "" ? REST : `${path} ${REST}`) : [];
    return [...difference(before[2], after[2], path), ...more];
  }
  if (before[0] === "dict") return ofDicts(before, after, path);
  if (before[0].endsWith("set")) return ofSets(before, after, path);
  return ofLists(before[1], after[1], path);
}

function ofDicts(before, after, path) {
  const entries = [];
  const old = pairs(before);
  const fresh = pairs(after);
  for (const [key, [name, value]] of old) {
    const inner = inside(path, name);
    if (!fresh.has(key)) entries.push({ path: inner, kind: "removed", before: value });
    else entries.push(...difference(value, fresh.get(key)[1], inner));
  }
  for (const [key, [name, value]] of fresh) {
    if (!old.has(key)) entries.push({ path: inside(path, name), kind: "added", after: value });
  }
  return entries.length ? entries : [{ path, kind: "order" }];
}

function pairs(dict) {
  const found = new Map();
  for (let at = 0; at < 2 * size(dict); at += 2) {
    found.set(exact(dict[1][at]), [dict[1][at], dict[1][at + 1]]);
  }
  return found;
}

function inside(path, key) {
  const isName = typeof key === "string" && /^[\p{L}_][\p{L}\p{N}_]*$/u.test(key);
  if (isName) return path === "" ? key : `${path}.${key}`;
  return `${path}[${typeof key === "string" ? JSON.stringify(label(key)) : summary(key, 40)}]`;
}

function ofSets(before, after, path) {
  const [old, fresh] = [before, after].map((set) => new Map(set[1].map((each) => [exact(each), each])));
  const gone = [...old].filter(([text]) => !fresh.has(text));
  const come = [...fresh].filter(([text]) => !old.has(text));
  return [
    ...gone.map(([, each]) => ({ path, kind: "removed", before: each })),
    ...come.map(([, each]) => ({ path, kind: "added", after: each })),
  ];
}

function ofLists(before, after, path) {
  const entries = [];
  for (const { old, fresh, at, to } of runs(before.map(exact), after.map(exact))) {
    const both = Math.min(old, fresh);
    for (let step = 0; step < both; step += 1) {
      entries.push(...difference(before[at + step], after[to + step], `${path}[${to + step}]`));
    }
    for (let step = both; step < old; step += 1) {
      entries.push({ path: `${path}[${at + step}]`, kind: "removed", before: before[at + step] });
    }
    for (let step = both; step < fresh; step += 1) {
      entries.push({ path: `${path}[${to + step}]`, kind: "added", after: after[to + step] });
    }
  }
  return entries;
}

/**
 * Return where two lists of texts differ, as runs: `old` texts from `at` on became `fresh` ones
 * from `to` on. What both have is the longest common part, where that is not too much work.
 */
export function runs(before, after) {
  let first = 0;
  while (first < before.length && first < after.length && before[first] === after[first]) first += 1;
  let last = 0;
  const most = Math.min(before.length, after.length) - first;
  while (last < most && before[before.length - 1 - last] === after[after.length - 1 - last]) last += 1;
  const height = before.length - first - last;
  const width = after.length - first - last;
  if (height * width === 0 || height * width > MOST_PAIRS) {
    return height + width ? [{ old: height, fresh: width, at: first, to: first }] : [];
  }
  // How long the longest common part is of what follows each pair.
  const row = width + 1;
  const common = new Uint32Array((height + 1) * row);
  for (let at = height - 1; at >= 0; at -= 1) {
    for (let to = width - 1; to >= 0; to -= 1) {
      common[at * row + to] =
        before[first + at] === after[first + to]
          ? common[(at + 1) * row + to + 1] + 1
          : Math.max(common[(at + 1) * row + to], common[at * row + to + 1]);
    }
  }
  const found = [];
  let [at, to, start, begin] = [0, 0, 0, 0];
  const flush = () => {
    if (at > start || to > begin) {
      found.push({ old: at - start, fresh: to - begin, at: first + start, to: first + begin });
    }
  };
  while (at < height && to < width) {
    if (before[first + at] === after[first + to]) {
      flush();
      at += 1;
      to += 1;
      [start, begin] = [at, to];
    } else if (common[(at + 1) * row + to] >= common[at * row + to + 1]) at += 1;
    else to += 1;
  }
  [at, to] = [height, width];
  flush();
  return found;
}

function ofTexts(before, after, path) {
  if (before.includes("\n") || after.includes("\n")) {
    return [{ path, kind: "lines", lines: lines(before.split("\n"), after.split("\n")) }];
  }
  if (before.length < LONG && after.length < LONG) {
    return [{ path, kind: "changed", before, after }];
  }
  let first = 0;
  const most = Math.min(before.length, after.length);
  while (first < most && before[first] === after[first]) first += 1;
  let last = 0;
  while (last < most - first && before.at(-1 - last) === after.at(-1 - last)) last += 1;
  const head = before.slice(Math.max(0, first - AROUND_CHARACTERS), first);
  const tail = before.slice(before.length - last).slice(0, AROUND_CHARACTERS);
  return [
    {
      path,
      kind: "text",
      head: (first > AROUND_CHARACTERS ? "…" : "") + head,
      removed: before.slice(first, before.length - last),
      added: after.slice(first, after.length - last),
      tail: tail + (last > AROUND_CHARACTERS ? "…" : ""),
    },
  ];
}

function lines(before, after) {
  const told = [];
  let end = 0;
  for (const { old, fresh, at, to } of runs(before, after)) {
    const from = Math.max(end, at - AROUND_LINES);
    const behind = Math.min(from, end + (told.length ? AROUND_LINES : 0));
    for (const line of before.slice(end, behind)) told.push([" ", line]);
    if (from > behind) told.push(["…", ""]);
    for (const line of before.slice(from, at)) told.push([" ", line]);
    for (const line of before.slice(at, at + old)) told.push(["-", line]);
    for (const line of after.slice(to, to + fresh)) told.push(["+", line]);
    end = at + old;
  }
  for (const line of before.slice(end, end + AROUND_LINES)) told.push([" ", line]);
  if (end + AROUND_LINES < before.length) told.push(["…", ""]);
  return told;
}
