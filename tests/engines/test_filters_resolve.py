"""What only facts can say of a filter selects the same in SQL, in the engine once resolved, and in plain Python."""

from __future__ import annotations

import random
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, models, open_facts, sets, sides
from services.core.facts.schema import images as films
from services.core.facts.sides import SideColumn, SideTable
from services.core.filters import And, Compare, Expr, Not, Or, describe, parse, resolve, to_qdrant, to_sql
from services.core.sets import settle, store_films
from services.core.store import VectorStore
from services.core.types import ImageRecord, Report
from services.engine.supervisor import EngineProcess
from tests.kit import filters as kit
from tests.kit.records import make_spec, stored, unit_vectors

pytestmark = pytest.mark.databases

SPEC = make_spec("resolve")
ARCHIVE = [kit.random_record(number, random.Random(7_000 + number)) for number in range(90)]
INCOME = {("nih", "p1"): 10.0, ("nih", "p2"): 20.0, ("demo", "p1"): 30.0, ("demo", "Zoë"): -5.5}
WARD = {("nih", "s1"): "ICU", ("demo", "s2"): "it's"}
DOSE = {film.image_id: float(n) for n, film in enumerate(ARCHIVE) if n % 3 == 0}
REPORTED = {("nih", "s2"), ("demo", "s1")}
COHORTS = {"ready": {f.image_id for f in ARCHIVE[::4]}, "writing": {f.image_id for f in ARCHIVE[::7]}}
LEAVES = [
    "side.people.income >= 20", "side.people.income < 0", "side.people.income = 10", "side.people.income != 10",
    "side.people.income:*", 'side.stay.ward = "ICU"', 'side.stay.ward != "ICU"', "side.stay.ward:*",
    "side.given.dose > 40", "side.given.dose:*", "report:*", "cohort = ready", "cohort = writing", "cohort != ready",
    "cohort:*", "NOT cohort = writing", "view = PA", "age >= 40", "labels.edema = present", "labels.edema.table:*",
    "dataset = nih", "sex:*", 'NOT patient_id = "p1"',
]  # fmt: skip


def meant(expr: Expr, film: ImageRecord) -> bool:
    match expr:
        case And():
            return all(meant(part, film) for part in expr.operands)
        case Or():
            return any(meant(part, film) for part in expr.operands)
        case Not():
            return not meant(expr.operand, film)
    name = expr.field
    values: list[object] = {
        "side.people.income": [INCOME.get((film.dataset, str(film.patient_id)))],
        "side.stay.ward": [WARD.get((film.dataset, str(film.study_id)))],
        "side.given.dose": [DOSE.get(film.image_id)],
        "report": [(film.dataset, film.study_id) in REPORTED or None],
        "cohort": [cohort for cohort, ids in COHORTS.items() if film.image_id in ids],
    }.get(name, [])
    if not values and name != "cohort":
        return kit.matches(expr, film)
    known = [value for value in values if value is not None]
    if not isinstance(expr, Compare):
        return bool(known)
    if expr.operator == "!=":
        return bool(known) and expr.value not in known
    return any(kit._MEANING[expr.operator](value, expr.value) for value in known)


@pytest.fixture(scope="module")
def store(engine: EngineProcess) -> Iterator[VectorStore]:
    opened = VectorStore(engine.url)
    yield opened
    opened.drop(SPEC.collection)
    opened.close()


