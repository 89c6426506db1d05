"""What of a teaching file may leave: rights of people, licences of films, writing in pictures; and over HTTP."""

from __future__ import annotations

import asyncio
import io
import zipfile
from collections.abc import Iterator, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image
from typer.testing import CliRunner

from hilum import AsyncClient, Client
from hilum.v1 import teaching_exports_pb2 as wire
from services.app.cli import app
from services.core.access import ALL, Access
from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, open_facts, removal
from services.core.facts.images import Stored
from services.query.exports_api import ExportsApi
from services.query.images import Images
from services.query.teaching import document as documents
from services.query.teaching.export.case import Asked, Case
from services.query.teaching.export.formats import made
from services.query.teaching.export.gather import Gatherer
from services.query.teaching.files import Files
from services.transport import http_edge
from services.transport.edge import Call
from tests.kit import exported
from tests.kit.records import make_record
from tests.kit.served import served

PIXELS = exported.drawn(7)
OPEN, CLOSED = "CC BY 4.0", "Stanford University Dataset Research Use Agreement"


@dataclass
class Desk:
    """A small archive and its teaching files."""

    facts: Facts
    blobs: Blobs
    films: Iterator[int] = field(default_factory=count)

    def film(self, key: str, dataset: str = "demo", **fields: Any) -> str:
        record = make_record(
            f"{key}-{next(self.films)}", dataset, **{"licence": OPEN, "attribution": "A Hospital", **fields}
        )
        out = io.BytesIO()
        Image.fromarray(PIXELS).save(out, "WEBP", lossless=True)
        images.commit(self.facts, [Stored(record, thumbnail=self.blobs.put(out.getvalue()), fingerprints=())])
        return record.image_id

    def file(self, films: Sequence[str], user: str = "local", **told: Any) -> str:
        shown = [{"key": f"k{n}", "image_id": film} for n, film in enumerate(films)]
        document = documents.parse({"title": "A case", "images": shown, **told})
        return Files(self.facts, self.blobs).create(user, ALL, document).file.file_id

    def case(self, file_id: str, user: str = "local", access: Access = ALL, **asked: Any) -> Case:
        files, pictures = Files(self.facts, self.blobs), Images(self.facts, self.blobs)
        return Gatherer(self.facts, files, pictures, exported.SECRET).case(user, access, file_id, 0, Asked(**asked))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Desk]:
    home = tmp_path_factory.mktemp("desk")
    with closing(open_facts(f"sqlite:///{home / 'facts.db'}")) as facts:
        yield Desk(facts, Blobs(home / "blobs"))


def test_a_film_comes_with_its_picture_and_what_may_be_said_of_it(desk: Desk) -> None:
    one = desk.film("one", patient_id="p-1", view="PA", sex="F", age=41.0, modality="DX", study_date="2020-01-01")
    film = desk.case(desk.file([one])).films[0]
    np.testing.assert_array_equal(film.pixels, PIXELS)
    assert (film.view, film.sex, film.age, film.licence, film.attribution) == ("PA", "F", 41.0, OPEN, "A Hospital")
    assert film.right == "" and "2020" not in repr(vars(film) | {"pixels": 0})


@pytest.mark.parametrize(
    ("licence", "why"),
    [(CLOSED, f"its licence ({CLOSED}) forbids"), (None, "nobody stated"), ("Odd terms", "is not known to allow")],
)
def test_what_may_not_be_handed_on_stays_and_that_is_said(desk: Desk, licence: str | None, why: str) -> None:
    file = desk.file([desk.film("free"), desk.film("bound", licence=licence)])
    case = desk.case(file)
    assert [film.number for film in case.films] == [1]
    assert (
        len(case.left_out) == 1
        and str(case.left_out[0]).startswith("Film 2 is left out: ")
        and why in str(case.left_out[0])
    )
    told = desk.case(file, right="Own films; consent on file")
    assert [film.right for film in told.films] == ["", "Own films; consent on file"]
    assert not told.left_out and "Shown by right of: Own films" in told.credits[1]


