// The patient's own films, apart from the findings and from left to right in time.

import { apart, byId, el, show, thumbnail } from "./dom.js";

export function priors(answer, own) {
  show(byId("priors"), answer.priors.length > 0);
  const day = own?.study_date;
  byId("priors-order").textContent = answer.priors.some((hit) => hit.image.study_date) ? ", in time order" : ", undated";
  const strip = answer.priors.map((hit) => item(hit.image, apart(hit.image.study_date, day) || hit.image.study_date || "undated", `cosine ${hit.score.toFixed(3)}`));
  if (own) {
    const later = answer.priors.findIndex((hit) => day && (!hit.image.study_date || hit.image.study_date > day));
    strip.splice(later === -1 ? strip.length : later, 0, item(own, "this film", "", true));
  }
  byId("priors-films").replaceChildren(...strip);
  const here = byId("priors-films").querySelector("[aria-current]");
  if (here) byId("priors-films").scrollLeft = here.offsetLeft - byId("priors-films").clientWidth / 2;
}

const item = (film, when, score, here) => el("li", {}, el("a", { href: `/images/${film.image_id}`, "aria-current": here && "true", title: score },
  el("img", { src: thumbnail(film.image_id), alt: "", loading: "lazy", width: "86", height: "86" }),
  el("span", {}, film.view || "?"), el("small", {}, when)));
