"""The same requests over gRPC and HTTP: the same answers, the same errors by the one table."""

from __future__ import annotations

import base64
import json
import os
import signal
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from hilum.v1 import common_pb2, query_pb2, query_pb2_grpc
from services.core.blobs import Blobs
from services.core.errors import ErrorCode
from services.core.facts import images, open_facts
from services.core.limits import MAX_HTTP_BODY_BYTES, MAX_MESSAGE_BYTES, MAX_UPLOAD_BYTES
from services.core.store import VectorStore
from services.core.types import Report
from services.engine.supervisor import EngineProcess
from services.query.api import QueryApi
from services.transport.errors import ERROR_METADATA, TABLE
from tests.kit.archive import Archive, png, spot
from tests.kit.places import PlacesEncoder
from tests.kit.served import Served, served

STUDY = {"dataset": "demo", "study_id": "s-3"}
NO_FILM = "00000000-0000-5000-8000-000000000000"
ROUTES = {
    "Search": "search",
    "SearchBatch": "search:batch",
    "WhyNot": "search:whyNot",
    "QueryImages": "images:query",
    "FacetImages": "images:facets",
}


@dataclass
class Edges:
    """Both ways into one service."""

    where: Served
    films: list[str]

    def __post_init__(self) -> None:
        size = [("grpc.max_send_message_length", -1), ("grpc.max_receive_message_length", -1)]
        self.stub = query_pb2_grpc.QueryServiceStub(grpc.insecure_channel(self.where.grpc, options=size))
        self.http = httpx.Client(base_url=self.where.url, timeout=60)

    def over_grpc(self, rpc: str, message: Message) -> Message | tuple[ErrorCode, str]:
        try:
            return getattr(self.stub, rpc)(message, timeout=60)
        except grpc.RpcError as error:
            sent = dict(error.trailing_metadata() or ()).get(ERROR_METADATA)
            assert sent is not None, f"no error detail with {error.code()}"
            detail = common_pb2.Error.FromString(sent)
            code = ErrorCode(common_pb2.ErrorCode.Name(detail.code))
            assert error.code() is TABLE[code][0]
            assert error.details() == detail.message
            assert detail.request_id
            return code, detail.message

    def over_http(self, rpc: str, message: Message) -> Message | tuple[ErrorCode, str]:
        if rpc in ("GetImage", "GetThumbnail"):
            answer = self.http.get(f"/v1/images/{message.image_id}" + ("/thumbnail" if rpc == "GetThumbnail" else ""))
        else:
            body = json_format.MessageToDict(message, preserving_proto_field_name=True)
            answer = self.http.post(f"/v1/{ROUTES[rpc]}", json=body)
        return self.read(rpc, answer)

    def read(self, rpc: str, answer: httpx.Response) -> Message | tuple[ErrorCode, str]:
        method = query_pb2.DESCRIPTOR.services_by_name["QueryService"].methods_by_name[rpc]
        if answer.status_code == 200:
            if method.output_type.name == "Blob":
                return common_pb2.Blob(content_type=answer.headers["content-type"], data=answer.content)
            kind = (
                common_pb2.Image if method.output_type.name == "Image" else getattr(query_pb2, method.output_type.name)
            )
            return json_format.Parse(answer.text, kind())
        error = answer.json()["error"]
        code = ErrorCode(error["code"])
        assert answer.status_code == TABLE[code][1]
        assert error["request_id"] == answer.headers["x-request-id"]
        return code, error["message"]

    def both(self, rpc: str, message: Message) -> Any:
        """The one answer of both edges."""
        one, other = self.over_grpc(rpc, message), self.over_http(rpc, message)
        assert _timeless(one) == _timeless(other)
        return one


def _timeless(answer: Any) -> Any:
    """Without what differs from call to call: times and request ids."""
    if isinstance(answer, query_pb2.SearchResponse):
        _forget_times(answer)
    if isinstance(answer, query_pb2.SearchBatchResponse):
        for outcome in answer.outcomes:
            if outcome.HasField("error"):
                outcome.error.request_id = ""
            else:
                _forget_times(outcome.response)
    return answer


