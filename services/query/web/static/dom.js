// Elements from data. Text only ever becomes text: nothing here parses HTML.

export const byId = (id) => document.getElementById(id);

export function el(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key.startsWith("on")) made.addEventListener(key.slice(2), value);
    else made.setAttribute(key, value === true ? "" : value);
  }
  made.append(...children.flat(2).filter((child) => child || child === 0).map((child) => (child instanceof Node ? child : String(child))));
  return made;
}

export const show = (element, visible) => { element.hidden = !visible; };

export const words = (key) => key.replaceAll("_", " ");

export const plural = (count, noun) => `${count.toLocaleString("en")} ${noun}${count === 1 ? "" : "s"}`;

export const thumbnail = (id) => `/v1/images/${encodeURIComponent(id)}/thumbnail`;

// Is the key meant for what is being typed, or for the browser?
export const typing = (event) =>
  event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input:not([type=checkbox], [type=radio]), textarea, select") !== null;

// How far one day lies before or after another: "3 months before"; empty when one is unknown.
export function apart(when, reference) {
  const days = Math.round((Date.parse(when) - Date.parse(reference)) / 86_400_000);
  if (!Number.isFinite(days)) return "";
  if (days === 0) return "same day";
  const size = Math.abs(days);
  const [count, unit] = size < 60 ? [size, "day"] : size < 24 * 30.44 ? [Math.round(size / 30.44), "month"] : [Math.round(size / 365.25), "year"];
  return `${plural(count, unit)} ${days < 0 ? "before" : "after"}`;
}
