"""Withdrawn consent: a patient with unmistakable traces everywhere, and afterwards none of them in any byte."""

from __future__ import annotations

import json
import uuid
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from hilum import Client, HilumError
from hilum.locate import Endpoint
from services.analytics.stages import Stages
from services.core import attempts, cohorts
from services.core.access import ALL
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import images, jobs, reader_studies, removal, runs, searches
from services.core.ids import image_id, pseudonym
from services.core.pulled import Key, Pulled
from services.core.store.reports import WORDS, meaning, report_point
from services.core.types import JobProgress, JobState, Outcome, Report, ReportKey
from services.engine.supervisor import EngineProcess
from services.ingest import forget as forgetting
from services.ingest.api import IngestApi
from services.ingest.claim import claimed
from services.ingest.decode import decode
from services.ingest.forget import Forgotten, forget
from services.ingest.pixel_cache import PixelCache, pack
from services.ingest.removal import _occurs
from services.ingest.report_index import ReportIndex
from services.query.teaching.document import parse
from services.query.teaching.files import Files
from services.transport import grpc_edge
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import ramp, stored_bytes
from tests.kit.ingesting import Room, room
from tests.kit.raw import written

PATIENT, STUDY, FINDING = "CANARY-PATIENT-77", "1.2.840.77.88.99.111", "canary_finding"
CANARY = "a report of the canary"


@dataclass
class Mine:
    """An archive with a patient to forget (2 films, one study) and others to keep."""

    room: Room
    data: Path
    films: Path
    gone: dict[str, np.ndarray]  # image_id → vector
    pictures: dict[str, bytes]
    name: str

    def forget(self, *patients: str) -> Forgotten:
        r = self.room
        *_, last = forget(
            r.settings, r.facts, r.store, Blobs(self.data / "blobs"), r.secret, "demo", patients or (PATIENT,)
        )
        assert isinstance(last, Forgotten)
        return last

    def traces(self) -> dict[str, set[str]]:
        """Every needle that any file of the data folder holds."""
        needles = {"name": self.name.encode(), "original": PATIENT.encode(), "study": pseudonym(
            self.room.secret, "study", "demo", STUDY).encode()}  # fmt: skip
        point = report_point(ReportKey("demo", needles["study"].decode(), "findings"))
        needles |= {"report id": uuid.UUID(point).bytes}
        needles |= {"finding": FINDING.encode(), "report": CANARY.encode()}
        for number, (film, vector) in enumerate(self.gone.items()):
            needles |= {
                f"id{number}": film.encode(), f"raw id{number}": uuid.UUID(film).bytes,
                f"raw id{number} reversed": uuid.UUID(film).bytes[::-1], f"vector{number}": vector.tobytes()[:24],
                f"picture{number}": _middle(self.pictures[film]),
            }  # fmt: skip
        found: dict[str, set[str]] = {}
        for path in self.data.rglob("*"):
            data = written(path)
            for what, needle in needles.items():
                if needle in data or needle.decode("latin1") in path.name:
                    found.setdefault(what, set()).add(path.relative_to(self.data).as_posix())
        return found


