"""Of how many films that pass a filter all are compared: most of a collection, and a graph is made with that number."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pytest
from qdrant_client import models as m

from services.engine.convert import scan
from services.engine.supervisor import EngineProcess
from tests.engines.conftest import connect

DIM = 8


@pytest.mark.parametrize("stored", [50_000, 99_999, 100_000, 300_000, 349_525])
def test_most_of_a_collection_but_not_all_of_it(stored: int) -> None:
    assert 0.5 * stored < scan.points(stored) <= scan.SHARE * stored


def test_few_are_always_compared_and_very_many_never() -> None:
    assert scan.points(0) == scan.points(20_000) > 0.8 * scan.FEWEST
    assert scan.points(10**6) == scan.points(10**8) == scan.MOST


def test_a_growing_collection_changes_it_seldom() -> None:
    grown = [scan.points(stored) for stored in range(50_000, 400_000, 5_000)]
    assert grown == sorted(grown) and len(set(grown)) <= 7


def test_a_graph_is_made_with_it_and_it_is_told(tmp_path: Path) -> None:
    with EngineProcess(tmp_path / "data", index_after=50) as engine:
        client = connect(engine)
        sized = m.VectorParams(size=DIM, distance=m.Distance.COSINE)
        asked = m.HnswConfigDiff(full_scan_threshold=77)
        for name, hnsw in (("ours", None), ("theirs", asked)):
            tiny = m.OptimizersConfigDiff(indexing_threshold=1)
            client.create_collection(name, sized, hnsw_config=hnsw, optimizers_config=tiny)
            points = [m.PointStruct(id=i, vector=[1.0, i, *[0.5] * (DIM - 2)]) for i in range(200)]
            client.upsert(name, points, wait=True)
        for name in ("ours", "theirs"):
            while client.get_collection(name).segments_count < 2 or client.get_collection(name).status != "green":
                time.sleep(0.05)
        wanted = scan.kilobytes(200, DIM, 4)
        told = {name: client.get_collection(name).config.hnsw_config.full_scan_threshold for name in ("ours", "theirs")}
        assert told == {"ours": wanted, "theirs": 77}
        client.close()
    graphs = [json.loads(path.read_text()) for path in (tmp_path / "data").rglob("hnsw_config.json")]
    assert sorted(graph["full_scan_threshold"] for graph in graphs) == sorted(
        [scan.points(200), 77 * 1024 // (4 * DIM)]
    )