def _forget_times(response: query_pb2.SearchResponse) -> None:
    assert response.provenance.elapsed_ms > 0
    response.provenance.ClearField("elapsed_ms")
    response.provenance.ClearField("time")


@pytest.fixture(scope="module")
def edges(engine: EngineProcess, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    home: Path = tmp_path_factory.mktemp("parity")
    facts, store = open_facts(f"sqlite:///{home / 'facts.db'}"), VectorStore(engine.url)
    encoders = [PlacesEncoder("parity"), PlacesEncoder("parity-mute", 24, 1, False)]
    archive = Archive(facts, store, Blobs(home / "blobs"), encoders)
    archive.open()
    films = [
        archive.add(
            f"film-{i}", spot(0.5, i / 12), patient_id=f"p-{i // 2}", study_id=f"s-{i}",
            view=["PA", "AP", "LATERAL"][i % 3],
            sex="FM"[i % 2], age=30.5 + i, study_date=f"2020-01-{i + 1:02}", modality="DX", licence="CC0-1.0",
            labels=({"edema": ["present", "absent", "uncertain"][i % 3]} if i % 4 else {})
            | ({"mass": "present"} if i == 7 else {}),
        ).image_id
        for i in range(12)
    ]  # fmt: skip
    archive.add("bare", spot(0.9, 0.9))
    archive.settle()
    images.save_reports(facts, [Report("demo", "s-3", "findings", "Bright on the left.")])
    api = QueryApi(facts, store, archive.encode, archive.blobs)
    with served([api]) as where:
        yield Edges(where, films)
    api.close()
    archive.close()
    for encoder in encoders:
        store.drop(encoder.spec.collection)
    store.close()
    facts.close()


def ask(**query: Any) -> query_pb2.SearchRequest:
    outer = {name: query.pop(name) for name in list(query) if name in query_pb2.SearchRequest.DESCRIPTOR.fields_by_name}
    if "vector" in query:
        query["vector"] = {"values": query["vector"]}
    return query_pb2.SearchRequest(query=query_pb2.Query(**query), **outer)


def image_of(column: float) -> bytes:
    return png(spot(0.5, column))


QUESTIONS: dict[str, Callable[[Edges], query_pb2.SearchRequest]] = {
    "by film": lambda e: ask(image_id=e.films[3]),
    "by film, study": lambda e: ask(image_id=e.films[3], exclude="study", limit=5),
    "by film, none": lambda e: ask(image_id=e.films[3], exclude="none", exact=True),
    "by words": lambda e: ask(text="bright left", limit=3),
    "by upload": lambda e: ask(image=image_of(0.31), models=["parity-mute"]),
    "by known upload": lambda e: ask(image=image_of(3 / 12)),
    "by vector": lambda e: ask(vector=[0.5] * 32, models=["parity"], limit=1000),
    "by two models": lambda e: ask(image_id=e.films[5], models=["parity", "parity-mute"], limit=4),
    "filtered": lambda e: ask(text="right", filter="view = PA AND age >= 33 AND NOT labels.edema = absent"),
    "nothing left": lambda e: ask(text="right", filter="age > 89"),
    "by study": lambda e: ask(study=STUDY),
    "by report": lambda e: ask(report=STUDY, limit=3),
    "by part": lambda e: ask(region={"image_id": e.films[3], "x": 0, "y": 0.2, "width": 0.5, "height": 0.6}, limit=3),
    "by part of an upload": lambda e: ask(
        region={"image": image_of(0.31), "x": 0.1, "y": 0.2, "width": 0.5, "height": 0.6}, limit=3
    ),
    "by examples": lambda e: ask(
        examples={"positive": [{"image_id": e.films[3]}, {"text": "left"}], "negative": [{"image": image_of(0.9)}]}
    ),
    "by examples beside words": lambda e: ask(
        examples={"question": {"text": "left"}, "positive": [{"image_id": e.films[8]}]}, limit=4
    ),
    "by a mixture": lambda e: ask(mixture={"parts": [
        {"query": {"text": "left"}, "weight": 0.5}, {"query": {"image_id": e.films[9]}},
        {"query": {"image": image_of(0.6)}, "weight": -0.2}, {"query": ask(study=STUDY).query},
    ]}),
    "typical": lambda e: query_pb2.SearchRequest(mode="typical", finding="edema"),
    "atypical": lambda e: ask(text="right", mode="atypical", finding="edema"),
    "look-alikes": lambda e: ask(image_id=e.films[3], mode="lookalike", finding="edema"),
    "disputed": lambda e: ask(image_id=e.films[3], mode="disagree", models=["parity", "parity-mute"]),
    "fused by weight": lambda e: ask(
        image_id=e.films[5], models=["parity", "parity-mute"], fusion="weighted", weights={"parity": 3}
    ),
    "fused by distribution": lambda e: ask(image_id=e.films[5], models=["parity", "parity-mute"], fusion="dbsf"),
    "grouped, capped, with priors": lambda e: ask(
        image_id=e.films[5], group_by="patient", group_size=1, per_patient=1, priors=True
    ),
    "varied": lambda e: ask(image_id=e.films[5], diversity=0.6, limit=4, keep_duplicates=True, reading="plain"),
}  # fmt: skip


def test_every_kind_of_question_is_asked_here(edges: Edges) -> None:
    """So that whatever the contract can ask is tried on both edges, and in a batch."""
    asked = [request(edges) for request in QUESTIONS.values()]
    kinds = {field.name for field in query_pb2.Query.DESCRIPTOR.oneofs_by_name["by"].fields}
    assert {request.query.WhichOneof("by") for request in asked} == kinds | {None}
    said = {field.name for request in asked for field, _ in request.ListFields()}
    every = set(query_pb2.SearchRequest.DESCRIPTOR.fields_by_name)
    assert every - said == {"request_id", "hubs", "at_least", "page_size", "page_token"}, "these need what is measured"


@pytest.mark.parametrize("name", QUESTIONS)
def test_search_answers_alike(edges: Edges, name: str) -> None:
    answer = edges.both("Search", QUESTIONS[name](edges))
    assert isinstance(answer, query_pb2.SearchResponse), answer
    assert bool(answer.hits) is (name != "nothing left")
    for hit in answer.hits:
        assert hit.image.image_id == hit.image_id
        assert hit.thumbnail == f"/v1/images/{hit.image_id}/thumbnail"
    assert [model.fingerprint for model in answer.provenance.models]


REFUSED: dict[str, tuple[ErrorCode, Callable[[Edges], query_pb2.SearchRequest]]] = {
    "nothing asked": (ErrorCode.INVALID_ARGUMENT, lambda e: query_pb2.SearchRequest()),
    "unknown model": (ErrorCode.UNKNOWN_MODEL, lambda e: ask(text="left", models=["nope"])),
    "mute model": (ErrorCode.FAILED_PRECONDITION, lambda e: ask(text="left", models=["parity-mute"])),
    "bad filter": (ErrorCode.INVALID_FILTER, lambda e: ask(text="left", filter="view == PA")),
    "unknown field": (ErrorCode.INVALID_FILTER, lambda e: ask(text="left", filter="name = x")),
    "deep filter": (ErrorCode.INVALID_FILTER, lambda e: ask(text="left", filter="NOT (" * 200 + "age > 1" + ")" * 200)),
    "huge filter": (ErrorCode.INVALID_FILTER, lambda e: ask(text="left", filter="age > 1 AND " * 1000 + "age > 1")),
    "wrong dimension": (ErrorCode.FAILED_PRECONDITION, lambda e: ask(vector=[1.0] * 31, models=["parity"])),
    "no dimension": (ErrorCode.FAILED_PRECONDITION, lambda e: ask(vector=[], models=["parity"])),
    "NaN": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(vector=[float("nan")] * 32, models=["parity"])),
    "infinity": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(vector=[float("-inf")] * 32, models=["parity"])),
    "zero vector": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(vector=[0.0] * 32, models=["parity"])),
    "vector of nobody": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(vector=[1.0] * 32)),
    "missing film": (ErrorCode.NOT_FOUND, lambda e: ask(image_id=NO_FILM)),
    "no id": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(image_id="../../etc/passwd")),
    "no picture": (ErrorCode.UNREADABLE_IMAGE, lambda e: ask(image=b"GIF89a?")),
    "empty picture": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(image=b"")),
    "limit too high": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(text="left", limit=1001)),
    "limit absurd": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(text="left", limit=10**9)),
    "limit negative": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(text="left", limit=-1)),
    "exclude unknown": (ErrorCode.INVALID_ARGUMENT, lambda e: ask(text="left", exclude="family")),
    "too many words": (ErrorCode.PAYLOAD_TOO_LARGE, lambda e: ask(text="left " * 1000)),
}