@pytest.fixture
def archive(facts_url: str, store: VectorStore) -> Iterator[Facts]:
    facts = open_facts(facts_url)
    store.ensure(SPEC)
    models.register(facts, SPEC)
    store_films(facts, store, SPEC, ARCHIVE, unit_vectors(len(ARCHIVE)))
    images.commit(facts, [stored(film, [SPEC]) for film in ARCHIVE])
    for dataset in sorted({film.dataset for film in ARCHIVE}):
        for name, level, kind, column, cells in (
            ("people", "patient", "number", "income", INCOME),
            ("stay", "study", "text", "ward", WARD),
        ):
            table = SideTable(dataset, name, level, (SideColumn(column, column, kind),))
            if rows := [(key, {kind: {column: v}}) for (of, key), v in cells.items() if of == dataset]:  # type: ignore[attr-defined]
                sides.add(facts, table, rows)
            sides.finish(facts, table)
        given_ = SideTable(dataset, "given", "image", (SideColumn("dose", "Dose", "number"),))
        mine = [film.image_id for film in ARCHIVE if film.dataset == dataset and film.image_id in DOSE]
        if mine:
            sides.add(facts, given_, [(image_id, {"number": {"dose": DOSE[image_id]}}) for image_id in mine])
        sides.finish(facts, given_)
    images.save_reports(facts, [Report(dataset, study, "findings", "text") for dataset, study in REPORTED])
    sets.create(facts, "ready", "cohort", "", {}, COHORTS["ready"])
    settle(facts, store)
    sets.create(facts, "writing", "cohort", "", {}, COHORTS["writing"])  # and no point is told
    yield facts
    facts.close()


def expressions() -> st.SearchStrategy[str]:
    leaves = st.sampled_from(LEAVES)
    joined = lambda inner: st.lists(inner, min_size=2, max_size=3)  # noqa: E731
    return st.recursive(
        leaves,
        lambda inner: st.one_of(
            inner.map(lambda text: f"NOT ({text})"),
            joined(inner).map(lambda parts: " AND ".join(f"({part})" for part in parts)),
            joined(inner).map(lambda parts: " OR ".join(f"({part})" for part in parts)),
        ),
        max_leaves=6,
    )


def in_sql(facts: Facts, expr: Expr | None) -> set[str]:
    with facts.read() as db:
        return set(db.scalars(select(films.c.image_id).where(to_sql(expr))))


def in_engine(store: VectorStore, expr: Expr | None) -> set[str]:
    return {film for page in store.ids_in(SPEC.collection, to_qdrant(expr)) for film in page}


@given(st.lists(expressions(), min_size=40, max_size=60, unique=True))
@settings(
    max_examples=2, phases=[Phase.generate], deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_facts_and_engine_select_what_is_meant(archive: Facts, store: VectorStore, asked: list[str]) -> None:
    for text in [*asked, *LEAVES]:
        expr = parse(text)
        assert expr is not None
        wanted = {film.image_id for film in ARCHIVE if meant(expr, film)}
        assert in_sql(archive, expr) == wanted, f"SQL: {text}"
        assert in_engine(store, resolve(expr, archive)) == wanted, f"engine: {text}"
        try:  # so few may be listed that the complement, or the whole filter, must serve
            few = resolve(expr, archive, most=25)
        except HilumError as error:
            assert error.code is ErrorCode.INVALID_FILTER and "hilum sets create" in error.client_message
        else:
            assert in_engine(store, few) == wanted, f"few: {text}"
        assert parse(describe(expr)) == expr


def test_short_lists_whichever_way_round(archive: Facts, store: VectorStore) -> None:
    """Patients, not films, where only patients matter; the few that do not pass where most do."""
    some = resolve(parse("side.people.income >= 20"), archive)
    assert "patient_id" in describe(some) and "image_id" not in describe(some)
    most = resolve(parse("NOT side.given.dose > 10"), archive, most=30)
    assert isinstance(most, Not)
    both = parse("side.given.dose:* AND side.people.income:* AND view = PA")
    assert in_engine(store, resolve(both, archive, most=20)) == in_sql(archive, both)
    with pytest.raises(HilumError, match="hilum sets create"):
        resolve(parse("side.given.dose:* OR view = PA"), archive, most=10)


def test_too_many_conditions_on_side_tables_are_refused(archive: Facts) -> None:
    with pytest.raises(HilumError, match="at most 32 conditions"):
        resolve(parse(" OR ".join(["side.people.income > 3"] * 33)), archive)


def test_what_is_not_resolved_is_refused_by_the_engine_alone() -> None:
    for text in ("side.people.income > 3", "report:*", "NOT side.people.income:*"):
        with pytest.raises(HilumError) as refused:
            to_qdrant(parse(text))
        assert refused.value.code is ErrorCode.INVALID_FILTER
