// What can be done with a teaching file beside reading it: exports, versions, who may do what, what happened to it.

import { byId, el, show } from "./dom.js";
import { Failure, call } from "./api.js";

const FORMATS = [["html", "Web page", "one page that opens without a network"], ["pptx", "Slides", "PowerPoint"], ["pdf", "PDF", "on paper"], ["anki", "Anki", "a deck of cards"], ["mirc", "MIRC", "MIRCdocument, for RSNA’s MIRC"], ["tce", "DICOM", "IHE TCE: Secondary Captures and a Key Object Selection"]];
const size = (bytes) => (bytes < 1e6 ? `${Math.ceil(bytes / 1e3)} kB` : `${(bytes / 1e6).toFixed(1)} MB`);

async function fetched(url, body) {
  let answer;
  try { answer = await fetch(url, { method: "POST", headers: { "content-type": "application/json" }, body: JSON.stringify(body) }); } catch { throw new Failure("UNREACHABLE", "Hilum does not answer. Is it still running?"); }
  if (answer.ok) return { blob: await answer.blob(), headers: answer.headers };
  const { error } = await answer.json();
  throw new Failure(error.code, `${error.message.charAt(0).toUpperCase()}${error.message.slice(1)}.`);
}

function keep(blob, name) {
  const url = URL.createObjectURL(blob);
  const link = el("a", { href: url, download: name });
  link.click();
  setTimeout(() => URL.revokeObjectURL(url), 60_000);
}

export function exports(file, here) {
  show(byId("export-panel"), file.may.includes("export"));
  const tell = (...said) => byId("export-said").replaceChildren(...said);
  const run = async (button, format) => {
    tell("Making it…");
    button.disabled = true;
    try {
      const body = { version: file.version, format, quiz: byId("as-quiz").checked, right: byId("right").value.trim(), written: byId("written").checked };
      const { blob, headers } = await fetched(`${here}:export`, body);
      const name = decodeURIComponent(headers.get("content-disposition")?.split("''")[1] ?? `case.${format}`);
      keep(blob, name);
      const notes = decodeURIComponent(headers.get("x-hilum-notes") ?? "");
      tell(el("span", { class: "state-succeeded" }, `${name}, ${size(blob.size)}. `), notes && `Not in it: ${notes}`);
    } catch (error) {
      tell(el("span", { class: "error" }, error.message.replace(" (`right`, --right)", " in the field above").replace("`--written`", "“writing looked at”")));
      if (error.message.includes("right")) byId("right").focus();
    }
    button.disabled = false;
  };
  byId("formats").replaceChildren(...FORMATS.map(([format, name, what]) => {
    const button = el("button", { type: "button", class: "button small-button", "data-format": format, title: what, onclick: () => run(button, format) }, name);
    return button;
  }));
}

export async function versions(file, here, restore) {
  show(byId("versions-panel"), true);
  const { versions: kept } = await call(`${here}/versions`);
  byId("versions-panel").querySelector("summary").textContent = `Versions (${kept.length})`;
  byId("versions").replaceChildren(...kept.map((one) => el("li", { class: one.refused ? "refused" : "" },
    el("span", {}, el("strong", {}, String(one.version)), ` ${one.created_at.slice(0, 16).replace("T", " ")} · ${one.author}`,
      one.refused && el("span", { class: "chip uncertain", title: "an edit that overlapped with another’s: kept, never shown as the file" }, "kept aside"),
      one.version === file.published && el("span", { class: "chip" }, "published"), one.note && el("span", { class: "quiet" }, ` ${one.note}`)),
    el("span", { class: "version-acts" },
      one.version === file.version ? el("span", { class: "quiet" }, "shown") : el("a", { class: "link", href: `?version=${one.version}` }, "look"),
      one.version !== file.latest && el("button", { type: "button", class: "link", onclick: () => restore(one.version) }, "restore")))));
}

export function events(file) {
  show(byId("history-panel"), file.events.length > 0);
  byId("events").replaceChildren(...[...file.events].reverse().map((one) => el("li", {}, `${one.at.slice(0, 16).replace("T", " ")} · ${one.state} by ${one.by}, version ${one.version}${one.note ? `: ${one.note}` : ""}`)));
}

const RIGHTS = [["read", "may read what is published"], ["update", "may edit"], ["export", "may export"]];
const named = (names) => (names.length ? names.map((name) => (name === "*" ? "everybody" : name)).join(", ") : "nobody but its owner");

export function access(file, here, take, tell) {
  const own = file.may.includes("own");
  show(byId("access-panel"), own || file.may.includes("update"));
  if (!own) {
    byId("access").replaceChildren(el("ul", { class: "plain small" }, RIGHTS.map(([right, what]) => el("li", {}, `${what}: ${named(file.access[right])}`))));
    return;
  }
  const inputs = new Map(RIGHTS.map(([right]) => [right, el("input", { type: "text", value: file.access[right].join(", "), placeholder: "nobody but its owner" })]));
  const said = el("span", { class: "quiet small", role: "status" });
  const share = async () => {
    const names = Object.fromEntries([...inputs].map(([right, input]) => [right, input.value.split(/[,;\s]+/).filter(Boolean)]));
    try { const changed = await call(`${here}:share`, { access: names }); file.access = changed.access; said.textContent = "Kept."; } catch (error) { tell(error.message); }
  };
  const gone = el("button", { type: "button", class: "link", onclick: async () => {
    if (gone.dataset.sure !== "yes") { gone.dataset.sure = "yes"; gone.textContent = "Really delete? All versions and tries go; the films stay"; return; }
    try { const { versions: all } = await call(here, undefined, undefined, "DELETE"); location.assign(`/teaching?gone=${all}`); } catch (error) { tell(error.message); }
  } }, "Delete this file");
  byId("access").replaceChildren(
    el("p", { class: "quiet small" }, "Names, or * for everybody."),
    ...RIGHTS.map(([right, what]) => el("label", { class: "entry" }, what, inputs.get(right))),
    el("p", { class: "row" }, el("button", { type: "button", class: "button small-button", onclick: share }, "Keep"), said), el("p", {}, gone));
}

