// The filter's text as clauses of the form `field = value`, several of one field joined by OR (which binds tighter than
// AND). Clauses of any other form stay as they were typed.

const quoted = (value) => (/^[A-Za-z][A-Za-z0-9_.-]*$/.test(value) && !/^(AND|OR|NOT)$/.test(value) ? value : `"${value.replace(/[\\"]/g, "\\$&")}"`);

const clause = (field, value) => {
  if (value === "unknown" && !field.startsWith("labels.")) return `NOT ${field}:*`;
  return `${field} = ${quoted(value)}`;
};

const speaksOf = (field) => (one) => one.startsWith(`${field} `) || one === `NOT ${field}:*`;

// Splits at `word` outside of quotes and parentheses.
function split(text, word) {
  const parts = [""];
  let depth = 0, quote = "";
  for (let i = 0; i < text.length; i += 1) {
    const c = text[i];
    if (quote) { if (c === "\\") { parts[parts.length - 1] += c; i += 1; } else if (c === quote) quote = ""; }
    else if (c === '"' || c === "'") quote = c;
    else if (c === "(") depth += 1;
    else if (c === ")") depth -= 1;
    if (!quote && depth === 0 && text.slice(i).match(new RegExp(`^\\s${word}\\s`))) { parts.push(""); i += word.length + 1; continue; }
    parts[parts.length - 1] += text[i] ?? "";
  }
  return parts.map((part) => part.trim()).filter(Boolean);
}

const read = (text) => split(text, "AND").map((part) => split(part, "OR"));
const written = (parts) => parts.filter((part) => part.length).map((part) => part.join(" OR ")).join(" AND ");

export const has = (text, field, value) => read(text).some((part) => part.includes(clause(field, value)));

export function toggle(text, field, value) {
  const wanted = clause(field, value);
  const parts = read(text);
  const holder = parts.find((part) => part.includes(wanted));
  if (holder) holder.splice(holder.indexOf(wanted), 1);
  else {
    const same = parts.find((part) => part.every(speaksOf(field)));
    if (same) same.push(wanted);
    else parts.push([wanted]);
  }
  return written(parts);
}

// The filter without what it says of a field: what there is to choose from beside the choice. `said` tells whether it
// says anything.
export function without(text, field) {
  const parts = read(text);
  const left = parts.filter((part) => !part.every(speaksOf(field)));
  return { said: left.length < parts.length, text: written(left) };
}
