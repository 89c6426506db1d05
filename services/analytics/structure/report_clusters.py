"""The clusters of a study of structure on its page."""

from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence

import numpy as np

from services.analytics import figure
from services.analytics.figure import Line
from services.analytics.page import Page
from services.analytics.sample import Sample
from services.analytics.structure import tree
from services.analytics.structure.describe import times
from services.analytics.structure.enrichment import FDR, Enriched
from services.analytics.structure.stability import DOUBTFUL, STABLE, Level
from services.analytics.structure.stability import tree as hierarchy
from services.analytics.structure.terms import MACHINE, PLACE, SIDE
from services.analytics.structure.view import SHOWN, View

_TERMS = 6  # rows of each cluster
_FIELDS = 14


def put(page: Page, views: Sequence[View], films: Sample, pictures: Mapping[int, bytes]) -> None:
    """Stability over all models first, then each model's clusters. pictures: row → JPEG of the films shown."""
    page.heading(
        "Do clusters come back?",
        f"Half of the patients are drawn and their films clustered anew; a film's cluster is stable when there is one"
        f" like it (mean Jaccard {STABLE:g} or more). Below 0.6 a cluster is not to be trusted (Hennig 2007).",
    )
    curves = [
        Line(v.spec.name, [one.resolution for one in v.levels], [one.films_in_stable for one in v.levels], dots=True)
        for v in views
    ]
    page.plot(
        figure.lines(curves, "resolution", "films in stable clusters", log_x=True, unit=True),
        "Share of films whose cluster comes back.",
    )
    for view in views:
        _model(page, view, films, pictures)


def _model(page: Page, view: View, films: Sample, pictures: Mapping[int, bytes]) -> None:
    name, chosen = view.spec.name, view.chosen
    page.heading(f"Clusters of {name}", view.reason)
    page.table(
        ("resolution", "clusters", "films in stable ones", "mean Jaccard", "Rand index over seeds", "modularity",
         "silhouette"),
        [
            (f"{one.resolution:g}{' (read this)' if one is chosen else ''}", len(one.partition.sizes),
             one.films_in_stable, one.mean, one.agreement, one.partition.modularity, silhouette)
            for one, silhouette in zip(view.levels, view.silhouettes, strict=True)
        ],
        f"{name}: resolutions",
    )  # fmt: skip
    page.plot(tree.draw(view.levels), "Filled: comes back. Lines go where films go; hover for sizes.")
    people = [len(np.unique(films.patients[view.members == number])) for number in range(len(chosen.partition.sizes))]
    page.table(
        ("cluster", "films", "patients", "Jaccard", "dissolved", "lasts", "what it looks like", "in words"),
        [
            (_name(number), size, people[number], float(chosen.jaccard[number]), float(chosen.dissolved[number]),
             int(chosen.persistence[number]), verdict(view, number), view.lines[number])
            for number, size in enumerate(chosen.partition.sizes)
        ],
        f"{name}: clusters at resolution {chosen.resolution:g}",
    )  # fmt: skip
    page.text(
        f"× are odds ratios by patient, told where the false discovery rate is below {FDR:g}. What a cluster looks like"
        " is the kind of term that tells it best from others (correlation 0.3 or more; below, it leans to it):"
        " association, no cause. Dissolved: share of draws with no cluster even half like it. Lasts: resolutions in a"
        " row that have a cluster like it."
    )
    _sorting(page, view)
    _terms(page, view)
    _technical(page, view)
    _sheets(page, view, pictures)


def _sorting(page: Page, view: View) -> None:
    """Cramér's V of each field at each resolution: what is sorted by coarsely, and what finely only."""
    asked = [(level, found) for level, found in zip(view.levels, view.sortings, strict=True) if found]
    strength = {(level.resolution, s.field): s.v for level, found in asked for s in found}
    kinds = {s.field: (s.about, s.patients) for _, found in asked for s in found}
    by_most = sorted(kinds, key=lambda field: -max(strength.get((level.resolution, field), 0.0) for level, _ in asked))
    page.table(
        ("field", "kind", "patients", *(f"at {level.resolution:g}" for level, _ in asked),
         f"q at {view.chosen.resolution:g}"),
        [
            (field, *kinds[field], *(strength.get((level.resolution, field)) for level, _ in asked),
             next((small(s.q) for s in view.sorted_by if s.field == field), None))
            for field in by_most[:_FIELDS]
        ],
        f"{view.spec.name}: what clusters sort by (Cramér's V, one film of each patient; 0 not at all, 1 entirely)",
    )  # fmt: skip


