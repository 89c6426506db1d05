"""Cohorts as runs: what is built, kept, found, run again, compared and forgotten."""

from __future__ import annotations

import json
import shutil
import uuid
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from google.protobuf import json_format

from hilum.v1 import cohort_pb2
from services.analytics import kinds, manifest
from services.analytics.bench import Bench
from services.analytics.cohort.api import CohortsApi
from services.core.access import Access
from services.core.blobs import Blobs
from services.core.calibration import Curve
from services.core.config import Settings
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, calibrations, images, jobs, models, open_facts, removal, runs, searches, sets
from services.core.facts.calibrations import Calibration
from services.core.filters import parse, to_sql
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.core.types import JobState, Report
from services.engine.supervisor import EngineProcess
from services.transport import grpc_edge
from services.transport.edge import Call
from tests.kit import analyses, clustered
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder
from tests.kit.records import make_spec, stored

FILMS = 120
SHARP, SHARED = make_spec("sharp", 16), make_spec("shared", 16)
ADULTS: dict[str, Any] = {
    "name": "adults",
    "title": "Adults <b>with</b> edema",
    "criteria": [{"name": "adults", "filter": "age >= 40"}, {"filter": "labels.edema = present"}],
    "caps": [{"per": "patient", "most": 1}],
}


class Room:
    """An archive, its API, and whoever takes its jobs."""

    def __init__(self, home: Path, store: VectorStore, facts: Facts | None = None, spec: ModelSpec = SHARP) -> None:
        self.home, self.store = home, store
        self.facts = facts or open_facts(f"sqlite:///{home / 'facts.db'}")
        self.blobs = Blobs(home / "blobs")
        self.records = clustered.fill(self.facts, store, self.blobs, [spec], FILMS, noise=0.3)
        self.api = CohortsApi(Settings(data_dir=home), self.facts, store, None, lambda: None)
        self.call = Call("test")

    def build(self, spec: dict[str, Any], **more: Any) -> str:
        """Through the API and the work of its job; the run's id."""
        request = cohort_pb2.CreateCohortRequest(**more)
        json_format.ParseDict(spec, request.spec)
        return self.work(self.api.create_cohort(request, self.call).job_id)

    def work(self, job_id: str) -> str:
        job = jobs.take(self.facts, "analyze", "test")
        assert job is not None and job.job_id == job_id
        part = self.home / "runs" / job_id
        part.mkdir(parents=True)
        asked = kinds.parse(job.spec)
        try:
            kinds.work(asked.kind)(
                Bench(asked, job_id, part, self.facts, self.store, self.blobs, Settings(data_dir=self.home))
            )
        except HilumError:
            jobs.finish(self.facts, job_id, "test", JobState.FAILED, {}, "failed")
            raise
        told = manifest.read_json(part / "manifest.json")
        runs.save(self.facts, job_id, job_id, "succeeded", told, {})
        jobs.finish(self.facts, job_id, "test", JobState.SUCCEEDED, {"run_id": job_id})
        return job_id

    def members(self, name: str) -> list[str]:
        return sets.members_of(self.facts, name)

    def json(self, run_id: str, name: str) -> dict[str, Any]:
        found: dict[str, Any] = json.loads((self.home / "runs" / run_id / name).read_text())
        return found


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory, engine: EngineProcess) -> Iterator[Room]:
    """For tests that leave the archive as it is, and cohorts of other names than their own."""
    store = VectorStore(engine.url)
    made = Room(tmp_path_factory.mktemp("shared"), store, spec=SHARED)
    yield made
    made.facts.close()
    store.drop(SHARED.collection)
    store.close()


@pytest.fixture
def room(tmp_path: Path, store: VectorStore) -> Iterator[Room]:
    made = Room(tmp_path, store)
    yield made
    made.facts.close()


