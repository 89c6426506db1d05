"""Runs as `hilum up` makes them: the engine and the analysis in processes of their own."""

from __future__ import annotations

import json
import os
import signal
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format

from hilum import HilumError as ClientError
from hilum import requests
from hilum.v1 import analytics_pb2
from services.analytics import manifest, snapshot, vectors
from services.analytics.api import AnalyticsApi
from services.analytics.jobs import AnalyticsWorker
from services.analytics.progress import Progress
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, jobs, runs
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import Job, JobState
from services.engine.supervisor import EngineProcess
from services.transport.edge import Call
from tests.kit import clustered
from tests.kit.records import make_spec

FILMS = 320
PATHS = {"report": "report", "atlas": "atlas/"}
SHARP, BLUNT = make_spec("sharp", 24), make_spec("blunt", 16)


@dataclass
class Lab:
    """An archive, the service's api over it, and the worker that does its jobs."""

    settings: Settings
    facts: Facts
    store: VectorStore
    api: AnalyticsApi
    worker: AnalyticsWorker

    @property
    def runs(self) -> Path:
        return manifest.runs_dir(self.settings.data_dir)

    def submit(self, **asked: object) -> str:
        request = json_format.ParseDict(asked, analytics_pb2.CreateRunRequest())
        return self.api.create_run(request, Call("test")).job_id

    def until(self, job_id: str, *states: JobState, seconds: float = 120) -> Job:
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            job = jobs.get(self.facts, job_id)
            if job.state in states:
                return job
            assert not job.state.final, f"the job {job.state}: {job.error}"
            time.sleep(0.05)
        raise AssertionError(f"the job is still {job.state} at {job.progress}")

    def until_final(self, job_id: str) -> None:
        end = time.monotonic() + 60
        while not jobs.get(self.facts, job_id).state.final:
            assert time.monotonic() < end
            time.sleep(0.02)

    def working(self, job_id: str) -> int:
        """Wait until the child is at work; its process id."""
        end = time.monotonic() + 60
        while time.monotonic() < end:
            if self.worker.child_pid and jobs.get(self.facts, job_id).state is JobState.RUNNING:
                return self.worker.child_pid
            time.sleep(0.02)
        raise AssertionError("no child began to work")


@pytest.fixture
def lab(tmp_path: Path, facts: Facts, store: VectorStore, engine: EngineProcess) -> Iterator[Lab]:
    settings = Settings(data_dir=tmp_path, facts_url=f"sqlite:///{tmp_path / 'facts.db'}", threads=1)
    settings = settings.with_engine(engine.url)
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [SHARP, BLUNT], FILMS)
    worker = AnalyticsWorker(settings, facts)
    worker.start()
    yield Lab(settings, facts, store, AnalyticsApi(settings, facts), worker)
    worker.stop()


