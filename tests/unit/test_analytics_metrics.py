"""Figures against plain computations of them."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import adjusted_mutual_info_score, davies_bouldin_score, silhouette_score

from services.analytics import graph, metrics
from services.analytics.agreement import agreement, compare
from services.analytics.progress import Progress
from tests.kit.clustered import vectors
from tests.kit.records import unit_vectors

FILMS = 200


@pytest.fixture(scope="module")
def unit() -> NDArray[np.float32]:
    return vectors(FILMS, 12, 1.0)


@pytest.fixture(scope="module")
def members() -> NDArray[np.int32]:
    found = np.random.default_rng(3).integers(0, 5, FILMS).astype(np.int32)
    found[7] = 5  # a film alone in its cluster
    return found


def test_silhouette_and_davies_bouldin_are_those_of_sklearn(
    unit: NDArray[np.float32], members: NDArray[np.int32], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(metrics, "_BLOCK", 37)
    assert metrics.silhouette(unit, members) == pytest.approx(
        silhouette_score(unit, members, metric="cosine"), abs=1e-6
    )
    assert metrics.davies_bouldin(unit, members) == pytest.approx(davies_bouldin_score(unit, members), abs=1e-5)


def test_one_cluster_has_no_separation(unit: NDArray[np.float32]) -> None:
    one = np.zeros(FILMS, dtype=np.int32)
    assert metrics.silhouette(unit, one) is None
    assert metrics.davies_bouldin(unit, one) is None


def test_cluster_purity_counts_known_films_only(members: NDArray[np.int32]) -> None:
    classes = np.random.default_rng(1).integers(-1, 2, FILMS).astype(np.int32)
    known = [(m, c) for m, c in zip(members, classes, strict=True) if c >= 0]
    best = sum(max(Counter(c for m, c in known if m == cluster).values()) for cluster in {m for m, _ in known})
    found = metrics.purity(members, classes)
    assert found["films"] == len(known)
    assert found["purity"] == pytest.approx(best / len(known))
    assert found["baseline"] == pytest.approx(max(Counter(c for _, c in known).values()) / len(known))
    assert found["ami"] == pytest.approx(adjusted_mutual_info_score(*zip(*((c, m) for m, c in known), strict=True)))


def test_cluster_purity_of_a_label_nobody_stated(members: NDArray[np.int32]) -> None:
    assert metrics.purity(members, np.full(FILMS, -1, dtype=np.int32)) == {
        "films": 0, "purity": None, "baseline": None, "ami": None,
    }  # fmt: skip


def test_agreement_is_the_plain_share_of_pairs(unit: NDArray[np.float32]) -> None:
    random = np.random.default_rng(5)
    patients = random.integers(0, 60, FILMS).astype(np.int32)
    patients = np.unique(patients, return_inverse=True)[1].astype(np.int32)
    classes = random.integers(-1, 2, FILMS).astype(np.int32)
    near = graph.build(unit, 9, 0, Progress())
    pairs = [
        (i, j) for i in range(FILMS) for j in near.ids[i]
        if classes[i] >= 0 and classes[j] >= 0 and patients[i] != patients[j]
    ]  # fmt: skip
    others = [
        (i, j) for i in range(FILMS) for j in range(FILMS)
        if classes[i] >= 0 and classes[j] >= 0 and patients[i] != patients[j]
    ]  # fmt: skip
    found = agreement(near, classes, patients)
    assert found is not None
    assert found.purity == pytest.approx(_agree(pairs, classes))
    assert found.chance == pytest.approx(_agree(others, classes))
    assert found.lift == pytest.approx(found.purity - found.chance)
    assert found.present == pytest.approx(_agree([p for p in pairs if classes[p[0]] == 1], classes))
    assert found.present_chance == pytest.approx(_agree([p for p in others if classes[p[0]] == 1], classes))
    assert found.films == len({i for i, _ in pairs})
    assert found.used == pytest.approx(len(pairs) / found.films)


def test_an_unknown_film_changes_nothing_and_an_absent_one_does(unit: NDArray[np.float32]) -> None:
    near = graph.build(unit, 9, 0, Progress())
    patients = np.arange(FILMS, dtype=np.int32)
    classes = (np.arange(FILMS) % 4 < 2).astype(np.int32)
    silent = classes.copy()
    silent[::5] = -1
    as_absent = np.where(silent < 0, 0, silent).astype(np.int32)
    left_out, made_absent = agreement(near, silent, patients), agreement(near, as_absent, patients)
    assert left_out is not None
    assert made_absent is not None
    assert left_out.films < made_absent.films
    assert left_out.purity > made_absent.purity


def test_films_of_one_patient_are_no_neighbours() -> None:
    unit = unit_vectors(80, 6)
    unit[1::2] = unit[::2]  # each film twice; the twin is the nearest neighbour
    near = graph.build(unit, 1, 0, Progress())
    classes = (np.arange(80) % 4 // 2).astype(np.int32)
    apart = agreement(near, classes, np.arange(80, dtype=np.int32))
    together = agreement(near, classes, (np.arange(80) // 2).astype(np.int32))
    assert apart is not None
    assert apart.purity == 1.0
    assert together is None  # all neighbours are the same patient's: nothing to say


def test_comparison_cancels_what_both_models_share(unit: NDArray[np.float32]) -> None:
    near = graph.build(unit, 9, 0, Progress())
    patients = (np.arange(FILMS) // 2).astype(np.int32)
    classes = (np.arange(FILMS) % 4 < 2).astype(np.int32)
    one = agreement(near, classes, patients)
    noise = agreement(graph.build(unit_vectors(FILMS, 12, seed=9), 9, 0, Progress()), classes, patients)
    assert one is not None
    assert noise is not None
    assert compare(one, one) == {"difference": 0.0, "low": 0.0, "high": 0.0}
    apart = compare(one, noise)
    assert apart["difference"] == pytest.approx(one.lift - noise.lift)
    assert 0 < apart["low"] < apart["difference"] < apart["high"]


@pytest.mark.slow
def test_intervals_hold_what_they_promise() -> None:
    """Archives drawn over and over with a true effect: the interval holds its mean in about 95 of 100."""
    patients = np.repeat(np.arange(250, dtype=np.int32), 2)
    found = []
    for seed in range(150):
        random = np.random.default_rng(seed)
        place = random.standard_normal((250, 12))[patients] + 0.5 * random.standard_normal((500, 12))
        unit = (place / np.linalg.norm(place, axis=1, keepdims=True)).astype(np.float32)
        classes = ((place[:, 0] + 1.5 * random.standard_normal(250)[patients]) > 0).astype(np.int32)
        one = agreement(graph.build(unit, 15, 0, Progress()), classes, patients)
        assert one is not None
        found.append((one.lift, one.lift_low, one.lift_high))
    lift, low, high = np.array(found).T
    assert lift.mean() > 0.03
    assert 0.88 <= ((low <= lift.mean()) & (lift.mean() <= high)).mean() <= 0.99


def _agree(pairs: list[tuple[int, int]], classes: NDArray[np.int32]) -> float:
    return float(np.mean([classes[i] == classes[j] for i, j in pairs]))
