"""Films by filter, page by page, and their counts: exact, whatever comes and goes in between."""

from __future__ import annotations

from pathlib import Path

import pytest

from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images
from services.core.facts.images import Stored
from services.core.labels import Label, LabelState
from services.core.types import ImageRecord, Report
from services.query.facets import facets
from services.query.images import Images
from tests.kit.archive import png, spot
from tests.kit.records import make_record


@pytest.fixture
def blobs(tmp_path: Path) -> Blobs:
    return Blobs(tmp_path / "blobs")


@pytest.fixture
def reader(facts: Facts, blobs: Blobs) -> Images:
    return Images(facts, blobs)


def put(facts: Facts, *records: ImageRecord, picture: str = "0" * 64) -> list[str]:
    images.commit(facts, [Stored(record, picture, ()) for record in records])
    return [record.image_id for record in records]


def code_of(call) -> ErrorCode:
    with pytest.raises(HilumError) as caught:
        call()
    return caught.value.code


def test_pages_hold_every_film_once_in_the_order_of_ids(facts: Facts, reader: Images) -> None:
    ids = put(facts, *(make_record(f"f{i}", view="PA" if i % 3 else "AP") for i in range(23)))
    seen, token, pages = [], "", 0
    while True:
        page = reader.page("view = PA", 5, token)
        seen += [film.record.image_id for film in page.films]
        assert page.total == 15
        pages += 1
        token = page.next_token
        if not token:
            break
    assert pages == 3, "a full last page is not followed by an empty one"
    assert seen == sorted(image_id for i, image_id in enumerate(ids) if i % 3)


def test_films_that_arrive_in_between_shift_no_page(facts: Facts, reader: Images) -> None:
    put(facts, *(make_record(f"f{i}") for i in range(10)))
    first = reader.page("", 5)
    put(facts, *(make_record(f"late{i}") for i in range(10)))
    rest = reader.page("", 100, first.next_token)
    seen = [film.record.image_id for film in (*first.films, *rest.films)]
    assert len(seen) == len(set(seen))
    assert {make_record(f"f{i}").image_id for i in range(10)} <= set(seen)


def test_tokens_and_sizes_that_are_not_ours_are_refused(reader: Images) -> None:
    bad = ErrorCode.INVALID_ARGUMENT
    assert code_of(lambda: reader.page("", 1001)) is bad
    assert code_of(lambda: reader.page("", -1)) is bad
    assert code_of(lambda: reader.page("", 5, "%%%")) is bad
    assert code_of(lambda: reader.page("", 5, "JyBPUiAxPTE")) is bad  # ' OR 1=1
    assert code_of(lambda: reader.page("view = ")) is ErrorCode.INVALID_FILTER


def test_a_film_and_its_picture(facts: Facts, reader: Images, blobs: Blobs) -> None:
    data = png(spot(0.5, 0.5))
    [image_id] = put(facts, make_record("a", licence="CC0"), picture=blobs.put(data))
    [gone] = put(facts, make_record("b"))
    assert reader.get(image_id.upper()).record.licence == "CC0"
    picture = reader.picture(image_id)
    assert (picture.content_type, picture.data) == ("image/png", data)
    absent = make_record("c").image_id
    for call in (reader.get, reader.picture):
        assert code_of(lambda call=call: call(absent)) is ErrorCode.NOT_FOUND
        assert code_of(lambda call=call: call("../secret")) is ErrorCode.INVALID_ARGUMENT
    assert code_of(lambda: reader.picture(gone)) is ErrorCode.NOT_FOUND


def test_relatives_stand_in_time_order_and_strangers_do_not(facts: Facts, reader: Images) -> None:
    late, early, undated = (
        make_record("late", patient_id="p", study_date="2021-03-01"),
        make_record("early", patient_id="p", study_date="2019-01-01"),
        make_record("undated", patient_id="p"),
    )
    put(facts, late, early, undated, make_record("x", dataset="other", patient_id="p"), make_record("y"))
    found = [record.image_id for record in reader.of_same_patient(late)]
    assert found == [early.image_id, late.image_id, undated.image_id]
    assert reader.of_same_patient(make_record("y")) == [make_record("y")]


def test_the_report_is_that_of_the_films_study(facts: Facts, reader: Images) -> None:
    images.save_reports(facts, [Report("demo", "s1", "impression", "clear"), Report("other", "s1", "impression", "no")])
    assert reader.report(make_record("a", study_id="s1")) == {"impression": "clear"}
    assert reader.report(make_record("a")) == {}


def test_facets_count_exactly_and_call_the_unstated_unknown(facts: Facts) -> None:
    put(
        facts,
        make_record("a", view="PA", sex="F", labels={"edema": "present", "mass": "absent"}),
        make_record("b", view="PA", sex="M", labels={"edema": "absent"}),
        make_record("c", view="AP", labels={"edema": "uncertain"}),
        make_record("d"),
    )
    counted = facets(facts)
    by_field = {facet.field: facet.counts for facet in counted.facets}
    assert counted.total == 4
    assert by_field["dataset"] == {"demo": 4}
    assert by_field["view"] == {"PA": 2, "AP": 1, "unknown": 1}
    assert by_field["sex"] == {"unknown": 2, "F": 1, "M": 1}
    assert by_field["labels.edema"] == {"present": 1, "absent": 1, "uncertain": 1, "unknown": 1}
    assert by_field["labels.mass"] == {"absent": 1, "unknown": 3}
    narrowed = facets(facts, "view = PA", ["labels.Edema", "labels.nothing"])
    assert [(facet.field, facet.counts) for facet in narrowed.facets] == [
        ("labels.edema", {"present": 1, "absent": 1}),
        ("labels.nothing", {"unknown": 2}),
    ]


def test_sources_that_differ_are_counted_as_uncertain_once(facts: Facts) -> None:
    split = (Label("edema", LabelState.PRESENT, "table"), Label("edema", LabelState.ABSENT, "reader"))
    agreed = (Label("edema", LabelState.PRESENT, "table"), Label("edema", LabelState.PRESENT, "reader"))
    base = make_record("a")
    put(facts, ImageRecord(base.image_id, "demo", labels=split))
    put(facts, ImageRecord(make_record("b").image_id, "demo", labels=agreed))
    [facet] = facets(facts, "", ["labels"]).facets
    assert facet.counts == {"present": 1, "uncertain": 1}


def test_each_count_is_what_the_filter_finds(facts: Facts, reader: Images) -> None:
    states = ["present", "absent", "uncertain", ""]
    put(
        facts,
        *(
            make_record(f"f{i}", view=["PA", "AP", None][i % 3], labels={"edema": states[i % 4]} if i % 4 < 3 else {})
            for i in range(31)
        ),
    )
    for facet in facets(facts, "", ["view", "labels"]).facets:
        for value, films in facet.counts.items():
            condition = f"NOT {facet.field}:*" if value == "unknown" else f"{facet.field} = {value}"
            assert reader.page(condition).total == films


def test_other_fields_are_not_counted(facts: Facts) -> None:
    for field in ("patient_id", "labels.", "nonsense"):
        assert code_of(lambda field=field: facets(facts, "", [field])) is ErrorCode.INVALID_ARGUMENT
