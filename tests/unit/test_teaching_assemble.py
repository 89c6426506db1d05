"""Teaching files from the archive: the right films in the right groups, one per patient, with why, each time alike."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace

import pytest

from hilum.v1 import query_pb2, searches_pb2, teaching_pb2
from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, open_facts
from services.core.store import VectorStore
from services.core.types import ImageRecord, Report
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.searches_api import SearchesApi
from services.query.teaching_api import TeachingApi
from services.transport.edge import Call
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder

CALL = Call("test")
OPEN, CLOSED = "CC BY 4.0", "PhysioNet Credentialed Health Data License 1.5.0"
SIZES = ("small", "moderate", "large")


@pytest.fixture(scope="module")
def served(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Effusions on the left, most of them low; edema beside them; normals on the right; two models."""
    home: Path = tmp_path_factory.mktemp("teaching")
    facts: Facts = open_facts(f"sqlite:///{home / 'facts.db'}")
    store = VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("near"), PlacesEncoder("other", seed=5)])
    archive.open()
    facts_of = {"licence": OPEN, "view": "PA", "modality": "CR"}

    def add(key: str, row: float, column: float, labels: dict[str, str], **fields: object) -> ImageRecord:
        told = {**facts_of, "sex": "F" if int(key[1:]) % 2 else "M", "age": 45.0 + int(key[1:]) % 30, **fields}
        return archive.add(key, spot(row, column), labels=labels, study_id=key, **told)

    have = {"pleural_effusion": "present", "edema": "absent", "no_finding": "absent"}
    for n in range(9):  # three films of each of three patients, and of each of six others
        add(f"e{n}", 0.7 + 0.01 * n, 0.2, have, patient_id=f"p{n % 3 if n < 6 else n}")
        text = f"There is a {SIZES[n % 3]} left pleural effusion."
        images.save_reports(facts, [Report("demo", f"e{n}", "findings", text)])
    add("e20", 0.1, 0.9, have, patient_id="far")
    add("e21", 0.75, 0.2, have, patient_id="closed", licence=CLOSED)
    images.save_reports(facts, [Report("demo", "e20", "impression", "No pleural effusion.")])
    lacks = {"pleural_effusion": "absent", "edema": "present", "no_finding": "absent"}
    for n in range(5):
        add(f"d{n}", 0.7 + 0.01 * n, 0.27, lacks, patient_id=f"d{n}")
    for n in range(8):
        none = {"pleural_effusion": "absent", "edema": "absent", "no_finding": "present"}
        add(f"n{n}", 0.4, 0.6 + 0.01 * n, none, patient_id=f"n{n}")
    add("n30", 0.7, 0.2, {"no_finding": "present", "pleural_effusion": "absent"}, dataset="hidden", patient_id="h")
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    api = TeachingApi(facts, query, archive.encode, archive.blobs)
    yield SimpleNamespace(api=api, facts=facts, searches=SearchesApi(facts, query.pages), archive=archive)
    query.close()
    archive.clear()
    archive.close()
    store.close()
    facts.close()


def assemble(served: SimpleNamespace, call: Call = CALL, **asked: object) -> teaching_pb2.AssembleTeachingFilesResponse:
    request = teaching_pb2.AssembleTeachingFilesRequest(**{"finding": "pleural_effusion", **asked})  # type: ignore[arg-type]
    return served.api.assemble_teaching_files(request, call)


def groups(file: teaching_pb2.TeachingFile) -> dict[str, list[teaching_pb2.TeachingImage]]:
    found: dict[str, list[teaching_pb2.TeachingImage]] = {}
    for image in file.document.images:
        found.setdefault(image.section, []).append(image)
    return found


def test_every_group_has_what_it_is_there_for(served: SimpleNamespace) -> None:
    made = assemble(served, typical=3, atypical=1, lookalikes=2, normals=4, models=["near", "other"])
    [file] = made.files
    shown = groups(file)
    assert {name: len(films) for name, films in shown.items()} == {
        "typical": 3, "atypical": 1, "lookalikes": 2, "normals": 4,
    }  # fmt: skip
    records = images.get(served.facts, [image.image_id for image in file.document.images])
    people = Counter(record.patient_id for record in records.values())
    assert set(people.values()) == {1} and len(records) == 10

    def stated(group: str, name: str) -> set[str]:
        return {
            label.state.value
            for image in shown[group]
            for label in records[image.image_id].labels
            if label.name == name
        }

    assert stated("typical", "pleural_effusion") == stated("atypical", "pleural_effusion") == {"present"}
    assert stated("lookalikes", "pleural_effusion") == {"absent"} and stated("lookalikes", "edema") == {"present"}
    assert stated("normals", "no_finding") == {"present"}
    assert [image.severity for image in shown["typical"]] == ["mild", "moderate", "severe"]
    [far] = shown["atypical"]
    assert "its report says absent" in far.why and far.severity == "unknown"
    for image in shown["typical"]:
        assert all(word in image.why for word in ("rank", "ranks of 2 models: near", "other", "according to table"))
    assert all("edema" in image.why and image.severity == "" for image in shown["lookalikes"])
    cases = Counter((records[one.image_id].view, records[one.image_id].sex) for one in [*shown["typical"], far])
    normals = Counter((records[one.image_id].view, records[one.image_id].sex) for one in shown["normals"])
    assert normals == cases and all("same view, sex" in image.why for image in shown["normals"])
    assert list(file.document.differential) == ["Edema"] and file.document.diagnosis == "Pleural effusion"
    assert [section.key for section in file.document.sections] == ["typical", "atypical", "lookalikes", "normals"]
    assert (file.state, file.version) == ("draft", 1)
    default = assemble(served, typical=3, atypical=1, lookalikes=1, normals=1).files[0]
    for image in default.document.images:  # nobody chose models: the first one does, and another says whether it agrees
        assert "model near" in image.why and ("other ranks it" in image.why) == (image.section != "normals")
    again = assemble(served, typical=3, atypical=1, lookalikes=2, normals=4, models=["near", "other"]).files[0]
    assert again.document == file.document and again.file_id != file.file_id


