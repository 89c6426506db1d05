"""Align: of each model the learning curves of every method and section, and the map that is worth keeping."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import cache, cached_property, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import frozen
from services.analytics.align import evaluate, report
from services.analytics.align.asked import AlignAsked
from services.analytics.align.evaluate import TO_IMAGE, TO_REPORT, Answers, Held
from services.analytics.align.maps import Map, unit
from services.analytics.align.methods import LEAST, UNPAIRED, fit
from services.analytics.align.reports import Reports, read
from services.analytics.align.words import Words, own_films, words
from services.analytics.bench import Bench
from services.core.aligned import Aligned, Named
from services.core.errors import ErrorCode, HilumError
from services.core.models import ModelSpec
from services.core.tfidf import Tfidf

HELD_OUT = 0.3  # of the patients
ALL = 0  # as a number of pairs: every one there is
OWN, CHANCE = "(text model)", "(chance)"
_LEAST_FILMS = 40
_MOST_HELD = 3_000  # films to search among: all are compared with all


@dataclass
class Curves:
    """What was found of one model. answers: (section, method, pairs) → one per split and direction.

    sizes: pairs in truth. maps: method → the map and its words, of the first section and split, from all pairs.
    """

    spec: ModelSpec
    answers: dict[tuple[str, str, int], list[dict[str, Answers]]] = field(default_factory=dict)
    sizes: dict[tuple[str, str, int], int] = field(default_factory=dict)
    maps: dict[str, tuple[Map, Named | Tfidf]] = field(default_factory=dict)
    gallery: dict[str, tuple[int, int]] = field(default_factory=dict)  # section → films, reports searched among

    def add(self, key: tuple[str, str, int], size: int, found: dict[str, Answers]) -> None:
        self.answers.setdefault(key, []).append(found)
        self.sizes.setdefault(key, size)


@dataclass(frozen=True)
class Lesson:
    """One split. films: (N, D).  learn, test: rows of films.  study: (N,) row of each film's report.  patients: (N,).
    texts: gives (M, Q) of all reports, and what makes them.  order: of the films to learn from."""

    films: NDArray[np.float32]
    learn: NDArray[np.int64]
    test: NDArray[np.int64]
    study: NDArray[np.int64]
    patients: NDArray[np.int32]
    texts: Callable[[], tuple[NDArray[np.float32], Named | Tfidf]]
    order: NDArray[np.int64]
    seed: int

    @cached_property
    def gallery(self) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
        """The reports searched among, and which of them is each test film's."""
        rows, place = np.unique(self.study[self.test], return_inverse=True)
        return rows, place

    def ask(
        self, method: str, sizes: Sequence[int], question: Held, keep: bool
    ) -> tuple[dict[int, dict[str, Answers]], Map | None]:
        """Answers by number of pairs, and the map of all of them where it is to be kept."""
        texts, people = self.texts()[0], self.patients[self.learn]
        seen = np.unique(self.study[self.learn])
        pairs = np.stack([np.arange(len(self.learn)), np.searchsorted(seen, self.study[self.learn])], axis=1)
        answers, learned = {}, None
        for size in sizes:
            chosen = self.order[: size or len(self.order)]
            learned = fit(method, self.films[self.learn], texts[seen], pairs[chosen], people[chosen], self.seed)
            shown, said = learned.images(self.films[self.test]), learned.texts(texts[self.gallery[0]])
            answers[size] = evaluate.ask(shown, said, question)
        return answers, learned if keep else None


def run(bench: Bench[AlignAsked]) -> None:
    """Make the run in the bench's folder; its maps lie in ``aligned-<model>``."""
    asked = bench.asked
    bench.progress("reports", 0, 1)
    reports = read(bench.facts, bench.films)
    people = len(np.unique(bench.films.patients[reports.films]))
    if len(reports.films) < _LEAST_FILMS or people < 10:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"{len(reports.films)} of these films, of {people} patients, have a report with findings or impression; "
            f"a map needs {_LEAST_FILMS} of 10: ingest with --reports",
        )
    space = words(bench)
    own = own_films(bench, space)
    said = frozen.digest([reports, space.fingerprint, own])
    found = []
    for spec in bench.specs:
        with bench.vectors(spec) as vectors:
            found.append(_curves(bench, spec, np.array(vectors[reports.films]), reports, space, own, said))
    metrics, follow, made = {}, [], {}
    for curves in found:
        figures = report.figures(curves.answers, asked.seed)
        best = _best(curves, figures, asked)
        metrics[curves.spec.name] = report.as_json(figures, curves.sizes, best, space.name, curves.gallery)
        if best:
            made[curves.spec.name] = _keep(bench, curves, best, metrics[curves.spec.name])
            if asked.register:
                name = asked.name or f"{curves.spec.name}-words"
                folder = f"runs/{bench.run_id}/aligned-{curves.spec.name}"
                follow.append({"kind": "align", "spec": {"name": name, "folder": folder}})
    page = report.page(asked, metrics, space.name)
    bench.table("figures", report.columns(metrics))
    bench.finish(metrics, page, made, films_with_report=len(reports.films), text_space=space.name, follow=follow)


