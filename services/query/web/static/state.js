// What is asked, as one plain object: read from the address, written to it, and sent to the service. Only an opened
// file is not in it: that stays in this page.

export const PAGE = 24;
const MOST_MARKS = 15;

export const DEFAULTS = Object.freeze({
  q: "", id: "", box: "", lean: "50", like: [], unlike: [], models: [], where: "", mode: "nearest", finding: "", about: "", exclude: "patient", priors: false,
  fusion: "rrf", group: "", cap: "", copies: false, diversity: "0", hubs: "keep", sure: "0", exact: false, limit: "", plain: false, saved: "", run: "",
});

const same = (one, other) => String(one) === String(other);

export function fromAddress(search) {
  const parts = new URLSearchParams(search);
  const state = { ...DEFAULTS };
  for (const [key, usual] of Object.entries(DEFAULTS)) {
    const told = parts.get(key);
    if (told === null) continue;
    state[key] = Array.isArray(usual) ? told.split(",").filter(Boolean) : typeof usual === "boolean" ? told === "1" : told;
  }
  return state;
}

export function toAddress(state) {
  const parts = new URLSearchParams();
  for (const [key, usual] of Object.entries(DEFAULTS)) {
    const value = state[key];
    if (!same(value, usual)) parts.set(key, value === true ? "1" : value);
  }
  return parts.size ? `/?${parts}` : "/";
}

export const changed = (state, keys) => keys.filter((key) => !same(state[key], DEFAULTS[key])).length;

const rounded = (side) => Number(side.toFixed(3));
export const boxText = ({ x, y, width, height }) => [x, y, width, height].map(rounded).join(",");

export function boxOf(text) {
  const sides = text.split(",").map(Number);
  if (sides.length !== 4 || !sides.every((side) => side >= 0 && side <= 1)) return null;
  const [x, y, width, height] = sides;
  return { x, y, width, height };
}

// A film, a part of it, words, or both: what is asked before anything was marked.
export function question(state, upload) {
  const box = boxOf(state.box);
  const film = upload ? { image: upload.data } : state.id ? { image_id: state.id } : null;
  const subject = film && (box ? { region: { ...film, ...box } } : film);
  const words = state.q.trim() && { text: state.q.trim() };
  if (!subject || !words) return subject || words || null;
  const lean = Math.min(95, Math.max(5, Number(state.lean) || 50)) / 50;
  return { mixture: { parts: [{ query: subject, weight: 2 - lean }, { query: words, weight: lean }] } };
}

// Moved towards the newest films liked and away from the others, as the service moves saved searches: it has the weights.
function moved(asked, { like, unlike }) {
  if (!like.length && !unlike.length) return asked;
  const films = (ids) => ids.slice(-MOST_MARKS).map((id) => ({ image_id: id }));
  return { examples: { ...(asked && { question: asked }), positive: films(like), negative: films(unlike) } };
}

export const ofFinding = (state) => state.mode === "typical" || state.mode === "atypical";

// The service's request; null when nothing is asked and the archive is only looked through.
export function request(state, upload, marked = true) {
  const asked = question(state, upload);
  const query = marked ? moved(asked, state) : asked;
  if (!query && !ofFinding(state)) return null;
  const few = Number(state.diversity) > 0 || state.mode === "disagree";
  const sent = {
    models: state.models, filter: state.where, exclude: state.exclude, exact: state.exact, limit: Number(state.limit) || (few ? PAGE : 4 * PAGE),
    page_size: PAGE, mode: state.mode, finding: state.mode === "nearest" ? state.about : state.finding, fusion: state.fusion, group_by: state.group, per_patient: Number(state.cap) || 0,
    keep_duplicates: state.copies, priors: state.priors, diversity: Number(state.diversity) || 0, hubs: state.hubs, at_least: Number(state.sure) || 0,
    reading: state.plain ? "plain" : "understood",
  };
  return query ? { query, ...sent } : sent;
}

// A request that was saved, as a state; null for one that this page has no form for: it is run as it is.
export function fromRequest(sent) {
  const state = {
    ...DEFAULTS, models: sent.models ?? [], where: sent.filter ?? "", exclude: sent.exclude || "patient", exact: Boolean(sent.exact), mode: sent.mode || "nearest",
    [sent.mode && sent.mode !== "nearest" ? "finding" : "about"]: sent.finding ?? "", fusion: sent.fusion || "rrf", group: sent.group_by ?? "", cap: String(sent.per_patient || ""), copies: Boolean(sent.keep_duplicates),
    priors: Boolean(sent.priors), diversity: String(sent.diversity || 0), hubs: sent.hubs || "keep", sure: String(sent.at_least || 0), plain: sent.reading === "plain",
    limit: sent.limit && sent.limit !== 4 * PAGE ? String(sent.limit) : "",
  };
  if (Object.keys(sent.weights ?? {}).length) return null;
  const parts = sent.query?.mixture?.parts ?? (sent.query ? [{ query: sent.query, weight: 1 }] : []);
  for (const { query, weight } of parts) {
    const film = query.region?.image_id ?? query.image_id;
    if (film && !state.id) Object.assign(state, { id: film, box: query.region ? boxText(query.region) : "" });
    else if (query.text && !state.q) Object.assign(state, { q: query.text, lean: parts.length > 1 ? String(Math.round(weight * 50)) : "50" });
    else return null;
  }
  const back = request(state, null);
  const weight = (part) => Number(part.weight).toFixed(2);
  const said = (one) => (one?.query?.mixture?.parts ?? []).map(weight).join();
  return said(back) === said(sent) ? state : null;
}
