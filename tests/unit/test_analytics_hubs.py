"""Hubs: measured as the literature defines them, found where they were planted, taken out by correction."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import stats

from services.analytics import graph
from services.analytics.hubs import measures
from services.analytics.progress import Progress
from services.core import hubs
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, densities, images, models
from services.core.facts.images import Stored
from services.core.store import VectorStore, payload
from tests.kit.analyses import make
from tests.kit.clustered import thumbnail
from tests.kit.records import make_record, make_spec

FILMS, HUBS, K = 240, 4, 5
SPEC, PART = make_spec("crowded", 48), make_spec("half", 16)


def crowded(seed: int = 0) -> np.ndarray:
    """(FILMS, 48) unit vectors around one direction; the first HUBS lie almost in it, so they are near everything."""
    random = np.random.default_rng(seed)
    spread = random.standard_normal((FILMS, SPEC.dim))
    spread[:HUBS] *= 0.35
    found = np.full(SPEC.dim, 0.35) + spread * 0.5
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def test_corrections_are_those_of_their_papers() -> None:
    cosine, dense = np.array([0.9, 0.5]), np.array([0.8, 0.2])
    assert np.allclose(hubs.corrected("csls", cosine, dense), [1.0, 0.8])
    assert np.allclose(hubs.corrected("scaling", cosine, dense), [-0.01 / 0.2, -0.25 / 0.8])
    assert hubs.corrected("keep", cosine, dense) is cosine
    assert np.isfinite(hubs.scaling(1.0, 1.0))


def test_neighbours_of_others_leave_out_the_patient_exactly_and_approximately() -> None:
    unit, patients = crowded(), (np.arange(FILMS) // 3).astype(np.int32)
    near = graph.build(unit, K, 0, Progress(), patients=patients)
    similar = unit @ unit.T
    similar[patients[:, None] == patients] = -2
    true = np.argsort(-similar, axis=1, kind="stable")[:, :K]
    assert (near.ids == true).all()
    assert np.allclose(1 - near.distances, np.take_along_axis(similar, true, axis=1), atol=1e-6)
    with pytest.raises(HilumError, match="lower k"):
        graph.build(unit[:8], K, 0, Progress(), patients=np.array([0] * 4 + [1] * 4, dtype=np.int32))


def test_approximate_neighbours_of_others() -> None:
    unit, patients = crowded(), (np.arange(FILMS) // 3).astype(np.int32)
    near = graph.build(unit, K, 0, Progress(), exact_films=10, patients=patients)
    assert not (patients[near.ids] == patients[:, None]).any()
    assert near.recall > 0.95


def test_measures_agree_with_scipy_and_with_the_definition() -> None:
    counts = np.random.default_rng(3).geometric(0.3, 400) - 1
    patients = np.arange(400, dtype=np.int32) // 2
    skew = measures.skewness(counts, patients, 0)
    assert np.isclose(skew.value, stats.skew(counts))
    assert skew.low < skew.value < skew.high
    uneven = measures.uneven(counts)
    assert uneven["anti_hubs"] == (counts == 0).mean()
    even = measures.uneven(np.full(10, 7))
    assert (even["robin_hood"], even["hubs"]) == (0, 0)
    one = measures.uneven(np.array([10] + [0] * 9))
    assert np.isclose(one["robin_hood"], 0.9)
    assert measures.skewness(np.full(10, 7), np.arange(10, dtype=np.int32), 0).value == 0


def test_planted_hubs_are_found_kept_and_taken_out(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    blobs, unit = Blobs(tmp_path / "blobs"), crowded()
    for spec in (SPEC, PART):
        store.ensure(spec)
        models.register(facts, spec)
    records = [make_record(f"film-{n}", patient_id=f"p{n // 2}") for n in range(FILMS)]
    store.upsert(SPEC, [r.image_id for r in records], unit, [payload(r) for r in records])
    some = records[: FILMS // 2]
    store.upsert(PART, [r.image_id for r in some], unit[: len(some), : PART.dim], [payload(r) for r in some])
    marks = [(SPEC.fingerprint, PART.fingerprint) if n < len(some) else (SPEC.fingerprint,) for n in range(FILMS)]
    images.commit(facts, [Stored(r, blobs.put(thumbnail(n)), marks[n]) for n, r in enumerate(records)])

    run = make(tmp_path, facts, store, models=["crowded", "half"], k=K, hubs={})
    found = run.metrics["crowded"]
    assert run.metrics["half"]["films"] == len(some)  # each model on what it holds
    assert found["uncorrected"]["skewness"]["low"] > 1.5
    assert found["csls"]["skewness"]["value"] < 0.6 * found["uncorrected"]["skewness"]["value"]
    assert found["scaling"]["anti_hubs"] < found["uncorrected"]["anti_hubs"]
    kept = densities.of(facts, SPEC.fingerprint, [r.image_id for r in records])
    assert len(kept) == FILMS
    most = sorted(kept, key=lambda i: -kept[i].occurrences)[:HUBS]
    assert set(most) == {r.image_id for r in records[:HUBS]}
    similar = unit @ unit.T
    mine = np.sort(np.delete(similar[7], [6, 7]))[-K:].mean()
    assert np.isclose(kept[records[7].image_id].density, mine, atol=1e-5)
    table = pq.read_table(run.folder / "densities.parquet").to_pylist()
    assert len(table) == FILMS + len(some)
    assert "data:image/jpeg" in run.report
    assert run.json("manifest.json")["kept"] is True

    part = make(tmp_path, facts, store, models=["crowded"], k=K, sample_size=60, hubs={})
    assert part.metrics["crowded"]["films"] == 60
    assert densities.of(facts, SPEC.fingerprint, [r.image_id for r in records]) == kept  # a part changes nothing