@pytest.mark.parametrize("name", REFUSED)
def test_search_refuses_alike_and_says_what_to_do(edges: Edges, name: str) -> None:
    expected, request = REFUSED[name]
    code, message = edges.both("Search", request(edges))
    assert code is expected
    assert len(message) > 10
    assert "Traceback" not in message and "/etc" not in message


def test_a_batch_answers_each_question_by_itself(edges: Edges) -> None:
    wrong = [request(edges) for _, request in REFUSED.values()]
    right = [request(edges) for request in QUESTIONS.values()]
    mixed = [one for pair in zip(wrong, right, strict=False) for one in pair]
    answer = edges.both("SearchBatch", query_pb2.SearchBatchRequest(requests=mixed[:16]))
    assert [outcome.HasField("error") for outcome in answer.outcomes] == [True, False] * 8
    alone = _timeless(edges.over_grpc("Search", mixed[1]))
    assert answer.outcomes[1].response == alone


def test_a_batch_takes_every_kind_of_question(edges: Edges) -> None:
    asked = {name: request(edges) for name, request in QUESTIONS.items()}
    answer = edges.both("SearchBatch", query_pb2.SearchBatchRequest(requests=asked.values()))
    assert len(answer.outcomes) == len(asked)
    for (name, request), outcome in zip(asked.items(), answer.outcomes, strict=True):
        assert not outcome.HasField("error"), (name, outcome.error.message)
        assert outcome.response == _timeless(edges.over_grpc("Search", request)), name


