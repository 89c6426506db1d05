// What this tab remembers: films that were opened lately, and the answer they were opened from.

const MOST = 12;

const get = (key) => { try { return JSON.parse(sessionStorage.getItem(key)); } catch { return null; /* a private window */ } };
const put = (key, value) => { try { sessionStorage.setItem(key, JSON.stringify(value)); } catch { /* a private window */ } };

export const seen = () => get("seen") ?? [];

export const look = (id) => put("seen", [id, ...seen().filter((one) => one !== id)].slice(0, MOST));

// The film page walks through these with J and K. {ids, back, asked: was there a question?, at: the film opened last}
export const answer = () => get("results");

export const keep = (ids, back, asked, at) => put("results", { ids, back, asked, at });
