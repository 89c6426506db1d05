"""A full disk: the engine says so before it writes, keeps answering, and goes on when there is room again."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import grpc
import pytest
from qdrant_client import QdrantClient, models

from services.engine.files import RESERVE_BYTES
from services.engine.supervisor import EngineProcess

MB = 1024 * 1024
DIM = 1024


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system with little more room than the engine's reserve."""
    folder = tmp_path / "small"
    folder.mkdir()
    size = f"size={(RESERVE_BYTES + 64 * MB) // MB}m"
    if (
        os.geteuid() != 0
        or subprocess.run(["mount", "-t", "tmpfs", "-o", size, "tmpfs", folder], check=False).returncode
    ):
        pytest.skip("mounting a small tmpfs needs root")
    yield folder
    subprocess.run(["umount", "-l", folder], check=True)


def test_a_full_disk_is_refused_not_suffered(small_disk: Path) -> None:
    with EngineProcess(small_disk / "data", index_after=0) as engine:
        client = QdrantClient(
            host="127.0.0.1", grpc_port=engine.port, prefer_grpc=True, check_compatibility=False, timeout=20
        )
        client.create_collection("films", models.VectorParams(size=DIM, distance=models.Distance.DOT))
        sure: list[int] = []

        def write(first: int) -> None:
            ids = range(first, first + 200)
            client.upsert("films", [models.PointStruct(id=i, vector=[float(i)] * DIM) for i in ids], wait=True)
            sure.extend(ids)

        with pytest.raises(grpc.RpcError) as caught:
            for first in range(0, 100_000, 200):
                write(first)
        assert caught.value.code() is grpc.StatusCode.RESOURCE_EXHAUSTED
        assert "free some space" in caught.value.details()
        assert engine.restarts == 0
        assert sure
        assert client.count("films").count == len(sure)
        assert client.query_points("films", [1.0] * DIM, limit=1).points[0].id == sure[-1]
        subprocess.run(["mount", "-o", f"remount,size={(RESERVE_BYTES + 256 * MB) // MB}m", small_disk], check=True)
        write(len(sure))
        assert client.count("films").count == len(sure)
