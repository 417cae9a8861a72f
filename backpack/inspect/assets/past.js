// The past of a Backpack: its commits and versions as columns, and what follows from them alone.

const REMOVED = 1;
const LEFT_OUT = 2;
const SEEN = 4;

/** Return numbers that are told as what they are more than the one before. */
function summed(steps) {
  const numbers = new Float64Array(steps.length);
  let number = 0;
  for (let at = 0; at < steps.length; at += 1) numbers[at] = number += steps[at];
  return numbers;
}

/** Return where parts begin that are so long; one place more than there are parts. */
function starts(lengths) {
  const places = new Uint32Array(lengths.length + 1);
  for (let at = 0; at < lengths.length; at += 1) places[at + 1] = places[at] + lengths[at];
  return places;
}

/** Return how many numbers of a range of a column are not above a limit, by halves. */
function upTo(column, first, behind, limit) {
  let low = first;
  let high = behind;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (column[middle] <= limit) low = middle + 1;
    else high = middle;
  }
  return low - first;
}

/** All that is known of a Backpack without a value. A *place* is that of a commit, oldest first. */
export class Past {
  constructor(index) {
    const { commits, versions } = index;
    Object.assign(this, index);
    this.length = commits.seq.length;
    this.seq = summed(commits.seq);
    this.time = summed(commits.time);
    this.changeStart = starts(commits.count);
    this.versionStart = starts(versions.count);
    this.versionCount = versions.seq.length;
    this.versionSeq = new Float64Array(this.versionCount);
    this.rowOfKey = new Map(versions.key.map((key, row) => [key, row]));
    for (let row = 0; row < versions.key.length; row += 1) {
      const [first, behind] = [this.versionStart[row], this.versionStart[row + 1]];
      this.versionSeq.set(summed(versions.seq.slice(first, behind)), first);
    }
  }

  /** Return the id of a commit. */
  id(place) {
    return `${this.seq[place]}-${this.code}`;
  }

  /** Return the place of the newest commit that is not above a number; -1 if there is none. */
  placeOf(seq) {
    return upTo(this.seq, 0, this.length, seq) - 1;
  }

  /** Return the name of who made a commit; null if it does not say. */
  nodeOf(place) {
    const node = this.commits.node[place];
    return node < 0 ? null : this.nodes[node];
  }

  tagsOf(place) {
    return (this.commits.tags[place] ?? []).map((each) => this.tags[each]);
  }

  noteOf(place) {
    return this.commits.notes[place] ?? null;
  }

  isRetained(place) {
    return (this.commits.flags[place] & 1) !== 0;
  }

  isPinned(place) {
    return (this.commits.flags[place] & 2) !== 0;
  }

  /** Return what a commit did: `{key, kind, size}`, where kind is 0 set, 1 same, 2 removed. */
  changesOf(place) {
    const { key, kind, size } = this.commits;
    const changes = [];
    for (let at = this.changeStart[place]; at < this.changeStart[place + 1]; at += 1) {
      changes.push({ key: key[at], kind: kind[at], size: size[at] });
    }
    return changes;
  }

  /** Return the bytes of all values that a commit set. */
  weight(place) {
    let total = 0;
    for (let at = this.changeStart[place]; at < this.changeStart[place + 1]; at += 1) {
      total += this.commits.size[at];
    }
    return total;
  }

  // --- versions ------------------------------------------------------------------------

  /** Return what stood under a key at a commit, as the place of its version; -1 if nothing did. */
  versionAt(key, place) {
    const row = this.rowOfKey.get(key);
    if (row === undefined || place < 0) return -1;
    const [first, behind] = [this.versionStart[row], this.versionStart[row + 1]];
    const version = first + upTo(this.versionSeq, first, behind, this.seq[place]) - 1;
    return version < first || this.versions.form[version] & REMOVED ? -1 : version;
  }

  isLeftOut(version) {
    return (this.versions.form[version] & LEFT_OUT) !== 0;
  }

  /** Return the bytes of a value, as the commit that set it tells, or the version; null if none does. */
  sizeOf(version, key) {
    const seq = this.versionSeq[version];
    const place = this.placeOf(seq);
    const told = this.seq[place] === seq && this.changesOf(place).find((each) => each.key === key);
    return (told ? told.size : this.versions.size[version]) || null;
  }

  /** Return the state at a commit, in its order: `{key, version}`. */
  stateAt(place) {
    const { born, key } = this.versions;
    const found = [];
    for (const each of key) {
      const version = this.versionAt(each, place);
      if (version >= 0) found.push({ key: each, version });
    }
    return found.sort((one, other) => born[one.version] - born[other.version]);
  }

  /** Whether there were commits before the oldest that is there. */
  get isCut() {
    return this.length > 0 && this.seq[0] > 1;
  }

  /** Return what differs between two commits: `{key, before, after}`, versions or -1. */
  changedBetween(one, other) {
    // A commit tells itself what it changed since the one before, unless others were between.
    const isNext = one === other - 1;
    const isToldByItself = isNext && (other === 0 || this.seq[other] === this.seq[one] + 1);
    const keys = isToldByItself ? this.changesOf(other).map(({ key }) => key) : this.versions.key;
    const changed = [];
    for (const key of keys) {
      const [before, after] = [this.versionAt(key, one), this.versionAt(key, other)];
      if (before !== after) changed.push({ key, before, after });
    }
    return changed;
  }

  // --- sizes ---------------------------------------------------------------------------

  /**
   * Return what the superseded versions take at each commit, in bytes as they are stored.
   *
   * `seen` are those that a commit the Backpack still answers for from memory has in its state;
   * `archived` are the others.
   */
  superseded() {
    if (this.curve !== undefined) return this.curve;
    const seen = new Float64Array(this.length + 1);
    const archived = new Float64Array(this.length + 1);
    for (let row = 0; row < this.versions.key.length; row += 1) {
      for (let at = this.versionStart[row]; at + 1 < this.versionStart[row + 1]; at += 1) {
        // From the first commit on that is there once it was superseded.
        const place = this.placeOf(this.versionSeq[at + 1] - 1) + 1;
        (this.versions.form[at] & SEEN ? seen : archived)[place] += this.versions.stored[at];
      }
    }
    for (let place = 1; place < this.length; place += 1) {
      seen[place] += seen[place - 1];
      archived[place] += archived[place - 1];
    }
    this.curve = { seen, archived };
    return this.curve;
  }

  /** Return where the bytes go: `{key, versions, current, superseded}` by what is stored, largest first. */
  bytesByKey() {
    return this.versions.key
      .map((key, row) => {
        const [first, behind] = [this.versionStart[row], this.versionStart[row + 1]];
        let superseded = 0;
        for (let at = first; at < behind - 1; at += 1) superseded += this.versions.stored[at];
        const current = this.versions.stored[behind - 1];
        return { key, versions: behind - first, current, superseded };
      })
      .sort((one, other) => other.current + other.superseded - one.current - one.superseded);
  }
}