def test_a_cohort_is_a_set_a_run_and_a_record(shared: Room) -> None:
    run_id = shared.build(ADULTS)
    wanted: dict[str, str] = {}
    for one in sorted(shared.records, key=lambda record: record.image_id):
        said = {label.name: label.state.value for label in one.labels}
        if (one.age or 0) >= 40 and said.get("edema") == "present":
            wanted.setdefault(str(one.patient_id), one.image_id)  # of one day: the first id
    assert shared.members("adults") == sorted(wanted.values())
    with shared.facts.read() as db:
        found = db.scalars(images.select(images.images.c.image_id).where(to_sql(parse('cohort = "adults"')))).all()
    assert sorted(found) == shared.members("adults")

    told = shared.json(run_id, "manifest.json")
    assert told["films_of"] == ["demo"] and told["films"] == len(wanted)
    cohort = told["cohort"]
    assert cohort["counts"]["images"] == len(wanted) == cohort["steps"][-1]["left"]["images"]
    assert cohort["data"]["images"] == FILMS and cohort["data"]["latest"]
    assert pq.read_table(shared.home / "runs" / run_id / "attrition.parquet").num_rows == 4
    report = (shared.home / "runs" / run_id / "report.html").read_text()
    assert "<svg" in report and "Adults &lt;b&gt;with" in report and "<b>with" not in report
    assert not shared.store.count(SHARED) - FILMS

    got = shared.api.get_cohort(cohort_pb2.GetCohortRequest(name="adults"), shared.call)
    assert got.films == got.frozen and got.films.images == len(wanted)
    assert got.ids_sha256 == cohort["ids_sha256"] and got.spec.name == "adults"
    assert [step.kind for step in got.steps] == ["archive", "include", "include", "cap"]
    listed = shared.api.list_cohorts(cohort_pb2.ListCohortsRequest(), shared.call).cohorts
    assert "adults" in [one.name for one in listed]
    with pytest.raises(HilumError) as taken:
        shared.build(ADULTS)
    assert taken.value.code is ErrorCode.ALREADY_EXISTS


def test_a_preview_counts_what_a_build_keeps(room: Room) -> None:
    def preview(spec: dict[str, Any], call: Call | None = None) -> cohort_pb2.CohortPreview:
        request = cohort_pb2.PreviewCohortRequest()
        json_format.ParseDict(spec, request.spec)
        return room.api.preview_cohort(request, call or room.call)

    first = preview(ADULTS)
    run_id = room.build(ADULTS)
    assert [step.left.images for step in first.steps] == [
        step["left"]["images"] for step in room.json(run_id, "manifest.json")["cohort"]["steps"]
    ]
    again = preview({**ADULTS, "criteria": [*ADULTS["criteria"], {"filter": 'cohort = "adults"'}]})
    assert again.steps[3].left.images == again.steps[4].left.images == first.steps[-1].left.images
    images.commit(room.facts, [stored(replace(room.records[0], age=50.0, dataset="other"))])  # the archive changes
    assert preview({}).data_version != first.data_version
    blind = Call("test", access=Access(frozenset({"other"})))
    assert [step.left.images for step in preview({}, blind).steps] == [1]
    with pytest.raises(HilumError) as gone:
        preview({"criteria": [{"filter": "view = PA"}]}, Call("test", is_cancelled=lambda: True))
    assert gone.value.code is ErrorCode.CANCELLED
    with pytest.raises(HilumError) as unknown:
        preview({"criteria": [{"filter": 'cohort = "nobody"'}]})
    assert unknown.value.code is ErrorCode.INVALID_FILTER


