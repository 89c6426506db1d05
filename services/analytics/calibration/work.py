"""Calibration: of each model the meaning of its scores, asked by films and, where it reads them, by words."""

from __future__ import annotations

from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import encoding, figure, graph
from services.analytics.bench import Bench
from services.analytics.calibration import fit, pairs
from services.analytics.calibration.asked import CalibrationAsked
from services.analytics.calibration.fit import Fitted
from services.analytics.calibration.pairs import Labelled
from services.analytics.figure import Line
from services.analytics.page import Page
from services.core.calibration import FILM, WORDS
from services.core.errors import ErrorCode, HilumError
from services.core.facts import calibrations
from services.core.facts.calibrations import Calibration
from services.core.models import ModelSpec

ABOUT = (
    "A cosine is no probability. Here it is given a meaning: among pairs of a film and what a search shows for it "
    f"(the {pairs.NEAR} nearest films of other patients), how often does a score go with a shared finding? The curve "
    "may only rise. Errors are of patients on whom it was not fitted. A search tells that there is no comparable case "
    "when its best film's score says nothing (the lower end of the curve's interval is no higher than the share among "
    "any two films), or is below that of 99 in 100 films here. Labels are taken as true, and so are their mistakes."
)
Key = tuple[str, str, str]  # asked by, finding, view


def run(bench: Bench[CalibrationAsked]) -> None:
    """Make the run in the bench's folder, and keep the curves for searches."""
    if not bench.labels:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"no finding is stated, present and absent, of enough films to calibrate on{bench.one_sided}: ingest "
            "labels, or name some",
        )
    page = Page("What scores mean", ABOUT)
    metrics: dict[str, Any] = {}
    table: dict[str, list[Any]] = {
        name: [] for name in ("model", "asked_by", "finding", "view", "score", "probability", "low", "high")
    }
    for spec in bench.specs:
        found = _of_model(bench, spec)
        for asked_by in (FILM, WORDS):
            kept = [
                Calibration(*key, one.curve, {**one.about, "run_id": bench.run_id, "filter": bench.asked.filter})
                for key, one in found.items()
                if key[0] == asked_by
            ]
            if kept or asked_by == FILM:
                calibrations.save(bench.facts, spec.fingerprint, asked_by, kept)
        _show(page, spec, found)
        metrics[spec.name] = {
            "/".join(key): {**one.about, **one.curve.as_json()} for key, one in found.items()
        }  # fmt: skip
        for key, one in found.items():
            points = zip(one.curve.scores, one.curve.probability, one.curve.low, one.curve.high, strict=True)
            for point in points:
                for name, value in zip(table, (spec.name, *key, *point), strict=True):
                    table[name].append(value)
    if not bench.settings.encode:
        page.text("No encoder could be asked for words, so there are no curves for questions in words.")
    bench.table("curves", table)
    bench.finish(metrics, page)


def _of_model(bench: Bench[CalibrationAsked], spec: ModelSpec) -> dict[Key, Fitted]:
    """(asked by, finding, view) → its curve, where there are labels enough."""
    asked, rows = bench.asked, bench.held(spec)
    films = Labelled.of(bench.films, rows, bench.labels)
    spare = len(rows) - int(np.bincount(films.patients).max())
    found: dict[Key, Fitted] = {}
    with bench.vectors(spec) as unit:
        shown = max(1, min(pairs.NEAR, spare))
        stage = f"graph of {spec.name}"
        build = partial(graph.build, unit, shown, asked.seed, bench.progress, stage, patients=films.patients)
        near = bench.once(stage, build)
        of_words = bench.once(f"words asked of {spec.name}", partial(_words, bench, spec, unit))
    stage = f"curves of {spec.name}"
    every = [((FILM, finding, view), one) for finding, view, one in pairs.by_films(films, near, asked.seed)]
    if of_words is not None:
        every += [
            ((WORDS, finding, ""), pairs.by_words(films, of_words[:, n], n)) for n, finding in enumerate(films.findings)
        ]
    for done, (key, one) in enumerate(every):
        bench.progress(stage, done, len(every))
        if one.enough:
            name = f"curve of {' '.join(key)} of {spec.name}"
            found[key] = bench.once(name, partial(fit.fit, one, asked.folds, asked.seed), one)
    bench.progress(stage, len(every), len(every))
    return found


def words_of(finding: str) -> str:
    """How a finding is asked for in words: its plain name, as searches ask it."""
    return finding.replace("_", " ")


def _words(bench: Bench[CalibrationAsked], spec: ModelSpec, unit: NDArray[np.float32]) -> NDArray[np.float32] | None:
    """(N, L) cosines of films with the words of each finding; None for a model that reads none."""
    if not spec.text_space or not bench.settings.encode:
        return None
    texts = encoding.texts(bench.encode, spec, [words_of(name) for name in bench.labels], bench.progress)
    return np.asarray(unit) @ texts.T


def _show(page: Page, spec: ModelSpec, found: dict[Key, Fitted]) -> None:
    page.heading(
        spec.name,
        "Share: of the films shown, and of any films. Brier: mean squared error of the promises, of a constant one, "
        "and of cosines taken as probabilities; ECE: mean distance of promise and outcome. Lower is better.",
    )
    if not found:
        page.text("Too few labelled films of too few patients for any curve.")
        return
    rows = [
        (
            _name(key), one.about["pairs"], one.about["patients"], one.about["shared"], one.about["base"],
            one.curve.threshold, one.about["brier"], one.about["brier_constant"], one.about["brier_before"],
            one.about["ece"], one.about["ece_before"],
        )
        for key, one in found.items()
    ]  # fmt: skip
    columns = (
        "asked by",
        "pairs",
        "patients",
        "share",
        "of any",
        "comparable from",
        "Brier",
        "constant",
        "raw",
        "ECE",
        "raw",
    )
    page.table(columns, rows, title=f"{spec.name}: calibration")
    for key in ((FILM, "", ""), *(k for k in found if k[0] == WORDS)):
        one = found.get(key)
        if one is None:
            continue
        c = one.curve
        line = Line(_name(key), c.scores, c.probability, c.low, c.high)
        page.plot(figure.lines([line], "cosine", "P(shares the finding)", unit=True), f"{spec.name}, {_name(key)}")
        if key[0] == WORDS:
            continue
        after = Line(
            "by the curve", [b.promised for b in one.after], [b.seen.value for b in one.after],
            [b.seen.low for b in one.after], [b.seen.high for b in one.after], dots=True,
        )  # fmt: skip
        before = Line(
            "cosine as it is", [b.promised for b in one.before], [b.seen.value for b in one.before], dots=True
        )
        page.plot(
            figure.lines([after, before], "promised", "came true", unit=True, diagonal=True),
            "Reliability, on patients the curve was not fitted on. On the dashed line, promises are kept.",
        )


def _name(key: Key) -> str:
    asked_by, finding, view = key
    what = finding.replace("_", " ") or "any finding"
    return f"{'words' if asked_by == WORDS else 'film'}: {what}{', ' + view if view else ''}"