def test_a_run_from_request_to_atlas_and_again_from_its_manifest(lab: Lab) -> None:
    job_id = lab.submit(resolutions=[1.0, 3.0], seed=7, sample_size=300, request_id="once")
    assert lab.submit(resolutions=[1.0, 3.0], seed=7, sample_size=300, request_id="once") == job_id
    stages = set()
    while not (job := jobs.get(lab.facts, job_id)).state.final:
        stages.add(job.progress.stage)
        time.sleep(0.02)
    assert job.state is JobState.SUCCEEDED, job.error
    assert [stage for stage in stages if stage.endswith((" of sharp", " of blunt"))]
    assert job.result == {"run_id": job_id, **{name: f"/v1/runs/{job_id}/{path}" for name, path in PATHS.items()}}

    run = lab.api.get_run(analytics_pb2.GetRunRequest(run_id=job_id), Call("test"))
    assert run.state == "succeeded"
    told = json_format.MessageToDict(run)
    made, figures = told["manifest"], told["metrics"]
    assert made["films"] == 300
    assert made["films_matching"] == FILMS
    assert made["labels"] == ["edema", "pleural_effusion"]  # pneumothorax is stated, but never present or absent
    assert set(figures) == {"sharp", "blunt"}
    assert figures["sharp"]["clusters"] == clustered.KINDS
    assert figures["sharp"]["neighbours"]["edema"]["purity"] > 0.95
    assert figures["sharp"]["neighbours"]["edema"]["films"] < 300 * 6 / 7 + 10  # the silent seventh is left out
    assert abs(figures["sharp"]["neighbours"]["(sex)"]["lift"]) < 0.1
    assert set(figures["sharp"]["against"]) == {"blunt"}

    folder = manifest.folder(lab.runs, job_id)
    names = {p.relative_to(folder).as_posix() for p in folder.rglob("*") if p.is_file()}
    parts = {f"{a}-{m}.{b}" for a, b in (("knn", "npz"), ("map", "parquet")) for m in ("sharp", "blunt")}
    parts |= {f"atlas/{m}/{f}" for m in ("sharp", "blunt") for f in ("dataset.parquet", "metadata.json")}
    assert names == {"manifest.json", "metrics.json", "sample.parquet", "report.html", *parts}
    assert not list(lab.runs.glob(".part-*"))
    _check_atlas(folder)
    assert not [p for p in folder.rglob("*") if p.is_file() and b"secret" in p.read_bytes()]

    again = lab.submit(**json.loads((folder / "manifest.json").read_text())["asked"])
    lab.until(again, JobState.SUCCEEDED)
    second = json.loads((manifest.folder(lab.runs, again) / "manifest.json").read_text())
    first = json.loads((folder / "manifest.json").read_text())
    assert second["sample_sha256"] == first["sample_sha256"]
    assert second["models"] == first["models"]  # hashes of graph, clusters and map
    listed = lab.api.list_runs(analytics_pb2.ListRunsRequest(page_size=1), Call("test"))
    assert [r.run_id for r in listed.runs] == [again]
    token = listed.next_page_token
    rest = lab.api.list_runs(analytics_pb2.ListRunsRequest(page_token=token), Call("test"))
    assert [r.run_id for r in rest.runs] == [job_id]


def _check_atlas(folder: Path) -> None:
    sample = pq.read_table(folder / "sample.parquet")
    graph = np.load(folder / "knn-sharp.npz")
    table = pq.read_table(folder / "atlas" / "sharp" / "dataset.parquet")
    measured = {"edema", "pleural_effusion", "cluster@3"}
    assert set(table.column_names) == set(snapshot.COLUMNS) | measured
    rows = table.to_pylist()
    assert [row["image_id"] for row in rows] == sample["image_id"].to_pylist() == sorted(sample["image_id"].to_pylist())
    assert [row["row"] for row in rows] == list(range(len(rows)))
    for row in rows:
        assert row["neighbors"]["ids"] == graph["ids"][row["row"]].tolist()
        assert row["row"] not in row["neighbors"]["ids"]
        assert row["neighbors"]["distances"] == sorted(row["neighbors"]["distances"])
        assert row["image"]["bytes"].startswith(b"\xff\xd8\xff")
        assert row["edema"] in {"present", "absent", "unknown"}
    assert sum(row["edema"] == "unknown" for row in rows) == sample["label.edema"].to_pylist().count("unknown") > 20
    other = pq.read_table(folder / "atlas" / "blunt" / "dataset.parquet")
    assert other["image_id"].to_pylist() == table["image_id"].to_pylist()
    metadata = json.loads((folder / "atlas" / "sharp" / "metadata.json").read_text())
    assert metadata["database"] == {"type": "wasm", "load": True}
    assert metadata["isStatic"] is True


def test_another_kind_from_request_to_files_and_again_from_its_manifest(lab: Lab) -> None:
    given = requests.analyze("hubs", models=["sharp"], k=5, where='sex = "F"')
    job_id = lab.api.create_run(given, Call("test")).job_id
    waiting = lab.api.get_run(analytics_pb2.GetRunRequest(run_id=job_id), Call("test"))
    assert (waiting.kind, list(waiting.files)) == ("hubs", [])
    job = lab.until(job_id, JobState.SUCCEEDED)
    assert job.result == {"run_id": job_id, "report": f"/v1/runs/{job_id}/report"}
    run = lab.api.get_run(analytics_pb2.GetRunRequest(run_id=job_id), Call("test"))
    assert (run.kind, run.report, run.atlas) == ("hubs", f"/v1/runs/{job_id}/report", "")
    assert list(run.files) == [
        "densities.parquet", "manifest.json", "metrics.json", "report.html", "sample.parquet", "tables.json",
    ]  # fmt: skip
    told = analytics_pb2.GetRunFileRequest(run_id=job_id, name="tables.json")
    tables = json.loads(lab.api.get_run_file(told, Call("test")).data)["tables"]
    assert tables[0]["rows"][0][0] == "sharp"
    with pytest.raises(HilumError, match="no such file"):
        lab.api.get_run_file(analytics_pb2.GetRunFileRequest(run_id=job_id, name="../facts.db"), Call("test"))
    asked = json.loads((manifest.folder(lab.runs, job_id) / "manifest.json").read_text())["asked"]
    assert asked["hubs"] == {}
    again = lab.submit(**asked)
    lab.until(again, JobState.SUCCEEDED)
    assert runs.get(lab.facts, again).metrics == runs.get(lab.facts, job_id).metrics