def test_near_films_are_those_of_exact_search(shared: Room) -> None:
    ids, vectors = shared.store.vectors(SHARED)
    probe = vectors[7] / np.linalg.norm(vectors[7])
    scores = vectors @ probe
    line = sorted(zip(-scores, ids, strict=True))
    run_id = shared.build(
        {"name": "near", "criteria": [{"name": "near", "similar": {"image_ids": [ids[7]], "top": 25}}]}
    )
    assert shared.members("near") == sorted(image_id for _, image_id in line[:25])
    verdicts = pq.read_table(shared.home / "runs" / run_id / "verdicts.parquet")
    told = verdicts["near@1"].to_numpy()
    assert np.isfinite(told).sum() == 25 and np.nanmax(told) == pytest.approx(1.0, abs=1e-5)
    assert shared.json(run_id, "manifest.json")["models"]["shared"]["fingerprint"] == SHARED.fingerprint

    males = {one.image_id for one in shared.records if one.sex == "M"}
    shared.build({
        "name": "near-males",
        "criteria": [
            {"filter": "sex = M"}, {"among": "remaining", "similar": {"image_ids": [ids[7], ids[8]], "top": 10}},
        ],
    })  # fmt: skip
    both = vectors @ np.stack([probe, vectors[8] / np.linalg.norm(vectors[8])]).T
    nearest = sorted((-float(score), i) for score, i in zip(both.max(axis=1), ids, strict=True) if i in males)
    assert shared.members("near-males") == sorted(image_id for _, image_id in nearest[:10])


def test_a_probability_is_read_from_the_calibration(shared: Room) -> None:
    ids, vectors = shared.store.vectors(SHARED)
    scores = vectors @ (vectors[0] / np.linalg.norm(vectors[0]))
    spec = {"name": "sure", "criteria": [{"similar": {"image_ids": [ids[0]], "at_least": 0.6}}]}
    with pytest.raises(HilumError) as unknown:
        shared.build(spec)
    assert unknown.value.code is ErrorCode.FAILED_PRECONDITION
    curve = Curve((-1.0, 0.0, 1.0), (0.1, 0.2, 1.0), (0.0, 0.1, 0.9), (0.2, 0.3, 1.0))
    calibrations.save(shared.facts, SHARED.fingerprint, "film", [Calibration("film", "", "", curve, {})])
    shared.build(spec)  # 0.2 + 0.8 · cosine ≥ 0.6
    assert shared.members("sure") == sorted(i for i, score in zip(ids, scores, strict=True) if score >= 0.5)


def test_clusters_and_saved_searches(shared: Room) -> None:
    run_id, ids = str(uuid.uuid4()), sorted(one.image_id for one in shared.records)
    home = shared.home / "runs" / run_id
    home.mkdir(parents=True)
    pq.write_table(
        pa.table({"image_id": ids, "cluster@1": np.arange(FILMS) % 4, "cluster@2": np.zeros(FILMS, int)}),
        home / "map-shared.parquet",
    )
    (home / "manifest.json").write_text(json.dumps({"films_of": ["demo"]}))
    cluster = {"run_id": run_id, "model": "shared", "resolution": 1, "numbers": [1, 3]}
    shared.build({"name": "clusters", "criteria": [{"cluster": cluster}]})
    assert shared.members("clusters") == ids[1::2]
    with pytest.raises(HilumError) as hidden:
        request = cohort_pb2.PreviewCohortRequest()
        json_format.ParseDict({"criteria": [{"cluster": cluster}]}, request.spec)
        shared.api.preview_cohort(request, Call("test", access=Access(frozenset({"other"}))))
    assert hidden.value.code is ErrorCode.NOT_FOUND

    kept = searches.save(shared.facts, "local", "alike", {"query": {"image_id": ids[5]}})
    run_id = shared.build({"name": "asked", "criteria": [{"similar": {"search_id": kept.search_id, "top": 7}}]})
    shared.build({"name": "said", "criteria": [{"similar": {"image_ids": [ids[5]], "top": 7}}]})
    assert shared.members("asked") == shared.members("said") and len(shared.members("said")) == 7
    told = shared.json(run_id, "manifest.json")["cohort"]["spec"]["criteria"][0]["similar"]
    assert told == {"image_ids": [ids[5]], "model": "shared", "top": 7}  # whatever becomes of the search
    other = searches.save(shared.facts, "local", "mixed", {"query": {"mixture": {}}})
    with pytest.raises(HilumError, match="name its films"):
        shared.build({"criteria": [{"similar": {"search_id": other.search_id, "top": 7}}]})


