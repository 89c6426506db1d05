// One cohort: how its films were chosen, who is in it, what was made of it, and what changed since.

import { byId, el, plural, show } from "./dom.js";
import { call } from "./api.js";
import { flow } from "./attrition.js";
import { follow } from "./follow.js";

const NAME = byId("cohort").dataset.name;
const HERE = `/v1/cohorts/${encodeURIComponent(NAME)}`;
const WHY = {
  new_film: "new in the archive", gone_film: "left the archive", fact: "what is known of them changed", model: "a model changed",
  draw: "drawn otherwise", specification: "the specification differs",
};
const tell = (message) => { byId("told").textContent = message; show(byId("told"), Boolean(message)); };
const ids = (hash) => el("span", { class: "mono", title: hash }, `${hash.slice(0, 12)}…`);

function facts(one) {
  const gone = one.frozen.images - one.films.images;
  const rows = [
    ["Films", `${plural(one.films.images, "film")}, ${one.films.studies.toLocaleString("en")} studies, ${plural(one.films.patients, "patient")}`],
    ["Frozen", one.created_at.slice(0, 16).replace("T", " ")], ["Ids, SHA-256", ids(one.ids_sha256)], ["Seed", String(one.spec?.seed ?? 0)],
  ];
  if (gone > 0) rows.push(["Since then", `${plural(gone, "film")} of those frozen left the archive`]);
  byId("facts").replaceChildren(...rows.map(([name, value]) => el("div", {}, el("dt", {}, name), el("dd", {}, value))));
}

function links(one) {
  const within = new URLSearchParams({ where: `cohort = "${NAME}"` });
  const run = `/v1/runs/${encodeURIComponent(one.run_id)}`;
  byId("links").replaceChildren(...[
    el("a", { class: "button", href: `/?${within}` }, "Search within"),
    one.report ? el("a", { class: "button", href: one.report }, "Report") : null,
    one.report ? el("a", { class: "button", href: `${run}/files/manifest.json` }, "Manifest") : null,
    el("a", { class: "button", href: `/cohorts?${new URLSearchParams({ from: NAME })}` }, "Build another from it"),
  ].filter(Boolean));
}

async function tables(one) {
  if (!one.files?.includes("tables.json")) return;
  const { tables: found } = await call(`/v1/runs/${encodeURIComponent(one.run_id)}/files/tables.json`);
  const shown = ["Table 1", "Balance", "Split", "Leakage audit"].map((title) => found.find((table) => table.title === title)).filter(Boolean);
  byId("tables").replaceChildren(...shown.map((table) => el("section", {}, el("h2", {}, table.title), el("div", { class: "wide-table" }, el("table", {},
    el("thead", {}, el("tr", {}, table.columns.map((name) => el("th", { scope: "col" }, name)))),
    el("tbody", {}, table.rows.map((row) => el("tr", {}, row.map((cell, n) => (n ? el("td", {}, cell) : el("th", { scope: "row" }, cell)))))))))));
}

function exporting() {
  const chosen = () => [...document.querySelectorAll("#formats input:checked")].map((box) => box.value);
  const look = () => {
    const right = byId("right").value.trim();
    const asked = new URLSearchParams({ formats: chosen().join(","), ...(right ? { right } : {}) });
    byId("save").href = `${HERE}/export.zip?${asked}`;
    byId("save").setAttribute("download", `${NAME}.zip`);
    show(byId("right-of"), chosen().includes("jpg"));
    byId("command").textContent = `hilum cohort export ${NAME} --to ${NAME} --format ${chosen().join(",")}`;
    byId("save").toggleAttribute("inert", !chosen().length);
  };
  for (const input of document.querySelectorAll("#formats input, #right")) input.addEventListener("input", look);
  look();
}

function change(reason) {
  return el("tr", {}, el("td", {}, reason.how), el("td", {}, plural(reason.films, "film")), el("td", {}, WHY[reason.why] ?? reason.why), el("td", {}, reason.step));
}

function changed(one) {
  const film = (id) => el("a", { href: `/images/${encodeURIComponent(id)}`, class: "mono" }, id.slice(0, 8));
  byId("diff").replaceChildren(
    el("p", {}, one.same ? "The very same films." : `${one.before.images.toLocaleString("en")} films before, ${one.after.images.toLocaleString("en")} after, ${one.both.toLocaleString("en")} in both.`),
    ...(one.reasons.length ? [el("div", { class: "wide-table" }, el("table", {}, el("thead", {}, el("tr", {}, ["", "how many", "why", "step"].map((name) => el("th", { scope: "col" }, name)))), el("tbody", {}, one.reasons.map(change))))] : []),
    ...one.notes.map((note) => el("p", { class: "quiet" }, note)),
    ...(one.changes.length ? [el("details", {}, el("summary", {}, `${plural(one.changes.length, "film")} by name`), el("ul", { class: "changes" }, one.changes.map((each) => el("li", {}, each.how, " ", film(each.image_id), " ", WHY[each.why] ?? each.why, each.step ? `: ${each.step}` : ""))))] : []));
}

async function diff(against = "") {
  try { changed(await call(`${HERE}:diff?${new URLSearchParams(against ? { against } : {})}`)); tell(""); } catch (error) { tell(error.message); }
}

async function rerun() {
  byId("rerun").disabled = true;
  try {
    const job = await follow(await call(`${HERE}:rerun`, {}), byId("running"));
    if (job.state === "succeeded") await diff(job.result.run_id);
    else tell(job.error?.message ?? `It was ${job.state}.`);
  } catch (error) { tell(error.message); }
  byId("rerun").disabled = false;
}

async function others() {
  const { cohorts = [] } = await call("/v1/cohorts?page_size=1000");
  byId("against").replaceChildren(el("option", { value: "" }, "its latest rerun"), ...cohorts.filter((one) => one.name !== NAME).map((one) => el("option", { value: one.name }, one.name)));
}

async function remove() {
  if (byId("delete").dataset.sure !== "yes") { byId("delete").dataset.sure = "yes"; byId("delete").textContent = "Really delete? Films and report stay"; return; }
  try { await call(HERE, undefined, undefined, "DELETE"); location.href = "/cohorts"; } catch (error) { tell(error.message); }
}

async function begin() {
  try {
    const one = await call(HERE);
    byId("title").textContent = one.title;
    facts(one);
    links(one);
    byId("flow").replaceChildren(...flow(one.steps));
    for (const place of document.querySelectorAll("[data-later]")) show(place, true);
    exporting();
    byId("rerun").addEventListener("click", rerun);
    byId("compare").addEventListener("click", () => diff(byId("against").value));
    byId("delete").addEventListener("click", remove);
    await Promise.all([tables(one), others()]);
  } catch (error) { tell(error.message); }
}

begin();
