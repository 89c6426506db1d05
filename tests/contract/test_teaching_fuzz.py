"""The same of teaching files: an answer or a refusal, never a fault of ours."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi import FastAPI

from services.core.access import ALL
from services.core.blobs import Blobs
from services.core.facts import open_facts
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.query.exports_api import ExportsApi
from services.query.teaching.document import parse
from services.query.teaching_api import TeachingApi
from services.transport import http_edge
from tests.contract.test_openapi_fuzz import FILMS, SOUND, fuzzed
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder

CASES = 20  # of each operation; HILUM_FUZZ asks for more
XML = base64.b64encode(b"<MIRCdocument><title>x</title><section heading='History'><p>y</p></section></MIRCdocument>")


@pytest.fixture(scope="module")
def app(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    home: Path = tmp_path_factory.mktemp("teaching-fuzz")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("fuzz")])
    archive.open()
    for i in range(12):
        archive.add(f"film-{i}", spot(0.5, i / 12), labels={"edema": ["present", "absent"][i % 2]})
    archive.settle()
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    teaching = TeachingApi(facts, query, archive.encode, archive.blobs)
    document = {"title": "t", "diagnosis": "d", "differential": ["e"], "images": [{"image_id": FILMS[0], "key": "k"}]}
    made = [teaching.files.create("local", ALL, parse(document)).file.file_id for _ in range(3)]
    SOUND.update({
        "file_id": [*made, "nonsense"], "key": ["k", "x"], "made_from": [1, 2, 9], "version": [0, 1, 2, -1],
        "document": [document, {**document, "history": "h"}, {}, {"title": "\u202e"}, {"title": "t", "images": [{}]}],
        "archive": [XML.decode(), "UEsDBA==", ""], "layout": ["", "cases", "pile"], "text": ["", "d", "x"],
        "choice": ["", "e", "z"], "state": ["", "draft"], "access": [{"read": ["*"]}, {"read": [""]}, {}],
        "typical": [-1, 0, 2, 99], "models": [[], ["fuzz"], ["nobody"]], "format": ["mirc", "html", "x"],
        "words": ["", "t", "%"], "request_id": ["", "r"],
    })  # fmt: skip
    yield http_edge.build([teaching, ExportsApi(facts, archive.blobs, b"s" * 32)])
    query.close()
    archive.close()
    store.close()
    facts.close()


@pytest.mark.slow
def test_nothing_that_comes_in_is_a_fault_of_ours(app: FastAPI) -> None:
    seen = fuzzed(app, CASES)
    assert len(seen) == 19
    for way in ("POST /v1/teachingFiles", "POST /v1/teachingFiles:assemble", "GET /v1/teachingFiles/{file_id}"):
        assert 200 in seen[way] and seen[way] & {400, 404}, way
