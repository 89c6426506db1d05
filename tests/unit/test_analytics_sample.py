"""The draw: deterministic, the same for every model, and honest on what is unknown."""

from __future__ import annotations

import random

import numpy as np
import pytest

from services.analytics import sample
from services.analytics.progress import Progress
from services.core.facts import Facts, images
from services.core.facts.images import Stored
from services.core.labels import Label, LabelState
from tests.kit import clustered
from tests.kit.records import make_record, make_spec

SHARP, BLUNT = make_spec("sharp"), make_spec("blunt")


def fill(facts: Facts, films: list[int], *specs: object) -> None:
    marks = tuple(spec.fingerprint for spec in specs)  # type: ignore[attr-defined]
    images.commit(facts, [Stored(clustered.record(n), "0" * 64, marks) for n in films])


def test_the_draw_does_not_depend_on_the_order_of_ingest_and_changes_little_when_the_archive_grows(
    facts: Facts, tmp_path_factory: pytest.TempPathFactory
) -> None:
    from services.core.facts import open_facts

    order = list(range(200))
    random.Random(4).shuffle(order)
    other = open_facts(f"sqlite:///{tmp_path_factory.mktemp('other') / 'facts.db'}")
    fill(facts, list(range(200)), SHARP)
    fill(other, order, SHARP)
    first, found = sample.draw(facts, "", [SHARP], 50, 9, Progress())
    second, _ = sample.draw(other, "", [SHARP], 50, 9, Progress())
    assert (len(first), found) == (50, 200)
    assert first.ids == second.ids == sorted(first.ids)
    assert first.sha256 == second.sha256
    assert sample.draw(facts, "", [SHARP], 50, 10, Progress())[0].sha256 != first.sha256
    fill(other, list(range(200, 220)), SHARP)
    grown, _ = sample.draw(other, "", [SHARP], 50, 9, Progress())
    assert len(set(grown.ids) & set(first.ids)) >= 40
    other.close()


def test_only_films_that_every_model_holds_are_drawn(facts: Facts) -> None:
    fill(facts, list(range(60)), SHARP)
    fill(facts, list(range(30, 90)), BLUNT)
    both, found = sample.draw(facts, "", [SHARP, BLUNT], 0, 0, Progress())
    assert found == sample.count(facts, "", [SHARP, BLUNT]) == 30
    assert set(both.ids) == {clustered.record(n).image_id for n in range(30, 60)}


def test_the_filter_is_the_archives_own(facts: Facts) -> None:
    fill(facts, list(range(80)), SHARP)
    drawn, found = sample.draw(facts, 'view = "PA" AND labels.edema = present', [SHARP], 0, 0, Progress())
    assert found == len(drawn) > 5
    assert set(drawn.view) == {"PA"}
    assert (drawn.labels["edema"] == 1).all()


def test_unknown_is_a_state_of_its_own() -> None:
    films = sample.assemble([
        make_record("a", labels={"edema": "present"}, patient_id="p1", age=70.0),
        make_record("b", labels={"edema": "absent"}, patient_id="p1"),
        make_record("c", labels={"edema": "uncertain"}, patient_id="p2", view="PA"),
        make_record("d"),
        make_record("e", labels=[Label("edema", LabelState.PRESENT, "a"), Label("edema", LabelState.ABSENT, "b")]),
    ])  # fmt: skip
    assert sample.words(films.labels["edema"]) == ["present", "absent", "uncertain", "unknown", "uncertain"]
    assert films.patients.tolist() == [0, 0, 1, 2, 3]  # who names no patient is nobody else's
    assert films.nameless == 2
    assert films.view == ["", "", "PA", "", ""]
    assert np.isnan(films.age[1:]).all()
    table = films.table()
    assert table["age"].to_pylist() == [70.0, None, None, None, None]
    assert "patient_id" not in table.column_names
    assert "2 films name no patient" in films.note(5)
    assert "5 of 9 films" in films.note(9)
