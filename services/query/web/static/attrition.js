// The flow of films through a cohort's steps, as a list that can be read and a bar that can be seen.

import { el, plural } from "./dom.js";

const KINDS = { include: "only", exclude: "without", cap: "cap", match: "match", sample: "sample", archive: "" };
const count = (one) => el("span", { class: "counts" },
  el("b", {}, one.images.toLocaleString("en")), " films · ", one.studies.toLocaleString("en"), " studies · ", one.patients.toLocaleString("en"), " patients");

export function flow(steps) {
  const most = Math.max(1, ...steps.map((step) => step.left.images));
  return steps.map((step, number) => {
    const bar = el("span", { class: "bar-of", "aria-hidden": true }, el("i"));
    bar.firstChild.style.setProperty("width", `${(100 * step.left.images) / most}%`);
    const same = step.test.toLowerCase() === step.name.toLowerCase();
    return el("li", { class: `step ${KINDS[step.kind] === undefined ? "" : step.kind}` },
      el("div", { class: "step-head" }, KINDS[step.kind] ? el("span", { class: "kind" }, KINDS[step.kind]) : null, el("span", { class: "step-name" }, step.name)),
      step.test && !same ? el("code", {}, step.test) : null,
      bar,
      el("div", { class: "step-counts" }, count(step.left),
        number ? el("span", { class: "removed" }, `− ${plural(step.removed.images, "film")}`,
          step.alone ? el("small", { title: "what it would remove from the whole archive on its own" }, ` · alone − ${step.alone.images.toLocaleString("en")}`) : null) : null));
  });
}
