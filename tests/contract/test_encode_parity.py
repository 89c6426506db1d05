"""The Encode service over gRPC and HTTP: the same answers and errors, and work that ends when the client does."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import grpc
import httpx
import numpy as np
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from hilum.v1 import common_pb2, encode_pb2, encode_pb2_grpc
from services.core.errors import ErrorCode
from services.core.facts import open_facts
from services.ingest.decode_pool import DecodePool
from services.ingest.encode_api import EncodeApi
from services.ingest.warm_up import warm_up
from services.transport.errors import ERROR_METADATA, TABLE
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.films import ramp, stored_bytes
from tests.kit.served import served

ROUTES = {"EncodeImages": "images:encode", "EncodeTexts": "texts:encode", "EncodePrompts": "prompts:encode",
          "Classify": "images:classify"}  # fmt: skip
FILMS = [stored_bytes(ramp(seed=i)) for i in range(3)]


class Held(TinyEncoder):
    """Holds its passes back while `gate` is shut."""

    def __init__(self) -> None:
        super().__init__("held")
        self.gate, self.entered = threading.Event(), threading.Event()
        self.logit_scale = 20.0

    def encode_images(self, batch: Any) -> Any:
        self.entered.set()
        assert self.gate.wait(20)
        return super().encode_images(batch)


class Edges:
    """Both ways into the one service."""

    def __init__(self, grpc_at: str, http_at: str, held: Held, pool: DecodePool) -> None:
        self.stub = encode_pb2_grpc.EncodeServiceStub(grpc.insecure_channel(grpc_at))
        self.http = httpx.Client(base_url=http_at, timeout=30)
        self.held, self.pool = held, pool

    def both(self, rpc: str, message: Message) -> Any:
        """The one answer, or the one (code, message)."""
        try:
            one: Any = getattr(self.stub, rpc)(message, timeout=30)
        except grpc.RpcError as error:
            detail = common_pb2.Error.FromString(dict(error.trailing_metadata() or ())[ERROR_METADATA])
            one = (ErrorCode(common_pb2.ErrorCode.Name(detail.code)), detail.message)
            assert error.code() is TABLE[one[0]][0]
        body = json_format.MessageToDict(message, preserving_proto_field_name=True)
        answer = self.http.post(f"/v1/{ROUTES[rpc]}", json=body)
        if answer.status_code == 200:
            other: Any = json_format.Parse(answer.text, type(one)())
        else:
            error = answer.json()["error"]
            other = (ErrorCode(error["code"]), error["message"])
            assert answer.status_code == TABLE[other[0]][1]
        assert _rounded(one) == _rounded(other)
        return one


def _rounded(answer: Any) -> Any:
    """Without the last digits: they depend on the batch that a film shared."""
    if isinstance(answer, Message):
        return _rounded(json_format.MessageToDict(answer, always_print_fields_with_no_presence=True))
    if isinstance(answer, dict):
        return {key: _rounded(value) for key, value in answer.items()}
    if isinstance(answer, list):
        return [_rounded(value) for value in answer]
    return round(answer, 4) if isinstance(answer, float) else answer


@pytest.fixture(scope="module")
def edges(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Edges]:
    home: Path = tmp_path_factory.mktemp("encode")
    facts, pool, held = open_facts(f"sqlite:///{home / 'facts.db'}"), DecodePool(2), Held()
    api = EncodeApi(facts, tiny_registry(held, TinyEncoder("small", 24, text=False)), pool)
    with served([api]) as where:
        yield Edges(where.grpc, where.url, held, pool)
    held.gate.set()
    api.close()
    pool.close()
    facts.close()


@pytest.fixture(autouse=True)
def _open(edges: Edges) -> Iterator[None]:
    edges.held.gate.set()
    yield
    edges.held.gate.set()


ANSWERED: dict[str, Message] = {
    "EncodeImages": encode_pb2.EncodeImagesRequest(model="held", images=[*FILMS, b"junk"]),
    "EncodeTexts": encode_pb2.EncodeTextsRequest(model="held", texts=["edema", " "]),
    "EncodePrompts": encode_pb2.EncodePromptsRequest(
        findings=["edema"], prompts=[encode_pb2.Prompt(positive=["a", "b"], negative=["c"], template="x {}")]
    ),
    "Classify": encode_pb2.ClassifyRequest(images=[*FILMS, b"junk"], findings=["edema", "pacemaker"]),
}


@pytest.mark.parametrize("rpc", ANSWERED)
def test_answers_are_alike(edges: Edges, rpc: str) -> None:
    answer = edges.both(rpc, ANSWERED[rpc])
    assert answer.model.name == "held"
    if rpc == "Classify":
        assert [len(film.findings) for film in answer.results] == [2, 2, 2, 0]
        assert answer.logit_scale == 20.0 and answer.results[0].findings[0].HasField("probability")
        assert answer.results[3].error.code == common_pb2.UNREADABLE_IMAGE


@pytest.mark.parametrize(
    ("rpc", "message", "code"),
    [
        ("EncodeImages", encode_pb2.EncodeImagesRequest(model="none", images=[b""]), ErrorCode.UNKNOWN_MODEL),
        ("EncodeImages", encode_pb2.EncodeImagesRequest(model="held"), ErrorCode.INVALID_ARGUMENT),
        ("EncodeTexts", encode_pb2.EncodeTextsRequest(model="small", texts=["x"]), ErrorCode.FAILED_PRECONDITION),
        ("Classify", encode_pb2.ClassifyRequest(model="small", images=FILMS), ErrorCode.FAILED_PRECONDITION),
        ("Classify", encode_pb2.ClassifyRequest(), ErrorCode.INVALID_ARGUMENT),
        ("EncodePrompts", encode_pb2.EncodePromptsRequest(model="gpt"), ErrorCode.UNKNOWN_MODEL),
        ("EncodePrompts", encode_pb2.EncodePromptsRequest(findings=[""]), ErrorCode.INVALID_ARGUMENT),
    ],
)
def test_refusals_are_alike(edges: Edges, rpc: str, message: Message, code: ErrorCode) -> None:
    assert edges.both(rpc, message)[0] is code


def test_a_client_that_hangs_up_or_runs_out_of_time_leaves_no_work_behind(edges: Edges) -> None:
    held = edges.held
    held.gate.clear()
    held.entered.clear()
    encoded = held.encoded
    first = edges.stub.EncodeImages.future(encode_pb2.EncodeImagesRequest(model="held", images=FILMS[:1]), timeout=30)
    assert held.entered.wait(10), "the encoder is busy now"
    gone = edges.stub.EncodeImages.future(encode_pb2.EncodeImagesRequest(model="held", images=FILMS * 20), timeout=30)
    time.sleep(0.5)
    gone.cancel()
    started = time.monotonic()
    with pytest.raises(grpc.RpcError) as late:
        edges.stub.EncodeImages(encode_pb2.EncodeImagesRequest(model="held", images=FILMS * 20), timeout=0.5)
    assert late.value.code() is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - started < 5
    time.sleep(1.0)
    held.gate.set()
    assert len(first.result().results) == 1
    time.sleep(0.3)
    assert held.encoded - encoded == 1, "sixty films of each were waiting, and nobody for them"


def test_while_encoders_are_busy_other_questions_are_answered_and_more_is_refused(edges: Edges) -> None:
    edges.held.gate.clear()
    request = encode_pb2.EncodeImagesRequest(model="held", images=FILMS[:1])
    calls = [edges.stub.EncodeImages.future(request, timeout=30) for _ in range(60)]
    until = time.monotonic() + 20
    while sum(call.done() for call in calls) < 28 and time.monotonic() < until:
        time.sleep(0.05)
    refused = [call for call in calls if call.done()]
    assert {call.code() for call in refused} == {grpc.StatusCode.RESOURCE_EXHAUSTED}
    assert len(refused) == 28, "32 wait, as many as may"
    assert len(edges.stub.ListModels(encode_pb2.ListModelsRequest(), timeout=5).models) == 2
    assert edges.http.get("/v1/models").status_code == 200
    assert edges.http.post(f"/v1/{ROUTES['EncodeImages']}", json=json_format.MessageToDict(request)).status_code == 429
    edges.held.gate.set()
    assert sum(len(call.result().results) for call in calls if call not in refused) == 32


def test_ready_means_that_decoders_and_networks_have_run(edges: Edges, tmp_path: Path) -> None:
    facts, pool, encoder = open_facts(f"sqlite:///{tmp_path / 'facts.db'}"), DecodePool(2), TinyEncoder()
    registry = tiny_registry(encoder)
    api = EncodeApi(facts, registry, pool)
    assert warm_up(registry, api, pool.workers).wait(30)
    assert len(pool.pids()) == 2 and encoder.encoded == 2
    assert np.isfinite(encoder.encode_texts(["x"])).all()
    api.close()
    pool.close()
    facts.close()
