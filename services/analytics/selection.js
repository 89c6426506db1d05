"use strict";
// What is selected on a map, as films: kept as a set that filters and searches know, or downloaded. Where no service is
// behind the page (an exported folder, a file), there is only the download, and the command that makes a set of it.
function hilumSelection(place, {ids, about, live, nothing}) {
  // ids(): a promise of the ids of the films selected now.  about: what the set is titled.  nothing: what to say while
  // none is.  Returns (count) => void, to be told whenever another number of films is selected: 0 for none.
  const make = (tag, more, ...inside) => {
    const made = Object.assign(document.createElement(tag), more);
    made.append(...inside);
    return made;
  };
  const plural = (count) => `${count.toLocaleString("en")} film${count === 1 ? "" : "s"}`;
  const said = make("output", {title: nothing}, nothing);
  const name = make("input", {placeholder: "name of a set", size: 16, maxLength: 64, autocomplete: "off", title: "Letters, digits, '.', '_' and '-'"});
  name.setAttribute("aria-label", "Name of the set");
  const keep = make("button", {type: "button"}, "Keep as set");
  const search = make("button", {type: "button", title: "The films as a filter of the search; many need a name first"}, "Open in search");
  const download = make("button", {type: "button"}, "Download ids");
  const buttons = [keep, search, download];
  const FEW = 40;  // films that a filter may name one by one
  let selected = 0, kept = null;

  const show = () => {
    for (const button of buttons) button.disabled = !selected;
    search.disabled = !selected || (!kept && selected > FEW);
  };
  const tell = (words) => { said.textContent = said.title = words; };
  const opened = (where) => window.open(`/?${new URLSearchParams({where})}`, "_blank", "noopener");

  async function post() {
    const films = await ids();
    const body = JSON.stringify({set_id: name.value.trim(), title: about, films: {image_ids: films}});
    let answer, read;
    try {
      answer = await fetch("/v1/sets", {method: "POST", headers: {"content-type": "application/json"}, body});
      read = await answer.json();
    } catch {
      throw new Error("Hilum does not answer; is it still running?");
    }
    if (!answer.ok) throw new Error(read.error?.message ?? `refused (${answer.status})`);
    return read;
  }

  const doing = (work) => async () => {
    for (const button of buttons) button.disabled = true;
    try { await work(); } catch (error) { tell(error.message); }
    show();
  };
  keep.onclick = doing(async () => {
    if (!name.value.trim()) return name.focus(), tell("Give the set a name.");
    const {sets: [made], unknown} = await post();
    kept = made.set_id;
    tell(`${plural(made.films)} kept as ${kept}${unknown ? `; ${plural(unknown)} no longer here, or not yours to see` : ""}.`);
  });
  search.onclick = doing(async () => {
    if (kept) return opened(`cohort = ${JSON.stringify(kept)}`);
    opened((await ids()).map((id) => `image_id = ${JSON.stringify(id)}`).join(" OR "));
  });
  download.onclick = doing(async () => {
    const url = URL.createObjectURL(new Blob([(await ids()).join("\n") + "\n"], {type: "text/plain"}));
    make("a", {href: url, download: "image-ids.txt"}).click();
    setTimeout(() => URL.revokeObjectURL(url), 10_000);
    if (!live) tell("Downloaded. As a set: hilum sets create NAME --ids image-ids.txt");
  });
  name.onkeydown = (event) => {
    event.stopPropagation();  // keys of the map
    if (event.key === "Enter") keep.click();
  };
  name.oninput = () => { kept = null; show(); };
  place.append(said, ...(live ? [name, keep, search] : []), download);
  show();

  return (count) => {
    selected = count;
    kept = null;
    tell(count ? `${plural(count)} selected` : nothing);
    show();
  };
}
