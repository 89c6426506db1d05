"""The description of an archive as a page: what looks wrong first, then each field, datasets side by side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import SupportsInt

import numpy as np
from numpy.typing import NDArray

from services.analytics import figure
from services.analytics.eda.fields import Counts, Sites, Spread
from services.analytics.eda.findings import Findings, kappa, prevalence
from services.analytics.eda.people import People
from services.analytics.eda.sides import Side
from services.analytics.eda.warnings import Warned
from services.analytics.figure import Line
from services.analytics.page import Cell, Page

_VALUES, _SITES, _WHO, _FINDINGS, _COLUMNS = 12, 8, 5, 14, 400  # shown; the tables in Parquet have them all
_SHARES = (0.5, 0.9, 0.99, 1.0)


@dataclass(frozen=True)
class Look:
    """All that was counted."""

    where: Sites
    counts: list[Counts]
    spreads: list[Spread]
    dates: Counts
    ids: list[Counts]
    found: Findings
    people: People
    sides: list[Side]
    warned: list[Warned]
    held: dict[str, NDArray[np.int64]]


def put(page: Page, look: Look) -> None:
    """All sections."""
    _overview(page, look)
    _warnings(page, look.warned)
    _missing(page, look)
    _constant(page, look)
    for counts in look.counts:
        if counts.distinct > 1 and counts.name != "dataset":
            _words(page, counts, look.where)
    _numbers(page, look)
    _people(page, look.people)
    _findings(page, look)
    for side in look.sides:
        _side(page, side)


def _columns(where: Sites) -> tuple[list[str], list[int]]:
    """Datasets as columns: the largest, in their order, and all, which is the only one where there is one dataset."""
    shown = _lines(where) if len(where.names) > 1 else []
    return [*(where.names[site] for site in shown), "all"], shown


def _constant(page: Page, look: Look) -> None:
    rows: list[list[Cell]] = [
        [one.name, one.values[0], int(one.films.sum()), int(one.missing.sum())]
        for one in look.counts if one.distinct == 1 and one.name != "dataset"
    ]  # fmt: skip
    rows += [
        [one.name, f"{one.mean[-1]:g}", int(one.films[-1]), int(one.missing[-1])]
        for one in look.spreads if one.distinct == 1
    ]  # fmt: skip
    if rows:
        page.heading("The same in every film that states it")
        page.table(("field", "value", "films", "unknown"), rows)


def _overview(page: Page, look: Look) -> None:
    names, shown = _columns(look.where)
    page.heading("Overview")

    def row(name: str, each: NDArray[np.int64]) -> list[Cell]:
        return [name, *(int(each[site]) for site in shown), int(each.sum())]

    rows = [
        row("films", look.where.films),
        row("patients", look.people.patients),
        row("studies", look.people.studies),
        row("films of no named patient", next(c.missing for c in look.ids if c.name == "patient_id")),
        row("films nothing is stated of", look.found.silent),
        *(row(f"vectors of {model}", films) for model, films in look.held.items()),
    ]
    page.table(("", *names), rows)


def _warnings(page: Page, warned: Sequence[Warned]) -> None:
    page.heading("What looks wrong", "For a person to judge. All names are in warnings.parquet.")
    if not warned:
        page.text("Nothing that is looked for.")
        return
    rows = [
        (one.what, one.films, ", ".join(one.who[:_WHO]) + (f" … {len(one.who)} in all" if len(one.who) > _WHO else ""))
        for one in warned
    ]
    page.table(("", "films", "who, or which"), rows)


def _missing(page: Page, look: Look) -> None:
    names, shown = _columns(look.where)
    total = look.where.films
    page.heading("Missing", "Share of films that say nothing of a field. Blank is unknown, and nowhere counted as no.")
    missing = {one.name: one.missing for one in [*look.counts, look.dates, *look.ids]}
    missing |= {one.name: one.missing[:-1] for one in look.spreads}
    whole = [name for name, each in missing.items() if not each.any()]
    empty = [name for name, each in missing.items() if (each == total).all()]
    rows: list[list[Cell]] = [
        [name, *(_share(each[site], total[site]) for site in shown), _share(each.sum(), total.sum())]
        for name, each in sorted(missing.items(), key=lambda item: (-int(item[1].sum()), item[0]))
        if name not in whole and name not in empty
    ]
    page.table(("field", *names), rows)
    page.text(f"Every film states: {', '.join(whole) or 'nothing'}. No film states: {', '.join(empty) or '–'}.")


def _words(page: Page, counts: Counts, where: Sites) -> None:
    names, shown = _columns(where)
    rows: list[list[Cell]] = [
        [value, *(int(counts.films[site, place]) for site in shown), int(counts.films[:, place].sum())]
        for place, value in enumerate(counts.values[:_VALUES])
    ]
    rest = counts.films[:, _VALUES:]
    if counts.distinct > _VALUES:
        rows.append(
            [f"{counts.distinct - _VALUES:,} other values", *(int(rest[s].sum()) for s in shown), int(rest.sum())]
        )
    rows.append(["(unknown)", *(int(counts.missing[site]) for site in shown), int(counts.missing.sum())])
    page.heading(counts.name)
    page.table((f"{counts.distinct:,} values", *names), rows)


def _numbers(page: Page, look: Look) -> None:
    names, shown = _columns(look.where)
    columns = ("dataset", "films", "unknown", "mean", "sd", "least", "1st quartile", "median", "3rd quartile", "most")
    for one in look.spreads:
        if one.distinct < 2:
            continue
        page.heading(one.name)
        rows: list[list[Cell]] = [
            [name, int(one.films[site]), int(one.missing[site]), float(one.mean[site]), float(one.sd[site]),
             *map(float, one.quartiles[site])]
            for name, site in zip(names, [*shown, -1], strict=True)
        ]  # fmt: skip
        page.table(columns, rows)
        lines = [
            Line(look.where.names[site], one.edges, _steps(one.counts[site]), steps=True)
            for site in shown if one.films[site]
        ]  # fmt: skip
        page.plot(
            figure.lines(lines, one.name, "share of a dataset's films"), "Each dataset's films that state it are 1."
        )
    if look.dates.distinct:
        page.heading("study_date")
        years = np.array([int(year) if year.isdigit() else np.nan for year in look.dates.values])
        lines = [Line(look.where.names[site], years, look.dates.films[site], dots=True) for site in _lines(look.where)]
        page.plot(figure.lines(lines, "year", "films"), "Dates may be shifted by patient: see date_kind.")


def _people(page: Page, people: People) -> None:
    page.heading("Patients and studies", "Films that name none are left out.")
    rows: list[list[Cell]] = []
    for name, each in (
        ("films of a patient", people.films_of_patient), ("studies of a patient", people.studies_of_patient),
        ("films of a study", people.films_of_study),
    ):  # fmt: skip
        if len(each):
            rows.append([name, len(each), float(each.mean()), *(int(np.quantile(each, s)) for s in _SHARES)])
    page.table(("", "how many", "mean", "median", "90 % have at most", "99 % have at most", "most"), rows)
    if len(people.films_of_patient):
        films = np.sort(people.films_of_patient)[::-1]
        points = np.unique(np.linspace(0, len(films), 101).astype(int))
        shares = np.concatenate([[0.0], np.cumsum(films) / films.sum()])[points]
        svg = figure.lines(
            [Line("films", points / len(films), shares)], "share of patients, most films first", "share of films",
            unit=True, diagonal=True,
        )  # fmt: skip
        page.plot(svg, "The further above the diagonal, the more of the archive is few patients.")


def _findings(page: Page, look: Look) -> None:
    found = look.found
    if not found.names:
        return
    names, shown = _columns(look.where)
    every = found.states.sum(axis=0)
    order = np.argsort(-every[:, 1], kind="stable").tolist()
    total = int(look.where.films.sum())
    page.heading("Findings", "Sources merged: those that contradict each other make a finding uncertain.")
    rows: list[list[Cell]] = [
        [found.names[f], *map(int, every[f][[1, 0, 2]]), total - int(every[f].sum()), prevalence(every[f])]
        for f in order
    ]  # fmt: skip
    page.table(("finding", "present", "absent", "uncertain", "unknown", "present of decided"), rows)
    rows = [
        [found.names[f], *(prevalence(found.states[site, f]) for site in shown), prevalence(every[f])] for f in order
    ]
    page.table(("finding", *names), rows, "Share present of films stated present or absent")
    rows = [
        [f"{found.names[f]}, {source}", *map(int, states[f][[1, 0, 2]]), prevalence(states[f])]
        for f in order for source, states in found.sources.items() if states[f].any()
    ]  # fmt: skip
    page.table(
        ("finding, source", "present", "absent", "uncertain", "present of decided"), rows, "What each source says"
    )
    if found.crossed:
        rows = [
            [f"{name}: {one}, {other}", int(table.sum()), float(np.trace(table) / table.sum()), kappa(table),
             int(table[1, 0]), int(table[0, 1])]
            for (name, one, other), table in found.crossed.items()
        ]  # fmt: skip
        page.table(
            ("finding: one source, another", "films both state", "agree", "Cohen's kappa", "one present, other absent",
             "one absent, other present"), rows, "Where sources differ",
        )  # fmt: skip
    top = [f for f in order if every[f, 1]][:_FINDINGS]
    if len(top) > 1:
        with np.errstate(invalid="ignore", divide="ignore"):
            share = found.both[np.ix_(top, top)] / found.asked[np.ix_(top, top)]
        page.plot(
            figure.heat(
                [found.names[f] for f in top], share, "share that also has … (columns), of films with … (rows)"
            ),
            "Of films in which the row's finding is present and something is stated of the column's.",
        )


def _side(page: Page, side: Side) -> None:
    table = side.table
    page.heading(
        f"Side table {table.name} of {table.dataset}",
        f"{side.rows:,} rows of {side.keys:,} {_PLURAL[table.level]} looked at; {len(side.cells)} columns.",
    )
    rows: list[list[Cell]] = []
    for cells in sorted(side.cells, key=lambda c: (-c.stated, c.column.name))[:_COLUMNS]:
        told = ", ".join(f"{value} {n:,}" for value, n in cells.words[:3])
        spread = cells.numbers or (None,) * 7
        rows.append([cells.column.name, _share(side.rows - cells.stated, side.rows), cells.distinct, *spread, told])
    columns = ("column", "missing", "distinct", "mean", "sd", "least", "1st quartile", "median", "3rd quartile", "most")
    page.table((*columns, "commonest"), rows)


_PLURAL = {"image": "films", "study": "studies", "patient": "patients"}


def _lines(where: Sites) -> list[int]:
    """Datasets that are drawn."""
    return sorted(np.argsort(-where.films, kind="stable")[:_SITES].tolist())


def _share(part: SupportsInt, whole: SupportsInt) -> float | None:
    return int(part) / int(whole) if int(whole) else None


def _steps(counts: NDArray[np.int64]) -> NDArray[np.float64]:
    """Shares, one for each edge: the last is held to the end."""
    shares = counts / max(int(counts.sum()), 1)
    return np.append(shares, shares[-1:])
