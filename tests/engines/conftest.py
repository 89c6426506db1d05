"""The same requests on every engine: the embedded one, the client's in-memory double, and a real server if named."""

from __future__ import annotations

import os
import time
import warnings
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from qdrant_client import QdrantClient, models

from services.engine.supervisor import EngineProcess
from tests.engines import films

SERVER = "HILUM_TEST_QDRANT_URL"
ENGINES = ["embedded", "embedded-indexed", "memory", "server"]


def connect(engine: EngineProcess) -> QdrantClient:
    """An unmodified client of an embedded engine."""
    return QdrantClient(
        host="127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False, timeout=30
    )


@pytest.fixture(scope="session")
def embedded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[EngineProcess]:
    directory: Path = tmp_path_factory.mktemp("engine")
    with EngineProcess(directory / "data", index_after=100) as engine:
        yield engine


@pytest.fixture(scope="session", params=ENGINES)
def client(request: pytest.FixtureRequest) -> Iterator[QdrantClient]:
    """One client per engine. The indexed variant is the embedded engine once its graph has been built."""
    if request.param == "memory":
        yield QdrantClient(":memory:")
    elif request.param == "server":
        if not os.environ.get(SERVER):
            pytest.skip(f"{SERVER} is not set")
        yield QdrantClient(url=os.environ[SERVER], prefer_grpc=True, timeout=30)
    else:
        found = connect(request.getfixturevalue("embedded"))
        found.kind = request.param  # type: ignore[attr-defined]
        yield found
        found.close()


@pytest.fixture(scope="session")
def archive(client: QdrantClient) -> Iterator[tuple[QdrantClient, str]]:
    """The client and a collection that holds all films. Read only: tests that write make their own."""
    indexed = getattr(client, "kind", "") == "embedded-indexed"
    name = "films-indexed" if indexed else "films"
    fill(client, name, indexed)
    yield client, name
    client.delete_collection(name)


@pytest.fixture
def own(client: QdrantClient) -> Iterator[tuple[QdrantClient, str]]:
    """The client and a collection of all films that a test may change."""
    if getattr(client, "kind", "") == "embedded-indexed":
        pytest.skip("a fresh collection has no graph")
    name = f"own-{time.monotonic_ns()}"
    fill(client, name, False, {})
    yield client, name
    client.delete_collection(name)


def fill(
    client: QdrantClient, name: str, indexed: bool, indexes: Mapping[str, models.PayloadSchemaType] = films.INDEXES
) -> None:
    """Make the collection of films; with `indexed` wait until the embedded engine has built the graph."""
    tiny = models.OptimizersConfigDiff(indexing_threshold=1) if indexed else None
    client.create_collection(name, films.VECTORS, sparse_vectors_config=films.SPARSE, optimizers_config=tiny)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the double says that payload indexes do nothing for it
        for field, kind in indexes.items():
            client.create_payload_index(name, field, kind, wait=True)
    client.upsert(name, films.points(), wait=True)
    deadline = time.monotonic() + 60
    while indexed and client.get_collection(name).segments_count < 2:
        assert time.monotonic() < deadline, "the graph was not built"
        time.sleep(0.1)
