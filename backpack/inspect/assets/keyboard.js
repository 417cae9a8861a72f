// The page by keyboard alone.

import { byId, element } from "./dom.js";

const KEYS = [
  ["←  ↓", "the commit before"],
  ["→  ↑", "the commit after"],
  ["Page Down", "a twentieth of all commits back"],
  ["Page Up", "a twentieth of all commits on"],
  ["Home", "the first commit"],
  ["End", "the newest commit"],
  ["/", "search"],
  ["c", "compare with this commit from here on; once more, or Escape, with the commit before"],
  ["↓  ↑", "in the state and the changes: the next and the one before of what can be opened"],
  ["Enter", "open or close it"],
  ["Shift + click", "compare with the commit that is clicked"],
  ["?", "this help"],
];

/** Keys that scroll what is long, where no moment is looked at. */
const SCROLLING = ["ArrowDown", "ArrowUp", "PageDown", "PageUp", "Home", "End"];

/** Listen to keys; `does` has what they do, by name. */
export function listen(does) {
  const help = byId("help");
  help.append(
    element("h2", { id: "help-title" }, "Keys"),
    element("dl", {}, KEYS.map(([keys, what]) => [
      element("dt", {}, keys.split("  ").map((key) => [element("kbd", {}, key), " "])),
      element("dd", {}, what),
    ])),
    element("button", { type: "button", on: { click: () => help.close() } }, "Close"),
  );
  byId("help-button").addEventListener("click", () => help.showModal());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || help.open) return;
    const at = event.target;
    if (at.matches("input")) {
      if (event.key === "Escape" || event.key === "Enter") {
        if (event.key === "Escape") does.clearSearch();
        byId("timeline-slider").focus();
        event.preventDefault();
      }
      return;
    }
    if (at.matches("select")) return;
    const isElsewhere = byId("moments").hidden && at.closest(".timeline") === null;
    if (isElsewhere && SCROLLING.includes(event.key)) return;
    const panel = at.closest("#state, #changes");
    if (panel !== null && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
      walk(panel, at, event.key === "ArrowDown" ? 1 : -1);
    } else if (panel !== null && event.key.startsWith("Page")) return;
    else if (!act(event.key, does)) return;
    event.preventDefault();
  });
}

/** Do what a key means; return whether it means something. */
function act(key, does) {
  const actions = {
    ArrowLeft: () => does.step(-1),
    ArrowDown: () => does.step(-1),
    ArrowRight: () => does.step(1),
    ArrowUp: () => does.step(1),
    PageDown: () => does.leap(-1),
    PageUp: () => does.leap(1),
    Home: () => does.end(-1),
    End: () => does.end(1),
    c: () => does.compare(),
    Escape: () => does.letGo(),
    "/": () => does.search(),
    "?": () => byId("help").showModal(),
  };
  if (!Object.hasOwn(actions, key)) return false;
  actions[key]();
  return true;
}

/** Move on to the next that can be opened. */
function walk(panel, at, step) {
  const all = [...panel.querySelectorAll("button:not(.since)")];
  const next = all[all.indexOf(at.closest("button")) + step];
  (next ?? at).focus();
}