def _technical(page: Page, view: View) -> None:
    """Machines, places and side tables that clusters are rich in at any resolution; no finding should hang on them."""
    surest: dict[str, tuple[Level, Enriched]] = {}
    for level, found in zip(view.levels, view.everywhere, strict=True):
        for e in found:
            if e.found and e.term.about in (MACHINE, PLACE, SIDE):
                known = surest.get(e.term.name)
                if known is None or e.q < known[1].q:
                    surest[e.term.name] = (level, e)
    rows = [
        (e.term.name, e.term.about, f"{level.resolution:g}", _name(e.cluster), _of(e.films[0], e.films[1]),
         _of(e.films[2], e.films[3]), f"{times(e.odds_patients)} [{times(e.low)}, {times(e.high)}]", small(e.q))
        for level, e in sorted(surest.values(), key=lambda pair: pair[1].q)
    ][:_FIELDS]  # fmt: skip
    if not rows:
        page.text(
            f"{view.spec.name}: no cluster at any resolution is rich in a machine, a place or a side table's cell."
        )
        return
    page.table(
        ("term", "kind", "surest at", "cluster there", "films in it", "films outside", "odds ratio, patients", "q"),
        rows,
        f"{view.spec.name}: shortcuts, machines, places and side tables that a cluster of any resolution is rich in",
    )  # fmt: skip


def _terms(page: Page, view: View) -> None:
    rows: list[tuple[str | float, ...]] = []
    for number in range(min(len(view.lines), SHOWN)):
        rich = [e for e in view.enriched if e.cluster == number and e.found]
        for e in sorted(rich, key=lambda e: (e.q, -e.odds_patients))[:_TERMS]:
            rows.append((
                f"{_name(number)} {e.term.name}", _of(e.films[0], e.films[1]), _of(e.films[2], e.films[3]),
                _of(e.people[0], e.people[1]), _of(e.people[2], e.people[3]), times(e.odds),
                f"{times(e.odds_patients)} [{times(e.low)}, {times(e.high)}]", small(e.q), e.test,
            ))  # fmt: skip
    page.table(
        ("cluster and term", "films in it", "films outside", "patients in it", "patients outside", "odds ratio, films",
         "odds ratio, patients", "q", "test"),
        rows,
        f"{view.spec.name}: what clusters are rich in (the surest {_TERMS} of each; all in enrichment.parquet)",
    )  # fmt: skip


def _sheets(page: Page, view: View, pictures: Mapping[int, bytes]) -> None:
    """Prototypes, borders and outliers of each cluster, where there are pictures."""
    for number, shown in view.exemplars.items():
        sheet = [
            (_url(pictures[row]), what)
            for what, rows in (
                ("prototype", shown.prototypes), ("border", shown.borders), ("outlier", shown.outliers),
            )
            for row in rows
            if row in pictures
        ]  # fmt: skip
        if sheet:
            told = (f"{view.spec.name}, {_name(number)}: {view.lines[number]}", verdict(view, number))
            page.text("; ".join(part for part in told if part))
            page.pictures(sheet)


def verdict(view: View, number: int) -> str:
    """What a cluster looks like, and whether it is to be trusted."""
    doubt = "not stable" if view.chosen.jaccard[number] < DOUBTFUL else ""
    return "; ".join(part for part in (view.verdicts[number], doubt) if part)


def small(q: float) -> str:
    """A probability in words: very small ones by their power."""
    return f"{q:.3f}" if q >= 0.001 else f"{q:.0e}"


def columns(views: Sequence[View]) -> tuple[dict[str, list[object]], dict[str, list[object]]]:
    """enrichment.parquet and clusters.parquet."""
    terms: dict[str, list[object]] = {}
    clusters: dict[str, list[object]] = {}
    for view in views:
        for level, found in zip(view.levels, view.everywhere, strict=True):
            for e in found:
                _add(terms, _term(view, level, e))
        rows = hierarchy(view.levels)
        for level in view.levels:
            for row in (r for r in rows if r["resolution"] == level.resolution):
                cluster = int(row["cluster"])
                here = level is view.chosen
                _add(clusters, {
                    "model": view.spec.name, **row, "recommended": here, "jaccard": float(level.jaccard[cluster]),
                    "dissolved": float(level.dissolved[cluster]), "persistence": int(level.persistence[cluster]),
                    "in_words": view.lines[cluster] if here else None,
                    "looks_like": view.verdicts[cluster] if here else None,
                })  # fmt: skip
    return terms, clusters


def _term(view: View, level: Level, e: Enriched) -> dict[str, object]:
    found: dict[str, object] = {
        "model": view.spec.name, "resolution": level.resolution, "cluster": e.cluster, "field": e.term.field,
        "value": e.term.value, "about": e.term.about,
    }  # fmt: skip
    for unit, table in (("films", e.films), ("patients", e.people)):
        for what, count in zip(("in_with", "in_without", "out_with", "out_without"), table.tolist(), strict=True):
            found[f"{unit}_{what}"] = count
    return {
        **found, "odds_films": e.odds, "odds_patients": e.odds_patients, "low": e.low, "high": e.high, "p": e.p,
        "q": e.q, "test": e.test,
    }  # fmt: skip


def _add(columns: dict[str, list[object]], row: Mapping[str, object]) -> None:
    for name, value in row.items():
        columns.setdefault(name, []).append(value)


def _of(with_it: int, without: int) -> str:
    return f"{with_it:,} of {with_it + without:,}"


def _name(number: int) -> str:
    return f"C{number + 1:02d}"


def _url(picture: bytes) -> str:
    return f"data:image/jpeg;base64,{base64.b64encode(picture).decode()}"
