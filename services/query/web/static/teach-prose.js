// Texts of a case as they are read: blank lines part paragraphs, "- " and "1. " begin lists, *emphasis*, **strong**.
// Everything else is text as it stands.

import { el } from "./dom.js";

const BULLET = /^\s{0,3}[-*•]\s+(?=\S)/, NUMBER = /^\s{0,3}\d{1,3}[.)]\s+(?=\S)/;
// Bounded, or a text of nothing but opening marks would be read as often as it has them.
const STYLED = /\*\*(?=\S)(.{1,400}?)(?<=\S)\*\*|\*(?=\S)([^*]{1,400}?)(?<=\S)\*/g;

export function spans(line) {
  const found = [];
  let at = 0;
  for (const match of line.matchAll(STYLED)) {
    found.push(line.slice(at, match.index), match[1] ? el("strong", {}, match[1]) : el("em", {}, match[2]));
    at = match.index + match[0].length;
  }
  return [...found, line.slice(at)].filter(Boolean);
}

export function prose(text) {
  return text.split(/\n\s*\n/).flatMap((part) => runs(part.split("\n")).map(({ kind, lines }) =>
    (kind === "p" ? el("p", {}, spans(lines.join(" "))) : el(kind, {}, lines.map((line) => el("li", {}, spans(line)))))));
}

// Lines of the same kind that follow each other; an item goes on in lines that begin no other.
function runs(lines) {
  const found = [];
  for (const line of lines.filter((one) => one.trim())) {
    const mark = line.match(BULLET) ?? line.match(NUMBER);
    const kind = !mark ? "p" : BULLET.test(line) ? "ul" : "ol";
    const words = line.slice(mark ? mark[0].length : 0).trim();
    const last = found.at(-1);
    if (last && last.kind !== "p" && !mark && /^\s/.test(line)) last.lines.push(`${last.lines.pop()} ${words}`);
    else if (last?.kind === kind) last.lines.push(words);
    else found.push({ kind, lines: [words] });
  }
  return found;
}
