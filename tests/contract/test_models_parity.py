"""The Models service over gRPC and HTTP: the same jobs, the same answers, and the same refusals, by the one table."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import grpc
import httpx
import pytest
from google.protobuf import json_format
from google.protobuf.message import Message

from hilum.v1 import common_pb2, jobs_pb2, models_pb2, models_pb2_grpc
from services.core.config import Settings
from services.core.errors import ErrorCode
from services.core.facts import Facts, jobs, models, open_facts, promotions
from services.core.facts.promotions import Promotion
from services.core.models import ModelSpec
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from services.ingest.models_api import ModelsApi
from services.transport.edge import OPERATOR_HEADER
from services.transport.errors import ERROR_METADATA, TABLE
from tests.kit.encoders import TinyEncoder, tiny_registry
from tests.kit.served import served
from tests.kit.vectors import write_npz

TOKEN = "the-operators-own"
OLD = ModelSpec("changed-here", "1", "0" * 64, "p", "cls", 6)
NEW = replace(OLD, revision="2")
SPEC = "name: elsewhere\nrevision: '1'\ndim: 4\npreprocessing: theirs"
ROUTES = {
    "CreateEmbeddingsJob": ("POST", "embeddings/jobs"),
    "FillModel": ("POST", "models/{model}:fill"),
    "PromoteModel": ("POST", "models/{model}:promote"),
    "RollbackModel": ("POST", "models/{model}:rollback"),
    "ListPromotions": ("GET", "models/{model}/promotions"),
}
Refusal = tuple[ErrorCode, str]


@dataclass
class Edges:
    """Both ways into the one service, with the operator's token or without."""

    grpc_at: str
    http_at: str
    facts: Facts
    store: VectorStore
    root: Path

    def __post_init__(self) -> None:
        self.stub = models_pb2_grpc.ModelsServiceStub(grpc.insecure_channel(self.grpc_at))
        self.http = httpx.Client(base_url=self.http_at, timeout=30)

    def over_grpc(self, rpc: str, message: Message, operator: bool) -> Message | Refusal:
        token = [(OPERATOR_HEADER, TOKEN)] if operator else []
        try:
            return getattr(self.stub, rpc)(message, timeout=30, metadata=token)  # type: ignore[no-any-return]
        except grpc.RpcError as error:
            detail = common_pb2.Error.FromString(dict(error.trailing_metadata() or ())[ERROR_METADATA])
            code = ErrorCode(common_pb2.ErrorCode.Name(detail.code))
            assert error.code() is TABLE[code][0]
            return code, detail.message

    def over_http(self, rpc: str, message: Message, operator: bool) -> Message | Refusal:
        verb, path = ROUTES[rpc]
        body = json_format.MessageToDict(message, preserving_proto_field_name=True)
        if "{model}" in path:
            path = path.format(model=body.pop("model"))
        headers = {OPERATOR_HEADER: TOKEN} if operator else {}
        answer = self.http.request(verb, f"/v1/{path}", json=body if verb == "POST" else None, headers=headers)
        if answer.status_code == 200:
            method = models_pb2.DESCRIPTOR.services_by_name["ModelsService"].methods_by_name[rpc]
            home: Any = jobs_pb2 if method.output_type.name == "Job" else models_pb2
            return json_format.Parse(answer.text, getattr(home, method.output_type.name)())  # type: ignore[no-any-return]
        error = answer.json()["error"]
        code = ErrorCode(error["code"])
        assert answer.status_code == TABLE[code][1]
        return code, error["message"]

    def both(self, rpc: str, message: Message, operator: bool = False) -> Any:
        """The one answer of both edges."""
        one, other = (way(rpc, message, operator) for way in (self.over_grpc, self.over_http))
        assert one == other
        return one


@pytest.fixture
def edges(engine: EngineProcess, store: VectorStore, tmp_path: Path) -> Iterator[Edges]:
    """A service that knows the encoder ``tiny``, and two fingerprints of one name, of which the old one answers."""
    root = tmp_path / "root"
    write_npz(root / "part.npz", ["a"], embeddings=[[1.0, 2, 3, 4]])
    facts = open_facts(f"sqlite:///{tmp_path / 'facts.db'}")
    for spec in (OLD, NEW):
        store.ensure(spec)
        models.note(facts, spec)
    api = ModelsApi(Settings(tmp_path / "data", ingest_roots=(root,)), facts, store, tiny_registry(TinyEncoder()))
    with served([api], operator_token=TOKEN) as where:
        yield Edges(where.grpc, where.url, facts, store, root)
    facts.close()


def vectors(**fields: str) -> models_pb2.CreateEmbeddingsJobRequest:
    return models_pb2.CreateEmbeddingsJobRequest(**{"dataset": "demo", "spec": SPEC, "request_id": "r", **fields})


