"""The page of a cohort: the flow of films, its figures, and what it was made by."""

from __future__ import annotations

from typing import Any

from services.analytics.cohort import diagram, sections, words
from services.analytics.cohort.drawing import Draws
from services.analytics.cohort.flow import ARCHIVE, EXCLUDE, Flow, Step
from services.analytics.cohort.population import Counts
from services.analytics.cohort.spec import Spec
from services.analytics.page import Cell, Page

ABOUT = (
    "Films chosen by a specification, criterion by criterion. The specification and the seed make the same cohort of "
    "the same archive again; the hash of its image ids says whether they did."
)

_LONG = 48  # letters of a step's name, in a table whose lines do not break


def flow(page: Page, found: Flow) -> None:
    """The diagram, and its figures."""
    page.heading(
        "Flow of films",
        "A study or a patient is counted as long as one of its films is left. Each criterion is judged over every film "
        "of the archive, so that the order of criteria changes the figures beside the arrows and not the films below; "
        "one that is judged over the films left says so.",
    )
    page.plot(diagram.flow(found.steps, "Cohort"))
    page.heading("Attrition", "Alone: what a criterion would remove from the whole archive if it were the only one.")
    page.table(
        ("step", "films left", "studies", "patients", "films removed", "studies", "patients", "films alone"),
        [_row(number, step) for number, step in enumerate(found.steps)],
    )
    for number, step in enumerate(found.steps):
        if step.test and step.test != step.name:
            page.text(f"{number}. {'Excluded: ' if step.kind == EXCLUDE else ''}{step.test}")


def draws(page: Page, spec: Spec, made: Draws) -> None:
    """What was matched and drawn."""
    if made.matched and spec.match:
        sections.matching(page, made.matched, made.cases, words.match(spec.match), spec.unit)
        sections.balance(page, made.lines)
    if made.met:
        sections.target(page, made.met, spec.unit)


def record(page: Page, spec: Spec, told: dict[str, Any]) -> None:
    """What makes the cohort again, and tells whether it was made again."""
    page.heading("Record")
    page.table(("", ""), _record(spec, told))


def _row(number: int, step: Step) -> list[Cell]:
    removed = _cells(step.removed) if step.kind != ARCHIVE else [None] * 3
    alone = step.alone.images if step.alone else None
    name = step.name if len(step.name) <= _LONG else f"{step.name[: _LONG - 1]}…"
    return [f"{number}. {name}" if number else name, *_cells(step.left), *removed, alone]


def _cells(count: Counts) -> list[Cell]:
    return [count.images, count.studies, count.patients]


def _record(spec: Spec, told: dict[str, Any]) -> list[list[Cell]]:
    data = told["data"]
    rows: list[list[Cell]] = [
        ["films in filters", f'cohort = "{spec.name}"' if spec.name else "kept under no name"],
        ["unit of draws", spec.unit],
        ["specification, SHA-256", told["spec_sha256"]],
        ["sorted image ids, SHA-256", told["ids_sha256"]],
        ["films looked at", f"{data['images']:,}, written last {data['latest'] or '–'}"],
        ["their sorted ids, SHA-256", data["ids_sha256"]],
        ["seed", spec.seed],
    ]
    if spec.rerun_of:
        rows.insert(0, ["made again of", spec.rerun_of])
    return rows + [["cap", words.cap(cap)] for cap in spec.caps]