def test_a_licence_that_forbids_is_refused_or_named(served: SimpleNamespace) -> None:
    made = assemble(served, typical=50, atypical=-1, lookalikes=-1, normals=-1)
    films = images.get(served.facts, [image.image_id for image in made.files[0].document.images])
    assert CLOSED not in {record.licence for record in films.values()} and len(films) == 7
    assert any(note.startswith("1 left out") and CLOSED in note for note in made.notes)
    assert any("7 of 50 typical cases" in note for note in made.notes)
    whole = assemble(served, typical=50, atypical=-1, lookalikes=-1, normals=-1, allow_restricted=True)
    named = [image for image in whole.files[0].document.images if "forbids handing it on" in image.why]
    assert len(named) == 1 and len(whole.files[0].document.images) == 8


def test_a_misspelt_finding_is_told_what_it_is_like(served: SimpleNamespace) -> None:
    with pytest.raises(HilumError, match=r"no film states labels\.pleural_efusion.*labels\.pleural_effusion"):
        assemble(served, finding="pleural_efusion")


def test_words_films_examples_and_kept_searches_say_what_it_is_about(served: SimpleNamespace) -> None:
    film = next(iter(assemble(served).files[0].document.images)).image_id
    by_words = query_pb2.Query(text="left pleural effusion")
    by_film = query_pb2.Query(image_id=film)
    alike = query_pb2.Query(examples=query_pb2.Examples(positive=[by_film]))
    kept = served.searches.save_search(
        searches_pb2.SaveSearchRequest(title="t", request=query_pb2.SearchRequest(query=by_film)), CALL
    )
    for asked, opens in (
        ({"query": by_words}, False), ({"query": by_film}, True), ({"query": alike}, False),
        ({"search_id": kept.search_id}, True),
    ):  # fmt: skip
        [file] = assemble(served, finding="", **asked).files  # type: ignore[arg-type]
        shown = groups(file)
        assert file.document.diagnosis == "Pleural effusion" and shown["typical"]
        assert [one.image_id for one in shown.get("index", ())] == ([film] if opens else [])
        assert not opens or film not in {one.image_id for one in shown["typical"]}
    cases = assemble(served, layout="cases", typical=2, atypical=-1, lookalikes=1, normals=1).files
    assert [file.document.diagnosis for file in cases] == ["Pleural effusion"] * 2 + ["Edema", "No abnormal finding"]
    assert all(len(file.document.images) == 1 and file.document.history for file in cases)
    once = [assemble(served, layout="cases", request_id="r", typical=2, atypical=-1, lookalikes=-1, normals=-1)
            for _ in range(2)]  # fmt: skip
    assert [file.file_id for file in once[0].files] == [file.file_id for file in once[1].files]


def test_films_outside_ones_access_are_not_chosen(served: SimpleNamespace) -> None:
    seen = Call("test", access=Access(frozenset({"demo"})))
    ids = {image.image_id for image in assemble(served, seen, normals=50).files[0].document.images}
    whole = {image.image_id for image in assemble(served, normals=50).files[0].document.images}
    assert {record.dataset for record in images.get(served.facts, ids).values()} == {"demo"}
    assert {record.dataset for record in images.get(served.facts, whole).values()} == {"demo", "hidden"}
    with pytest.raises(HilumError) as nothing:
        assemble(served, Call("test", access=Access(frozenset())))
    assert nothing.value.code is ErrorCode.FAILED_PRECONDITION


@pytest.mark.parametrize(
    ("asked", "code"),
    [
        ({"finding": ""}, ErrorCode.INVALID_ARGUMENT),
        ({"typical": 51}, ErrorCode.INVALID_ARGUMENT),
        ({"layout": "pile"}, ErrorCode.INVALID_ARGUMENT),
        ({"filter": "view = "}, ErrorCode.INVALID_FILTER),
        ({"models": ["nobody"]}, ErrorCode.UNKNOWN_MODEL),
        ({"search_id": "x"}, ErrorCode.NOT_FOUND),
        ({"finding": "", "query": query_pb2.Query(image_id="0" * 32)}, ErrorCode.NOT_FOUND),
        ({"finding": "hernia"}, ErrorCode.FAILED_PRECONDITION),
        ({"title": "t" * 301}, ErrorCode.PAYLOAD_TOO_LARGE),
    ],
)
def test_what_cannot_be_assembled_is_said(served: SimpleNamespace, asked: dict[str, object], code: ErrorCode) -> None:
    before = len(served.api.files.listed("local", ALL, page_size=1_000).files)
    with pytest.raises(HilumError) as refused:
        assemble(served, **asked)
    assert refused.value.code is code
    assert len(served.api.files.listed("local", ALL, page_size=1_000).files) == before
