"""Teaching files in versions: many edit at once and lose nothing; who may see what; what is forgotten is gone."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from sqlalchemy import text

from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, removal, unshown
from services.query.teaching.document import Document, parse, to_json
from services.query.teaching.files import Files
from services.query.teaching.rights import Shown
from tests.kit.records import make_record, stored

pytestmark = pytest.mark.databases
MINE, THEIRS = Access(frozenset({"mine"})), Access(frozenset({"theirs"}))


@pytest.fixture
def films(facts: Facts) -> list[str]:
    """Six films: three in each of two datasets."""
    records = [
        make_record(f"f{n}", dataset, patient_id=f"patient-{n}", study_id=f"study-{n}")
        for dataset in ("mine", "theirs")
        for n in range(3)
    ]
    images.commit(facts, [stored(record) for record in records])
    return [record.image_id for record in records]


@pytest.fixture
def files(facts: Facts, tmp_path: Path) -> Files:
    return Files(facts, Blobs(tmp_path / "blobs"))


def case(*films: str, **fields: object) -> Document:
    told = {"title": "A case", "images": [{"image_id": film, "key": f"k{n}"} for n, film in enumerate(films)]}
    return parse({**told, **fields})


def edited(shown: Shown, **fields: object) -> Document:
    return parse({**to_json(shown.document), **fields})


def refused(code: ErrorCode) -> pytest.RaisesExc[HilumError]:
    return pytest.raises(HilumError, check=lambda error: error.code is code)


def test_a_file_lives_through_its_states_and_versions(files: Files, films: list[str]) -> None:
    made = files.create("anna", ALL, case(*films[:2], diagnosis="Effusion"), request_id="once")
    assert files.create("anna", ALL, case(films[5]), request_id="once") == made
    name = made.file.file_id
    assert (made.file.state, made.number, made.may) == ("draft", 1, frozenset({"read", "update", "export", "own"}))
    with refused(ErrorCode.FAILED_PRECONDITION):
        files.move("anna", ALL, name, "published", 1)
    files.move("anna", ALL, name, "review", 1, "please look")
    with refused(ErrorCode.NOT_FOUND):
        files.get("ben", ALL, name)
    files.grant("anna", ALL, name, {"read": ["*"], "export": ["carl"]})
    with refused(ErrorCode.NOT_FOUND):
        files.get("ben", ALL, name)  # nothing is published yet
    files.move("anna", ALL, name, "published", 1)
    assert files.get("ben", ALL, name).may == {"read"} and files.get("carl", ALL, name).may == {"read", "export"}

    two = files.update("anna", ALL, name, 1, edited(made, diagnosis="Haemothorax"), "new insight")
    assert (two.number, two.file.state, two.file.published) == (2, "draft", 1)
    assert files.get("ben", ALL, name).document.diagnosis == "Effusion"
    for number in (2, 99):
        with refused(ErrorCode.NOT_FOUND):
            files.get("ben", ALL, name, number)
    for act in (
        lambda: files.update("ben", ALL, name, 1, case(*films[:2])),
        lambda: files.versions("ben", name),
        lambda: files.grant("ben", ALL, name, {"update": ["ben"]}),
        lambda: files.delete("carl", name),
        lambda: files.get("ben", ALL, name, right="export"),
    ):
        with refused(ErrorCode.PERMISSION_DENIED):
            act()
    with refused(ErrorCode.FAILED_PRECONDITION):
        files.restore("anna", ALL, name, 1, made_from=1)  # version 2 was never looked at
    three = files.restore("anna", ALL, name, 1, made_from=2)
    assert (three.number, three.document.diagnosis) == (3, "Effusion")
    assert [(one.version, one.made_from, one.note) for one in files.versions("anna", name)] == [
        (3, 1, "version 1 restored"), (2, 1, "new insight"), (1, 0, "created"),
    ]  # fmt: skip
    events = files.get("anna", ALL, name).file.events
    assert [(event["state"], event["by"], event["version"]) for event in events] == [
        ("review", "anna", 1), ("published", "anna", 1), ("draft", "anna", 2),
    ]  # fmt: skip
    files.move("anna", ALL, name, "draft")
    with refused(ErrorCode.NOT_FOUND):
        files.get("ben", ALL, name)
    assert files.delete("anna", name) == (3, 0)
    with refused(ErrorCode.NOT_FOUND):
        files.get("anna", ALL, name)


def test_two_that_change_the_same_lose_nothing(files: Files, films: list[str]) -> None:
    made = files.create("anna", ALL, case(films[0]))
    name = made.file.file_id
    files.grant("anna", ALL, name, {"update": ["ben"]})
    files.update("anna", ALL, name, 1, edited(made, diagnosis="one"))
    for _ in range(2):  # an answer that was lost is asked for again: the edit is kept once
        with pytest.raises(HilumError, match=r"diagnosis.*kept as version 3") as lost:
            files.update("ben", ALL, name, 1, edited(made, diagnosis="two", history="mine too"))
    assert lost.value.code is ErrorCode.FAILED_PRECONDITION
    kept = files.get("ben", ALL, name, 3)
    assert (kept.document.diagnosis, kept.document.history) == ("two", "mine too")
    assert files.get("ben", ALL, name).document.diagnosis == "one"
    assert [one.refused for one in files.versions("ben", name)] == [True, False, False]
    merged = files.update("ben", ALL, name, 1, edited(made, history="mine too"))
    assert (merged.number, merged.document.diagnosis, merged.document.history) == (4, "one", "mine too")
    again = files.update("ben", ALL, name, 1, edited(made, history="mine too"))
    assert again.number == 4
    restored = files.restore("ben", ALL, name, 3, made_from=4)
    assert restored.document.diagnosis == "two"
    with refused(ErrorCode.INVALID_ARGUMENT):
        files.update("ben", ALL, name, 9, edited(made, history="x"))


@pytest.mark.parametrize("people", [8])
def test_a_crowd_that_edits_one_case_loses_nothing(files: Files, facts: Facts, films: list[str], people: int) -> None:
    """Everybody writes lines of their own, and all of them the same field: each edit is in the file or kept whole."""
    each = 5
    made = files.create("anna", ALL, case(*films[:2]))
    name, start = made.file.file_id, threading.Barrier(people)

    def work(person: int) -> list[str]:
        start.wait()
        said = []
        for turn in range(each):
            line = f"word{person}x{turn}"
            shown = files.get("anna", ALL, name)
            keywords = [*shown.document.keywords, line]
            fields = {"keywords": keywords} if turn % 2 else {"keywords": keywords, "discussion": line}
            try:
                files.update("anna", ALL, name, shown.number, edited(shown, **fields))
            except HilumError as error:
                assert error.code is ErrorCode.FAILED_PRECONDITION and "kept as version" in str(error)
            said.append(line)
        return said

    with ThreadPoolExecutor(people) as pool:
        said = [line for lines in pool.map(work, range(people)) for line in lines]
    versions = files.versions("anna", name)
    assert len(said) == people * each
    assert [one.version for one in versions] == list(range(len(versions), 0, -1))
    head = files.get("anna", ALL, name)
    kept = {word for one in versions if one.refused for word in one.document["keywords"]}  # type: ignore[union-attr]
    assert set(said) <= set(head.document.keywords) | kept
    written = {one.document.get("discussion") for one in versions}
    assert {f"word{person}x{turn}" for person in range(people) for turn in range(0, each, 2)} <= written
    numbers = [one.version for one in versions if not one.refused]
    assert head.number == head.file.version == max(numbers)
    assert any(one.refused for one in versions) or len(numbers) == len(said) + 1


def test_films_outside_ones_access_are_counted_and_kept(files: Files, films: list[str]) -> None:
    mine, theirs = films[:3], films[3:]
    made = files.create("anna", ALL, case(mine[0], theirs[0], mine[1], theirs[1]))
    name = made.file.file_id
    shown = files.get("anna", MINE, name)
    assert (shown.document.films, shown.hidden) == ([mine[0], mine[1]], 2)
    assert not {*theirs} & set(str(to_json(shown.document)).split("'"))
    turned = parse({**to_json(shown.document), "images": to_json(shown.document)["images"][::-1], "history": "new"})
    files.update("anna", MINE, name, 1, turned)
    whole = files.get("anna", ALL, name)
    assert set(whole.document.films) == {*mine[:2], *theirs[:2]} and whole.document.history == "new"
    assert [film for film in whole.document.films if film in mine] == [mine[1], mine[0]]
    for document in (case(theirs[2]), edited(whole, images=[{"image_id": theirs[2]}])):
        with refused(ErrorCode.NOT_FOUND):
            files.create("anna", MINE, document)
        with refused(ErrorCode.NOT_FOUND):
            files.update("anna", MINE, name, 2, document)
    with refused(ErrorCode.NOT_FOUND):
        files.picture("anna", MINE, name, "k1")
    assert files.picture("anna", THEIRS, name, "k1").image_id == theirs[0]


def test_files_are_found_by_what_one_may_read_in_them(files: Files, films: list[str]) -> None:
    made = files.create("anna", ALL, case(films[3], title="Öffnung 100%_sure", diagnosis="Sarcoidosis"))
    told = to_json(made.document)
    told["images"][0]["caption"] = "secret caption"
    files.update("anna", ALL, made.file.file_id, 1, parse(told))
    for number in range(5):
        files.create("anna", ALL, case(title=f"Case {number}"))
    assert [one.document.title for one in files.listed("anna", ALL, "SARCOID öffnung").files] == ["Öffnung 100%_sure"]
    assert len(files.listed("anna", ALL, "100%_sure").files) == 1
    for nothing in ("100_sure", "%", "' OR 1=1 --", films[3]):
        found = files.listed("anna", ALL, nothing).files
        assert len(found) == (nothing == "%")
    assert len(files.listed("anna", THEIRS, "secret").files) == 1
    assert files.listed("anna", MINE, "secret").files == ()
    assert files.listed("ben", ALL).files == ()
    first = files.listed("anna", ALL, page_size=4)
    second = files.listed("anna", ALL, page_size=4, page_token=first.next_token)
    titles = [one.document.title for page in (first, second) for one in page.files]
    assert titles == [*(f"Case {n}" for n in range(4, -1, -1)), "Öffnung 100%_sure"] and not second.next_token
    files.move("anna", ALL, made.file.file_id, "review")
    assert [one.file.file_id for one in files.listed("anna", ALL, state="review").files] == [made.file.file_id]
    with refused(ErrorCode.INVALID_ARGUMENT):
        files.listed("anna", ALL, state="nonsense")


def test_pictures_come_with_their_file_and_go_with_it(files: Files, facts: Facts, films: list[str]) -> None:
    data = b"RIFF----WEBP a picture"
    blobs = files._blobs
    digest = blobs.put(b"another's")  # stored, and not of this file
    with refused(ErrorCode.INVALID_ARGUMENT):
        files.create("anna", ALL, parse({"title": "t", "images": [{"blob": digest}]}))
    own = blobs.put(data)
    made = [
        files.create("anna", ALL, parse({"title": "t", "images": [{"blob": own}]}), pictures=[data]) for _ in range(2)
    ]
    assert files.blob(made[0].document.images[0]) == data
    with refused(ErrorCode.INVALID_ARGUMENT):
        files.update("anna", ALL, made[0].file.file_id, 1, parse({"title": "t", "images": [{"blob": digest}]}))
    files.update("anna", ALL, made[0].file.file_id, 1, parse({"title": "without"}))
    files.delete("anna", made[0].file.file_id)
    assert blobs.holds(own)
    files.delete("anna", made[1].file.file_id)
    assert not blobs.holds(own) and blobs.holds(digest)


def test_a_forgotten_film_is_in_no_version(files: Files, facts: Facts, films: list[str]) -> None:
    made = files.create("anna", ALL, case(*films[:2], history="of patient-0, not of patient-01"))
    name = made.file.file_id
    told = to_json(made.document)
    told["images"][0]["caption"] = "gone with it"
    files.update("anna", ALL, name, 1, parse({**told, "discussion": f"compare {films[0]}"}))
    with pytest.raises(HilumError):
        files.update("anna", ALL, name, 1, edited(made, discussion="overlaps"))
    sought, ids = removal.words({"patient-0", films[0]}), {films[0]}
    assert unshown.showing(facts, ids, set(), sought) == 4
    assert unshown.unshow(facts, ids, set(), sought) == 4
    assert unshown.unshow(facts, ids, set(), sought) == unshown.showing(facts, ids, set(), sought) == 0
    with facts.read() as db:
        for table in ("teaching_files", "teaching_versions", "teaching_films"):
            rows = str(db.execute(text(f"SELECT * FROM {table}")).all())
            assert films[0] not in rows and "gone with it" not in rows and "patient-0," not in rows
    shown = files.get("anna", ALL, name)
    assert shown.document.films == [films[1]] and shown.hidden == 0
    assert shown.document.history == "of […], not of patient-01"
    assert files.update("anna", ALL, name, 2, edited(shown, anatomy="Chest")).number == 4
    removal.delete_films(facts, "mine", ids, set())
    with refused(ErrorCode.NOT_FOUND):
        files.update("anna", ALL, name, 4, case(films[0]))


def test_hostile_names_are_no_files(files: Files) -> None:
    for name in ("", "../../etc/passwd", "%00", "'; DROP TABLE teaching_files; --", "0" * 5_000):
        with refused(ErrorCode.NOT_FOUND):
            files.get("anna", ALL, name)
    for rights in ({"read": [""]}, {"update": ["x" * 65]}, {"export": ["n"] * 201 + list(map(str, range(201)))}):
        made = files.create("anna", ALL, case())
        with refused(ErrorCode.INVALID_ARGUMENT):
            files.grant("anna", ALL, made.file.file_id, rights)