def test_pages_streams_and_reasons_are_alike(edges: Edges) -> None:
    request = ask(text="left", limit=9, page_size=4)
    pages: list[list[str]] = []
    for ask_page in (edges.over_grpc, edges.over_http):  # each edge its own answer: tokens are drawn at random
        page, found = ask_page("Search", request), []
        while isinstance(page, query_pb2.SearchResponse):
            found += [hit.image_id for hit in page.hits]
            if not page.next_page_token:
                break
            page = ask_page("Search", query_pb2.SearchRequest(page_token=page.next_page_token))
        pages.append(found)
    streamed = [hit.image_id for piece in edges.stub.SearchStream(request) for hit in piece.hits]
    body = json_format.MessageToDict(request, preserving_proto_field_name=True)
    lines = edges.http.post("/v1/search:stream", json=body).text.splitlines()
    events = [json.loads(line.removeprefix("data:")) for line in lines if line.startswith("data:")]
    told = [hit["image_id"] for event in events for hit in event["hits"]]
    assert pages[0] == pages[1] == streamed == told and len(told) == len(set(told)) == 9
    for missing in (edges.films[3], next(film for film in edges.films if film not in told), NO_FILM):
        why = query_pb2.WhyNotRequest(search=ask(image_id=edges.films[3], limit=2), image_id=missing)
        assert edges.both("WhyNot", why).reasons


@pytest.mark.parametrize("count", [0, 257])
def test_a_batch_is_bounded(edges: Edges, count: int) -> None:
    batch = query_pb2.SearchBatchRequest(requests=[ask(text="left")] * count)
    assert edges.both("SearchBatch", batch)[0] is ErrorCode.INVALID_ARGUMENT


def test_a_batch_is_bounded_in_its_answers_too(edges: Edges) -> None:
    batch = query_pb2.SearchBatchRequest(requests=[ask(text="left", limit=1000)] * 11)
    assert edges.both("SearchBatch", batch)[0] is ErrorCode.INVALID_ARGUMENT


