// The values that were read, so that none is read twice while it is looked at.

const MOST = 3000;
const MOST_WHOLE = 12;
const AT_ONCE = 100;

/** Gives the nodes of versions. */
export class Values {
  #source;
  #past;
  #known = new Map();
  #whole = new Map();

  constructor(source, past) {
    this.#source = source;
    this.#past = past;
  }

  /** Return the node of a version, if it was read. */
  known(version) {
    return this.#whole.get(version) ?? this.#known.get(version);
  }

  /** Read versions that were not read before. */
  async load(versions) {
    const wanted = [...new Set(versions)].filter(
      (each) => each >= 0 && this.known(each) === undefined,
    );
    for (let at = 0; at < wanted.length; at += AT_ONCE) {
      await this.#read(wanted.slice(at, at + AT_ONCE), this.#known, MOST, false);
    }
  }

  /** Read a large version whole. */
  async loadWhole(version) {
    await this.#read([version], this.#whole, MOST_WHOLE, true);
  }

  async #read(versions, into, most, whole) {
    const nodes = await this.#source.values(versions.map((each) => this.#place(each)), whole);
    versions.forEach((version, at) => into.set(version, nodes[at]));
    while (into.size > most) into.delete(into.keys().next().value);
  }

  #place(version) {
    const { versionStart, versionSeq, versions } = this.#past;
    let [low, high] = [0, versions.key.length];
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (versionStart[middle] <= version) low = middle;
      else high = middle;
    }
    return { key: versions.key[low], seq: versionSeq[version], version };
  }
}