def test_a_request_names_a_kind_there_is_and_its_own_options() -> None:
    assert requests.analyze("retrieval", relevance="view", depths=[1, 3]).retrieval.depths == [1, 3]
    assert requests.analyze("hubs").WhichOneof("analysis") == "hubs"
    assert requests.analyze().WhichOneof("analysis") is None
    for kind, options in (("cubes", {}), ("hubs", {"depths": [1]}), ("map", {"folds": 3})):
        with pytest.raises(ClientError) as caught:
            requests.analyze(kind, **options)
        assert caught.value.code == "INVALID_ARGUMENT"


def test_cancel_kills_the_child_and_leaves_nothing(lab: Lab) -> None:
    job_id = lab.submit()
    pid = lab.working(job_id)
    jobs.cancel(lab.facts, job_id)
    lab.until(job_id, JobState.CANCELLED, seconds=10)
    with pytest.raises(ProcessLookupError):
        os.kill(pid, 0)
    assert not list(lab.runs.iterdir())
    assert runs.get(lab.facts, job_id).state == "cancelled"


def test_a_job_cancelled_while_it_waits_has_a_cancelled_run(lab: Lab) -> None:
    first, second = lab.submit(), lab.submit()
    lab.working(first)
    jobs.cancel(lab.facts, second)
    asked = analytics_pb2.GetRunRequest(run_id=second)
    assert lab.api.get_run(asked, Call("test")).state == "cancelled"
    jobs.cancel(lab.facts, first)
    lab.until(first, JobState.CANCELLED)


def test_a_crash_of_the_child_fails_its_job_and_the_next_one_runs(lab: Lab) -> None:
    first, second = lab.submit(models=["sharp"]), lab.submit(models=["blunt"])
    os.kill(lab.working(first), signal.SIGKILL)
    failed = lab.until(first, JobState.FAILED)
    assert failed.error is not None
    assert "memory" in failed.error
    assert "sample_size" in failed.error
    lab.until(second, JobState.SUCCEEDED)
    assert [p.name for p in lab.runs.iterdir()] == [second]


@pytest.mark.slow
def test_a_run_that_is_killed_in_every_stage_makes_each_of_them_once(lab: Lab) -> None:
    """Each time a stage is finished, the child is killed in the next one, and the same run is asked again."""
    stages = lab.settings.data_dir / "stages"
    seen: set[tuple[str, int]] = set()
    kills = 0
    while True:
        job_id, killed = lab.submit(resolutions=[1.0, 2.0]), False
        while not (job := jobs.get(lab.facts, job_id)).state.final:
            there = {(file.name, file.stat().st_mtime_ns) for file in stages.glob("*/*.npz")}
            if there - seen and (pid := lab.worker.child_pid):
                os.kill(pid, signal.SIGKILL)
                seen, killed = seen | {(f.name, f.stat().st_mtime_ns) for f in stages.glob("*/*.npz")}, True
                lab.until_final(job_id)
            time.sleep(0.001)
        if not killed:
            break
        kills += 1
        assert kills < 12
    assert job.state is JobState.SUCCEEDED, job.error
    made = manifest.read_json(manifest.folder(lab.runs, job_id) / "manifest.json")
    told: Any = made["stages"]
    names = [one["stage"] for one in told]
    assert len(names) == len(set(names)) == 9
    assert len({name for name, _ in seen}) == len(seen)  # no file was written twice
    assert kills >= 4
    assert made["continued"]["seconds_saved"] > 0  # type: ignore[index]
    assert not list(stages.glob("*"))
    lab.until(lab.submit(resolutions=[1.0, 2.0]), JobState.SUCCEEDED)
    whole, pieces = (manifest.read_json(manifest.folder(lab.runs, run) / "metrics.json") for run in _both(lab, job_id))
    assert whole == pieces