def test_an_empty_cohort_says_which_step_took_the_last(shared: Room) -> None:
    with pytest.raises(HilumError, match="none older"):
        shared.build({"name": "none", "criteria": [{"name": "none older", "filter": "age > 200"}]})
    assert "none" not in [one.set_id for one in sets.listed(shared.facts)]


def test_what_a_run_kept_before_it_was_cut_short_goes_with_it(shared: Room) -> None:
    run_id = shared.build({**ADULTS, "name": "cut"})
    assert sets.withdraw(shared.facts, run_id) == 1
    assert "cut" not in [one.set_id for one in sets.listed(shared.facts)]
    shared.build({**ADULTS, "name": "cut"})  # the name is free again
    assert shared.members("cut")


@pytest.mark.slow
def test_a_film_that_is_gone_is_counted_no_more(room: Room) -> None:
    room.build(ADULTS)
    gone = next(one for one in room.records if one.image_id == room.members("adults")[0])
    removal.delete_films(room.facts, gone.dataset, [gone.image_id], [])
    found = room.api.get_cohort(cohort_pb2.GetCohortRequest(name="adults"), room.call)
    assert found.films.images == found.frozen.images - 1 and found.films.patients == found.frozen.patients - 1
    room.work(room.api.rerun_cohort(cohort_pb2.RerunCohortRequest(name="adults"), room.call).job_id)
    changed = room.api.diff_cohort(cohort_pb2.DiffCohortRequest(name="adults"), room.call)
    left = [(one.image_id, one.why) for one in changed.changes if one.how == "left"]
    assert left == [(gone.image_id, "gone_film")]

    for run in (room.home / "runs").iterdir():  # as forgetting does, which takes whole runs
        if gone.image_id in pq.read_table(run / "sample.parquet")["image_id"].to_pylist():
            shutil.rmtree(run)
    found = room.api.get_cohort(cohort_pb2.GetCohortRequest(name="adults"), room.call)
    assert not found.report and len(found.steps) == 4 and found.spec.name == "adults"
    later = room.work(room.api.rerun_cohort(cohort_pb2.RerunCohortRequest(name="adults"), room.call).job_id)
    changed = room.api.diff_cohort(cohort_pb2.DiffCohortRequest(name="adults"), room.call)
    assert changed.against == later and {one.why for one in changed.reasons} <= {"unrecorded"}
    assert any("is gone" in note for note in changed.notes)


def test_a_rerun_is_the_same_or_says_what_changed(room: Room) -> None:
    near = {"image_ids": [room.records[0].image_id], "top": 60}
    spec = {
        "name": "kept",
        "criteria": [{"name": "known age", "filter": "age >= 0"}, {"name": "edema", "filter": "labels.edema = present"},
                     {"name": "near", "similar": near}],
        "caps": [{"per": "patient", "most": 1, "which": "random"}],
        "seed": 3,
    }  # fmt: skip
    room.build(spec)
    frozen = room.members("kept")
    again = room.work(room.api.rerun_cohort(cohort_pb2.RerunCohortRequest(name="kept"), room.call).job_id)
    found = room.api.diff_cohort(cohort_pb2.DiffCohortRequest(name="kept"), room.call)
    assert found.same and found.both == len(frozen) and found.against == again and not found.changes

    by_id = {one.image_id: one for one in room.records}
    lost, other = by_id[frozen[0]], by_id[frozen[1]]
    images.commit(room.facts, [stored(replace(lost, age=None), [SHARP]), stored(replace(other, labels=()), [SHARP])])
    new = replace(by_id[frozen[2]], image_id=str(uuid.uuid4()), patient_id="a new one")
    room.store.upsert(SHARP, [new.image_id], room.store.vectors(SHARP, ids=[frozen[2]])[1], [{}])
    images.commit(room.facts, [stored(new, [SHARP])])
    room.work(room.api.rerun_cohort(cohort_pb2.RerunCohortRequest(name="kept", as_name="later"), room.call).job_id)
    found = room.api.diff_cohort(cohort_pb2.DiffCohortRequest(name="kept", against="later"), room.call)
    assert not found.same and room.members("kept") == frozen
    why = {change.image_id: (change.how, change.why, change.step) for change in found.changes}
    assert why.pop(lost.image_id) == ("left", "fact", "known age")
    assert why.pop(other.image_id) == ("left", "fact", "edema")
    assert why.pop(new.image_id) == ("entered", "new_film", "")
    # The patients of those that left have another film now, or the new film has pushed one beyond the rank.
    assert {reason for _, reason, _ in why.values()} <= {"draw", "rank"}
    assert sum(reason.films for reason in found.reasons) == len(found.changes)


