"""Nothing that names a person leaves with a teaching file: films with canaries in every place that could hold a name go
in through the real ingest, every format comes out, and all bytes of all formats are searched, packed ones unpacked."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from hilum.v1 import teaching_exports_pb2 as wire
from services.core.access import ALL
from services.core.blobs import Blobs
from services.core.facts import images
from services.engine.supervisor import EngineProcess
from services.query.exports_api import ExportsApi
from services.query.teaching import document as documents
from services.query.teaching.export.formats import FORMATS
from services.query.teaching.files import Files
from services.transport.edge import Call
from tests.kit import exported
from tests.kit.canaries import Canaries, jpeg, picture
from tests.kit.films import saved
from tests.kit.ingesting import room

MEANT = "quetzalcoatlus"  # what the author wrote: it must be found, or the search sees nothing


@pytest.fixture(scope="module")
def canaries() -> Canaries:
    return Canaries()


@pytest.fixture(scope="module")
def packed(
    tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess, canaries: Canaries
) -> Iterator[tuple[dict[str, dict[str, bytes]], set[str]]]:
    """Format → what is in its file, by name; and the ids that the archive has for films, patients and studies."""
    home = tmp_path_factory.mktemp("exports")
    source = home / canaries.word("folder of the source")
    source.mkdir()
    for seed in (1, 2):
        age = {"PatientAge": f"06{seed}Y", "PatientSex": "F"}
        (source / f"{canaries.word('name of the file')}.dcm").write_bytes(saved(canaries.film(seed, **age)))
    (source / f"{canaries.word('name of the file')}.png").write_bytes(picture(canaries, 3))
    (source / f"{canaries.word('name of the file')}.jpg").write_bytes(jpeg(canaries, 4))
    with room(home / "data", engine.url, workers=1) as at:
        at.ingest(source, canaries.word("name of the dataset").lower())
        found = images.get(at.facts, images.ids_of(at.facts))
        assert len(found) == 4
        told = [{"image_id": image_id, "caption": MEANT, "annotations": exported.MARKS} for image_id in sorted(found)]
        blobs = Blobs(at.settings.data_dir / "blobs")
        document = documents.parse({**exported.TOLD, "discussion": MEANT, "sections": [], "images": told})
        file = Files(at.facts, blobs).create("local", ALL, document).file.file_id
        api, seen = ExportsApi(at.facts, blobs, at.secret), {}
        for name in FORMATS:
            for quiz in (False, True):
                asked = wire.ExportTeachingFileRequest(
                    file_id=file, format=name, quiz=quiz, right="a test", written=True
                )
                blob = api.export_teaching_file(asked, Call("canary"))
                assert not blob.notes, blob.notes
                inside = exported.inside(blob.data, f"{name}{' as an unknown' if quiz else ''}")
                seen.setdefault(name, {"name": blob.filename.encode()}).update(inside)
        ids = {one for record in found.values() for one in (record.image_id, record.patient_id, record.study_id,
               record.series_id, record.accession_id, record.pixel_sha256, record.bytes_sha256) if one}  # fmt: skip
    yield seen, ids


@pytest.mark.parametrize("name", FORMATS)
def test_no_canary_leaves(name: str, packed: tuple[dict[str, dict[str, bytes]], set[str]], canaries: Canaries) -> None:
    assert len(canaries.planted) > 500
    assert not {place: found for place, data in packed[0][name].items() if (found := canaries.found(data))}


@pytest.mark.parametrize("name", FORMATS)
def test_no_id_of_the_archive_leaves(name: str, packed: tuple[dict[str, dict[str, bytes]], set[str]]) -> None:
    seen, ids = packed
    assert len(ids) > 12
    assert not {place: one for place, data in seen[name].items() for one in ids if one.encode() in data}


@pytest.mark.parametrize("name", FORMATS)
def test_what_is_meant_to_leave_is_found(name: str, packed: tuple[dict[str, dict[str, bytes]], set[str]]) -> None:
    assert any(MEANT.encode() in data for data in packed[0][name].values())


def test_no_picture_has_metadata(packed: tuple[dict[str, dict[str, bytes]], set[str]]) -> None:
    """A JPEG's segments: none but its tables, its frame, and JFIF's own header; nothing behind its end."""
    seen = 0
    for held in packed[0].values():
        for data in held.values():
            if data.startswith(b"\xff\xd8\xff"):
                seen += 1
                assert _segments(data) <= {0xE0, 0xDB, 0xC0, 0xC2, 0xC4, 0xDA} and data.endswith(b"\xff\xd9")
    assert seen > 20


def _segments(jpeg: bytes) -> set[int]:
    found, at = set[int](), 2
    while jpeg[at + 1] != 0xDA:
        found.add(jpeg[at + 1])
        at += 2 + int.from_bytes(jpeg[at + 2 : at + 4], "big")
    return found
