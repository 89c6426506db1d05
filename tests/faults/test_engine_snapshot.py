"""A snapshot is the collection at one moment, and comes back as it was; a damaged one is refused."""

from __future__ import annotations

import hashlib
import io
import tarfile
from pathlib import Path

import grpc
import pytest
from qdrant_client import QdrantClient, models

from services.engine.files import copy_tree
from services.engine.restore import SnapshotBrokenError, restore
from services.engine.supervisor import EngineProcess

NAME = "films"


def connect(engine: EngineProcess) -> QdrantClient:
    return QdrantClient(
        host="127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False, timeout=20
    )


def upsert(client: QdrantClient, first: int, last: int) -> None:
    points = [models.PointStruct(id=i, vector=[i + 1.0, 0.0], payload={"n": i}) for i in range(first, last)]
    client.upsert(NAME, points, wait=True)


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data directory with a snapshot of 50 points; the engine, since stopped, went on to 80."""
    data = tmp_path_factory.mktemp("engine") / "data"
    with EngineProcess(data) as engine:
        client = connect(engine)
        client.create_collection(NAME, models.VectorParams(size=2, distance=models.Distance.DOT))
        client.create_payload_index(NAME, "n", models.PayloadSchemaType.INTEGER, wait=True)
        upsert(client, 0, 50)
        made = client.create_snapshot(NAME, wait=True)
        assert made is not None
        upsert(client, 50, 80)
        assert [s.name for s in client.list_snapshots(NAME)] == [made.name]
        assert [s.checksum for s in client.list_snapshots(NAME)] == [made.checksum]
        client.close()
    return data


@pytest.fixture
def taken(directory: Path, tmp_path: Path) -> Path:
    """The snapshot in a copy of that directory, `tmp_path/data`."""
    copy_tree(directory, tmp_path / "data")
    return next((tmp_path / "data" / "snapshots").glob("*/*.snapshot"))


def test_it_comes_back_as_it_was(taken: Path, tmp_path: Path) -> None:
    assert restore(tmp_path / "data", taken, "restored") == 50
    with EngineProcess(tmp_path / "data") as engine:
        client = connect(engine)
        page, _ = client.scroll("restored", limit=100, with_vectors=True)
        assert [(r.id, r.payload, r.vector) for r in page] == [(i, {"n": i}, [i + 1.0, 0.0]) for i in range(50)]
        assert "n" in client.get_collection("restored").payload_schema
        assert client.count(NAME).count == 80
        client.close()


def test_it_moves_to_another_directory(taken: Path, tmp_path: Path) -> None:
    assert restore(tmp_path / "elsewhere", taken, NAME) == 50


def test_a_taken_name_is_kept(taken: Path, tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="is taken"):
        restore(tmp_path / "data", taken, NAME)


def test_an_altered_or_cut_snapshot_is_refused(taken: Path, tmp_path: Path) -> None:
    whole = taken.read_bytes()
    for broken in (whole[:-1], whole[:100], whole[:200] + b"x" + whole[201:]):
        taken.write_bytes(broken)
        with pytest.raises(SnapshotBrokenError):
            restore(tmp_path / "data", taken, "restored")
    assert len(list((tmp_path / "data" / "collections").iterdir())) == 1


def test_an_archive_that_reaches_outside_is_refused(tmp_path: Path) -> None:
    evil = tmp_path / "evil.snapshot"
    with tarfile.open(evil, "w") as tar:
        member = tarfile.TarInfo("../../outside")
        member.size = 1
        tar.addfile(member, io.BytesIO(b"x"))
    (tmp_path / "evil.snapshot.sha256").write_text(hashlib.sha256(evil.read_bytes()).hexdigest())
    with pytest.raises(SnapshotBrokenError):
        restore(tmp_path / "data", evil, "evil")
    assert not (tmp_path / "outside").exists()
    assert not list((tmp_path / "data" / "collections").glob("*"))


def test_snapshots_are_deleted_by_exact_name(tmp_path: Path) -> None:
    with EngineProcess(tmp_path / "data") as engine:
        client = connect(engine)
        client.create_collection(NAME, models.VectorParams(size=2, distance=models.Distance.DOT))
        made = client.create_snapshot(NAME, wait=True)
        assert made is not None
        for name in ("../../registry.json", "*", "nope"):
            with pytest.raises(grpc.RpcError) as caught:
                client.delete_snapshot(NAME, name)
            assert caught.value.code() is grpc.StatusCode.NOT_FOUND
        client.delete_snapshot(NAME, made.name)
        assert client.list_snapshots(NAME) == []
        client.close()
