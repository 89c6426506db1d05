// What two people made of one version: both edits, and where they changed the same, both texts.

const sorted = (value) => (Array.isArray(value) ? value.map(sorted)
  : value && typeof value === "object" ? Object.fromEntries(Object.keys(value).sort().map((key) => [key, sorted(value[key])])) : value);
export const same = (one, other) => JSON.stringify(sorted(one)) === JSON.stringify(sorted(other));

const keyed = (path) => path.length === 1 && (path[0] === "images" || path[0] === "sections");

// conflicts: [{path, mine, theirs}], of an order [list, "order"] with keys; there, the document says mine.
export function merge(base, mine, theirs) {
  const conflicts = [];
  const document_ = record(base, mine, theirs, [], conflicts);
  const known = new Set(["", ...document_.sections.map((one) => one.key)]);
  for (const image of document_.images) if (!known.has(image.section)) image.section = ""; // one filled what the other took away
  return { document: document_, conflicts };
}

function record(base, mine, theirs, path, conflicts) {
  return Object.fromEntries(Object.keys({ ...theirs, ...mine }).map((key) => [key, value(base[key], mine[key], theirs[key], [...path, key], conflicts)]));
}

function value(base, mine, theirs, path, conflicts) {
  if (same(mine, theirs) || same(mine, base)) return theirs;
  if (same(theirs, base)) return mine;
  if (keyed(path)) return items(base, mine, theirs, path, conflicts);
  conflicts.push({ path, mine, theirs });
  return mine;
}

const byKey = (list) => new Map(list.map((one) => [one.key, one]));

function items(base, mine, theirs, path, conflicts) {
  const [was, ours, others] = [base, mine, theirs].map(byKey);
  const kept = new Map();
  for (const key of new Set([...others.keys(), ...ours.keys()])) {
    const [before, one, two] = [was.get(key), ours.get(key), others.get(key)];
    if (one && two) kept.set(key, before ? record(before, one, two, [...path, key], conflicts) : one);
    // Taken out by one: gone, unless the other edited it meanwhile.
    else if (!before || !same(one ?? two, before)) kept.set(key, one ?? two);
  }
  const shared = (key) => was.has(key) && ours.has(key) && others.has(key);
  const order = (list) => list.map((one) => one.key).filter(shared);
  const [before, own, other] = [base, mine, theirs].map(order);
  if (!same(own, other) && !same(own, before) && !same(other, before)) conflicts.push({ path: [path[0], "order"], mine: own, theirs: other });
  const [leading, adding] = same(own, before) ? [theirs, mine] : [mine, theirs];
  const found = leading.map((one) => one.key).filter((key) => kept.has(key));
  adding.forEach(({ key }, n) => {
    if (!kept.has(key) || found.includes(key)) return;
    const behind = adding.slice(0, n).reverse().find((one) => found.includes(one.key));
    found.splice(behind ? found.indexOf(behind.key) + 1 : 0, 0, key);
  });
  return found.map((key) => kept.get(key));
}

// Those that `keys` names stand in its order, in the places that they have now.
function ordered(list, keys) {
  const named = byKey(list), turn = keys.filter((key) => named.has(key)).values();
  return list.map((one) => (keys.includes(one.key) ? named.get(turn.next().value) : one));
}

// Put a value where a conflict was.
export function put(document_, path, chosen) {
  const [list, key, field] = path;
  if (path.length === 2) document_[list] = ordered(document_[list], chosen);
  else if (path.length === 1) document_[list] = chosen;
  else { const item = document_[list].find((one) => one.key === key); if (item) item[field] = chosen; }
}
