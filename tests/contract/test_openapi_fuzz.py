"""Whatever is sent that fits the OpenAPI document, or only nearly: an answer or a refusal, never a fault of ours."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from fastapi import FastAPI
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.analytics.api import AnalyticsApi
from services.analytics.cohort.api import CohortsApi
from services.core.blobs import Blobs
from services.core.config import Settings
from services.core.facts import images, open_facts, searches
from services.core.ids import image_id
from services.core.store import VectorStore
from services.core.types import Report
from services.engine.supervisor import EngineProcess
from services.ingest.report_index import ReportIndex
from services.query.api import QueryApi
from services.query.reports.api import ReportsApi
from services.query.searches_api import SearchesApi
from services.query.sets_api import SetsApi
from services.query.upkeep import Upkeep
from services.transport import http_edge
from services.transport.jobs import JobsApi
from tests.kit.archive import Archive, spot
from tests.kit.places import PlacesEncoder

ENOUGH = 40  # cases of each operation; HILUM_FUZZ asks for more


FILMS = [image_id("demo", f"film-{i}") for i in range(12)]
SOUND = {  # values that get past the door, by field; half of all cases have them
    "image_id": [*FILMS, "nonsense"],
    "search_id": ["SAVED", "nonsense"], "set_id": ["", "mine", "mine", "a/b", "../x"], "begins": ["", "mi"],
    "films": [{"image_ids": FILMS[:3]}, {"image_ids": ["x"]}], "clusters": [{"run_id": FILMS[0]}, {"run_id": "../x"}],
    "how": ["", "fused", "words", "meaning"], "section": ["", "findings"], "text": ["left", "no edema", " "],
    "models": [[], ["fuzz"], ["fuzz", "fuzz-mute"]],
    "model": ["", "fuzz", "fuzz-mute"],
    "filter": ["", 'view = "PA"', "labels.edema = present", "NOT age:*", "study_date >= 2020-01-01", "(", "a = b"],
    "query": [
        {"image_id": FILMS[0]}, {"text": "left, no edema"}, {"study": {"dataset": "demo", "study_id": "s-1"}},
        {"region": {"image_id": FILMS[1], "x": 0.1, "y": 0.1, "width": 0.5, "height": 0.5}},
        {"examples": {"positive": [{"image_id": FILMS[0]}, {"text": "right"}], "negative": [{"image_id": FILMS[3]}]}},
        {"mixture": {"parts": [{"query": {"text": "left"}, "weight": -1}, {"query": {"image_id": FILMS[2]}}]}},
        {"vector": {"values": [0.5] * 32}}, {"mixture": {"parts": [{"query": {"mixture": {}}}]}}, {},
    ],
    "fusion": ["", "rrf", "dbsf", "weighted"], "mode": ["", "nearest", "typical", "atypical", "lookalike", "disagree"],
    "finding": ["", "edema", "Edema", "x.y"], "hubs": ["", "keep", "csls"], "group_by": ["", "patient", "study"],
    "exclude": ["", "patient", "study", "none"], "reading": ["", "plain", "understood"], "method": ["", "recommend"],
    "limit": [0, 1, 5, 1000, 100000], "page_size": [0, 1, 50], "page_token": ["", "eA"], "weights": [{}, {"fuzz": 2}],
    "diversity": [0, 0.5, 1], "at_least": [0, 0.5], "texts": [["left"], ["left", " "]], "k": [0, 2, 15], "seed": [0, 7],
    "marks": [[{"image_id": FILMS[1], "grade": 1}], [{"image_id": FILMS[1], "grade": 9}]], "title": ["mine", ""],
    "name": ["nonsense", "a/b"], "spec": [
        {}, {"criteria": [{"filter": "age >= 40"}, {"time": {"from_day": -9}}], "caps": [{"per": "study", "most": 1}]},
        {"name": "x", "criteria": [{"similar": {"image_ids": [FILMS[0]], "top": 3, "model": "fuzz"}}]},
        {"criteria": [{"similar": {"text": "left", "top": 3, "model": "fuzz"}, "among": "remaining"}]},
        {"criteria": [{"cluster": {"run_id": FILMS[0], "model": "fuzz", "resolution": 1, "numbers": [1]}}]},
        {"name": "../x", "unit": "film"}, {"criteria": [{"ids": {"image_ids": ["x"]}}]},
    ],
    "group_size": [0, 2], "per_patient": [0, 1], "sample_size": [0, 5], "resolutions": [[], [1.0]], "labels": [[]],
}  # fmt: skip
ONE_OF = [{"filter", "films", "clusters"}, {"text", "image_id", "image"}]  # one of these where a message has all


@pytest.fixture(scope="module")
def app(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[FastAPI]:
    home: Path = tmp_path_factory.mktemp("fuzz")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    archive = Archive(facts, store, Blobs(home / "blobs"), [PlacesEncoder("fuzz"), PlacesEncoder("fuzz-mute", 24, 1)])
    archive.open()
    for i in range(12):
        fields = {"patient_id": f"p-{i // 2}", "study_id": f"s-{i}", "view": ["PA", "LATERAL"][i % 2]}
        archive.add(f"film-{i}", spot(0.5, i / 12), labels={"edema": ["present", "absent"][i % 2]}, **fields)
    archive.settle()
    images.save_reports(facts, [Report("demo", f"s-{i}", "findings", f"No edema on the left: {i}.") for i in range(9)])
    assert ReportIndex(Settings(home), facts, store, archive.registry).index("demo", lambda: False) == set()
    kept = {"query": {"image_id": FILMS[0]}, "limit": 3}
    SOUND["search_id"][0] = searches.save(facts, "local", "kept", kept).search_id
    query = QueryApi(facts, store, archive.encode, archive.blobs)
    analytics = AnalyticsApi(Settings(home, engine_url=engine.url), facts)
    cohorts = CohortsApi(Settings(home, engine_url=engine.url), facts, store, archive.encode, lambda: None)
    upkeep = Upkeep(facts, store)
    upkeep.start()
    reports = ReportsApi(facts, store, archive.encode, query.searching.ordinary)
    mine = [SearchesApi(facts, query.pages), reports, SetsApi(facts, upkeep, home)]
    yield http_edge.build([query, *mine, archive.encode_api, analytics, cohorts, JobsApi(facts)])
    upkeep.stop()
    query.close()
    archive.close()
    store.close()
    facts.close()


@st.composite
def sound(draw: st.DrawFn, operation: schemathesis.APIOperation) -> schemathesis.Case:
    """A case of the document with values that mean something in the fields that are there, or might be."""
    case = draw(operation.as_strategy())
    for name in case.path_parameters or {}:
        case.path_parameters[name] = draw(st.sampled_from(SOUND.get(name, ["nonsense"])))
    document = operation.schema.raw_schema
    told = document["paths"][operation.path][operation.method].get("requestBody")
    if told:
        kind = told["content"]["application/json"]["schema"]["$ref"].rsplit("/", 1)[1]
        case.body = filled(draw, document["components"]["schemas"][kind]["properties"], document)
    return case


def filled(draw: st.DrawFn, fields: dict[str, Any], document: dict[str, Any]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    several = [of for of in ONE_OF if of <= fields.keys()]
    kept = [draw(st.sampled_from(sorted(of))) for of in several]
    fields = {name: about for name, about in fields.items() if name in kept or not any(name in of for of in several)}
    for name, about in fields.items():
        if name in SOUND and (name in ("query", "set_id", *kept) or draw(st.integers(0, 5)) == 0):
            body[name] = draw(st.sampled_from(SOUND[name]))
        elif name in ("request", "search"):
            inner = document["components"]["schemas"]["SearchRequest"]["properties"]
            body[name] = filled(draw, inner, document)
        elif about.get("type") == "boolean":
            body[name] = draw(st.booleans())
    return body


def fuzzed(app: FastAPI, most: int = ENOUGH) -> dict[str, set[int]]:
    """Send every operation `most` cases; operation → statuses seen. No case may be a fault of ours."""
    schema = schemathesis.openapi.from_asgi("/openapi.json", app)
    seen: dict[str, set[int]] = {}
    for operation in (found.ok() for found in schema.get_all_operations()):
        if operation.path.endswith(":watch"):  # a stream that lasts as long as its job
            continue
        modes = [operation.as_strategy(generation_mode=mode) for mode in schemathesis.GenerationMode]

        @settings(
            max_examples=int(os.environ.get("HILUM_FUZZ", most)), deadline=None, database=None, derandomize=True,
            suppress_health_check=list(HealthCheck),
        )  # fmt: skip
        @given(case=st.one_of(sound(operation), sound(operation), *modes))
        def answers(case: schemathesis.Case) -> None:
            response = case.call()
            seen.setdefault(f"{case.method} {case.path}", set()).add(response.status_code)
            assert response.status_code < 500 or response.status_code == 501, f"{case.method} {case.path}"
            if response.status_code >= 400:
                assert set(response.json()["error"]) >= {"code", "message", "request_id"}

        answers()
    return seen


def test_nothing_that_comes_in_is_a_fault_of_ours(app: FastAPI) -> None:
    seen = fuzzed(app)
    assert len(seen) >= 29
    ways = ["search", "search:stream", "search:whyNot", "images:query", "reports:search", "sets"]
    for way in ways:
        assert {200, 400} <= seen[f"POST /v1/{way}"], f"{way}: what can be asked and what cannot has been sent"
    assert 200 in seen["POST /v1/sets:delete"] and 200 in seen["POST /v1/reports:index"]