def test_films_and_pictures_are_alike(edges: Edges) -> None:
    film = edges.both("GetImage", query_pb2.GetImageRequest(image_id=edges.films[1]))
    assert (film.view, film.age, film.labels["edema"]) == ("AP", 31.5, "absent")
    assert list(film.models) == ["parity", "parity-mute"]
    picture = edges.both("GetThumbnail", query_pb2.GetImageRequest(image_id=edges.films[1]))
    assert (picture.content_type, picture.data) == ("image/png", image_of(1 / 12))
    for rpc in ("GetImage", "GetThumbnail"):
        assert edges.both(rpc, query_pb2.GetImageRequest(image_id=NO_FILM))[0] is ErrorCode.NOT_FOUND
        assert edges.both(rpc, query_pb2.GetImageRequest(image_id="x"))[0] is ErrorCode.INVALID_ARGUMENT


def test_unknown_values_are_absent_not_zero(edges: Edges) -> None:
    page = edges.both("QueryImages", query_pb2.QueryImagesRequest(filter="NOT age:*"))
    [film] = page.images
    assert not film.HasField("age")
    assert not film.labels
    raw = edges.http.get(f"/v1/images/{film.image_id}").json()
    assert "age" not in raw
    assert raw["labels"] == {}


def test_pages_and_counts_are_alike(edges: Edges) -> None:
    request = query_pb2.QueryImagesRequest(filter="view = PA", page_size=3)
    first = edges.both("QueryImages", request)
    request.page_token = first.next_page_token
    second = edges.both("QueryImages", request)
    assert first.total == second.total == 4
    assert len(first.images) == 3 and len(second.images) == 1
    assert not second.next_page_token
    counted = edges.both("FacetImages", query_pb2.FacetImagesRequest(filter="sex = F"))
    assert counted.total == 6
    assert {facet.field for facet in counted.facets} == {"dataset", "view", "sex", "modality", "labels.edema"}


