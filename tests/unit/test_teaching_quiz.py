"""Cases as unknowns: no byte of the answer, tries recorded and judged, results for those who may know them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from types import SimpleNamespace

import pytest
from google.protobuf import json_format

from services.core.access import ALL
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images
from services.query.teaching import convert, hiding
from services.query.teaching.document import parse
from services.query.teaching.files import Files
from services.query.teaching.quiz import Quizzes
from tests.kit.records import make_record, stored

ANSWER = {
    "title": "Sarcoidosis stage II in a teacher",
    "alternative_title": "A teacher with a cough",
    "history": "Cough for 3 weeks; mother had sarcoidosis and TB. Löfgren was asked about.",
    "findings": "Bilateral hilar nodes.", "diagnosis": "Pulmonary sarcoidosis (Löfgren syndrome); Boeck's disease",
    "differential": ["Lymphoma", "Tuberculosis (TB)", "Pulmonary sarcoidosis (Löfgren syndrome); Boeck's disease"],
    "discussion": "Granulomas.", "pathology": "Granuloma", "keywords": ["hilar", "nodes"],
    "sections": [{"key": "s", "heading": "Garland triad", "text": "1-2-3"}],
    "origin": "assembled", "category": "Interstitial disease", "organ_system": "Lymphatic",
}  # fmt: skip


@pytest.fixture
def room(facts: Facts, tmp_path: Path) -> SimpleNamespace:
    record = make_record("f1", view="PA", labels={"sarcoidosis": "present"})
    images.commit(facts, [stored(record)])
    files = Files(facts, Blobs(tmp_path / "blobs"))
    image = {
        "image_id": record.image_id, "caption": "Lambda sign", "key_note": "look here", "why": "rank 1", "section": "s",
        "severity": "mild", "annotations": [{"kind": "text", "points": [{"x": 0.5, "y": 0.5}], "text": "node"}],
    }  # fmt: skip
    made = files.create("anna", ALL, parse({**ANSWER, "images": [image]}))
    files.move("anna", ALL, made.file.file_id, "review")
    files.move("anna", ALL, made.file.file_id, "published")
    files.grant("anna", ALL, made.file.file_id, {"read": ["*"]})
    return SimpleNamespace(files=files, quizzes=Quizzes(facts, files), name=made.file.file_id, film=record.image_id)


def test_no_byte_of_the_quiz_says_the_answer(room: SimpleNamespace) -> None:
    message = convert.quiz(room.quizzes.show("ben", ALL, room.name))
    everything = [json_format.MessageToJson(message).encode().lower(), message.SerializeToString().lower()]
    told = json.dumps(list(ANSWER.values()), ensure_ascii=False).lower()
    shown = {"teacher", "with", "cough", "weeks", "mother", "asked", "about"}
    secret = set(re.findall(r"[^\W\d_]{4,}", told)) - shown | {"lambda", "look here", "mild", "rank", "node", room.film}
    assert {"sarcoidosis", "löfgren", "lymphoma", "granulomas", "hilar", "garland"} <= secret
    for text in everything:
        assert [word for word in secret if word.encode() in text] == []
    assert message.title == "A teacher with a cough" and message.history.startswith("Cough for 3 weeks")
    assert [image.view for image in message.images] == ["PA"]


def test_choices_are_offered_where_they_are_asked_for(room: SimpleNamespace) -> None:
    offered = room.quizzes.show("ben", ALL, room.name, choices=True).choices
    assert len(offered) == 3 and offered == room.quizzes.show("carl", ALL, room.name, choices=True).choices
    assert set(offered) == set(ANSWER["differential"])
    plain = room.files.create("anna", ALL, parse({"title": "t", "diagnosis": "x"}))
    with pytest.raises(HilumError) as refused:
        room.quizzes.show("anna", ALL, plain.file.file_id, choices=True)
    assert refused.value.code is ErrorCode.FAILED_PRECONDITION


def test_the_next_unknown_is_one_that_may_be_read_and_was_tried_least(room: SimpleNamespace) -> None:
    def made(reads: str, *states: str) -> str:
        one = room.files.create("anna", ALL, parse({"title": "t", "diagnosis": "x"}))
        room.files.grant("anna", ALL, one.file.file_id, {"read": [reads]})
        for state in states:
            room.files.move("anna", ALL, one.file.file_id, state)
        return str(one.file.file_id)

    def following(name: str) -> str:
        return str(room.quizzes.show("ben", ALL, name).following)

    assert following(room.name) == ""
    made("ben"), made("ben", "review"), made("carl", "review", "published")  # none of them is for ben
    assert following(room.name) == ""
    others = {made("ben", "review", "published"), made("*", "review", "published")}
    first = following(room.name)
    room.quizzes.answer("ben", ALL, first, 1, text="x")
    assert {first, following(room.name)} == others
    assert following(first) != first


@pytest.mark.databases
def test_tries_are_recorded_judged_and_counted(room: SimpleNamespace) -> None:
    def answer(user: str, **fields: object) -> SimpleNamespace:
        one, revealed = room.quizzes.answer(user, ALL, room.name, 1, **fields)
        assert revealed.document.diagnosis == ANSWER["diagnosis"]
        return one

    right = answer("ben", text="  pulmonary SARCOIDOSIS ", seconds=12.0, request_id="r")
    assert (right.correct, right.answer["judged"]) == (True, "match")
    assert answer("ben", text="pulmonary sarcoidosis", seconds=1.0, request_id="r") == right
    unsure = answer("ben", text="sarcoid", seconds=20.0)
    assert (unsure.correct, unsure.answer["judged"]) == (None, "")
    both = answer("carl", choice="Lymphoma", text="Pulmonary sarcoidosis")
    assert (both.correct, both.answer["judged"], both.answer["text"]) == (False, "choice", "Pulmonary sarcoidosis")
    assert answer("carl", choice=ANSWER["differential"][2], name="dora").reader == "carl/dora"
    assert room.quizzes.judge("ben", ALL, unsure.try_id, True).correct is True
    for user, try_id, code in (
        ("carl", unsure.try_id, ErrorCode.NOT_FOUND), ("ben", "x", ErrorCode.NOT_FOUND),
        ("ben", right.try_id, ErrorCode.FAILED_PRECONDITION),
    ):  # fmt: skip
        with pytest.raises(HilumError) as refused:
            room.quizzes.judge(user, ALL, try_id, False)
        assert refused.value.code is code
    everybody = room.quizzes.results("anna", ALL)
    title, score = everybody.files[room.name]
    assert title == ANSWER["title"]
    assert (score.tries, score.judged, score.correct, score.seconds) == (4, 4, 3, 16.0)
    assert {name: (one.tries, one.correct) for name, one in everybody.readers.items()} == {
        "ben": (2, 2), "carl": (1, 0), "carl/dora": (1, 1),
    }  # fmt: skip
    assert {one.reader for one in room.quizzes.results("carl", ALL).tries} == {"carl", "carl/dora"}
    assert room.quizzes.results("ben", ALL, name="carl").tries == ()
    assert room.quizzes.show("ben", ALL, room.name).tries == 2
    room.files.move("anna", ALL, room.name, "draft")  # withdrawn: readers do not hear of it any more
    assert room.quizzes.results("ben", ALL).tries == ()
    assert room.files.delete("anna", room.name) == (1, 4)


@pytest.mark.parametrize(
    "fields",
    [{}, {"choice": "Lupus"}, {"text": "x" * 4_001}, {"text": "a", "seconds": -1},
     {"text": "a", "seconds": float("nan")}, {"text": "a", "name": "x/y"}, {"text": "a", "name": "n" * 41}],
)  # fmt: skip
def test_what_is_no_answer_is_refused(room: SimpleNamespace, fields: dict[str, object]) -> None:
    with pytest.raises(HilumError) as refused:
        room.quizzes.answer("ben", ALL, room.name, 1, **fields)
    assert refused.value.code is ErrorCode.INVALID_ARGUMENT


def test_authors_hear_what_tells_the_answer() -> None:
    document = parse(ANSWER)
    [told] = hiding.remarks(document)
    assert "sarcoidosis" in told and "löfgren" in told
    plain = hiding.remarks(parse({"title": "t"}))
    assert len(plain) == 2 and hiding.hidden(parse({"title": "t"})).title == hiding.UNTITLED
    telling = hiding.hidden(parse({**ANSWER, "alternative_title": "Not SARCOIDOSES?"}))
    assert telling.title == hiding.UNTITLED
    tb = hiding.hidden(parse({"title": "t", "diagnosis": "TB", "history": "A subtbject with TB, not tb."}))
    assert tb.history == "A subtbject with […], not […]."
