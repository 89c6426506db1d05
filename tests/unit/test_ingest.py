"""An ingest as its user sees it: what is stored, what is told, and what a second, third or simultaneous one does."""

from __future__ import annotations

import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from services.core.facts import Facts, images, jobs, models
from services.core.facts.schema import metadata
from services.core.ids import image_id
from services.core.labels import LabelState
from services.core.store import VectorStore
from services.core.types import JobState, Outcome
from services.engine.supervisor import EngineProcess
from services.ingest import promotion
from services.ingest.jobs import KIND, _Heart
from services.ingest.progress import Tally
from services.ingest.sources.refs import resolve_refs
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import ramp, stored_bytes, write_dicom
from tests.kit.ingesting import REAL_CXR, Room, room, write_pictures


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Room]:
    """One room for many tests: making collections takes longer than most of them."""
    home = tmp_path_factory.mktemp("ingest")
    with (
        EngineProcess(home / "engine", log_file=home / "engine.log") as process,
        room(home / "data", process.url, tiny_registry(TinyEncoder())) as made,
    ):
        yield made


@pytest.fixture
def opened(lasting: Room) -> Iterator[Room]:
    """That room, empty before and after."""
    tiny(lasting).encoded = 0
    yield lasting
    ids = images.ids_of(lasting.facts)
    if ids:
        lasting.store.delete(tiny(lasting).spec, list(ids))
    with lasting.facts.write() as db:
        for table in reversed(metadata.sorted_tables):
            db.execute(table.delete())


def tiny(opened: Room) -> TinyEncoder:
    return opened.registry.get("tiny")  # type: ignore[return-value]


def counts(opened: Room, source: Path, **plan: object) -> dict[str, int]:
    job = opened.ingest(source, **plan)
    assert job.state is JobState.SUCCEEDED, job.error
    return {name: n for name, n in job.progress.counts.items() if n}


def test_again_encodes_nothing_and_changes_nothing(opened: Room, tmp_path: Path) -> None:
    write_pictures(tmp_path / "films", 40)
    write_dicom(tmp_path / "films", 5)
    assert counts(opened, tmp_path / "films") == {"stored": 45}
    ids, encoded = opened.everywhere(), tiny(opened).encoded
    assert encoded == 45
    assert counts(opened, tmp_path / "films") == {"unchanged": 45}
    assert opened.everywhere() == ids and tiny(opened).encoded == encoded


def test_new_films_are_added_and_changed_ones_are_conflicts(opened: Room, tmp_path: Path) -> None:
    films = tmp_path / "films"
    names = write_pictures(films, 4)
    counts(opened, films)
    kept = images.get(opened.facts, [image_id("demo", names[0])])
    write_pictures(tmp_path / "other", 1, seed=7)
    (tmp_path / "other" / names[0]).replace(films / names[0])
    write_dicom(films, 1)
    assert counts(opened, films) == {"unchanged": 3, "stored": 1, "conflict": 1}
    assert images.get(opened.facts, [image_id("demo", names[0])]) == kept
    assert len(opened.everywhere()) == 5


def test_a_further_model_is_encoded_alone(tmp_path: Path, engine: EngineProcess, store: VectorStore) -> None:
    write_pictures(tmp_path / "films", 10)
    one, two = TinyEncoder(), TinyEncoder("small", 24)
    with room(tmp_path / "data", engine.url, tiny_registry(one, two)) as opened:
        assert counts(opened, tmp_path / "films", models=("tiny",)) == {"stored": 10}
        assert (one.encoded, two.encoded) == (10, 0)
        assert counts(opened, tmp_path / "films") == {"stored": 10}
        assert (one.encoded, two.encoded) == (10, 10)
        opened.everywhere()


