"""Counts are exact for every field, said once more by counting films one by one."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from services.core.access import Access
from services.core.facts import Facts, images, sets, sides
from services.core.facts.sides import SideColumn, SideTable
from services.core.filters import parse
from services.core.labels import LabelState, merge, source_key
from services.core.types import ImageRecord, Report
from services.query.facets import COUNTED, UNKNOWN, Facets, facets
from tests.kit.filters import matches, random_record
from tests.kit.records import make_record, stored

ARCHIVE = [random_record(number, random.Random(90 + number)) for number in range(80)]
FILTERS = ("", "view = PA OR age < 60", "labels.edema = present", "NOT labels.edema:*", "age > 900")
STATES = [state.value for state in LabelState if state is not LabelState.UNKNOWN]


def shown(counted: Facets) -> dict[str, dict[str, int]]:
    return {facet.field: facet.counts for facet in counted.facets}


def word(name: str, value: object) -> str:
    """A value as a facet shows it."""
    if value in (None, ""):
        return UNKNOWN
    match name:
        case "study_date":
            return str(value)[:4]
        case "age":
            low = int(float(str(value)) // 10 * 10)
            return f"{low}–{low + 9}"
        case "rows" | "columns":
            low = int(value) // 500 * 500  # type: ignore[call-overload]
            return f"{low}–{low + 499}"
        case _ if isinstance(value, bool):
            return "yes" if value else "no"
        case _ if isinstance(value, float | int):
            return repr(float(value)).removesuffix(".0")
    return str(value)


@pytest.mark.databases
def test_every_field_is_counted_as_films_say(facts: Facts) -> None:
    images.commit(facts, [stored(film) for film in ARCHIVE])
    said = sorted({(label.name, source_key(label.source)) for film in ARCHIVE for label in film.labels})
    named = [f"labels.{finding}.{source}" for finding, source in said]
    for text in FILTERS:
        expr = parse(text)
        passed = [film for film in ARCHIVE if expr is None or matches(expr, film)]
        counted = facets(facts, text, [*COUNTED, "labels", *named])
        assert counted.total == len(passed)
        by_field = shown(counted)
        for name in COUNTED:
            assert by_field[name] == dict(Counter(word(name, getattr(film, name)) for film in passed)), (text, name)
        for field in by_field.keys() - set(COUNTED):
            finding, _, source = field.removeprefix("labels.").partition(".")
            states = Counter(state_of(film, finding, source) for film in passed)
            assert by_field[field] == dict(states), (text, field)
        stated = {f"labels.{label.name}" for film in passed for label in film.labels if label.state.value in STATES}
        assert stated == {name for name in by_field if name.startswith("labels.") and name.count(".") == 1}


def state_of(film: ImageRecord, finding: str, source: str) -> str:
    said = [label for label in film.labels if not source or source_key(label.source) == source]
    return merge(said).get(finding, LabelState.UNKNOWN).value


def test_labels_that_change_are_counted_anew(facts: Facts) -> None:
    """What is remembered of a set of labels is true for ever, whoever has it now."""
    film = make_record("a", labels={"edema": "present"})
    for state in ("present", "absent", "present"):
        images.commit(facts, [stored(make_record("a", labels={"edema": state}))])
        assert shown(facets(facts, "", ["labels"])) == {"labels.edema": {state: 1}}
    images.commit(facts, [stored(make_record("a"))])
    assert facets(facts, "", ["labels"]).facets == () and film.labels


@pytest.mark.databases
def test_sets_reports_and_cells_are_counted(facts: Facts) -> None:
    films = [make_record(str(n), patient_id=f"p{n // 2}", study_id=f"s{n}", age=float(n)) for n in range(60)]
    images.commit(facts, [stored(film) for film in films])
    ids = [film.image_id for film in films]
    sets.create(facts, "a", "cohort", "", {}, ids[:6])
    sets.create(facts, "b", "cohort", "", {}, ids[4:8])
    images.save_reports(facts, [Report("demo", "s3", "findings", "x"), Report("demo", "s3", "impression", "y")])
    columns = (SideColumn("income", "Income", "number"), SideColumn("ward", "Ward", "text"))
    table = SideTable("demo", "people", "patient", columns)
    cells = [(f"p{n}", {"number": {"income": float(n)}, "text": {"ward": "AB"[n % 2]}}) for n in range(25)]
    sides.add(facts, table, cells)
    sides.finish(facts, table)
    found = shown(facets(facts, "", ["cohort", "cluster", "report", "side.people.income", "side.people.ward"]))
    assert found["cohort"] == {"a": 6, "b": 4, UNKNOWN: 52}
    assert found["cluster"] == {UNKNOWN: 60}
    assert found["report"] == {"yes": 1, UNKNOWN: 59}
    assert found["side.people.ward"] == {"A": 26, "B": 24, UNKNOWN: 10}
    income = found["side.people.income"]
    assert len(income) == 21 and sum(income.values()) == 60 and income[UNKNOWN] == 10
    assert income["0 to 1.2"] == 4 and income["22.8 to 24"] == 4  # the last bin has its upper end, too
    few = shown(facets(facts, "cohort = a", ["side.people.income", "cohort"]))
    assert few == {"side.people.income": {"0": 2, "1": 2, "2": 2}, "cohort": {"a": 6, "b": 2}}


def test_nothing_outside_is_counted(facts: Facts) -> None:
    images.commit(facts, [stored(film) for film in ARCHIVE])
    sets.create(facts, "all", "cohort", "", {}, [film.image_id for film in ARCHIVE])
    mine = [film for film in ARCHIVE if film.dataset == "nih"]
    counted = facets(facts, "", ["dataset", "labels", "cohort"], Access(frozenset({"nih"})))
    assert counted.total == len(mine)
    assert shown(counted)["dataset"] == {"nih": len(mine)} and shown(counted)["cohort"] == {"all": len(mine)}
    assert facets(facts, 'dataset = "demo"', ["dataset"], Access(frozenset({"nih"}))).total == 0
    assert facets(facts, "", ["dataset"], Access(frozenset())).total == 0
