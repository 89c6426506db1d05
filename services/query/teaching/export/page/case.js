// Window and level by drag, marks on and off, the answer hidden and shown. No network, no storage.
"use strict";

const FULL = { width: 255, centre: 127.5, inverted: false };

for (const film of document.querySelectorAll(".film")) {
  const stage = film.querySelector(".stage"), told = film.querySelector("output");
  const functions = document.getElementById(film.dataset.filter).querySelectorAll("feFuncR, feFuncG, feFuncB");
  const window_ = { ...FULL };
  let from = null;

  // Shown = (v − centre) / width + ½, as viewers of films have it; inverted is one less that.
  const draw = () => {
    const sign = window_.inverted ? -1 : 1;
    const slope = (sign * 255) / window_.width;
    const middle = 0.5 - (sign * window_.centre) / window_.width;
    for (const one of functions) { one.setAttribute("slope", slope); one.setAttribute("intercept", middle); }
    const changed = window_.width !== FULL.width || window_.centre !== FULL.centre || window_.inverted;
    stage.querySelector("img").style.filter = changed ? `url(#${film.dataset.filter})` : "";
    told.textContent = changed ? `W ${Math.round(window_.width)} L ${Math.round(window_.centre)}` : "";
  };
  const change = (width, centre) => {
    window_.width = Math.min(512, Math.max(2, window_.width + width));
    window_.centre = Math.min(255, Math.max(0, window_.centre + centre));
    draw();
  };
  const act = {
    invert() { window_.inverted = !window_.inverted; draw(); },
    reset() { Object.assign(window_, FULL); draw(); },
    marks() {
      const bare = film.classList.toggle("bare");
      film.querySelector("[data-do=marks]")?.setAttribute("aria-pressed", String(!bare));
    },
  };

  stage.addEventListener("pointerdown", (event) => { stage.setPointerCapture(event.pointerId); from = [event.clientX, event.clientY]; });
  stage.addEventListener("pointermove", (event) => {
    if (!from) return;
    change((event.clientX - from[0]) * 0.6, (event.clientY - from[1]) * 0.4);
    from = [event.clientX, event.clientY];
  });
  for (const end of ["pointerup", "pointercancel"]) stage.addEventListener(end, () => { from = null; });
  stage.addEventListener("dblclick", act.reset);
  stage.addEventListener("keydown", (event) => {
    const steps = { ArrowLeft: [-8, 0], ArrowRight: [8, 0], ArrowUp: [0, -4], ArrowDown: [0, 4] };
    const named = { 0: "reset", i: "invert", a: "marks" }[event.key.toLowerCase()];
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (steps[event.key]) change(...steps[event.key]);
    else if (named) act[named]();
    else return;
    event.preventDefault();
  });
  for (const button of film.querySelectorAll("[data-do]")) button.addEventListener("click", act[button.dataset.do]);
}

const title = (known) => { document.title = document.querySelector(known ? ".known" : ".unknown").textContent; };
document.getElementById("reveal").addEventListener("click", () => {
  document.body.classList.remove("quiz");
  title(true);
  document.getElementById("answer").focus({ preventScroll: true });
});
document.getElementById("hide").addEventListener("click", () => {
  document.body.classList.add("quiz");
  title(false);
  window.scrollTo(0, 0);
  document.getElementById("reveal").focus({ preventScroll: true });
});
