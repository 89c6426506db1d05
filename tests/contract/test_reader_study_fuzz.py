"""The same of reader studies: an answer or a refusal, never a fault of ours."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from hilum.v1 import reader_study_pb2 as wire
from services.core.blobs import Blobs
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.readerstudy.api import ReaderStudyApi, ReadingApi
from services.transport import http_edge
from services.transport.edge import Call
from tests.contract.test_openapi_fuzz import FILMS, SOUND, fuzzed
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder

CASES = 12  # of each operation; HILUM_FUZZ asks for more


@pytest.fixture(scope="module")
def app(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    home: Path = tmp_path_factory.mktemp("studies-fuzz")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("fuzz")])
    archive.open()
    for i in range(12):
        archive.add(f"film-{i}", spot(0.5, i / 12), phash="", patient_id=f"p-{i}", labels={"edema": "present"})
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    studies, reading = ReaderStudyApi(facts, store, query.pages), ReadingApi(facts, query.images)
    small, call = wire.ReaderDesign(sets=2, nearest=2, others=2), Call("t")
    made = [
        list(studies.create_reader_study(wire.CreateReaderStudyRequest(title="t", design=small), call))[-1].study
        for _ in range(4)
    ]
    ids = [one.study_id for one in made[:3]]
    token = studies.invite_reader(wire.InviteReaderRequest(study_id=made[3].study_id, name="Ada"), call).token
    SOUND.update({
        "study_id": [*ids, "nonsense"], "token": [token, token, "nonsense"], "number": [1, 2, 0, 99, -1],
        "place": [0, 1, 4, 9, -3], "chosen": [[1, 2], [3, 4], [1], [9, 9], []], "grades": [[], [0, 1, 2, 3], [9]],
        "seconds": [0, 1.5, -1, 1e300], "name": ["Ada", "Ben", "", "a\nb"], "renew": [True, False],
        "title": ["t", "", "=1+1"], "image_ids": [[], FILMS[:2], [FILMS[0], FILMS[0]], ["nonsense"]],
        "readers": [[], ["Ada"], ["Nobody"]], "format": ["csv", "json", "qrels", "exe", ""],
        "design": [
            {"sets": 2, "nearest": 2, "others": 2}, {"sets": 3, "kind": "pairs", "against": "random"},
            {"sets": 2, "kind": "grades", "nearest": 1, "others": 2, "stratify": "labels.edema"},
            {"kind": "x"}, {"sets": -1}, {"filter": "("}, {"seed": -5}, {"strata": ["view = PA", "(("]}, {},
        ],
    })  # fmt: skip
    yield http_edge.build([studies, reading])
    query.close()
    archive.close()
    store.close()
    facts.close()


@pytest.mark.slow
def test_nothing_that_comes_in_is_a_fault_of_ours(app: FastAPI) -> None:
    seen = fuzzed(app, CASES)
    assert len(seen) == 12
    for way in ("POST /v1/studies", "GET /v1/reading/{token}", "POST /v1/reading/{token}/sets/{number}:answer"):
        assert 200 in seen[way] and seen[way] & {400, 404}, way
