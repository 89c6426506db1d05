"""What the engine refuses, with which status, and that a refused batch leaves nothing behind."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import grpc
import pytest
from qdrant_client import QdrantClient
from qdrant_client import grpc as wire
from qdrant_client import models as m

from services.engine.supervisor import EngineProcess
from tests.engines import films
from tests.engines.conftest import connect

DIM = 4
SECRET = "Doe^Jane-19700101"
GOOD = [1.0, 2.0, 3.0, 4.0]


@pytest.fixture(scope="module")
def client(embedded: EngineProcess) -> Iterator[QdrantClient]:
    """The embedded engine with two collections: `cosine` (named vectors, one float16) and `dot` (unnamed)."""
    found = connect(embedded)
    cosine = m.VectorParams(size=DIM, distance=m.Distance.COSINE)
    half = m.VectorParams(size=DIM, distance=m.Distance.DOT, datatype=m.Datatype.FLOAT16)
    found.create_collection("cosine", {"image": cosine, "half": half})
    found.create_collection("dot", m.VectorParams(size=DIM, distance=m.Distance.DOT))
    yield found
    found.delete_collection("cosine")
    found.delete_collection("dot")
    found.close()


def refused(call: Callable[[], Any], status: grpc.StatusCode) -> str:
    """The message of the refusal `call` must meet."""
    with pytest.raises(grpc.RpcError) as caught:
        call()
    assert caught.value.code() == status, caught.value.details()
    assert SECRET not in caught.value.details()
    return caught.value.details()


BAD_VECTORS = {
    "short": {"image": [1.0] * (DIM - 1)},
    "long": {"image": [1.0] * (DIM + 1)},
    "nan": {"image": [1.0, float("nan"), 0.0, 0.0]},
    "inf": {"image": [1.0, float("inf"), 0.0, 0.0]},
    "minus inf": {"image": [1.0, float("-inf"), 0.0, 0.0]},
    "zero": {"image": [0.0] * DIM},
    "unknown name": {"nope": GOOD},
    "beyond float16": {"half": [1.0, 70_000.0, 0.0, 0.0]},
    "several rows": {"image": [GOOD, GOOD]},
    "sparse": {"image": m.SparseVector(indices=[1], values=[1.0])},
}


@pytest.mark.parametrize("kind", BAD_VECTORS)
def test_one_bad_vector_refuses_the_whole_batch(client: QdrantClient, kind: str) -> None:
    points = [m.PointStruct(id=i, vector={"image": GOOD}, payload={"name": SECRET}) for i in range(20)]
    points[10] = m.PointStruct(id=10, vector=BAD_VECTORS[kind], payload={"name": SECRET})
    refused(lambda: client.upsert("cosine", points, wait=True), grpc.StatusCode.INVALID_ARGUMENT)
    assert client.count("cosine").count == 0


def test_one_bad_operation_refuses_the_whole_batch(client: QdrantClient) -> None:
    good = m.PointStruct(id=1, vector={"image": GOOD})
    bad = m.PointStruct(id=2, vector={"image": GOOD[:2]})
    operations = [m.UpsertOperation(upsert=m.PointsList(points=[p])) for p in (good, bad)]
    refused(lambda: client.batch_update_points("cosine", operations), grpc.StatusCode.INVALID_ARGUMENT)
    assert client.count("cosine").count == 0


def test_payload_of_a_missing_point(client: QdrantClient) -> None:
    client.upsert("dot", [m.PointStruct(id=1, vector=GOOD)], wait=True)
    refused(lambda: client.set_payload("dot", {"a": SECRET}, points=[1, 2], wait=True), grpc.StatusCode.NOT_FOUND)
    assert client.retrieve("dot", [1])[0].payload == {}


def test_a_zero_vector_is_welcome_where_it_has_a_meaning(client: QdrantClient) -> None:
    client.upsert("dot", [m.PointStruct(id=5, vector=[0.0] * DIM)], wait=True)
    assert client.retrieve("dot", [5], with_vectors=True)[0].vector == [0.0] * DIM


@pytest.mark.parametrize("vector", [GOOD[:2], [float("nan")] * DIM, [float("inf")] * DIM, [0.0] * DIM])
def test_bad_query_vectors(client: QdrantClient, vector: list[float]) -> None:
    refused(lambda: client.query_points("cosine", vector, using="image"), grpc.StatusCode.INVALID_ARGUMENT)


def test_unknown_names(client: QdrantClient) -> None:
    invalid, missing = grpc.StatusCode.INVALID_ARGUMENT, grpc.StatusCode.NOT_FOUND
    assert "nope" in refused(lambda: client.query_points("cosine", GOOD, using="nope"), invalid)
    assert "doesn't exist" in refused(lambda: client.count("nope"), missing)
    refused(lambda: client.upsert("nope", [m.PointStruct(id=1, vector=GOOD)]), missing)
    refused(lambda: client.get_collection("nope"), missing)
    refused(lambda: client.query_points("cosine", 424242, using="image"), missing)
    create = m.CreateAlias(collection_name="nope", alias_name="a")
    refused(lambda: client.update_collection_aliases([m.CreateAliasOperation(create_alias=create)]), missing)
    assert client.delete_collection("nope") is False


def test_a_name_is_taken_once(client: QdrantClient) -> None:
    params = m.VectorParams(size=DIM, distance=m.Distance.DOT)
    refused(lambda: client.create_collection("dot", params), grpc.StatusCode.ALREADY_EXISTS)
    assert client.count("dot").count >= 0


@pytest.mark.parametrize("name", ["", "a/b", "../up", "x" * 300, "nul\0"])
def test_names_that_could_be_paths(client: QdrantClient, name: str) -> None:
    params = m.VectorParams(size=DIM, distance=m.Distance.DOT)
    refused(lambda: client.create_collection(name, params), grpc.StatusCode.INVALID_ARGUMENT)


def test_order_and_facet_need_an_index(client: QdrantClient) -> None:
    invalid = grpc.StatusCode.INVALID_ARGUMENT
    assert "index" in refused(lambda: client.scroll("dot", order_by="never-indexed"), invalid)
    assert "index" in refused(lambda: client.facet("dot", "never-indexed"), invalid)


def test_a_broken_path_and_a_broken_id(client: QdrantClient) -> None:
    where = m.Filter(must=[films.field("a[", match=m.MatchValue(value=SECRET))])
    refused(lambda: client.count("dot", where), grpc.StatusCode.INVALID_ARGUMENT)
    get = wire.GetPoints(collection_name="dot", ids=[wire.PointId(uuid=SECRET)])
    refused(lambda: client.grpc_points.Get(get), grpc.StatusCode.INVALID_ARGUMENT)


def test_no_payload_reaches_the_log(tmp_path: Path) -> None:
    log = tmp_path / "log"
    with EngineProcess(tmp_path / "data", log_file=log, index_after=50) as engine:
        own = connect(engine)
        params = m.VectorParams(size=DIM, distance=m.Distance.COSINE)
        own.create_collection("films", params, optimizers_config=m.OptimizersConfigDiff(indexing_threshold=1))
        own.create_payload_index("films", "name", m.PayloadSchemaType.KEYWORD, wait=True)
        points = [m.PointStruct(id=i, vector=[1.0, i, 0, 0], payload={"name": SECRET}) for i in range(200)]
        own.upsert("films", points, wait=True)
        for kind in BAD_VECTORS.values():
            with pytest.raises(grpc.RpcError):
                own.upsert("films", [m.PointStruct(id=1, vector=kind, payload={"name": SECRET})], wait=True)
        where = m.Filter(must=[films.field("name[", match=m.MatchValue(value=SECRET))])
        refused(lambda: own.count("films", where), grpc.StatusCode.INVALID_ARGUMENT)
        refused(lambda: own.scroll("films", order_by=m.OrderBy(key="name")), grpc.StatusCode.INVALID_ARGUMENT)
        while own.get_collection("films").segments_count < 2:
            time.sleep(0.05)
        own.close()
    assert "indexed 200 points" in log.read_text()
    assert SECRET not in log.read_text()


UNSUPPORTED: dict[str, tuple[str, Callable[[QdrantClient], Any]]] = {
    "formula": (
        "formula",
        lambda c: c.query_points(
            "dot", m.FormulaQuery(formula=m.SumExpression(sum=[1.0])), prefetch=m.Prefetch(query=GOOD)
        ),
    ),
    "relevance feedback": (
        "relevance_feedback",
        lambda c: c.grpc_points.Query(
            wire.QueryPoints(
                collection_name="dot",
                query=wire.Query(
                    relevance_feedback=wire.RelevanceFeedbackInput(
                        target=wire.VectorInput(dense=wire.DenseVector(data=GOOD))
                    )
                ),
            )
        ),
    ),
    "inference": (
        "document",
        lambda c: c.grpc_points.Query(
            wire.QueryPoints(
                collection_name="dot",
                query=wire.Query(nearest=wire.VectorInput(document=wire.Document(text="x", model="y"))),
            )
        ),
    ),
    "shard keys": ("shard_key_selector", lambda c: c.count("dot", shard_key_selector="a")),
    "custom sharding": (
        "sharding_method",
        lambda c: c.create_collection(
            "z", m.VectorParams(size=2, distance=m.Distance.DOT), sharding_method=m.ShardingMethod.CUSTOM
        ),
    ),
    "lookup of groups": (
        "with_lookup",
        lambda c: c.query_points_groups("dot", group_by="a", query=GOOD, with_lookup="cosine"),
    ),
    "collection update": (
        "hnsw_config",
        lambda c: c.update_collection("dot", hnsw_config=m.HnswConfigDiff(m=8)),
    ),
    "matrix": ("", lambda c: c.search_matrix_pairs("dot")),
    "full snapshot": ("", lambda c: c.create_full_snapshot()),
}


@pytest.mark.parametrize("kind", UNSUPPORTED)
def test_what_it_cannot_do_it_says(client: QdrantClient, kind: str) -> None:
    named, call = UNSUPPORTED[kind]
    assert named in refused(lambda: call(client), grpc.StatusCode.UNIMPLEMENTED)