def test_another_fingerprint_is_named_as_the_reason(room: Room) -> None:
    near = {"image_ids": [room.records[0].image_id], "top": 30, "model": "sharp"}
    room.build({"name": "one", "criteria": [{"name": "near", "similar": near}]})
    newer = make_spec("sharp", 16, revision="2")
    room.store.ensure(newer)
    ids, vectors = room.store.vectors(SHARP)
    turned = vectors[:, ::-1] + 2 * vectors[np.random.default_rng(0).permutation(len(ids))]
    room.store.upsert(newer, ids, (turned / np.linalg.norm(turned, axis=1, keepdims=True)).astype(np.float32),
                      [{}] * len(ids))  # fmt: skip
    images.hold(room.facts, ids, newer.fingerprint)
    models.register(room.facts, newer)
    room.work(room.api.rerun_cohort(cohort_pb2.RerunCohortRequest(name="one"), room.call).job_id)
    found = room.api.diff_cohort(cohort_pb2.DiffCohortRequest(name="one"), room.call)
    assert {(one.why, one.step) for one in found.reasons} == {("model", "near")}
    assert any("fingerprint" in note for note in found.notes)
    entered = next(change for change in found.changes if change.how == "entered")
    assert entered.HasField("after") and not entered.HasField("before")


@pytest.mark.slow
def test_everything_at_once(shared: Room) -> None:
    """Matching, a split and a table are made, and what they say of films is kept beside them."""
    run_id = shared.build({
        "name": "whole",
        "criteria": [{"filter": "age:*"}],
        "match": {"cases": "labels.edema = present", "exact": ["view"], "nearest": ["age"]},
        "split": {"fractions": {"train": 0.5, "test": 0.5}},
        "table1": {"variables": ["age", "sex"], "by": "group"},
    })  # fmt: skip
    films = pq.read_table(shared.home / "runs" / run_id / "cohort.parquet").to_pydict()
    assert films["image_id"] == shared.members("whole")
    assert set(films["group"]) == {"cases", "controls"} and set(films["split"]) == {"train", "test"}
    titles = [table["title"] for table in shared.json(run_id, "tables.json")["tables"]]
    assert {"Attrition", "Table 1", "Balance", "Split", "Leakage audit", "Record"} <= set(titles)


