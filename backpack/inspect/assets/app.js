// The page: one moment of one past, and all that shows it.

import { Changes } from "./changes.js";
import { Commits } from "./commits.js";
import { byId, element, plain, texts } from "./dom.js";
import { Embedded } from "./embedded.js";
import { count, many, moment } from "./format.js";
import { listen } from "./keyboard.js";
import { showAbout, showBytes } from "./overview.js";
import { Past } from "./past.js";
import { matching } from "./search.js";
import { Served } from "./served.js";
import { State } from "./state.js";
import { Timeline, whereabouts } from "./timeline.js";
import { Values } from "./values.js";

/** How often a page that is served asks for new commits, in milliseconds. */
const ASKING = 4000;
/** So many names are offered to choose from. */
const MOST_OFFERED = 400;

const source = Embedded.isHere() ? new Embedded() : new Served();
let past;
let values;
/** The places of the commits that match; and the filter, if there is one. */
let matches;
let isFiltered = false;
let place = -1;
/** The commit that is compared with, if it is not the one before. */
let base = -1;
let isBusy = false;
let isStale = false;

const timeline = new Timeline(point);
const commits = new Commits(point);
const state = new State((to) => (to === null ? show() : select(to)), attempt);
const changes = new Changes(attempt, show);

// --- the moment ------------------------------------------------------------------------------

/** Go to a commit, or take it to compare with. */
function point(to, isBase) {
  if (isBase) base = base === to ? -1 : to;
  select(isBase ? place : nearest(to));
}

/** Go to a commit. */
function select(to) {
  place = to;
  const words = `commit ${past.id(place)}, ${whereabouts(past, place)}`;
  timeline.move(place, base, words);
  commits.move(place, base);
  tellMoment();
  show();
}

/** Return the commit nearest to one that matches. */
function nearest(to) {
  const at = rank(to);
  const [before, after] = [matches[at - 1], matches[at]];
  if (after === undefined) return before ?? to;
  return before !== undefined && to - before < after - to ? before : after;
}

