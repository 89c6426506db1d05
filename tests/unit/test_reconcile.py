"""A folder held against the dataset that came from it: files gone, files new, and disagreements within the archive."""

from __future__ import annotations

import shutil
import uuid
from pathlib import Path

import pytest

from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import images, jobs
from services.core.types import JobProgress, JobState
from services.engine.supervisor import EngineProcess
from services.ingest.jobs import KIND
from services.ingest.pipeline import Plan
from services.ingest.reconcile import Difference, Reconciled, reconcile
from services.ingest.sources.refs import ref_of
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import ramp, stored_bytes
from tests.kit.ingesting import Room, room, too_deep, write_pictures
from tests.kit.records import unit_vectors


def held(opened: Room, films: Path, apply: bool = False) -> tuple[Reconciled, list[Difference]]:
    plan = Plan(str(films), "demo")
    blobs = Blobs(opened.settings.data_dir / "blobs")
    told = list(reconcile(
        opened.settings, opened.facts, opened.store, blobs, opened.secret, plan, apply,
        lambda: jobs.submit(opened.facts, KIND, plan.spec(opened.secret)).job_id,
    ))  # fmt: skip
    assert isinstance(told[-1], Reconciled)
    return told[-1], [item for item in told[:-1] if not isinstance(item, JobProgress)]  # type: ignore[misc]


def test_it_finds_every_difference_and_settles_them(own_engine: EngineProcess, tmp_path: Path) -> None:
    films = tmp_path / "films"
    write_pictures(films, 6)
    for number in range(3):  # found by their headers, whatever they are called now
        (films / f"dicom-{number}.dcm").write_bytes(stored_bytes(ramp(seed=number), SOPInstanceUID=f"1.2.{number}"))
    with room(tmp_path / "data", own_engine.url, tiny_registry(TinyEncoder())) as opened:
        assert opened.ingest(films).state is JobState.SUCCEEDED
        opened.ingest(write_elsewhere(tmp_path), "other")
        (films / "dicom-0.dcm").rename(films / "renamed.dcm")
        same, differences = held(opened, films)
        assert not differences and same.counts == {"agree": 9}

        spec = opened.registry.specs()["tiny"]
        ids = {item.ref: str(item.image_id) for item in opened.items(jobs.recent(opened.facts)[-1])}
        film = {n: ids[ref_of(opened.secret, f"film-{n:04d}.png")] for n in range(6)}
        (films / "film-0000.png").unlink()  # gone
        damaged = (films / "dicom-1.dcm").read_bytes()[:140]  # its header cannot be read: it is not gone
        (films / "dicom-1.dcm").write_bytes(damaged)
        write_pictures(tmp_path / "more", 1, seed=5)
        (tmp_path / "more" / "film-0000.png").rename(films / "new.png")
        stray = str(uuid.uuid4())
        opened.store.upsert(spec, [stray], unit_vectors(1, spec.dim), [{"dataset": "demo"}])
        opened.store.delete(spec, [film[1]])
        Blobs(opened.settings.data_dir / "blobs").delete(images.thumbnails(opened.facts, [film[2]])[film[2]])

        told, differences = held(opened, films)

        assert {(d.kind, d.image_id, d.model) for d in differences if d.kind != "not_stored"} == {
            ("gone", film[0], ""), ("vector_without_facts", stray, "tiny"), ("facts_without_vector", film[1], "tiny"),
            ("no_thumbnail", film[2], ""),
        }  # fmt: skip
        assert [d.ref for d in differences if d.kind == "not_stored"] == [ref_of(opened.secret, "new.png")]
        assert told.counts["agree"] == 8 and not told.removed and not told.job_id
        assert held(opened, films)[1] == differences, "telling changes nothing"

        done, _ = held(opened, films, apply=True)
        assert done.removed == 1 and done.job_id
        worker = opened.worker()
        worker.start()
        assert opened.wait(done.job_id).state is JobState.SUCCEEDED
        worker.stop()
        after, differences = held(opened, films)
        assert not differences and after.counts == {"agree": 9}
        kept = opened.everywhere()
        assert film[0] not in kept and stray not in kept and film[1] in kept and len(kept) == 9 + 2


def write_elsewhere(tmp_path: Path) -> Path:
    write_pictures(tmp_path / "elsewhere", 2, seed=9)
    return tmp_path / "elsewhere"


def test_a_folder_that_cannot_be_opened_removes_nothing(own_engine: EngineProcess, tmp_path: Path) -> None:
    films = tmp_path / "films"
    names = write_pictures(films, 5)
    with room(tmp_path / "data", own_engine.url, tiny_registry(TinyEncoder())) as opened:
        opened.ingest(films)
        (films / names[0]).unlink()
        too_deep(films)
        try:
            assert held(opened, films)[0].counts == {"gone": 1, "agree": 4}
            with pytest.raises(HilumError, match="cannot be opened"):
                held(opened, films, apply=True)
            assert len(opened.everywhere()) == 5
        finally:
            shutil.rmtree(films)


def test_a_source_that_is_not_there_removes_nothing(own_engine: EngineProcess, tmp_path: Path) -> None:
    films = tmp_path / "films"
    names = write_pictures(films, 5)
    with room(tmp_path / "data", own_engine.url, tiny_registry(TinyEncoder())) as opened:
        opened.ingest(films)
        for name in names[:3]:
            (films / name).unlink()
        assert held(opened, films)[0].counts["gone"] == 3
        with pytest.raises(HilumError, match="more than half"):
            held(opened, films, apply=True)
        assert len(opened.everywhere()) == 5
        for name in names[3:]:
            (films / name).unlink()
        with pytest.raises(HilumError, match="no DICOM, PNG or JPEG"):
            held(opened, films, apply=True)
        assert len(opened.everywhere()) == 5
