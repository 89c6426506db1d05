// The controls of a question: what they say becomes the state, and the other way round.

import { byId, el, show, words } from "./dom.js";
import { DEFAULTS, changed, ofFinding } from "./state.js";

const CONTROLS = [...document.querySelectorAll("[data-key]")];
const FURTHER = CONTROLS.filter((control) => control.closest("#further")).map((control) => control.dataset.key);
const models = () => [...document.querySelectorAll("input[name=model]")];
const typed = (control) => control.type === "text" || control.type === "textarea";

// What the controls say, over the state as it is.
export function read(state) {
  const said = { ...state, models: models().filter((input) => input.checked).map((input) => input.value) };
  for (const control of CONTROLS) said[control.dataset.key] = control.type === "checkbox" ? control.checked : control.value;
  if (said.mode === "disagree" && said.models.length < 2) said.models = models().map((input) => input.value).slice(0, 2);
  if (!ofFinding(said) && said.mode !== "lookalike") said.finding = "";
  return said;
}

export function write(state) {
  for (const input of models()) input.checked = state.models.includes(input.value);
  for (const control of CONTROLS) {
    const value = state[control.dataset.key];
    if (control.type === "checkbox") control.checked = value;
    else if (control.tagName === "SELECT") choose(control, value);
    else control.value = value;
  }
  turn(state);
}

// A choice that is not in the list yet (a finding whose counts are still under way) is put there.
function choose(control, value) {
  if (control.classList.contains("findable") && value && ![...control.options].some((option) => option.value === value)) control.append(el("option", { value }, words(value)));
  control.value = value;
  if (control.selectedIndex === -1) control.value = DEFAULTS[control.dataset.key];
}

// Controls that mean something only beside others.
function turn(state) {
  show(byId("of-finding"), ofFinding(state) || state.mode === "lookalike");
  byId("finding").options[0].textContent = state.mode === "lookalike" ? "what it has" : "choose a finding";
  show(byId("fused"), state.models.length > 1);
  show(byId("leaning"), Boolean(state.id || state.upload) && Boolean(state.q.trim()));
  byId("spread").textContent = Number(state.diversity) ? `${Math.round(state.diversity * 100)} %` : "off";
  const others = changed(state, FURTHER);
  byId("others").textContent = others ? ` · ${others}` : "";
}

// The findings there are, for the modes that are about one.
export function findings(names) {
  for (const select of document.querySelectorAll(".findable")) {
    const { value } = select;
    select.replaceChildren(select.options[0], ...names.map((name) => el("option", { value: name }, words(name))));
    choose(select, value);
  }
}

// Calls `asked` when a choice was made; words wait for Enter.
export function listen(asked) {
  byId("search").addEventListener("change", (event) => {
    if (event.target.id !== "file" && !typed(event.target)) asked();
  });
  byId("diversity").addEventListener("input", (event) => { byId("spread").textContent = Number(event.target.value) ? `${Math.round(event.target.value * 100)} %` : "off"; });
}
