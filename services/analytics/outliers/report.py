"""Outliers in tables, plots and films."""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from services.analytics import picture
from services.analytics.outliers import duplicates, regions
from services.analytics.outliers.asked import OutliersAsked
from services.analytics.outliers.duplicates import Twins
from services.analytics.outliers.scores import Agreement
from services.analytics.outliers.understand import Region
from services.analytics.outliers.view import LISTED, View
from services.analytics.page import Page
from services.analytics.sample import Sample

PICTURED = 12
_PAIRS = 6  # of twins pictured
_TERMS = 8
_ABOUT = (
    "Films far from all others in a model's space. Far is no verdict: it may be a wrong view, a broken or turned film, "
    "another scanner, or simply a rare patient. So many films are flagged as were asked for, whether anything is wrong "
    "with them or not; look at them before leaving any out."
)


@dataclass(frozen=True)
class Told:
    """Twins, whose they are (`duplicates.relation`), and their splits where those differ."""

    pair: Twins
    relation: str
    splits: str


def shown(view: View, told: Sequence[Told]) -> Iterator[int]:
    """Rows of the films that are pictured."""
    yield from map(int, view.scores.flagged[:PICTURED])
    for region in view.regions:
        for row, normal, _ in region.beside:
            yield from (row, normal)
    for one in told[:_PAIRS]:
        yield from (one.pair.one, one.pair.other)


def page(
    asked: OutliersAsked,
    films: Sample,
    labels: Sequence[str],
    views: Sequence[View],
    between: Sequence[Agreement],
    why: Mapping[int, Sequence[str]],
    odd: tuple[Sequence[int], int],
    told: Mapping[str, Sequence[Told]],
    pictures: Mapping[int, bytes | None],
) -> Page:
    """The whole report. why, pictures: by row; odd: rows that look odd, and how many were looked at; told: by model."""
    made = Page("Outliers and duplicates", _ABOUT)
    if between:
        made.heading(
            "Do models find the same films strange?",
            "Spearman correlation of how strange films are, and how many of the strangest are so in both. Intervals "
            "leave out a tenth of the patients at a time.",
        )
        _agreements(made, between, len(films), "models")
    _odd(made, films, *odd, why, pictures)
    for view in views:
        _scores(made, view, films, labels, why, pictures)
        for region in view.regions:
            _region(made, view, region, films, labels, pictures)
        _apart(made, view)
        _twins(made, view, films, told[view.spec.name], pictures)
    return made


def _odd(
    page: Page, films: Sample, rows: Sequence[int], looked: int, why: Mapping[int, Sequence[str]],
    pictures: Mapping[int, bytes | None],
) -> None:  # fmt: skip
    page.heading(
        "Films that look odd, whatever a model says",
        f"{len(rows):,} of the {looked:,} films looked at are nearly empty, or fit the typical picture of a view much "
        "better inverted, turned by a quarter or upside down. By small pictures; rare views and devices may be told "
        "wrongly.",
    )
    if rows:
        page.table(("film", "patient", "view", "why"), [
            (films.ids[row], int(films.patients[row]), films.view[row] or None, "; ".join(why[row]))
            for row in rows[:LISTED]
        ])  # fmt: skip
        sheet(page, [(row, why[row][0]) for row in rows[:PICTURED]], pictures)


def _agreements(page: Page, found: Sequence[Agreement], films: int, what: str) -> None:
    page.table((what, "films", "Spearman", "strangest in both", "of", "by chance"), [
        (f"{a.one} – {a.other}", films, a.spearman, a.shared, a.of, a.of**2 / films) for a in found
    ])  # fmt: skip


def _scores(
    page: Page, view: View, films: Sample, labels: Sequence[str], why: Mapping[int, Sequence[str]],
    pictures: Mapping[int, bytes | None],
) -> None:  # fmt: skip
    found, name = view.scores, view.spec.name
    page.heading(
        f"Outliers of {name}",
        f"The {len(found.flagged)} strangest of {len(films):,} films, by the share of films that are less strange: the "
        "middle one of three scores, so that at least two hold a film so strange. Neighbours are of other patients. "
        "Reasons are hints from the film's small picture and its record; that there is none does not mean that nothing "
        "is wrong.",
    )
    _agreements(page, view.agreement, len(films), "scores")
    tops = {score: set(found.top(score).tolist()) for score in found.values}
    page.table(
        ("film", "patient", "view", "strange", "among the strangest by", "nearest ordinary film", "why"),
        [
            (films.ids[row], int(films.patients[row]), films.view[row] or None, float(found.strange[row]),
             f"{sum(row in top for top in tops.values())} of {len(tops)}",
             view.beside[row][1] if row in view.beside else None, "; ".join(why[row]) or None)
            for row in map(int, found.flagged[:LISTED])
        ],
    )  # fmt: skip
    sheet(page, [(row, "; ".join(why[row]) or _says(films, labels, row)) for row in found.flagged[:PICTURED]], pictures)
    codes = np.zeros(len(films), dtype=np.int8)
    codes[found.flagged] = 1
    page.pictures([(picture.by_state(view.place, codes, 300), "outliers among all films, first two components")], 300)


