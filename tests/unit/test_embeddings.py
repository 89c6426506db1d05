"""Ready-made vectors in an archive: beside films that are there, and for films that only a table knows."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from services.core.blobs import Blobs
from services.core.errors import ErrorCode, HilumError
from services.core.facts import images, jobs, models
from services.core.ids import image_id
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import Job, JobState
from services.engine.supervisor import EngineProcess
from services.ingest import embeddings
from services.ingest.embeddings import EmbeddingsPlan
from services.ingest.encode_api import EncodeApi
from services.ingest.stated_model import read_stated
from services.query.asked import Exclude, SearchQuery
from services.query.by import StoredFilm, UploadedFilm, Words
from services.query.images import Images
from services.query.search import Search
from services.transport.encode_client import EncodeClient
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.ingesting import Room, room, write_pictures
from tests.kit.published import write
from tests.kit.vectors import SPEC, write_npy, write_npz

RNG = np.random.default_rng(1)
MODEL = read_stated(SPEC.format(dim=8))
MIMIC = "mimic-cxr-jpg"


@pytest.fixture
def opened(tmp_path: Path, engine: EngineProcess, store: VectorStore) -> Iterator[Room]:
    with room(tmp_path / "data", engine.url, tiny_registry(TinyEncoder())) as made:
        yield made


def take(opened: Room, source: Path, dataset: str = "demo", **plan: object) -> Job:
    asked = EmbeddingsPlan(str(source), dataset, MODEL.model_dump(mode="json"), **plan)  # type: ignore[arg-type]
    job = jobs.submit(opened.facts, embeddings.KIND, asdict(asked))
    worker = opened.worker()
    worker.start()
    try:
        return opened.wait(job.job_id)
    finally:
        worker.stop()


def counts(job: Job) -> dict[str, int]:
    assert job.state is JobState.SUCCEEDED, job.error
    return {name: n for name, n in job.progress.counts.items() if n}


def unit(vector: NDArray[np.floating]) -> NDArray[np.float64]:
    return vector / np.linalg.norm(vector)


def held(opened: Room, spec: ModelSpec, *ids: str) -> NDArray[np.float32]:
    found, vectors = opened.store.vectors(spec, ids=ids)
    return np.stack([vectors[found.index(one)] for one in ids])


def mimic_tables(folder: Path, films: list[str]) -> Path:
    header = ("dicom_id,subject_id,study_id,ViewPosition,StudyDate,ViewCodeSequence_CodeMeaning,"
              "PatientOrientationCodeSequence_CodeMeaning\n")  # fmt: skip
    rows = "".join(f"{one},1000{i},5000{i},PA,2180050{i + 1},,Erect\n" for i, one in enumerate(films))
    write(folder / "mimic-cxr-2.0.0-metadata.csv", header + rows)
    return folder


def test_films_of_the_archive_gain_the_vector(opened: Room, tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "films", 6)
    opened.ingest(tmp_path / "films")
    vectors = RNG.standard_normal((5, 8))
    for name, vector in zip(names[:5], vectors, strict=True):
        write_npy(tmp_path / "v" / f"{Path(name).stem}.npy", vector.astype(np.float32))
    before = images.get(opened.facts, images.ids_of(opened.facts))
    job = take(opened, tmp_path / "v")
    assert counts(job) == {"stored": 5}
    assert models.active(opened.facts).keys() == {"tiny", "ready-made"}
    ids = [image_id("demo", name) for name in names[:5]]
    wanted = np.stack([unit(v) for v in vectors])
    assert np.abs(held(opened, MODEL.spec(), *ids) - wanted).max() < 1e-6
    assert images.get(opened.facts, before) == before and images.ids_of(opened.facts, MODEL.spec().fingerprint) == {
        *ids
    }
    assert counts(take(opened, tmp_path / "v")) == {"unchanged": 5}


def test_each_vector_that_cannot_be_taken_is_named_with_its_reason(opened: Room, tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "films", 8)
    opened.ingest(tmp_path / "films")
    vectors = RNG.standard_normal((8, 8)).astype(np.float32)
    vectors[1, 3], vectors[2, 0], vectors[3] = np.nan, np.inf, 0
    write_npz(tmp_path / "v" / "part000.npz", [*names[:6], "stranger.png", names[7]], embeddings=vectors)
    write_npz(tmp_path / "v" / "part001.npz", [names[6]], embeddings=np.ones((1, 9), np.float32))
    write_npz(tmp_path / "v" / "part002.npz", [names[0], names[4]], embeddings=np.stack([vectors[0], -vectors[4]]))
    (tmp_path / "v" / "part003.npz").write_bytes(b"PK nothing")
    job = take(opened, tmp_path / "v")
    assert counts(job) == {"stored": 4, "quarantined": 6, "duplicate": 1, "conflict": 1}
    reasons = sorted(item.reason for item in opened.items(job) if item.reason)
    assert reasons == ["BROKEN_VECTORS", "NOT_FINITE", "NOT_FINITE", "SAME_FILM_OTHER_VECTOR", "SAME_KEY_SAME_PIXELS",
                       "UNKNOWN_FILM", "WRONG_SHAPE", "ZERO_VECTOR"]  # fmt: skip
    kept = held(opened, MODEL.spec(), image_id("demo", names[4]))[0]
    assert np.abs(kept - unit(vectors[4])).max() < 1e-6


def test_films_that_only_a_table_knows_come_without_a_picture_and_can_be_searched(opened: Room, tmp_path: Path) -> None:
    films = [f"abc-{i}" for i in range(4)]
    tables = mimic_tables(tmp_path / "tables", films)
    vectors = RNG.standard_normal((5, 8)).astype(np.float32)
    source = write_npz(
        tmp_path / "part.npz", [f"files/p10/p1/s1/{one}.dcm" for one in [*films, "untold"]], embeddings=vectors
    )
    job = take(opened, source, "mimic", layout=MIMIC, tables=str(tables))
    assert counts(job) == {"stored": 4, "quarantined": 1}
    ids = [image_id("mimic", one) for one in films]
    record = images.get(opened.facts, ids)[ids[0]]
    assert (record.patient_id, record.view, record.study_date) == ("10000", "PA", "2180-05-01")
    assert (record.pixel_sha256, record.bytes_sha256, record.rows) == ("", "", 0)
    blobs = Blobs(tmp_path / "data" / "blobs")
    picture = Images(opened.facts, blobs).picture(ids[0])
    assert picture.content_type == "image/svg+xml" and b"no picture kept" in picture.data
    encode = EncodeApi(opened.facts, opened.registry, opened.pool)
    search = Search(opened.facts, opened.store, EncodeClient.local(encode), Images(opened.facts, blobs))
    try:
        hits = search(SearchQuery(StoredFilm(ids[0]), models=("ready-made",), exclude=Exclude.NONE)).hits
        near = unit(vectors[0].astype(np.float64)) @ np.stack([unit(v) for v in vectors[1:4]]).T
        assert [hit.image.record.image_id for hit in hits] == [ids[1 + i] for i in np.argsort(-near)]
        assert [hit.score for hit in hits] == pytest.approx(sorted(near, reverse=True), abs=1e-5)
        upload = (tmp_path / "films", write_pictures(tmp_path / "films", 1))
        for by in (UploadedFilm((upload[0] / upload[1][0]).read_bytes()), Words("edema")):
            with pytest.raises(HilumError) as caught:
                search(SearchQuery(by, models=("ready-made",)))
            assert caught.value.code is ErrorCode.FAILED_PRECONDITION
            assert "no encoder" in caught.value.client_message or "cannot answer words" in caught.value.client_message
    finally:
        search.close()
        encode.close()
    assert counts(take(opened, source, "mimic", layout=MIMIC, tables=str(tables))) == {"unchanged": 4, "quarantined": 1}


def test_a_film_that_comes_after_its_vector_gets_its_pixels(opened: Room, tmp_path: Path) -> None:
    names = write_pictures(tmp_path / "films", 2)
    table = write(tmp_path / "labels.csv", "file,image_id,sex\n" + "".join(f"{n},{n},F\n" for n in names))
    write_npz(tmp_path / "v.npz", names, embeddings=RNG.standard_normal((2, 8)))
    assert counts(take(opened, tmp_path / "v.npz", labels=str(table))) == {"stored": 2}
    ids = images.ids_of(opened.facts)
    assert {record.pixel_sha256 for record in images.get(opened.facts, ids).values()} == {""}
    job = opened.ingest(tmp_path / "films", labels=table)
    assert counts(job) == {"stored": 2}
    assert images.ids_of(opened.facts) == ids
    assert all(record.pixel_sha256 for record in images.get(opened.facts, ids).values())
    assert images.ledger(opened.facts, ids)[next(iter(ids))] >= {MODEL.spec().fingerprint}


@pytest.mark.parametrize("point", ["after_upsert", "after_commit", "before_finish"])
def test_a_job_that_is_cut_short_goes_on_and_doubles_nothing(
    opened: Room, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    monkeypatch.setattr(embeddings, "_MOST_FILMS", 256)
    films = [f"f{i}" for i in range(600)]
    tables = mimic_tables(tmp_path / "tables", [])
    (tables / "mimic-cxr-2.0.0-metadata.csv").write_text(
        (tables / "mimic-cxr-2.0.0-metadata.csv").read_text() + "".join(f"{f},1,2,PA,21800501,,\n" for f in films)
    )
    write_npz(tmp_path / "v.npz", films, embeddings=RNG.standard_normal((600, 8)))
    left = [2 if point != "before_finish" else 1]

    def cut(reached: str) -> None:
        if reached == point:
            left[0] -= 1
            if left[0] == 0:
                raise KeyboardInterrupt  # past every handler, like a kill, but for the thread alone

    asked = EmbeddingsPlan(str(tmp_path / "v.npz"), "mimic", MODEL.model_dump(mode="json"), MIMIC, tables=str(tables))
    job = jobs.submit(opened.facts, embeddings.KIND, asdict(asked))
    jobs.take(opened.facts, embeddings.KIND, "first")
    run = embeddings.Embeddings(opened.settings, opened.facts, opened.store, opened.secret, cut)
    with pytest.raises(KeyboardInterrupt):
        run.run(job.job_id, asdict(asked), embeddings.Tally(), lambda: False)
    jobs.release(opened.facts, "first")
    worker = opened.worker()
    worker.start()
    done = opened.wait(job.job_id)
    worker.stop()
    assert counts(done) == {"stored": 600}
    ids = images.ids_of(opened.facts)
    assert (
        len(ids) == 600 == opened.store.count(MODEL.spec())
        and images.ids_of(opened.facts, MODEL.spec().fingerprint) == ids
    )
