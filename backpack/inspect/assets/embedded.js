// The source of a page that was exported: all it shows is in it, compressed.

import { byId } from "./dom.js";

/** Return the JSON that a block of the page holds. */
async function unpacked(id) {
  const text = byId(id).textContent;
  const data = Uint8Array.from(atob(text), (each) => each.charCodeAt(0));
  const stream = new Blob([data]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).json();
}

/** Reads what is in the page. */
export class Embedded {
  isLive = false;
  #starts = [];
  #parts = new Map();

  /** Whether this page was exported. */
  static isHere() {
    return byId("index") !== null;
  }

  /** Return the index. */
  async index() {
    const index = await unpacked("index");
    this.#starts = index.parts;
    return index;
  }

  /** Return the nodes of versions, `{version}` each, in their order. */
  async values(wanted) {
    const nodes = [];
    for (const { version } of wanted) nodes.push(JSON.parse(await this.#text(version)));
    return nodes;
  }

  /** Return the JSON of a version: what it differs in from those before it in its part. */
  async #text(version) {
    let number = this.#starts.length - 1;
    while (this.#starts[number] > version) number -= 1;
    const part = await this.#part(number);
    const place = version - this.#starts[number];
    // Those who look at a key go from one version to the next.
    let [at, text] = part.last[0] <= place ? part.last : [-1, ""];
    while (at < place) {
      at += 1;
      const [first, last, middle] = part.versions[at];
      text = text.slice(0, first) + middle + (last ? text.slice(-last) : "");
    }
    part.last = [at, text];
    return text;
  }

  async #part(number) {
    const known = this.#parts.get(number);
    if (known !== undefined) return known;
    if (this.#parts.size > 8) this.#parts.delete(this.#parts.keys().next().value);
    const part = { versions: await unpacked(`values-${number}`), last: [Infinity, ""] };
    this.#parts.set(number, part);
    return part;
  }
}
