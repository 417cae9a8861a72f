// The source of a page that is served: what it shows is asked for when it is needed.

/** Asks the server. */
export class Served {
  isLive = true;

  /** Return the index, as the file is at this moment. */
  index() {
    return this.#ask("index");
  }

  /** Return the nodes of versions, `{key, seq}` each, in their order. */
  values(wanted, whole) {
    const want = wanted.map(({ key, seq }) => `${key}.${seq}`).join(",");
    return this.#ask(`values?want=${want}${whole ? "&whole" : ""}`);
  }

  /** Return the code and the newest commit of what is there by now, or the error. */
  moment() {
    return this.#ask("moment");
  }

  async #ask(what) {
    let response;
    try {
      response = await fetch(what, { credentials: "same-origin" });
    } catch {
      throw new Error("'backpack inspect' does not run any more: it was ended in its terminal");
    }
    if (response.status === 403) throw new Error("the server refuses this page; open it anew");
    const answer = await response.json();
    if (answer.error !== undefined) throw new Error(answer.error);
    return answer;
  }
}