def _both(lab: Lab, first: str) -> tuple[str, str]:
    return first, next(path.name for path in lab.runs.iterdir() if path.name != first)


def test_a_stop_gives_the_job_back_and_the_next_start_runs_it(lab: Lab) -> None:
    job_id = lab.submit(models=["blunt"])
    lab.working(job_id)
    lab.worker.stop()
    assert jobs.get(lab.facts, job_id).state is JobState.QUEUED
    next_start = AnalyticsWorker(lab.settings, lab.facts)
    next_start.start()
    lab.until(job_id, JobState.SUCCEEDED)
    next_start.stop()
    assert [p.name for p in lab.runs.iterdir()] == [job_id]


def test_vectors_that_the_engine_lost_are_told(lab: Lab, tmp_path: Path) -> None:
    ids = [clustered.record(n).image_id for n in range(50)]
    lab.store.delete(SHARP, ids[:3])
    with pytest.raises(HilumError, match="lacks 3 films") as caught:
        vectors.fetch(lab.store, SHARP, sorted(ids), tmp_path / "v.npy", Progress())
    assert caught.value.code is ErrorCode.FAILED_PRECONDITION
    unit = vectors.fetch(lab.store, BLUNT, sorted(ids), tmp_path / "w.npy", Progress())
    place = {image_id: n for n, image_id in enumerate(ids)}
    expected = clustered.vectors(FILMS, BLUNT.dim, 0.5, 1)[[place[i] for i in sorted(ids)]]
    assert np.allclose(unit, expected, atol=1e-5)


@pytest.mark.parametrize(
    ("asked", "code", "says"),
    [
        ({"models": ["dull"]}, ErrorCode.UNKNOWN_MODEL, "sharp"),
        ({"models": ["sharp", "sharp"]}, ErrorCode.INVALID_ARGUMENT, "twice"),
        ({"filter": "view = "}, ErrorCode.INVALID_FILTER, None),
        ({"filter": 'view = "LATERAL"'}, ErrorCode.FAILED_PRECONDITION, "0 films match"),
        ({"sample_size": 10}, ErrorCode.FAILED_PRECONDITION, "k=15 needs 17"),
        ({"sample_size": -1}, ErrorCode.INVALID_ARGUMENT, "sample_size"),
        ({"k": 1}, ErrorCode.INVALID_ARGUMENT, "k,"),
        ({"k": 5000}, ErrorCode.INVALID_ARGUMENT, "k,"),
        ({"seed": -1}, ErrorCode.INVALID_ARGUMENT, "seed"),
        ({"resolutions": [0]}, ErrorCode.INVALID_ARGUMENT, "resolution"),
        ({"resolutions": ["NaN"]}, ErrorCode.INVALID_ARGUMENT, "resolution"),
        ({"labels": ["gout"]}, ErrorCode.INVALID_ARGUMENT, "no film states 1"),
    ],
)
def test_what_cannot_be_run_is_refused_with_a_reason(
    ready: AnalyticsApi, asked: dict[str, object], code: ErrorCode, says: str | None | None
) -> None:
    with pytest.raises(HilumError, match=says) as caught:
        ready.create_run(json_format.ParseDict(asked, analytics_pb2.CreateRunRequest()), Call("test"))
    assert caught.value.code is code


@pytest.fixture(scope="module")
def ready(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AnalyticsApi]:
    """An api over facts alone: what is refused is refused before any work."""
    from services.core.facts import images, models, open_facts
    from services.core.facts.images import Stored

    home = tmp_path_factory.mktemp("asked")
    facts = open_facts(f"sqlite:///{home / 'facts.db'}")
    specs: list[ModelSpec] = [SHARP, BLUNT]
    for spec in specs:
        models.register(facts, spec)
    marks = tuple(spec.fingerprint for spec in specs)
    images.commit(facts, [Stored(clustered.record(n), "0" * 64, marks) for n in range(60)])
    yield AnalyticsApi(Settings(data_dir=home), facts)
    facts.close()
