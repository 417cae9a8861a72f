// What is about the whole past: where the bytes go, and what is known of the Backpack.

import { byId, element, texts } from "./dom.js";
import { bytes, count, many, moment } from "./format.js";

const MOST = 500;

/** Show where the bytes go; `choose(key)` shows the commits of one. */
export function showBytes(past, choose) {
  const rows = past.bytesByKey();
  const total = rows.reduce((sum, { current, superseded }) => sum + current + superseded, 0);
  const largest = rows.length ? rows[0].current + rows[0].superseded : 1;
  const lines = rows.slice(0, MOST).map(({ key, versions, current, superseded }) => {
    const [old, now] = ["old", "now"].map((each) => element("i", { class: each }));
    for (const [bar, size] of [[old, superseded], [now, current]]) {
      bar.style.width = `${(100 * size) / Math.max(largest, 1)}%`;
      bar.hidden = size === 0;
    }
    const pick = element("button", { class: "quiet", on: { click: () => choose(key) } }, texts(past.keys[key]));
    return element("tr", {},
      element("th", { scope: "row" }, pick),
      element("td", { class: "bars", "aria-hidden": "true" }, element("span", {}, old, now)),
      [bytes(superseded), bytes(current), count(versions)].map((each) => element("td", {}, each)));
  });
  byId("bytes").replaceChildren(
    element("h2", {}, "Where the bytes go"),
    element("p", { class: "lead" },
      `${bytes(total)} of values in ${many(past.versionCount, "version")}, as they are stored in this file: `,
      "each as what it differs in from the one before. A key shows its commits."),
    element("table", { class: "sizes" },
      element("thead", {}, element("tr", {},
        element("th", { scope: "col" }, "Key"), element("td", {}),
        ["Superseded", "Newest", "Versions"].map((each) => element("th", { scope: "col" }, each)))),
      element("tbody", {}, lines)),
    ...(rows.length > MOST ? [element("p", { class: "muted" }, `and ${many(rows.length - MOST, "more key")}`)] : []),
  );
}

/** Show what is known of the Backpack itself. */
export function showAbout(past) {
  const { about, length } = past;
  const flags = past.commits.flags;
  const retained = flags.reduce((sum, each) => sum + (each & 1), 0);
  const pinned = flags.reduce((sum, each) => sum + (each >> 1), 0);
  const facts = [
    ["Name", about.name],
    ["File", about.where],
    ["Commits", `${count(length)}: ${count(retained)} retained, ${count(length - retained)} archived, ${count(pinned)} pinned`],
    ["Ids end with", `-${past.code}`],
    ["First", length ? moment(past.time[0]) : "none"],
    ["Newest", length ? moment(past.time[length - 1]) : "none"],
    ["Keys", count(past.versions.key.length)],
    ["Versions", count(past.versionCount)],
    ["History budget", about.budget === null ? "not told" : `${bytes(about.budget)} (${count(about.budget)} bytes)`],
    ["Codec", about.codec],
  ];
  if (past.omitted) facts.push(["Left out", `${many(past.omitted, "value")}, the largest, by the limit of this page`]);
  byId("about").replaceChildren(
    element("h2", {}, "About"),
    element("dl", {}, facts.map(([name, text]) => [element("dt", {}, name), element("dd", {}, texts(text))])),
    element("h2", {}, "Settings"),
    element("pre", { class: "settings" }, texts(JSON.stringify(about.settings, null, 2))),
  );
}
