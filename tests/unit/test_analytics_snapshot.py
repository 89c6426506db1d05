"""What an atlas holds of each film, and how large its pictures may be."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from PIL import Image

from services.analytics import atlas, snapshot, thumbnails
from services.analytics.cluster import Partition
from services.analytics.graph import Graph
from services.analytics.progress import Progress
from services.analytics.sample import Sample
from services.core.blobs import Blobs
from services.core.facts import Facts, images
from services.core.facts.images import Stored
from tests.kit.records import make_record

FILMS, K = 60, 4


def films() -> Sample:
    random = np.random.default_rng(1)
    labels = {name: random.integers(-1, 3, FILMS).astype(np.int8) for name in ("edema", "mass")}
    return Sample(
        [f"film-{n}" for n in range(FILMS)], (np.arange(FILMS) // 2).astype(np.int32), ["d"] * FILMS, ["PA"] * FILMS,
        ["F"] * FILMS, np.full(FILMS, np.nan, np.float32), labels, 0,
    )  # fmt: skip


def near() -> Graph:
    random = np.random.default_rng(2)
    ids = np.stack([random.choice(np.delete(np.arange(FILMS), n), K, replace=False) for n in range(FILMS)])
    return Graph(ids.astype(np.int32), np.sort(random.random((FILMS, K), np.float32), axis=1), "exact", 1.0, FILMS)


def test_hubs_and_agreement_of_each_film_are_what_one_counts_by_hand(tmp_path: Path) -> None:
    sample, graph = films(), near()
    one = Partition(np.zeros(FILMS, np.int32), 0.0)
    place = np.random.default_rng(3).random((FILMS, 2), np.float32)
    snapshot.write(tmp_path / "a", "run", sample, ["edema", "mass"], graph, {1.0: one}, place, [None] * FILMS)
    rows = pq.read_table(tmp_path / "a" / "dataset.parquet").to_pylist()
    counts = np.array([sum(n in graph.ids[other] for other in range(FILMS)) for n in range(FILMS)])
    for n, row in enumerate(rows):
        assert row["neighbour_of"] == counts[n]
        assert row["hub_score"] == pytest.approx((counts[n] - K) / counts.std(), abs=1e-5)
        pairs = [
            codes[n] == codes[other]
            for codes in sample.labels.values()
            for other in graph.ids[n]
            if codes[n] in (0, 1) and codes[other] in (0, 1) and n // 2 != other // 2
        ]
        assert row["neighbours_agree"] == (pytest.approx(np.mean(pairs), abs=1e-6) if pairs else None)
    assert any(row["neighbours_agree"] is None for row in rows)
    told = json.loads((tmp_path / "a" / "metadata.json").read_text())
    assert {"hub_score", "neighbours_agree", "cluster", "findings"} <= set(
        told["props"]["defaultChartsConfig"]["include"]
    )
    assert atlas.about(tmp_path / "a") == "Pictures of 0 of 60 films, 0 pixels, to stay below 96 MB"


@pytest.mark.parametrize(
    ("most", "edge", "share"), [(10**6, 112, 1.0), (150_000, 64, 1.0), (22_000, 48, 0.5), (9_000, 48, 0.2), (0, 0, 0.0)]
)
def test_pictures_get_smaller_then_fewer_where_they_do_not_fit(
    tmp_path: Path, facts: Facts, most: int, edge: int, share: float
) -> None:
    blobs = Blobs(tmp_path / "blobs")
    records = [make_record(f"film-{n}") for n in range(FILMS)]
    noise = np.random.default_rng(0).integers(0, 255, (FILMS, 128, 128), np.uint8)
    images.commit(facts, [Stored(r, blobs.put(_png(noise[n])), ()) for n, r in enumerate(records)])
    ids = sorted(record.image_id for record in records)
    found = thumbnails.thumbnails(facts, blobs, ids, Progress(), most)
    assert len(found) == FILMS
    shown = [n for n, picture in enumerate(found) if picture]
    assert sum(len(p) for p in found if p) <= most
    assert len(shown) == FILMS if share == 1.0 else 0.5 * share <= len(shown) / FILMS <= 1.5 * share
    sizes = {max(Image.open(io.BytesIO(p)).size) for p in found if p}
    assert sizes == ({edge} if edge else set())
    if 0 < share < 1:
        assert max(np.diff(shown)) <= 3 / share  # evenly over all


def _png(pixels: np.ndarray) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()