def _middle(picture: bytes) -> bytes:
    """Bytes that no other picture has: its first ones are tables that all of them share."""
    return picture[len(picture) // 2 :][:80]


@pytest.fixture
def mine(tmp_path: Path) -> Iterator[Mine]:
    data, films = tmp_path / "data", tmp_path / "films"
    films.mkdir()
    for number in range(2):
        (films / f"gone-{number}.dcm").write_bytes(stored_bytes(
            ramp(seed=number), PatientID=PATIENT, StudyInstanceUID=STUDY, SOPInstanceUID=f"1.2.3.{number}"
        ))  # fmt: skip
    for number in range(2, 6):
        (films / f"kept-{number}.dcm").write_bytes(stored_bytes(
            ramp(seed=number), PatientID=f"P{number}", SOPInstanceUID=f"1.2.3.{number}"
        ))  # fmt: skip
    table = tmp_path / "labels.csv"
    table.write_text("file,labels\n" + "".join(f"gone-{n}.dcm,{FINDING}\n" for n in range(2)))
    with (
        EngineProcess(data / "engine", log_file=tmp_path / "engine.log") as process,
        room(data, process.url, tiny_registry(TinyEncoder(), TinyEncoder("small", 24))) as opened,
    ):
        assert opened.ingest(films, labels=table).state is JobState.SUCCEEDED
        # Facts of an earlier life: the label, rewritten, so that its old bytes lie in free space of the database.
        gone = sorted(image_id("demo", f"1.2.3.{number}") for number in range(2))
        ids, vectors = opened.store.vectors(opened.registry.specs()["tiny"], ids=gone)
        assert ids == gone
        thumbs = images.thumbnails(opened.facts, gone)
        blobs = Blobs(data / "blobs")
        made = Mine(
            opened, data, films, dict(zip(ids, vectors, strict=True)), {i: blobs.get(thumbs[i]) for i in gone},
            pseudonym(opened.secret, "patient", "demo", PATIENT),
        )  # fmt: skip
        spread(made, gone)
        yield made


def spread(mine: Mine, gone: list[str]) -> None:
    """Traces wherever an archive leaves them."""
    facts, kept = mine.room.facts, sorted(images.ids_of(mine.room.facts) - set(gone))
    study = pseudonym(mine.room.secret, "study", "demo", STUDY)
    images.save_reports(
        facts, [Report("demo", study, "findings", CANARY), Report("demo", "s-other", "findings", "kept")]
    )
    r = mine.room
    assert ReportIndex(r.settings, facts, r.store, r.registry).index("demo", lambda: False) == set()
    run(mine, "00000000-0000-4000-8000-000000000001", [gone[0], *kept], {})
    pulled = Pulled.at(mine.data, 2**20)
    assert pulled.put(Key("f" * 64, "a" * 64, "b" * 64), gone, np.stack([mine.gone[one] for one in gone])) is not None
    Stages(attempts.folder(mine.data, {"models": ["any"]})).once("pictures", lambda: [one.encode() for one in gone])
    run(mine, "00000000-0000-4000-8000-000000000002", kept, {})
    judged = {"image_id": pa.array([uuid.UUID(one).bytes for one in sorted([*gone, *kept])], pa.binary(16))}
    pq.write_table(
        pa.table(judged), mine.data / "runs" / "00000000-0000-4000-8000-000000000002" / cohorts.VERDICTS,
        compression="NONE", use_dictionary=False,
    )  # fmt: skip
    run(mine, "00000000-0000-4000-8000-000000000003", kept, {"filter": f'patient_id = "{mine.name}"'})
    (mine.data / "runs" / ".part-00000000-0000-4000-8000-000000000004-ab").mkdir()
    jobs.submit(facts, "analyze", {"filter": f'NOT patient_id = "{mine.name}"'})
    searches.save(facts, "local", "alike", {"query": {"image_id": gone[0]}})
    case = {
        "title": f"Of {mine.name}",
        "images": [{"image_id": film, "caption": f"canary caption {film}"} for film in (gone[0], kept[0])],
    }
    Files(facts, Blobs(mine.data / "blobs")).create("local", ALL, parse(case))
    searches.save(facts, "local", "others", {"query": {"image_id": kept[0]}})
    shown = ((gone[0], kept[0]), (kept[1], gone[1]), (kept[0], kept[1]))
    contents = [({"query": query, "films": [film], "scores": [0.5]}, [query, film]) for query, film in shown]
    design = {"kind": "pairs", "filter": f'NOT patient_id = "{mine.name}"'}
    study = reader_studies.create(facts, "local", f"without {mine.name}", design, {"model": "tiny"}, contents)
    who = reader_studies.invite(facts, study, "Ada", "0" * 64)
    for number in range(3):
        reader_studies.answer(facts, who, number, {"chosen": [0]}, 1.0)
    collection = mine.room.registry.specs()["tiny"].collection
    mine.room.store._at(collection).create_snapshot(collection)
    # A vector that no fact knows, as a killed ingest leaves it.
    spec = mine.room.registry.specs()["small"]
    lost = str(uuid.UUID(int=77 << 64 | 0xCAFEBABEDEADBEEF))
    vector = np.random.default_rng(77).standard_normal((1, spec.dim)).astype(np.float32)
    mine.room.store.upsert(
        spec, [lost], vector / np.linalg.norm(vector), [{"dataset": "demo", "patient_id": mine.name}]
    )
    mine.gone[lost], mine.pictures[lost] = vector[0] / np.linalg.norm(vector), b"canary picture" * 20
    film = decode((mine.films / "gone-0.dcm").read_bytes())
    PixelCache.at(mine.room.settings).put(film.pixel_sha256, pack(film.film))


def run(mine: Mine, name: str, ids: list[str], asked: dict[str, object]) -> None:
    folder = mine.data / "runs" / name
    folder.mkdir(parents=True)
    pq.write_table(pa.table({"image_id": ids}), folder / "sample.parquet", compression="NONE", use_dictionary=False)
    (folder / "manifest.json").write_text(json.dumps({"asked": asked}))
    runs.save(mine.room.facts, name, name, "succeeded", {"asked": asked}, {})


def test_nothing_is_left_in_any_byte_and_the_others_are_untouched(mine: Mine) -> None:
    before = mine.traces()
    assert {"name", "study", "finding", "report", "report id", "id0", "raw id0", "vector0", "picture0"} <= before.keys()
    kept = images.ids_of(mine.room.facts) - mine.gone.keys()
    records = images.get(mine.room.facts, kept)

    done = mine.forget()

    assert done.complete and done.films == 2, done
    assert mine.traces() == {}
    assert all(trace.left == 0 for trace in done.traces.values())
    removed = {place: trace.removed for place, trace in done.traces.items()}
    specs = mine.room.registry.specs()
    assert (
        removed[f"vectors: {specs['tiny'].collection}"] == 2 and removed[f"vectors: {specs['small'].collection}"] == 3
    )
    assert removed["SQL: films"] == removed["SQL: job items"] == removed["thumbnails"] == 2
    assert removed["SQL: ledger"] == 4 and removed["SQL: labels"] == 2 and removed["SQL: reports"] == 1
    assert removed["SQL: indexed reports"] == 3 and removed[f"vectors: {WORDS}"] == 1
    assert all(removed[f"vectors: {meaning(spec)}"] == 1 for spec in specs.values())
    assert mine.room.store.count_reports(WORDS) == 1
    assert removed["saved searches"] == 1 and [one.title for one in searches.listed(mine.room.facts, "local")] == [
        "others"
    ]
    [case] = Files(mine.room.facts, Blobs(mine.data / "blobs")).listed("local", ALL).files
    assert removed["teaching files"] == 2 and case.document.title == "Of […]"
    assert case.document.films == [film for film in case.document.films if film in kept] and case.document.films
    [study] = reader_studies.listed(mine.room.facts, "local")
    assert removed["reader studies"] == 3 and (study.title, study.design) == ("", {"kind": "pairs", "filter": ""})
    assert [bool(one) for one in reader_studies.contents(mine.room.facts, study.study_id)] == [False, False, True]
    assert [one.number for one in reader_studies.answers(mine.room.facts, study.study_id)] == [2]
    assert removed["vectors kept for analyses"] == 1
    verdicts = pq.read_table(mine.data / "runs" / "00000000-0000-4000-8000-000000000002" / cohorts.VERDICTS)
    assert removed["verdicts of cohorts"] == 2
    assert {str(uuid.UUID(bytes=one)) for one in verdicts["image_id"].to_pylist()} == kept
    assert removed["analysis runs"] == 2 and removed["engine snapshots"] == 1 and removed["pixel cache"] == 1
    assert "byte strings" in done.traces["raw files of the data folder"].note
    assert mine.room.everywhere() == kept and images.get(mine.room.facts, kept) == records
    assert [path.name for path in (mine.data / "runs").iterdir()] == ["00000000-0000-4000-8000-000000000002"]
    assert [r.run_id for r in runs.recent(mine.room.facts)] == ["00000000-0000-4000-8000-000000000002"]
    assert images.reports_of(mine.room.facts, "demo", "s-other") == {"findings": "kept"}


def test_bytes_are_found_wherever_they_stand_in_a_file_with_holes(tmp_path: Path) -> None:
    needle, block, path = b"\0\0canary\0\0", 2**20, tmp_path / "holes"
    for place in (0, 5, block - 5, block, 40 * block + 17, 64 * block - len(needle)):
        with path.open("wb") as file:
            file.truncate(64 * block)
            file.seek(place)
            file.write(needle)
        assert _occurs(path, [b"other", needle]), place
        assert not _occurs(path, [b"canary!", b"\1"])
    path.write_bytes(b"")
    assert not _occurs(path, [needle])


@pytest.mark.slow
def test_the_films_do_not_come_back(mine: Mine, tmp_path: Path) -> None:
    mine.forget(mine.name)  # by the archive's own name
    for plan in ({}, {"keep_ids": True}):
        job = mine.room.ingest(mine.films, **plan)
        items = [item for item in mine.room.items(job) if item.outcome is Outcome.QUARANTINED]
        assert [(item.reason, item.image_id) for item in items] == [("CONSENT_WITHDRAWN", None)] * 2
    # A new film of theirs, and an old one without a name.
    more = tmp_path / "more"
    more.mkdir()
    (more / "new.dcm").write_bytes(stored_bytes(ramp(seed=50), PatientID=PATIENT))
    (more / "nameless.dcm").write_bytes(stored_bytes(ramp(seed=0), PatientID=None))
    job = mine.room.ingest(more)
    assert [item.reason for item in mine.room.items(job)] == ["CONSENT_WITHDRAWN"] * 2
    assert mine.traces().keys() <= set()
    assert mine.forget().complete and mine.forget().films == 0


@pytest.mark.slow
@pytest.mark.parametrize("stage", [
    "waiting for ingests", "vectors", "analysis runs", "pictures", "facts", "rewriting the engine's files",
    "rewriting the database", "looking again",
])  # fmt: skip
def test_interrupted_anywhere_the_same_call_completes_it(mine: Mine, stage: str) -> None:
    r = mine.room
    for item in forget(r.settings, r.facts, r.store, Blobs(mine.data / "blobs"), r.secret, "demo", [PATIENT]):
        if isinstance(item, JobProgress) and item.stage == stage:
            break  # as if the process had died here
    assert mine.forget().complete
    assert mine.traces() == {}


@pytest.mark.slow
def test_it_does_not_claim_what_it_did_not_do(mine: Mine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(type(mine.room.store), "purge", lambda *_: None)  # an engine that rewrites nothing
    done = mine.forget()
    assert not done.complete and done.traces["raw files of the data folder"].left
    monkeypatch.undo()
    assert mine.forget().complete  # the tombstone and the rest are kept; what was missing is done
    assert mine.traces() == {}


@pytest.mark.slow
def test_it_waits_for_nobody_forever(mine: Mine, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(forgetting, "_PATIENCE", 0.2)
    with (
        claimed(mine.room.facts, mine.data, "demo", lambda: False),
        pytest.raises(Exception, match="an ingest of this dataset"),
    ):
        mine.forget()
    taken = jobs.take(mine.room.facts, "analyze", "somebody")
    assert taken and removal.at_work(mine.room.facts, ["analyze"])
    with pytest.raises(Exception, match="an analysis"):
        mine.forget()


@pytest.mark.slow
def test_over_both_transports_for_the_operator_alone(mine: Mine) -> None:
    r = mine.room
    settings = Settings(mine.data, engine_url=r.settings.engine_url)
    api = IngestApi(settings, r.facts, r.registry, r.store, Blobs(mine.data / "blobs"))
    server = grpc_edge.serve([api], "127.0.0.1:0", "token")
    where = f"127.0.0.1:{server.port}"
    try:
        with Client(endpoint=Endpoint(where)) as stranger, pytest.raises(HilumError, match="operator"):
            stranger.forget("demo", PATIENT)
        with Client(endpoint=Endpoint(where, token="token")) as client:
            with pytest.raises(HilumError, match="name the dataset"):
                client.forget("demo", "")
            seen: list[str] = []
            done = client.forget("demo", PATIENT, seen=lambda progress: seen.append(progress.stage))
        assert done.complete and done.films == 2 and "reading every file" in seen and mine.traces() == {}
    finally:
        server.stop(1)