/** Return how many commits that match come before one. */
function rank(to) {
  let [low, high] = [0, matches.length];
  while (low < high) {
    const middle = (low + high) >> 1;
    if (matches[middle] < to) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Go so many commits on, of those that match. */
function step(by) {
  if (matches.length === 0) return;
  const at = rank(place) + by + (by > 0 && matches[rank(place)] !== place ? -1 : 0);
  select(matches[Math.min(Math.max(at, 0), matches.length - 1)]);
}

/** Show the state and the changes; where that is asked for faster than it is done, the last counts. */
async function show() {
  isStale = isBusy;
  if (isBusy || place < 0) return;
  isBusy = true;
  do {
    isStale = false;
    const [to, from] = [place, base >= 0 ? base : place - 1];
    const changed = past.changedBetween(from, to);
    // Unread values are told of at once where that takes a while.
    const slow = setTimeout(() => display(to, changed), 120);
    await attempt(() => values.load([...state.wanted(past, to), ...changes.wanted(changed)]));
    clearTimeout(slow);
    if (!isStale) display(to, changed);
  } while (isStale);
  isBusy = false;
  document.body.dataset.shown = String(past.seq[place]);
}

function display(to, changed) {
  const repeated = base >= 0 ? [] : past.changesOf(to).filter(({ kind }) => kind === 1);
  state.show(past, values, to, changed);
  const isOldest = to === 0 && base < 0;
  changes.show(past, values, changed, repeated.map(({ key }) => key), !(isOldest && past.isCut));
  const first = past.isCut ? "the oldest that is there: what it set" : "the first commit";
  const other = base >= 0 ? past.id(base) : "the commit before";
  byId("against").textContent = isOldest ? first : `against ${other}`;
  byId("compare").textContent = base >= 0 ? "Let go" : "Compare from here";
}

function tellMoment() {
  const [node, note] = [past.nodeOf(place), past.noteOf(place)];
  byId("moment").replaceChildren(
    element("strong", {}, past.id(place)),
    element("span", {}, moment(past.time[place])),
    ...(node === null ? [] : [element("span", {}, "by ", element("b", {}, texts(node)))]),
    ...past.tagsOf(place).map((tag) => element("span", { class: "tag" }, texts(tag))),
    ...(note === null ? [] : [element("span", { class: "note" }, texts(note.slice(0, 500)))]),
    element("span", { class: "muted" }, whereabouts(past, place)),
  );
}

// --- filters ---------------------------------------------------------------------------------

function filter() {
  const number = (id) => (byId(id).value === "" ? null : Number(byId(id).value));
  const text = byId("search").value;
  const wanted = { node: number("filter-node"), tag: number("filter-tag"), key: number("filter-key"), text };
  isFiltered = text.trim() !== "" || [wanted.node, wanted.tag, wanted.key].some((each) => each !== null);
  matches = matching(past, wanted);
  byId("matches").textContent = isFiltered
    ? `${count(matches.length)} of ${count(past.length)}`
    : count(past.length);
  commits.open(past, matches);
  timeline.filter(isFiltered ? matches : null);
  if (matches.length) select(nearest(place));
}

/** Offer names to choose from: those that most commits have, if there are many. */
function offer(id, title, names, uses) {
  const often = new Map();
  for (const each of uses) often.set(each, (often.get(each) ?? 0) + 1);
  const most = [...often].filter(([each]) => each >= 0).sort((one, other) => other[1] - one[1]);
  const offered = most.slice(0, MOST_OFFERED).map(([each]) => each);
  offered.sort((one, other) => (names[one] < names[other] ? -1 : 1));
  const chosen = byId(id).value;
  byId(id).replaceChildren(
    element("option", { value: "" }, title),
    ...offered.map((each) => element("option", { value: each }, plain(names[each].slice(0, 80)))),
  );
  byId(id).value = offered.includes(Number(chosen)) ? chosen : "";
  byId(id).hidden = offered.length === 0;
}

// --- the whole -------------------------------------------------------------------------------

/** Read all anew; the moment stays where it is. */
async function open() {
  const seq = place < 0 || place === past.length - 1 ? Infinity : past.seq[place];
  const held = base < 0 ? null : past.seq[base];
  const slow = setTimeout(() => notice("Reading all commits …"), 300);
  const index = await source.index().finally(() => clearTimeout(slow));
  notice(null);
  past = new Past(index);
  values = new Values(source, past);
  const { name } = past.about;
  document.title = plain(`${name} · Backpack`);
  byId("name").replaceChildren(...texts(name));
  byId("where").replaceChildren(...texts(past.about.where));
  state.clear();
  timeline.open(past);
  offer("filter-node", "Node", past.nodes, past.commits.node);
  offer("filter-tag", "Tag", past.tags, Object.values(past.commits.tags).flat());
  offer("filter-key", "Key", past.keys, past.commits.key);
  showBytes(past, (key) => {
    byId("filter-key").value = String(key);
    view("moments");
    filter();
  });
  showAbout(past);
  base = held === null || past.seq[past.placeOf(held)] !== held ? -1 : past.placeOf(held);
  place = Math.max(past.placeOf(seq), Math.min(0, past.length - 1));
  if (past.length === 0) notice("There is no commit in it yet.");
  filter();
}

/** Do something that may fail, and tell if it does. */
async function attempt(what) {
  try {
    await what();
    return true;
  } catch (error) {
    notice(`${error.message}.`.replace(/\.\.$/, "."), source.isLive ? "Try again" : null);
    return false;
  }
}

/** Say something above all else; with a button, which reads all anew. */
function notice(text, button = null) {
  const again = async () => {
    byId("notice").hidden = true;
    await attempt(open);
  };
  byId("notice").hidden = text === null;
  byId("notice").replaceChildren(
    ...texts(text ?? ""),
    ...(button === null ? [] : [" ", element("button", { type: "button", on: { click: again } }, button)]),
  );
}

/** Look whether there are new commits, if somebody looks at the page. */
async function look() {
  if (document.visibilityState !== "visible" || past === undefined) return;
  await attempt(async () => {
    const found = await source.moment();
    const news = found.head - past.head;
    if (found.code !== past.code) notice("Another Backpack is in the place of this one.", "Reload");
    else if (news > 0) notice(`There ${news === 1 ? "is" : "are"} ${many(news, "new commit")}.`, "Reload");
    else if (past.length > 0) notice(null);
  });
}

function view(name) {
  for (const each of document.querySelectorAll(".view")) each.hidden = each.id !== name;
  for (const each of document.querySelectorAll("[data-view]")) {
    if (each.dataset.view === name) each.setAttribute("aria-current", "page");
    else each.removeAttribute("aria-current");
  }
}

function compare() {
  base = base >= 0 ? -1 : place;
  select(place);
}

listen({
  step: (by) => step(by),
  leap: (by) => step(by * Math.max(10, Math.round(matches.length / 20))),
  end: (by) => step(by * past.length),
  compare,
  letGo: () => base >= 0 && compare(),
  search: () => byId("search").select(),
  clearSearch: () => {
    byId("search").value = "";
    filter();
  },
});
for (const each of document.querySelectorAll("[data-view]")) {
  each.addEventListener("click", () => view(each.dataset.view));
}
byId("filters").addEventListener("submit", (event) => event.preventDefault());
byId("filters").addEventListener("input", filter);
byId("older").addEventListener("click", () => step(-1));
byId("newer").addEventListener("click", () => step(1));
byId("compare").addEventListener("click", compare);
attempt(open).then(() => {
  if (!source.isLive) return;
  setInterval(look, ASKING);
  window.addEventListener("focus", look);
});