def test_a_file_of_which_nothing_may_leave_says_what_to_do(desk: Desk) -> None:
    with pytest.raises(HilumError, match=r"not one film.*forbids handing it on.*state it in words"):
        desk.case(desk.file([desk.film("bound", licence=CLOSED)]))


def test_films_with_writing_stay_until_somebody_has_looked(desk: Desk) -> None:
    file = desk.file(
        [desk.film("clear"), desk.film("doubt", burned_in="suspected"), desk.film("read", burned_in="yes")]
    )
    assert [one.number for one in desk.case(file).left_out] == [2, 3]
    looked = desk.case(file, written=True)
    assert [film.written for film in looked.films] == [False, True, True]


def test_licences_that_let_nobody_change_a_film_are_kept_to(desk: Desk) -> None:
    films = [desk.film(str(n), licence=text) for n, text in enumerate(("CC BY 4.0", "CC BY-NC-ND 4.0"))]
    assert [film.changeable for film in desk.case(desk.file(films)).films] == [True, False]


def test_films_outside_what_one_may_see_are_counted_and_no_more(desk: Desk) -> None:
    file = desk.file([desk.film("a"), desk.film("b", dataset="secret")])
    case = desk.case(file, access=Access.named(["demo"]))
    assert len(case.films) == 1 and [str(one) for one in case.left_out] == [
        "Left out: 1 more are outside what you may see."
    ]
    for name in ("html", "mirc"):
        packed = b"".join(data for _, data in exported.inside(made(name, case)))
        assert b"secret" not in packed and b"outside what you may see" in packed


def test_patients_are_told_apart_and_strangers_too(desk: Desk) -> None:
    films = [
        desk.film(key, patient_id=patient) for key, patient in (("a", "p-1"), ("b", "p-1"), ("c", None), ("d", None))
    ]
    assert [len(some) for some in desk.case(desk.file(films)).persons] == [2, 1, 1]


def test_who_may_not_export_does_not(desk: Desk) -> None:
    file = desk.file([desk.film("a")])
    with pytest.raises(HilumError) as refused:
        desk.case(file, user="stranger")
    assert refused.value.code == ErrorCode.NOT_FOUND
    files = Files(desk.facts, desk.blobs)
    files.grant("local", ALL, file, {"read": ["reader"], "export": ["carrier"]})
    for state in ("review", "published"):
        files.move("local", ALL, file, state)
    with pytest.raises(HilumError) as refused:
        desk.case(file, user="reader")
    assert refused.value.code == ErrorCode.PERMISSION_DENIED
    case = desk.case(file, user="carrier")
    assert (case.owner, case.read, case.export) == ("local", ("reader",), ("carrier",))


def test_a_forgotten_film_is_in_no_later_export(desk: Desk) -> None:
    gone, stays = desk.film("gone", patient_id="p-1"), desk.film("stays", patient_id="p-2")
    file = desk.file([gone, stays])
    assert len(desk.case(file).films) == 2
    removal.delete_films(desk.facts, "demo", [gone], [])
    assert [film.seed for film in desk.case(file).films] == [stays]


def test_sections_name_their_films(desk: Desk) -> None:
    document = documents.parse({
        "title": "Groups", "sections": [{"key": "t", "heading": "Typical"}, {"key": "n", "heading": "Normal"}],
        "images": [{"image_id": desk.film("s"), "section": key} for key in ("t", "n", "t")],
    })  # fmt: skip
    file = Files(desk.facts, desk.blobs).create("local", ALL, document).file.file_id
    case = desk.case(file)
    assert case.answer == [("Typical", "Films 1, 3."), ("Normal", "Film 2.")]
    assert [film.part for film in case.films] == ["Typical", "Normal", "Typical"]


