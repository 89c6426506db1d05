"""The engine's data directory: one owner, a registry that is never half a registry, nothing left lying about."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import grpc
import pytest
from google.protobuf import json_format
from qdrant_client.grpc import collections_pb2

from services.engine.catalog import Catalog
from services.engine.files import DirectoryBusyError
from services.engine.registry import Registry, RegistryBrokenError
from services.engine.server import Engine
from services.engine.supervisor import EngineFailedError, EngineProcess

ROOT = Path(__file__).resolve().parents[2]


def create(name: str) -> collections_pb2.CreateCollection:
    params = collections_pb2.VectorParams(size=4, distance=collections_pb2.Dot)
    return collections_pb2.CreateCollection(
        collection_name=name, vectors_config=collections_pb2.VectorsConfig(params=params)
    )


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """A directory with two collections and an alias, closed."""
    catalog = Catalog(tmp_path / "data")
    for name in ("one", "two"):
        catalog.create(create(name))
    alias = collections_pb2.CreateAlias(collection_name="one", alias_name="first")
    catalog.change_aliases([collections_pb2.AliasOperations(create_alias=alias)])
    catalog.close()
    return tmp_path / "data"


def names(data: Path) -> tuple[list[str], dict[str, str]]:
    registry = Registry.open(data)
    return sorted(registry.collections), registry.aliases


WHOLE = (["one", "two"], {"first": "one"})


def test_a_second_owner_is_told_whose_it_is(tmp_path: Path) -> None:
    with EngineProcess(tmp_path / "data") as engine:
        with pytest.raises(DirectoryBusyError, match=f"process {engine.pid}"):
            Catalog(tmp_path / "data")
        with pytest.raises(EngineFailedError, match=f"in use by process {engine.pid}"):
            EngineProcess(tmp_path / "data").start()


def test_a_registry_torn_at_any_byte_is_read_from_its_copy(data: Path) -> None:
    path, copy = Registry(data).paths
    whole = path.read_bytes()
    assert whole == copy.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        assert names(data) == WHOLE


def test_an_altered_byte_is_noticed(data: Path) -> None:
    path = Registry(data).paths[0]
    whole = path.read_bytes()
    rng = random.Random(5)
    for _ in range(200):
        place = rng.randrange(len(whole))
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1]) + whole[place + 1 :])
        assert names(data) == WHOLE


def test_with_both_copies_gone_nothing_is_deleted(data: Path) -> None:
    before = sorted((data / "collections").iterdir())
    for path in Registry(data).paths:
        path.write_bytes(b"{")
    with pytest.raises(RegistryBrokenError):
        Catalog(data)
    for path in Registry(data).paths:
        path.unlink()
    with pytest.raises(RegistryBrokenError):
        Catalog(data)
    assert sorted((data / "collections").iterdir()) == before


def test_leftovers_of_a_crash_are_deleted(data: Path) -> None:
    entry = Registry.open(data).collections["one"]
    live = data / "collections" / entry.folder / entry.generation
    abandoned = [data / "collections" / "0123" / "g" / "shard", live.parent / "copy" / "shard"]
    for folder in (*abandoned, live / "shard" / "temp_segments" / "half"):
        folder.mkdir(parents=True)
        (folder / "file").write_bytes(b"x" * 100)
    (data / "snapshots" / entry.folder).mkdir(parents=True)
    (data / "snapshots" / entry.folder / "s.snapshot.part").write_bytes(b"x")
    Catalog(data).close()
    assert not any(folder.exists() for folder in abandoned)
    assert not (live / "shard" / "temp_segments" / "half").exists()
    assert not list(data.glob("snapshots/*/*.part"))
    assert names(data) == WHOLE


def test_a_damaged_collection_does_not_take_the_others_along(data: Path) -> None:
    entry = Registry.open(data).collections["one"]
    shutil.rmtree(data / "collections" / entry.folder / entry.generation / "shard" / "segments")
    (data / "collections" / entry.folder / entry.generation / "shard" / "edge_config.json").write_text("{")
    catalog = Catalog(data)
    try:
        assert catalog.shard("two").points() == 0
        with pytest.raises(Exception, match="damaged") as caught:
            catalog.shard("first")
        assert caught.value.code is grpc.StatusCode.FAILED_PRECONDITION
        assert catalog.delete("one")
    finally:
        catalog.close()
    assert names(data) == (["two"], {})


def test_only_loopback(tmp_path: Path) -> None:
    for host in ("0.0.0.0", "192.168.1.1", "example.org"):
        with pytest.raises(ValueError, match=r"127\.0\.0\.1"):
            Engine(tmp_path / "data", host=host)


def test_client_names_never_become_paths(tmp_path: Path) -> None:
    catalog = Catalog(tmp_path / "data")
    catalog.create(create("cxr.secret-name"))
    catalog.close()
    assert not [p for p in tmp_path.rglob("*") if "secret" in p.name]


def test_it_ends_when_its_parent_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, time; from pathlib import Path; from services.engine.supervisor import EngineProcess;"
        "e = EngineProcess(Path(sys.argv[1])); e.start(); print(e.pid, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", script, str(tmp_path / "data")]
    parent = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    assert Path(f"/proc/{pid}").exists()
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    deadline = time.monotonic() + 15
    while Path(f"/proc/{pid}").exists() and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not Path(f"/proc/{pid}").exists(), "an orphan engine"
    Catalog(tmp_path / "data").close()


def test_an_interrupt_at_the_terminal_is_for_its_parent_alone(engine: EngineProcess) -> None:
    assert engine.pid is not None
    assert os.getpgid(engine.pid) != os.getpgid(0), "it would end, and be started again, while commands still need it"


def test_sigterm_ends_it_cleanly(tmp_path: Path) -> None:
    command = [sys.executable, "-m", "services.engine", "--dir", str(tmp_path / "data")]
    process = subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    ready = json.loads(process.stdout.readline())
    assert ready["pid"] == process.pid
    assert ready["grpc"].startswith("127.0.0.1:")
    process.terminate()
    assert process.wait(20) == 0


def test_the_configuration_survives_a_restart(data: Path) -> None:
    entry = Registry.open(data).collections["two"]
    assert json_format.ParseDict(entry.config, collections_pb2.CreateCollection()) == create("two")
