// Elements, made without markup: whatever a text is, it stays a text.

/** Characters that change how others look, or cannot be seen: controls, directions, halves of pairs. */
const STRANGE = /(?![\n\t\u200c\u200d])[\p{Cc}\p{Cf}\p{Cs}\p{Co}\p{Zl}\p{Zp}]/gu;

/** Return a character as an escape. */
function escaped(character) {
  const code = character.codePointAt(0).toString(16);
  return code.length <= 4 ? `\\u${code.padStart(4, "0")}` : `\\u{${code}}`;
}

/** Return a text with its strange characters as escapes: for attributes, which have no elements. */
export function plain(text) {
  return String(text).replace(STRANGE, escaped);
}

/** Return a text as parts of an element: its strange characters are escapes that look like some. */
export function texts(text) {
  const parts = [];
  let end = 0;
  for (const match of text.matchAll(STRANGE)) {
    parts.push(text.slice(end, match.index), element("span", { class: "escape" }, escaped(match[0])));
    end = match.index + match[0].length;
  }
  parts.push(text.slice(end));
  return parts;
}

/**
 * Return a new element.
 *
 * Properties are attributes, of which null and false are left out; `on` has what listens to it.
 * Children are elements, texts, or lists of them.
 */
export function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "on") {
      for (const [event, listener] of Object.entries(value)) made.addEventListener(event, listener);
    } else if (value !== null && value !== false) {
      made.setAttribute(key, value === true ? "" : plain(value));
    }
  }
  made.append(...children.flat(9).filter((each) => each !== null));
  return made;
}

/** Return the element of the page with an id. */
export function byId(id) {
  return document.getElementById(id);
}