@pytest.mark.parametrize(("licence", "rights", "leaves"), [("CC0", "", True), ("", "CC BY 4.0", True), ("", "", False)])
def test_imported_pictures_leave_by_their_own_licence_or_the_files(
    desk: Desk, licence: str, rights: str, leaves: bool
) -> None:
    out = io.BytesIO()
    Image.fromarray(exported.drawn(11)).convert("RGB").save(out, "WEBP", lossless=True)
    data = out.getvalue()
    shown = {"blob": sha256(data).hexdigest(), "licence": licence, "attribution": "Elsewhere"}
    told = {"title": "Imported", "rights": rights, "images": [shown, {"image_id": desk.film("own")}]}
    files = Files(desk.facts, desk.blobs)
    file = files.create("local", ALL, documents.parse(told), pictures=[data]).file.file_id
    films = desk.case(file).films
    assert [film.attribution for film in films] == (["Elsewhere", "A Hospital"] if leaves else ["A Hospital"])
    if leaves:
        np.testing.assert_allclose(films[0].pixels, exported.drawn(11), atol=2)


# -- over the contract --------------------------------------------------------------------------------------------


def test_a_file_is_saved_and_is_no_page_of_ours(desk: Desk) -> None:
    file = desk.file([desk.film("a"), desk.film("b", licence=CLOSED)], title="../../Große <Überschrift>")
    web = TestClient(http_edge.build([ExportsApi(desk.facts, desk.blobs, exported.SECRET)]))
    answer = web.post(f"/v1/teachingFiles/{file}:export", json={"format": "html"})
    assert answer.status_code == 200 and answer.headers["content-type"].startswith("text/html")
    assert answer.headers["content-disposition"] == f"attachment; filename*=UTF-8''groe-uberschrift-{file[:8]}.html"
    assert answer.headers["content-security-policy"].startswith("sandbox")
    assert answer.headers["cache-control"] == "no-store"
    assert "Film 2 is left out" in answer.headers["x-hilum-notes"]
    packed = web.post(f"/v1/teachingFiles/{file}:export", json={"format": "mirc"})
    assert zipfile.ZipFile(io.BytesIO(packed.content)).testzip() is None


@pytest.mark.parametrize(
    "asked", [{"format": "docx"}, {}, {"format": "tce", "purpose": "fun"}, {"format": "tce", "codes": "x"}]
)
def test_what_is_not_known_is_refused_with_what_is(desk: Desk, asked: dict[str, str]) -> None:
    file = desk.file([desk.film("a")])
    api = ExportsApi(desk.facts, desk.blobs, exported.SECRET)
    with pytest.raises(HilumError, match="one of") as refused:
        api.export_teaching_file(wire.ExportTeachingFileRequest(file_id=file, **asked), Call("t"))
    assert refused.value.code == ErrorCode.INVALID_ARGUMENT


def test_client_and_shell_write_the_same_files(desk: Desk, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = desk.file([desk.film("a"), desk.film("b", licence=CLOSED)], title="Both ways")
    with served([ExportsApi(desk.facts, desk.blobs, exported.SECRET)]) as at:
        with Client(at.grpc) as client:
            made_here = client.export_teaching_file(file, "html", quiz=True)
        with pytest.warns(UserWarning, match="Film 2 is left out"):
            assert made_here.save(tmp_path / "client").read_bytes() == made_here.data

        async def again() -> bytes:
            async with AsyncClient(at.grpc) as client:
                return (await client.export_teaching_file(file, "html", quiz=True)).data

        assert asyncio.run(again()) == made_here.data
        monkeypatch.setenv("HILUM_URL", at.grpc)
        asked = ["teach", "export", file, "--format", "html,pdf", "--quiz", "--to", str(tmp_path / "shell")]
        told = CliRunner().invoke(app, asked)
        assert told.exit_code == 0 and "Film 2 is left out" in told.stderr, told.output
        assert {path.name for path in (tmp_path / "shell").iterdir()} == {
            f"unknown-case-{file[:8]}.{ending}" for ending in ("html", "pdf")
        }
        assert (tmp_path / "shell" / made_here.filename).read_bytes() == made_here.data
        refused = CliRunner().invoke(app, ["teach", "export", file, "--format", "docx", "--to", str(tmp_path)])
        assert refused.exit_code == 2 and "one of" in refused.stderr