def test_jobs_are_taken_alike_once_per_request_id(edges: Edges) -> None:
    """Both edges ask for the one job by its request id, so that two answers alike are also one job."""
    asked = {
        "CreateEmbeddingsJob": vectors(source=str(edges.root)),
        "FillModel": models_pb2.FillModelRequest(model="tiny", dataset="demo", request_id="f"),
        "PromoteModel": models_pb2.PromoteModelRequest(model=OLD.name, check_only=True, request_id="p"),
    }
    kinds = {rpc: edges.both(rpc, message).kind for rpc, message in asked.items()}
    assert kinds == {"CreateEmbeddingsJob": "embeddings", "FillModel": "fill", "PromoteModel": "promote"}
    assert sorted(job.kind for job in jobs.recent(edges.facts)) == ["embeddings", "fill", "promote"]
    [promote] = [job for job in jobs.recent(edges.facts) if job.kind == "promote"]
    assert promote.spec == {
        "model": OLD.name, "fingerprint": NEW.fingerprint, "check_only": True, "partial": False,
    }  # fmt: skip


def test_who_answers_is_changed_by_the_operator_alone(edges: Edges) -> None:
    promote = models_pb2.PromoteModelRequest(model=OLD.name, request_id="p")
    for rpc, message in (("PromoteModel", promote), ("RollbackModel", models_pb2.RollbackModelRequest(model=OLD.name))):
        code, told = edges.both(rpc, message)
        assert code is ErrorCode.PERMISSION_DENIED and "operator" in told
    assert not jobs.recent(edges.facts) and models.named(edges.facts, OLD.name) == OLD
    assert edges.both("PromoteModel", promote, operator=True).state == "queued"


def test_what_was_switched_is_told_and_taken_back_alike(edges: Edges) -> None:
    with edges.facts.write():
        models.register(edges.facts, NEW)
        promotions.add(edges.facts, NEW, OLD, Promotion.PROMOTED, {"overall": {"jaccard": {"mean": 0.5}}})
    asked = models_pb2.ListPromotionsRequest(model=OLD.name)
    [made] = edges.both("ListPromotions", asked).promotions
    assert (made.fingerprint, made.previous, made.how) == (NEW.fingerprint, OLD.fingerprint, "promoted")
    assert made.comparison["overall"]["jaccard"]["mean"] == 0.5 and made.time
    rollback = models_pb2.RollbackModelRequest(model=OLD.name)
    done = edges.over_http("RollbackModel", rollback, operator=True)
    assert isinstance(done, models_pb2.Promotion) and (done.how, done.fingerprint) == ("rollback", OLD.fingerprint)
    assert models.named(edges.facts, OLD.name) == OLD and edges.store.aliases()[OLD.alias] == OLD.collection
    assert [p.how for p in edges.both("ListPromotions", asked).promotions] == ["rollback", "promoted"]
    assert edges.both("RollbackModel", rollback, operator=True)[0] is ErrorCode.FAILED_PRECONDITION


REFUSED: dict[str, tuple[str, Message, ErrorCode]] = {
    "fill nobody": ("FillModel", models_pb2.FillModelRequest(model="none"), ErrorCode.UNKNOWN_MODEL),
    "fill a wrong name": (
        "FillModel", models_pb2.FillModelRequest(model="tiny", dataset="../x"), ErrorCode.INVALID_ARGUMENT,
    ),
    "fill a long id": (
        "FillModel", models_pb2.FillModelRequest(model="tiny", request_id="x" * 65), ErrorCode.INVALID_ARGUMENT,
    ),
    "promote nobody": (
        "PromoteModel", models_pb2.PromoteModelRequest(model="none", check_only=True), ErrorCode.UNKNOWN_MODEL,
    ),
    "promote a stranger": (
        "PromoteModel", models_pb2.PromoteModelRequest(model=OLD.name, fingerprint="f" * 64, check_only=True),
        ErrorCode.NOT_FOUND,
    ),
    "roll nobody back": ("RollbackModel", models_pb2.RollbackModelRequest(model="none"), ErrorCode.UNKNOWN_MODEL),
    "vectors from elsewhere": ("CreateEmbeddingsJob", vectors(source="/etc"), ErrorCode.PERMISSION_DENIED),
    "vectors of slices": ("CreateEmbeddingsJob", vectors(layout="ct"), ErrorCode.INVALID_ARGUMENT),
    "vectors of no layout": ("CreateEmbeddingsJob", vectors(layout="zip"), ErrorCode.INVALID_ARGUMENT),
    "vectors of an encoder": (
        "CreateEmbeddingsJob", vectors(spec=SPEC.replace("elsewhere", "tiny")), ErrorCode.INVALID_ARGUMENT,
    ),
    "vectors of nothing": ("CreateEmbeddingsJob", vectors(spec="name: x"), ErrorCode.INVALID_ARGUMENT),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
def test_refusals_are_alike_and_say_what_to_do(edges: Edges, name: str) -> None:
    rpc, message, expected = REFUSED[name]
    code, told = edges.both(rpc, message, operator=rpc == "RollbackModel")
    assert code is expected and len(told) > 10 and "/etc" not in told
    assert not jobs.recent(edges.facts)
