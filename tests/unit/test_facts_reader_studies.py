"""The tables of reader studies, on both databases."""

from __future__ import annotations

import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, reader_studies, removal
from services.core.facts.schema import images as films
from services.core.filters import equals, to_sql
from services.query.readerstudy import draw
from tests.kit.records import make_record, make_spec, stored

pytestmark = pytest.mark.databases
SPEC = make_spec("studied")


@pytest.fixture
def ids(facts: Facts) -> list[str]:
    records = [make_record(str(n), "nih" if n < 4 else "other", patient_id=f"p-{n // 2}") for n in range(8)]
    images.commit(facts, [stored(one, [SPEC]) for one in records])
    return [one.image_id for one in records]


def made(facts: Facts, shown: list[list[str]], title: str = "t") -> str:
    contents = [({"query": one[0], "films": one[1:], "scores": [0.5] * (len(one) - 1)}, one) for one in shown]
    return reader_studies.create(facts, "local", title, {"kind": "choose"}, {"repeats": []}, contents)


def test_a_study_with_readers_and_answers(facts: Facts, ids: list[str]) -> None:
    study = made(facts, [ids[:3], ids[1:4]])
    who = reader_studies.invite(facts, study, "Ada", "a" * 64)
    assert reader_studies.reader(facts, "a" * 64) == who and reader_studies.reader(facts, "b" * 64) is None
    reader_studies.answer(facts, who, 0, {"chosen": [0]}, 1.5)
    reader_studies.answer(facts, who, 0, {"chosen": [1]}, 2.5)
    [kept] = reader_studies.answers(facts, study)
    assert (kept.answer, kept.seconds) == ({"chosen": [1]}, 2.5)
    with pytest.raises(HilumError) as error:
        reader_studies.invite(facts, study, "Ada", "c" * 64)
    assert error.value.code is ErrorCode.ALREADY_EXISTS
    reader_studies.invite(facts, study, "Ada", "c" * 64, renew=True)
    assert reader_studies.reader(facts, "a" * 64) is None
    reader_studies.move(facts, study, reader_studies.CLOSED)
    with pytest.raises(HilumError, match="closed"):
        reader_studies.answer(facts, who, 1, {"chosen": [0]}, 1.0)
    assert reader_studies.remove(facts, study) == 1
    with pytest.raises(HilumError, match="no such"):
        reader_studies.get(facts, "local", study)
    assert reader_studies.answers(facts, study) == [] and reader_studies.invited(facts, study) == []


def test_a_study_shows_films_that_are_stored(facts: Facts, ids: list[str]) -> None:
    with pytest.raises(HilumError, match="removed while"):
        made(facts, [[ids[0], make_record("never stored").image_id]])
    assert reader_studies.listed(facts, "local") == []


def test_who_may_not_see_a_film_sees_no_study_of_it(facts: Facts, ids: list[str]) -> None:
    study, both = made(facts, [ids[:3]]), made(facts, [ids[:2], ids[3:6]])
    seen = to_sql(equals("dataset", "nih"))
    assert {one.study_id for one in reader_studies.listed(facts, "local")} == {study, both}
    assert [one.study_id for one in reader_studies.listed(facts, "local", seen)] == [study]
    assert reader_studies.listed(facts, "somebody") == []
    who = reader_studies.invite(facts, both, "Ada", "a" * 64)
    for ask in (lambda: reader_studies.get(facts, "local", both, seen), lambda: reader_studies.read(facts, who, seen)):
        with pytest.raises(HilumError, match="no such"):
            ask()


def test_films_that_go_take_their_sets(facts: Facts, ids: list[str]) -> None:
    study = made(facts, [ids[:3], ids[3:6]], f"not {ids[0]}")
    who = reader_studies.invite(facts, study, "Ada", "a" * 64)
    for number in (0, 1):
        reader_studies.answer(facts, who, number, {"chosen": [0]}, 1.0)
    sought = removal.words({ids[0]})
    assert reader_studies.naming(facts, sought) == 2 and reader_studies.withdraw(facts, sought) == 2
    assert reader_studies.naming(facts, sought) == 0
    assert [bool(one) for one in reader_studies.contents(facts, study)] == [False, True]
    assert [one.number for one in reader_studies.answers(facts, study)] == [1]
    assert reader_studies.get(facts, "local", study).title == ""
    with pytest.raises(HilumError, match="not shown"):
        reader_studies.answer(facts, who, 0, {"chosen": [0]}, 1.0)
    with facts.write() as db:  # whatever way a film goes
        db.execute(films.delete().where(films.c.image_id == ids[4]))
    assert reader_studies.contents(facts, study) == [{}, {}]


def test_films_are_drawn_by_patient(facts: Facts, ids: list[str]) -> None:
    found = draw.films(facts, equals("dataset", "nih"), SPEC.fingerprint, 1, 10)
    assert len(found) == 2 and {one.person for one in found} == {"nih/p-0", "nih/p-1"}
    assert draw.films(facts, None, "another encoder", 1, 10) == []