def _region(
    page: Page, view: View, region: Region, films: Sample, labels: Sequence[str],
    pictures: Mapping[int, bytes | None],
) -> None:  # fmt: skip
    people = len(np.unique(films.patients[region.rows]))
    flagged = np.isin(region.rows, view.scores.flagged).sum()
    page.heading(
        f"{region.title}, {view.spec.name}",
        f"{len(region.rows):,} films of {people:,} patients, {flagged:,} of them flagged: {region.line}.",
    )
    if region.rich:
        page.table(("rich in", "of its films", "of the others", "odds ratio by patient", "q"), [
            (e.term.name, f"{e.share:.0%}", f"{e.share_outside:.0%}",
             f"{e.odds_patients:.1f} [{e.low:.1f}, {e.high:.1f}]", f"{e.q:.1g}")
            for e in region.rich[:_TERMS]
        ])  # fmt: skip
    page.text(
        "Some of its films, from its middle and its edge; below each the nearest ordinary film of another patient."
    )
    sheet(page, [(film, _says(films, labels, film)) for film, _, _ in region.beside], pictures)
    sheet(page, [
        (normal, f"{away:.3f} away: {_says(films, labels, normal)}") for _, normal, away in region.beside
    ], pictures)  # fmt: skip


def _apart(page: Page, view: View) -> None:
    if not view.apart:
        return
    page.heading(
        f"Small clusters of {view.spec.name}",
        "As many films as neighbours are counted vouch for each other, and the scores hardly see them. So of each "
        f"Leiden cluster of at most {regions.SMALL:.0%} of the films: the median distance from its films to the "
        f"nearest film outside, that over the usual one, and how many look odd. From {regions.APART:g} times the "
        "usual on, or when most look odd, it is understood above. Far is no verdict here either: rare views and "
        "devices make clusters.",
    )
    page.table(("cluster", "films", "to the nearest outside", "times the usual", "looked at", "look odd"), [
        (f"C{one.cluster + 1:02d}", one.films, one.gap, one.ratio, one.looked, one.odd) for one in view.apart[:_TERMS]
    ])  # fmt: skip


def _twins(page: Page, view: View, films: Sample, told: Sequence[Told], pictures: Mapping[int, bytes | None]) -> None:
    counted = Counter(one.relation for one in told)
    leaks, splits = counted[duplicates.LEAK], sum(bool(one.splits) for one in told)
    alarm = (f"Alarm: {leaks:,} pairs are of two patients of one dataset: a leak, or wrong ids. " if leaks else "") + (
        f"Alarm: {splits:,} pairs are in different splits. " if splits else ""
    )
    page.heading(
        f"Nearly the same to {view.spec.name}",
        f"{alarm}{len(view.twins):,} pairs of films at most {view.same:.2g} apart (cosine), among each film's nearest. "
        "What a model cannot tell apart need not be one film: look at them. `hilum duplicates` compares files and "
        "pixels.",
    )
    if not told:
        return
    page.table(("pairs of", "pairs"), [(name, count) for name, count in counted.most_common()])
    if view.doubles:
        page.table(
            ("patients of this run", "films of the first with a twin in the second", "of its films"),
            [(f"{d.one} and {d.other}", d.shared, d.of) for d in view.doubles[:LISTED]],
            "Patients that share several films: one person under two names?",
        )
    page.table(("film", "and", "distance", "of", "patients", "splits"), [
        (films.ids[one.pair.one], films.ids[one.pair.other], f"{one.pair.distance:.1e}", one.relation,
         f"{films.patients[one.pair.one]}, {films.patients[one.pair.other]}", one.splits or None)
        for one in told[:LISTED]
    ])  # fmt: skip
    page.text("Films, and below each its twin.")
    sheet(page, [(one.pair.one, one.relation) for one in told[:_PAIRS]], pictures)
    sheet(page, [(one.pair.other, f"{one.pair.distance:.1e} away") for one in told[:_PAIRS]], pictures)


def sheet(page: Page, rows: Sequence[tuple[int, str]], pictures: Mapping[int, bytes | None]) -> None:
    """Films as pictures, those that have one."""
    page.pictures([
        (f"data:image/jpeg;base64,{base64.b64encode(jpeg).decode()}", words)
        for row, words in rows
        if (jpeg := pictures.get(int(row)))
    ])  # fmt: skip


def figures(view: View, told: Sequence[Told]) -> dict[str, object]:
    """For metrics.json."""
    counted = Counter(one.relation for one in told)
    return {
        "films": len(view.scores.strange), "k": view.near.k, "graph": view.near.method, "recall": view.near.recall,
        "outliers": len(view.scores.flagged), "same": view.same, "twins": len(view.twins),
        "agreement": {
            f"{a.one} / {a.other}": {"spearman": a.spearman.as_json(), "shared": a.shared} for a in view.agreement
        },
        "twins_of": dict(counted), "twins_across_splits": sum(bool(one.splits) for one in told),
        "doubles": [{"patients": [d.one, d.other], "shared": d.shared, "of": d.of} for d in view.doubles],
        "regions": [{"title": r.title, "films": len(r.rows), "line": r.line} for r in view.regions],
        "apart": [
            {"cluster": one.cluster, "films": one.films, "gap": one.gap, "ratio": one.ratio, "looked": one.looked,
             "odd": one.odd}
            for one in view.apart
        ],
    }  # fmt: skip


def _says(films: Sample, labels: Sequence[str], row: int) -> str:
    present = [n.replace("_", " ") for n in labels if n in films.labels and films.labels[n][row] == 1]
    return ", ".join([*([films.view[row]] if films.view[row] else []), *present[:3]]) or "nothing stated"