def _curves(
    bench: Bench[AlignAsked], spec: ModelSpec, films: NDArray[np.float32], reports: Reports, space: Words,
    own: NDArray[np.float32] | None, said: str,
) -> Curves:  # fmt: skip
    """films: (N, D) of the films with a report.  said: digest of the reports, and of who reads them."""
    asked, curves = bench.asked, Curves(spec)
    patients, findings = bench.films.patients[reports.films], _present(bench)[reports.films]
    stage, done = f"maps of {spec.name}", 0
    total = len(asked.sections) * asked.splits
    bench.progress(stage, 0, total)
    for section in asked.sections:
        rows = np.flatnonzero(reports.of(section))
        for split in range(asked.splits):
            random = np.random.default_rng([asked.seed, split])
            held = _held_out(patients[rows], random)
            learn, test = rows[~held], rows[held]
            if len(learn) < LEAST or len(test) < 2:
                raise HilumError(
                    ErrorCode.FAILED_PRECONDITION, f"too few films have the section {section}; ask for another"
                )
            seen, first = np.unique(reports.study[learn], return_index=True)
            one = Lesson(
                films, learn, test, reports.study, patients,
                cache(partial(space.vectors, bench, reports, section, seen, patients[learn][first], asked.seed)),
                random.permutation(len(learn)), asked.seed + split,
            )  # fmt: skip
            question = Held(one.gallery[1], patients[test], findings[test])
            for method in asked.methods:
                sizes = _sizes(asked, method, len(learn))
                best = split == 0 and section == asked.sections[0]
                ask = partial(one.ask, method, sizes, question, best)
                answers, learned = bench.once(f"{method} of {spec.name}, {section}, split {split + 1}", ask, said)
                for size in sizes:
                    curves.add((section, method, size), 0 if method in UNPAIRED else size or len(learn), answers[size])
                if learned:
                    curves.maps[method] = (learned, one.texts()[1])
            if own is not None:
                mine = own[reports.films[test]]
                curves.add((section, OWN, ALL), 0, evaluate.ask(mine, one.texts()[0][one.gallery[0]], question))
            thrown, caught = (unit(random.standard_normal((n, 32))) for n in (len(test), len(one.gallery[0])))
            curves.add((section, CHANCE, ALL), 0, evaluate.ask(thrown, caught, question))
            curves.gallery.setdefault(section, (len(test), len(one.gallery[0])))
            done += 1
            bench.progress(stage, done, total)
    return curves


def _sizes(asked: AlignAsked, method: str, there: int) -> list[int]:
    """Points of the curve below all there are, then all."""
    if method in UNPAIRED:
        return [ALL]
    points: Sequence[int] = asked.pairs or [50 * 2**step for step in range(20)]
    return [*sorted({n for n in points if n < there}), ALL]


def _held_out(patients: NDArray[np.int32], random: np.random.Generator) -> NDArray[np.bool_]:
    """(N,): films of the patients that no map sees, not more than can be compared."""
    people = random.permutation(np.unique(patients))
    chosen = people[: max(2, round(HELD_OUT * len(people)))]
    films = np.cumsum(np.bincount(patients)[chosen])
    return np.isin(patients, chosen[: max(2, int((films <= _MOST_HELD).sum()))])


def _present(bench: Bench[AlignAsked]) -> NDArray[np.bool_]:
    """(N, F): findings stated as present, of those to be measured."""
    films = bench.films
    columns = [films.labels[name] == 1 for name in bench.labels if name in films.labels]
    return np.stack(columns, axis=1) if columns else np.zeros((len(films), 0), bool)


def _best(curves: Curves, figures: report.Figures, asked: AlignAsked) -> str:
    """The method whose films and reports find each other best with all pairs."""

    def rank(method: str) -> float:
        both = figures[asked.sections[0], method, ALL]
        return float(np.mean([both[way]["reciprocal_rank"].value for way in (TO_REPORT, TO_IMAGE)]))

    return max(curves.maps, key=rank)


def _keep(bench: Bench[AlignAsked], curves: Curves, method: str, told: dict[str, Any]) -> dict[str, Any]:
    """Write the best map into the run: the very one measured, which has not seen who was held out."""
    learned, text = curves.maps[method]
    section = bench.asked.sections[0]
    about = {
        "method": method, "section": section, "pairs": curves.sizes[section, method, ALL], "run_id": bench.run_id,
        "settings": learned.settings, "figures": told["best"]["figures"],
    }  # fmt: skip
    base = Named(curves.spec.name, curves.spec.fingerprint)
    Aligned(base, text, learned.of_images, learned.of_texts, about).write(bench.part / f"aligned-{curves.spec.name}")
    return {"method": method, "section": section, "pairs": about["pairs"], "text": getattr(text, "fingerprint", "")}