def test_a_new_fingerprint_gets_its_own_collection_and_the_name_once_somebody_says_so(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    write_pictures(tmp_path / "films", 6)
    write_pictures(tmp_path / "more", 2, seed=1)
    old, new = TinyEncoder(dim=16), TinyEncoder(dim=20)
    assert new.spec.collection != old.spec.collection
    with room(tmp_path / "data", engine.url, tiny_registry(old)) as opened:
        counts(opened, tmp_path / "films")
    with room(tmp_path / "data", engine.url, tiny_registry(new)) as opened:
        part = opened.ingest(tmp_path / "more", dataset="other")
        assert part.result["waiting"] == {"tiny": {"films": 2, "of": 6}}
        assert models.named(opened.facts, "tiny") == old.spec
        assert opened.store.aliases()["cxr.tiny"] == old.spec.collection
        whole = opened.ingest(tmp_path / "films")
        assert whole.result["waiting"] == {"tiny": {"films": 8, "of": 6}}
        promotion.switch(opened.facts, opened.store, new.spec, "promoted")
        assert models.named(opened.facts, "tiny") == new.spec
        assert opened.store.aliases()["cxr.tiny"] == new.spec.collection
        assert (opened.store.count(old.spec), opened.store.count(new.spec)) == (6, 8)


def test_facts_of_a_header_are_pseudonyms_and_moved_dates(opened: Room, tmp_path: Path) -> None:
    write_dicom(tmp_path / "films", 2, PatientID="MRN-777", ViewPosition="LL")
    counts(opened, tmp_path / "films")
    first, second = images.get(opened.facts, opened.everywhere()).values()
    assert first.patient_id == second.patient_id != "MRN-777" and str(first.patient_id).startswith("p-")
    assert first.study_id != second.study_id and str(first.study_id).startswith("s-")
    assert (first.view, first.sex, first.age, first.modality, first.date_kind) == ("LATERAL", "F", 63, "DX", "shifted")
    assert first.study_date == second.study_date != "2180-05-06" and str(first.study_date)[:4] in (
        "2179",
        "2180",
        "2181",
    )


def test_a_patients_dates_move_together_and_a_date_of_nobody_is_left_out(opened: Room, tmp_path: Path) -> None:
    visits = {"A": ["20200229", "20200301"], "B": ["20200229", "20210101"], "": ["20200229"]}
    for person, days in visits.items():
        for day in days:
            write_dicom(
                tmp_path / "films" / f"{person}{day}",
                1,
                seed=len(person) * 10 + int(day[4:6]),
                PatientID=person,
                StudyDate=day,
            )
    counts(opened, tmp_path / "films")
    told = defaultdict(list)
    for record in images.get(opened.facts, opened.everywhere()).values():
        told[record.patient_id].append(record.study_date)
    assert told.pop(None) == [None]
    apart = {(date.fromisoformat(max(days)) - date.fromisoformat(min(days))).days for days in told.values()}
    assert apart == {1, 307}
    moved = {min(days) for days in told.values()}
    assert len(moved) == 2 and "2020-02-29" not in moved


def test_keep_ids_keeps_ids_and_dates(opened: Room, tmp_path: Path) -> None:
    write_dicom(tmp_path / "films", 1, StudyInstanceUID="1.2.3")
    counts(opened, tmp_path / "films", keep_ids=True)
    [record] = images.get(opened.facts, opened.everywhere()).values()
    assert (record.patient_id, record.study_id, record.study_date) == ("P1", "1.2.3", "2180-05-06")


def test_the_tables_word_counts_over_the_headers(opened: Room, tmp_path: Path) -> None:
    films = tmp_path / "films"
    write_dicom(films, 2)
    table = tmp_path / "labels.csv"
    table.write_text("file,sex,age,Edema,Pneumonia\nfilm-0000.dcm,M,,1,\n")
    counts(opened, films, labels=table)
    told, untold = sorted(
        images.get(opened.facts, opened.everywhere()).values(), key=lambda r: str(r.sex), reverse=True
    )
    assert (told.sex, told.age, {label.name: label.state for label in told.labels}) == (
        "M", 63, {"edema": LabelState.PRESENT},
    )  # fmt: skip
    assert (untold.sex, untold.labels) == ("F", ())


def test_a_table_corrected_later_reaches_facts_and_points_without_encoding(opened: Room, tmp_path: Path) -> None:
    films = tmp_path / "films"
    names = write_pictures(films, 3)
    table = tmp_path / "labels.csv"
    table.write_text(f"file,view,Edema\n{names[0]},PA,1\n{names[1]},PA,0\n")
    assert counts(opened, films, labels=table) == {"stored": 3}
    before = opened.store.vectors(tiny(opened).spec)
    table.write_text(f"file,view,Edema\n{names[0]},AP,-1\n{names[1]},PA,0\n")
    assert counts(opened, films, labels=table) == {"stored": 1, "unchanged": 2}
    assert tiny(opened).encoded == 3
    from services.core.filters import parse, to_qdrant

    where = to_qdrant(parse('view = "AP" AND labels.edema = uncertain'))
    assert opened.store.count(tiny(opened).spec, where) == 1
    assert images.get(opened.facts, [image_id("demo", names[0])]).popitem()[1].view == "AP"
    after = opened.store.vectors(tiny(opened).spec)
    assert before[0] == after[0]
    np.testing.assert_allclose(before[1], after[1], atol=1e-6)


def test_reports_of_stored_studies_are_kept(opened: Room, tmp_path: Path) -> None:
    write_dicom(tmp_path / "films", 1, StudyInstanceUID="1.2.3")
    reports = tmp_path / "reports.csv"
    reports.write_text("study_id,findings,impression\n1.2.3,clear,normal\n9.9.9,someone else,x\n")
    job = opened.ingest(tmp_path / "films", reports=reports)
    [record] = images.get(opened.facts, opened.everywhere()).values()
    assert job.result["reports"] == 1
    found = images.reports_of(opened.facts, "demo", str(record.study_id))
    assert found == {"findings": "clear", "impression": "normal"}


def test_a_thumbnail_of_every_film_is_there(opened: Room, tmp_path: Path) -> None:
    from io import BytesIO

    from services.core.blobs import Blobs

    write_pictures(tmp_path / "films", 3)
    counts(opened, tmp_path / "films")
    digests = images.thumbnails(opened.facts, opened.everywhere())
    blobs = Blobs(opened.settings.data_dir / "blobs")
    assert {Image.open(BytesIO(blobs.get(digest))).size for digest in digests.values()} == {(96, 96)}


def test_two_jobs_on_the_same_films_at_once_make_one_point_each(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    films = tmp_path / "films"
    write_pictures(films, 60)
    with room(tmp_path / "data", engine.url) as opened:
        submitted = [opened.submit(films), opened.submit(films)]
        workers = [opened.worker(), opened.worker()]
        for worker in workers:
            worker.start()
        done = [opened.wait(job.job_id) for job in submitted]
        for worker in workers:
            worker.stop()
        assert [job.state for job in done] == [JobState.SUCCEEDED] * 2
        assert len(opened.everywhere()) == 60
        assert sum((Counter(job.progress.counts) for job in done), Counter()) == Counter(stored=60, unchanged=60)


def test_the_last_word_on_a_jobs_progress_is_the_end_not_a_beat_that_was_held_up(
    facts: Facts, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database under load holds a heartbeat back until after the job's end: what it says is old by then."""
    job = jobs.submit(facts, KIND, {})
    jobs.take(facts, KIND, "me")
    beat, held, entered = jobs.beat, threading.Event(), threading.Event()

    def late(*arguments: Any) -> bool:
        if not entered.is_set():
            entered.set()
            held.wait(0.5)
        return beat(*arguments)

    monkeypatch.setattr(jobs, "beat", late)
    tally = Tally(total=60)
    with _Heart(facts, job.job_id, "me", tally, threading.Event()) as heart:
        assert entered.wait(10)
        tally.counts["stored"] = 60
        heart.beat()
        held.set()
    assert jobs.get(facts, job.job_id).progress.counts == {"stored": 60}


class Slow(TinyEncoder):
    """Takes its time, so that a test can act while it is at work."""

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        time.sleep(0.4)
        return super().encode_images(batch)


def test_cancel_keeps_what_is_stored_and_a_new_job_goes_on(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    films = tmp_path / "films"
    write_pictures(films, 200, side=64)
    slow = Slow()
    with room(tmp_path / "data", engine.url, tiny_registry(slow)) as opened:
        job = opened.submit(films)
        worker = opened.worker()
        worker.start()
        while not jobs.get(opened.facts, job.job_id).progress.counts:
            time.sleep(0.05)
        progress = jobs.get(opened.facts, job.job_id).progress
        assert 0 < progress.done < progress.total == 200 and progress.stage == "films"
        jobs.cancel(opened.facts, job.job_id)
        done = opened.wait(job.job_id)
        worker.stop()
        assert done.state is JobState.CANCELLED
        kept = len(opened.everywhere())
        assert 0 < kept < 200
        encoded = slow.encoded
        assert counts(opened, films) == {"unchanged": kept, "stored": 200 - kept}
        assert slow.encoded == encoded + 200 - kept
        assert len(opened.everywhere()) == 200


def test_a_stopped_worker_gives_its_job_back_and_the_next_one_ends_it(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    films = tmp_path / "films"
    write_pictures(films, 200)
    with room(tmp_path / "data", engine.url, tiny_registry(Slow())) as opened:
        job = opened.submit(films)
        first = opened.worker()
        first.start()
        while not jobs.get(opened.facts, job.job_id).progress.counts:
            time.sleep(0.05)
        first.stop()
        waiting = jobs.get(opened.facts, job.job_id)
        assert waiting.state is JobState.QUEUED and 0 < waiting.progress.done < 200
        second = opened.worker()
        second.start()
        done = opened.wait(job.job_id)
        second.stop()
        assert done.state is JobState.SUCCEEDED and done.progress.counts == {"stored": 200}
        assert len(opened.everywhere()) == 200


class Faulty(TinyEncoder):
    """Runs out of memory above four films, chokes on the darkest film alone, and gives NaN for the brightest."""

    def encode_images(self, batch: NDArray[np.float32]) -> NDArray[np.float32]:
        if len(batch) > 4:
            raise MemoryError
        means = np.asarray(batch).mean(axis=(1, 2, 3))
        if (means < 0.05).any():
            raise RuntimeError("bad film")
        vectors = super().encode_images(batch)
        vectors[means > 0.95] = np.nan
        return vectors


def test_one_film_that_an_encoder_cannot_take_costs_the_others_nothing(
    tmp_path: Path, engine: EngineProcess, store: VectorStore
) -> None:
    films = tmp_path / "films"
    write_pictures(films, 30)
    for name, level in (("dark", 2), ("bright", 252)):
        grey = np.full((64, 64), level, np.uint8)
        grey[0, 0] += 1
        Image.fromarray(grey).save(films / f"{name}.png")
    faulty = Faulty()
    with room(tmp_path / "data", engine.url, tiny_registry(faulty, TinyEncoder("small", 24))) as opened:
        job = opened.ingest(films)
        refused = {item.ref: item.reason for item in opened.items(job) if item.outcome is Outcome.QUARANTINED}
        names = resolve_refs(films, opened.secret, refused.keys())
        assert {names[ref]: reason for ref, reason in refused.items()} == {
            "dark.png": "ENCODER_FAILED", "bright.png": "NON_FINITE_VECTOR",
        }  # fmt: skip
        assert max(faulty.batches) <= 4 and len(opened.everywhere()) == 30


def test_a_source_that_is_gone_fails_the_job_in_words(opened: Room, tmp_path: Path) -> None:
    job = opened.ingest(tmp_path / "nowhere")
    assert job.state is JobState.FAILED and "source" in str(job.error) and "nowhere" not in str(job.error)
    (tmp_path / "films").mkdir()
    assert opened.ingest(tmp_path / "films").state is JobState.FAILED


def test_job_after_job_leaves_no_threads_and_no_files_open(opened: Room, tmp_path: Path) -> None:
    write_pictures(tmp_path / "films", 20)
    for _ in range(3):  # until the pools of connections are full
        counts(opened, tmp_path / "films")
    threads, files = threading.active_count(), len(list(Path("/proc/self/fd").iterdir()))
    for _ in range(8):
        counts(opened, tmp_path / "films")
    assert threading.active_count() <= threads
    assert len(list(Path("/proc/self/fd").iterdir())) < files + 8


@pytest.mark.skipif(not REAL_CXR.exists(), reason="the real films are not here")
def test_real_films_with_their_labels(opened: Room, tmp_path: Path) -> None:
    assert_real(opened, some_of_the_real_films(tmp_path, every=15))


@pytest.mark.slow
@pytest.mark.skipif(not REAL_CXR.exists(), reason="the real films are not here")
def test_all_real_films_with_their_labels(opened: Room) -> None:
    assert_real(opened, REAL_CXR)


def some_of_the_real_films(folder: Path, every: int) -> Path:
    """A folder like the real one with fewer films: links would lead out of the source, so copies."""
    import csv
    import shutil

    source = folder / "real"
    shutil.copytree(REAL_CXR / "dicom", source / "dicom")
    (source / "images").mkdir()
    with (REAL_CXR / "labels.csv").open() as file:
        reader = csv.DictReader(file)
        rows = list(reader)[::every]
        names = list(reader.fieldnames or ())
    for row in rows:
        shutil.copy(REAL_CXR / row["file"], source / row["file"])
    with (source / "labels.csv").open("w", newline="") as file:
        writer = csv.DictWriter(file, names)
        writer.writeheader()
        writer.writerows(rows)
    return source


def assert_real(opened: Room, source: Path) -> None:
    import csv

    with (source / "labels.csv").open() as file:
        rows = {row["image_id"]: row for row in csv.DictReader(file)}
    assert counts(opened, source, dataset="real", labels=source / "labels.csv", keep_ids=True) == {
        "stored": len(rows) + 2, "conflict": 1,
    }  # fmt: skip
    records = images.get(opened.facts, opened.everywhere())
    for key, row in rows.items():
        record = records[image_id("real", key)]
        assert (record.patient_id, record.study_id) == (row["patient_id"], row["study_id"])
        assert (record.view, record.sex or "", record.modality) == (row["view"], row["sex"], row["modality"])
        assert record.age == (min(float(row["age"]), 90) if row["age"] else None)
        assert (record.rows, record.columns) == (int(row["height"]), int(row["width"]))
        assert (record.licence, record.attribution) == (row["licence"], row["attribution"])
        assert len(record.labels) == len(row["labels"].split("|"))
        assert {(label.state, label.source) for label in record.labels} == {(LabelState.PRESENT, row["label_source"])}


def test_names_of_files_do_not_name_films_in_the_archive(opened: Room, tmp_path: Path) -> None:
    films = tmp_path / "films"
    films.mkdir()
    (films / "DOE_JANE_19610203.dcm").write_bytes(stored_bytes(ramp()))
    (films / "DOE_JANE_broken.dcm").write_bytes(b"x" * 200)
    job = opened.ingest(films)
    assert not any("DOE" in repr(item) for item in opened.items(job))
    assert b"DOE_JANE" not in b"".join(p.read_bytes() for p in opened.settings.data_dir.rglob("facts*"))
    named = resolve_refs(films, opened.secret, {item.ref for item in opened.items(job)})
    assert set(named.values()) == {"DOE_JANE_19610203.dcm", "DOE_JANE_broken.dcm"}
