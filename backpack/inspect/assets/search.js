// Which commits are meant: by node, tag and key, and by what their texts contain.

/** Return which names contain a text, whatever the case. */
function having(names, text) {
  return names.map((name) => name.toLowerCase().includes(text));
}

/**
 * Return the places of the commits that all of a filter fits, in order.
 *
 * `node`, `tag` and `key` are numbers, or null for any; every word of `text` has to be in one of
 * the commit's keys, its node, tags, note or id.
 */
export function matching(past, { node = null, tag = null, key = null, text = "" }) {
  const words = text.toLowerCase().split(/\s+/u).filter(Boolean);
  const tables = words.map((word) => ({
    word,
    keys: having(past.keys, word),
    nodes: having(past.nodes, word),
    tags: having(past.tags, word),
  }));
  const { commits, changeStart } = past;
  const found = [];
  for (let place = 0; place < past.length; place += 1) {
    if (node !== null && commits.node[place] !== node) continue;
    const tags = commits.tags[place];
    if (tag !== null && !tags?.includes(tag)) continue;
    if (key !== null && !hasKey(key, place)) continue;
    if (tables.every((table) => fits(table, place, tags))) found.push(place);
  }
  return Int32Array.from(found);

  function hasKey(wanted, place) {
    for (let at = changeStart[place]; at < changeStart[place + 1]; at += 1) {
      if (commits.key[at] === wanted) return true;
    }
    return false;
  }

  function fits({ word, keys, nodes, tags }, place, tagged) {
    if (nodes[commits.node[place]]) return true;
    for (let at = changeStart[place]; at < changeStart[place + 1]; at += 1) {
      if (keys[commits.key[at]]) return true;
    }
    if (tagged?.some((each) => tags[each])) return true;
    if (commits.notes[place]?.toLowerCase().includes(word)) return true;
    return past.id(place) === word || String(past.seq[place]) === word;
  }
}
