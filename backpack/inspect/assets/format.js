// Numbers as people read them.

const UNITS = ["KiB", "MiB", "GiB", "TiB"];

/** Return bytes with their unit: `1.2 KiB`. */
export function bytes(size) {
  if (size < 1024) return `${size} B`;
  let amount = size / 1024;
  let unit = 0;
  while (amount >= 1023.95 && unit < UNITS.length - 1) {
    amount /= 1024;
    unit += 1;
  }
  return `${amount.toFixed(1).replace(/\.0$/, "")} ${UNITS[unit]}`;
}

/** Return a whole number with its thousands parted. */
export function count(number) {
  return number.toLocaleString("en-US");
}

/** Return so many things: `1 commit`, `2 commits`. */
export function many(number, thing) {
  return `${count(number)} ${thing}${number === 1 ? "" : "s"}`;
}

/** Return the day of a moment, in UTC. */
export function day(milliseconds) {
  return iso(milliseconds).slice(0, -14);
}

/** Return the time of day of a moment, in UTC. */
export function clock(milliseconds) {
  return iso(milliseconds).slice(-13, -5);
}

/** Return a moment, in UTC, to the millisecond. */
export function moment(milliseconds) {
  return `${day(milliseconds)} ${iso(milliseconds).slice(-13, -1)} UTC`;
}

function iso(milliseconds) {
  return new Date(milliseconds).toISOString();
}