@pytest.mark.parametrize(
    ("rpc", "message", "code"),
    [
        ("QueryImages", query_pb2.QueryImagesRequest(filter="view = "), ErrorCode.INVALID_FILTER),
        ("QueryImages", query_pb2.QueryImagesRequest(page_size=1001), ErrorCode.INVALID_ARGUMENT),
        ("QueryImages", query_pb2.QueryImagesRequest(page_token="!"), ErrorCode.INVALID_ARGUMENT),
        ("FacetImages", query_pb2.FacetImagesRequest(filter="x = 1"), ErrorCode.INVALID_FILTER),
        ("FacetImages", query_pb2.FacetImagesRequest(fields=["patient_id"]), ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_lists_refuse_alike(edges: Edges, rpc: str, message: Message, code: ErrorCode) -> None:
    assert edges.both(rpc, message)[0] is code


def test_bodies_that_are_no_request_are_refused(edges: Edges) -> None:
    for body in (
        b"{",
        b"[]",
        b'{"query": {"image_id": 1, "text": "x"}}',
        b'{"nope": 1}',
        b'{"limit": "many"}',
        b"\xff",
    ):
        answer = edges.http.post("/v1/search", content=body, headers={"content-type": "application/json"})
        assert edges.read("Search", answer)[0] is ErrorCode.INVALID_ARGUMENT, body
    bare_nan = b'{"query": {"vector": {"values": [NaN]}}, "models": ["parity"]}'
    answer = edges.http.post("/v1/search", content=bare_nan, headers={"content-type": "application/json"})
    assert edges.read("Search", answer)[0] is ErrorCode.INVALID_ARGUMENT
    answer = edges.http.post("/v1/search", content=b"{}", headers={"content-type": "text/plain"})
    assert edges.read("Search", answer)[0] is ErrorCode.INVALID_ARGUMENT


def test_a_film_beyond_the_bound_is_refused_alike(edges: Edges) -> None:
    film = bytes(MAX_UPLOAD_BYTES + 1)
    code, message = edges.over_grpc("Search", ask(image=film))
    body = b'{"query": {"image": "' + base64.b64encode(film) + b'"}}'
    answer = edges.http.post("/v1/search", content=body, headers={"content-type": "application/json"})
    assert edges.read("Search", answer) == (code, message)
    assert code is ErrorCode.PAYLOAD_TOO_LARGE


def test_messages_beyond_the_bound_are_refused_before_they_are_read(edges: Edges) -> None:
    with pytest.raises(grpc.RpcError) as refused:
        edges.stub.Search(ask(image=bytes(MAX_MESSAGE_BYTES + 1)), timeout=60)
    assert refused.value.code() is TABLE[ErrorCode.PAYLOAD_TOO_LARGE][0]

    def endless() -> Iterator[bytes]:
        yield b'{"query": {"text": "'
        for _ in range(MAX_HTTP_BODY_BYTES // 2**20 + 1):
            yield b"x" * 2**20

    answer = edges.http.post("/v1/search", content=endless(), headers={"content-type": "application/json"})
    assert edges.read("Search", answer)[0] is ErrorCode.PAYLOAD_TOO_LARGE


def test_an_engine_that_is_gone_is_told_within_seconds(tmp_path: Path) -> None:
    facts = open_facts(f"sqlite:///{tmp_path / 'facts.db'}")
    encoder = PlacesEncoder("tiny")
    with EngineProcess(tmp_path / "engine", log_file=tmp_path / "engine.log") as engine:
        store = VectorStore(engine.url)
        archive = Archive(facts, store, Blobs(tmp_path / "blobs"), [encoder])
        archive.open()
        film = archive.add("a").image_id
        archive.add("b")
        archive.settle()
    api = QueryApi(facts, store, archive.encode, archive.blobs)
    with served([api]) as where:
        edges = Edges(where, [film])
        for request in (ask(image_id=film), ask(text="left"), ask(vector=[1.0] * 32, models=["tiny"])):
            for way in (edges.over_grpc, edges.over_http):
                started = time.monotonic()
                code, message = way("Search", request)
                assert code is ErrorCode.UNAVAILABLE
                assert "engine does not answer" in message
                assert time.monotonic() - started < 3.0  # two seconds of patience, and a loaded machine
        assert edges.both("QueryImages", query_pb2.QueryImagesRequest()).total == 2, "facts need no engine"
        with EngineProcess(tmp_path / "engine", port=engine.port, log_file=tmp_path / "engine.log"):
            deadline = time.monotonic() + 20
            while not isinstance(edges.over_grpc("Search", ask(image_id=film)), query_pb2.SearchResponse):
                assert time.monotonic() < deadline, "it does not recover by itself"
            assert len(edges.both("Search", ask(image_id=film)).hits) == 1
    api.close()
    archive.close()
    store.close()
    facts.close()


@pytest.mark.slow
def test_an_engine_that_hangs_holds_nobody_for_long_and_nothing_but_search(tmp_path: Path) -> None:
    facts = open_facts(f"sqlite:///{tmp_path / 'facts.db'}")
    with EngineProcess(tmp_path / "engine", log_file=tmp_path / "engine.log") as engine:
        store = VectorStore(engine.url, timeout=3)
        archive = Archive(facts, store, Blobs(tmp_path / "blobs"), [PlacesEncoder("tiny")])
        archive.open()
        film = archive.add("a").image_id
        archive.add("b")
        archive.settle()
        api = QueryApi(facts, store, archive.encode, archive.blobs)
        with served([api]) as where:
            edges = Edges(where, [film])
            assert engine.pid is not None
            os.kill(engine.pid, signal.SIGSTOP)
            try:
                for way in (edges.over_grpc, edges.over_http):
                    started = time.monotonic()
                    answer = way("Search", ask(image_id=film))
                    assert isinstance(answer, tuple) and answer[0] is ErrorCode.DEADLINE_EXCEEDED
                    assert time.monotonic() - started < 5.0
                assert edges.both("QueryImages", query_pb2.QueryImagesRequest()).total == 2
            finally:
                os.kill(engine.pid, signal.SIGCONT)
            assert len(edges.both("Search", ask(image_id=film)).hits) == 1
        api.close()
        archive.close()
        store.close()
    facts.close()


def test_http_speaks_the_contracts_own_names(edges: Edges) -> None:
    answer = edges.http.post("/v1/search", json={"query": {"text": "left"}, "limit": 1})
    body = json.loads(answer.text)
    assert set(body) == {field.name for field in query_pb2.SearchResponse.DESCRIPTOR.fields}
    assert {"image_id", "score", "image", "agreement", "thumbnail", "same_patient"} <= set(body["hits"][0])
    assert answer.headers["cache-control"] == "no-store"