def test_who_may_not_see_all_that_was_judged_sees_no_cohort(room: Room) -> None:
    images.commit(room.facts, [stored(replace(room.records[0], dataset="other", age=10.0))])  # judged, and not chosen
    run_id = room.build(ADULTS)
    assert room.json(run_id, "manifest.json")["films_of"] == ["demo", "other"]
    narrow = Call("test", access=Access(frozenset({"demo"})))
    assert not room.api.list_cohorts(cohort_pb2.ListCohortsRequest(), narrow).cohorts
    for ask in (room.api.get_cohort, room.api.delete_cohort):
        with pytest.raises(HilumError) as hidden:
            ask(cohort_pb2.GetCohortRequest(name="adults"), narrow)
        assert hidden.value.code is ErrorCode.NOT_FOUND
    with pytest.raises(HilumError):
        room.api.diff_cohort(cohort_pb2.DiffCohortRequest(name="adults", against=run_id), narrow)
    request = cohort_pb2.CreateCohortRequest()
    json_format.ParseDict({**ADULTS, "name": "mine"}, request.spec)
    mine = room.work(room.api.create_cohort(request, narrow).job_id)
    assert room.json(mine, "manifest.json")["films_of"] == ["demo"]
    seen = room.api.get_cohort(cohort_pb2.GetCohortRequest(name="mine"), narrow)
    assert seen.films.images == len(room.members("mine"))


@pytest.mark.databases
def test_the_same_on_every_database(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    room = Room(tmp_path, store, facts)
    room.build({**ADULTS, "split": {"fractions": {"train": 0.5, "test": 0.5}}})
    one = next(record for record in room.records if record.image_id == room.members("adults")[0])
    images.save_reports(facts, [Report(one.dataset, str(one.study_id), "findings", "told")])
    spec = {
        "name": "both",
        "criteria": [{"filter": 'cohort = "adults"'}, {"time": {"to_day": 0}}, {"exclude": True, "filter": "report:*"}],
    }
    run_id = room.build(spec)
    found = room.api.get_cohort(cohort_pb2.GetCohortRequest(name="both"), room.call)
    adults = room.api.get_cohort(cohort_pb2.GetCohortRequest(name="adults"), room.call)
    assert found.films == found.frozen and found.films.images == adults.films.images - 1
    assert room.json(run_id, "manifest.json")["cohort"]["data"]["images"] == FILMS
    room.api.delete_cohort(cohort_pb2.GetCohortRequest(name="adults"), room.call)
    with pytest.raises(HilumError) as gone:
        room.build({**spec, "name": "later"})
    assert gone.value.code is ErrorCode.INVALID_FILTER


def test_words_are_encoded_where_the_service_encodes(facts: Facts, store: VectorStore, tmp_path: Path) -> None:
    archive = Archive(facts, store, Blobs(tmp_path / "blobs"), [PlacesEncoder("cohort-words")])
    archive.open()
    for place in range(12):
        archive.add(f"film-{place}", spot(0.5, (place + 1) / 13))
    archive.settle()
    api = CohortsApi(Settings(data_dir=tmp_path), facts, store, archive.encode, lambda: None)
    spec = {"criteria": [{"similar": {"text": "left", "top": 4}}]}
    request = cohort_pb2.PreviewCohortRequest()
    json_format.ParseDict(spec, request.spec)
    assert [step.left.images for step in api.preview_cohort(request, Call("test")).steps] == [12, 4]

    mute = CohortsApi(Settings(data_dir=tmp_path), facts, store, None, lambda: None)
    with pytest.raises(HilumError, match="--encode"):
        mute.preview_cohort(request, Call("test"))

    at = grpc_edge.serve([archive.encode_api], "127.0.0.1:0", "")
    made = analyses.make(tmp_path, facts, store, f"127.0.0.1:{at.port}", cohort={**spec, "name": "left"})
    at.stop(0)
    (word,) = archive.encode.encode_texts("cohort-words", ["left"])
    known = next(iter(models.active(facts).values()))
    ids, vectors = store.vectors(known)
    near = sorted(zip(-(vectors @ np.asarray(word)), ids, strict=True))[:4]
    assert sets.members_of(facts, "left") == sorted(image_id for _, image_id in near)
    told = made.json("manifest.json")["cohort"]["spec"]["criteria"][0]["similar"]
    assert told["model"] == "cohort-words"  # what "the only one" was
    archive.close()
