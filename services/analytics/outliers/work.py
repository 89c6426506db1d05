"""A search for outliers: of each model the strangest films and why, where they lie together, and films there twice."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import frame, thumbnails
from services.analytics.bench import Bench
from services.analytics.outliers import duplicates, report
from services.analytics.outliers.asked import OutliersAsked
from services.analytics.outliers.duplicates import Twins
from services.analytics.outliers.looks import Looks
from services.analytics.outliers.report import Told
from services.analytics.outliers.scores import agreement
from services.analytics.outliers.understand import rarities
from services.analytics.outliers.view import View, look
from services.analytics.structure import terms as fields
from services.core.errors import ErrorCode, HilumError
from services.core.facts import images

_LOOKED = 3_000  # films whose pictures are looked at, beside outliers
_ORDINARY = 300  # of them, that looks are held against
_TWINS = 1_000  # pairs whose patients are looked up


def run(bench: Bench[OutliersAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, films = bench.asked, bench.films
    region = _region(bench)
    terms = fields.collect(bench.facts, films)
    looks, some = _looks(bench)
    seen = bench.once("looks", lambda: _seen(bench, looks(), some))
    odd = np.full(len(films), -1, dtype=np.int8)
    odd[list(seen)] = [bool(Looks.odd(words)) for words in seen.values()]
    views: list[View] = []
    for spec in bench.specs:
        with bench.vectors(spec) as unit:
            views.append(look(unit, spec, asked, films, terms, region, odd, bench.progress, bench.once))
    flagged = {int(row) for view in views for row in view.scores.flagged}
    new = sorted(flagged - set(seen))
    more = bench.once("looks of outliers", lambda: _seen(bench, looks(), new), new) if new else {}
    seen |= {row: more.get(row, []) for row in new}
    why = {row: words + rarities(row, terms) for row, words in seen.items() if row in flagged or Looks.odd(words)}
    told = {view.spec.name: _told(bench, view.twins) for view in views}
    strangers = [row for row, words in sorted(seen.items()) if Looks.odd(words)]
    shown = sorted(
        {*strangers[: report.PICTURED], *(r for view in views for r in report.shown(view, told[view.spec.name]))}
    )
    urls = dict(zip(shown, _pictures(bench, shown), strict=True))
    strange = {view.spec.name: view.scores.strange for view in views}
    between = agreement(strange, asked.flagged(len(films)), films.patients, asked.seed)
    page = report.page(asked, films, bench.labels, views, between, why, (strangers, len(seen)), told, urls)
    bench.table("outliers", _table(bench, views, why))
    bench.table("duplicates", _duplicates(bench, told))
    metrics = {view.spec.name: report.figures(view, told[view.spec.name]) for view in views}
    bench.finish(metrics, page, {view.spec.name: {"graph_sha256": view.near.sha256} for view in views})


def _region(bench: Bench[OutliersAsked]) -> NDArray[np.int64]:
    """Rows of the films asked about. Raises FAILED_PRECONDITION when none of them is in the sample."""
    if not bench.asked.region:
        return np.array([], dtype=np.int64)
    with bench.facts.read() as db:
        asked_for = set(db.scalars(frame.matching(bench.asked.region, bench.specs)))
    rows = np.array([row for row, image_id in enumerate(bench.films.ids) if image_id in asked_for], dtype=np.int64)
    if not 1 <= len(rows) <= len(bench.films) // 2:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"the region holds {len(rows)} of the {len(bench.films)} films of this run; ask for at least one and at "
            "most half of them, or for a larger sample",
        )
    return rows


def _looks(bench: Bench[OutliersAsked]) -> tuple[Callable[[], Looks], NDArray[np.int64]]:
    """What ordinary films look like, asked for where it is needed; and the rows of the films to look at."""
    random = np.random.default_rng(bench.asked.seed)
    rows = np.sort(random.permutation(len(bench.films))[:_LOOKED])
    some = random.permutation(rows)[:_ORDINARY]
    return cache(lambda: Looks(_pictures(bench, some), [bench.films.view[row] for row in some])), rows


def _seen(bench: Bench[OutliersAsked], looks: Looks, rows: Iterable[int]) -> dict[int, list[str]]:
    """Row → what is strange about a film's picture, of those that have one."""
    rows = [int(row) for row in rows]
    pictures = zip(rows, _pictures(bench, rows), strict=True)
    return {row: looks.says(picture) for row, picture in pictures if picture}


def _told(bench: Bench[OutliersAsked], twins: list[Twins]) -> list[Told]:
    """The nearest twins and whose they are; two patients' first."""
    ids = bench.films.ids
    pairs = twins[:_TWINS]
    known = images.get(bench.facts, {ids[row] for pair in pairs for row in (pair.one, pair.other)})
    told = []
    for pair in pairs:
        one, other = known[ids[pair.one]], known[ids[pair.other]]
        told.append(Told(pair, duplicates.relation(one, other), duplicates.splits(one, other)))
    return sorted(told, key=lambda t: (t.relation != duplicates.LEAK, not t.splits, t.pair.distance))


def _pictures(bench: Bench[OutliersAsked], rows: Iterable[int]) -> list[bytes | None]:
    return thumbnails.thumbnails(bench.facts, bench.blobs, [bench.films.ids[row] for row in rows], bench.progress)


def _table(bench: Bench[OutliersAsked], views: list[View], why: dict[int, list[str]]) -> dict[str, Any]:
    """One row for each film and model."""
    films = bench.films
    names = list(views[0].scores.values)
    table: dict[str, Any] = {
        "model": [view.spec.name for view in views for _ in films.ids], "image_id": films.ids * len(views),
        "patient": np.tile(films.patients, len(views)),
    }  # fmt: skip
    table |= {name: np.concatenate([view.scores.values[name] for view in views]) for name in names}
    table["strange"] = np.concatenate([view.scores.strange for view in views])
    table["outlier"] = np.concatenate([np.isin(np.arange(len(films)), view.scores.flagged) for view in views])
    table["group"] = np.concatenate([_numbered(view.groups, len(films)) for view in views])
    table["why"] = [
        "; ".join(why[row]) if out and row in why else None
        for row, out in zip(np.tile(np.arange(len(films)), len(views)).tolist(), table["outlier"], strict=True)
    ]
    return table


def _numbered(groups: list[NDArray[np.int64]], films: int) -> NDArray[np.int32]:
    """(N,) the group a film is in, from 1; 0 none."""
    number = np.zeros(films, dtype=np.int32)
    for one, rows in enumerate(groups, 1):
        number[rows] = one
    return number


def _duplicates(bench: Bench[OutliersAsked], told: dict[str, list[Told]]) -> dict[str, Any]:
    """One row for each pair of films nearly the same and model."""
    rows = [(model, one) for model, all_ in told.items() for one in all_]
    ids, patients = bench.films.ids, bench.films.patients
    return {
        "model": [model for model, _ in rows],
        "first": [ids[one.pair.one] for _, one in rows],
        "second": [ids[one.pair.other] for _, one in rows],
        "distance": [one.pair.distance for _, one in rows],
        "of": [one.relation for _, one in rows],
        "splits": [one.splits or None for _, one in rows],
        "patients": [[int(patients[one.pair.one]), int(patients[one.pair.other])] for _, one in rows],
    }
