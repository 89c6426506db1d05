"""A purge: afterwards no file of the engine holds anything of a deleted point, and everything else is as it was."""

from __future__ import annotations

import os
import signal
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest

from services.core.errors import ErrorCode, HilumError
from services.core.filters import equals, to_qdrant
from services.core.store import VectorStore
from services.engine.supervisor import EngineProcess
from tests.kit.raw import written
from tests.kit.records import make_spec, unit_vectors

CANARY = "p-canaryinthemine"


def traces(folder: Path, needles: dict[str, bytes]) -> dict[str, set[str]]:
    """Which needle stands in which files below `folder`."""
    found: dict[str, set[str]] = {}
    for path in folder.rglob("*"):
        data = written(path)
        for name, needle in needles.items():
            if needle in data:
                found.setdefault(name, set()).add(path.relative_to(folder).as_posix())
    return found


@pytest.mark.parametrize("tokens", [1, pytest.param(3, marks=pytest.mark.slow)])
def test_a_purge_leaves_nothing_of_what_was_deleted(own_engine: EngineProcess, tmp_path: Path, tokens: int) -> None:
    spec = make_spec("tiny", 16, tokens=tokens)
    store = VectorStore(own_engine.url)
    store.ensure(spec)
    vectors = unit_vectors(300 * tokens, 16).reshape(300, *spec.shape)
    ids = [str(uuid.uuid5(uuid.NAMESPACE_OID, str(number))) for number in range(300)]
    carried = [{"patient_id": CANARY if n == 7 else f"p-{n}", "dataset": "demo", "labels": {}} for n in range(300)]
    store.upsert(spec, ids, vectors, carried)
    needles = {"id": uuid.UUID(ids[7]).bytes, "patient": CANARY.encode(), "text id": ids[7].encode(),
               "vector": vectors[7].tobytes()[:32]}  # fmt: skip
    before = store.vectors(spec)
    assert {"id", "patient", "vector"} <= traces(tmp_path / "engine", needles).keys()

    store.erase(spec.collection, [ids[7]])
    assert traces(tmp_path / "engine", needles), "deleting alone leaves bytes: that is why there is a purge"
    stop, written = threading.Event(), list[str]()
    writer = threading.Thread(target=_write, args=(store, spec, stop, written))
    writer.start()  # writes go on meanwhile, and none of them is lost
    store.purge(spec.collection)
    stop.set()
    writer.join()

    assert traces(tmp_path / "engine", needles) == {}
    store.erase(spec.collection, written)
    held, kept = store.vectors(spec)
    left = [row for row, film in enumerate(before[0]) if film != ids[7]]
    assert held == [before[0][row] for row in left]
    np.testing.assert_array_equal(kept, before[1][left])
    assert store.count(spec, to_qdrant(equals("patient_id", "p-8"))) == 1  # the payload and its indexes are there
    assert own_engine.pid is not None
    os.kill(own_engine.pid, signal.SIGKILL)
    assert store.present(spec.collection, held) and store.vectors(spec)[0] == held
    assert traces(tmp_path / "engine", needles) == {}


def _write(store: VectorStore, spec: object, stop: threading.Event, written: list[str]) -> None:
    while not stop.is_set():
        film = str(uuid.uuid4())
        store.upsert(spec, [film], unit_vectors(spec.tokens, 16, len(written)).reshape(1, *spec.shape), [{}])  # type: ignore[arg-type,attr-defined]
        written.append(film)


def test_other_settings_of_the_optimizers_are_refused(store: VectorStore) -> None:
    from qdrant_client import models

    spec = make_spec("settings")
    store.ensure(spec)
    with pytest.raises(Exception, match="optimizers_config"):
        store._at(spec.collection).update_collection(
            spec.collection, optimizers_config=models.OptimizersConfigDiff(indexing_threshold=1)
        )
    with pytest.raises(HilumError) as error:
        store.purge("cxr.none")
    assert error.value.code is ErrorCode.NOT_FOUND


def test_snapshots_are_dropped(own_engine: EngineProcess, tmp_path: Path) -> None:
    spec, store = make_spec(), VectorStore(own_engine.url)
    store.ensure(spec)
    store._at(spec.collection).create_snapshot(spec.collection)
    assert store.snapshots(spec.collection) == store.drop_snapshots(spec.collection) == 1
    assert store.snapshots(spec.collection) == 0 and not list((tmp_path / "engine").rglob("*.snapshot"))
