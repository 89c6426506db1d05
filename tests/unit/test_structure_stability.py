"""Clusters that come back, and those that do not."""

from __future__ import annotations

from itertools import combinations

import numpy as np
import pytest

from services.analytics import fuzzy, graph
from services.analytics.progress import Progress
from services.analytics.structure import stability
from services.analytics.structure.asked import LADDER
from services.analytics.structure.stability import Level
from tests.kit.clustered import kind_of, vectors
from tests.kit.records import unit_vectors

FILMS, K = 240, 10


def levels(unit: np.ndarray, resolutions: tuple[float, ...] = LADDER, draws: int = 8) -> list[Level]:
    pool = graph.build(unit, 4 * K, 0, Progress())
    edges = fuzzy.weights(graph.build(unit, K, 0, Progress()))
    patients = (np.arange(len(unit)) // 2).astype(np.int32)
    return stability.levels(pool, edges, K, patients, resolutions, (0, 1), draws, lambda done, total: None)


def test_planted_kinds_come_back_and_are_recommended() -> None:
    found = levels(vectors(FILMS, 32, 0.7))
    best, reason = stability.recommend(found)
    assert len(best.partition.sizes) == 4
    assert stability.rand(best.partition.members, np.array([kind_of(n) for n in range(FILMS)])) == 1.0
    assert best.jaccard.min() > 0.9
    assert best.agreement == 1.0
    assert f"Resolution {best.resolution:g} (4 clusters)" in reason
    assert best.persistence.min() > 1


def test_a_space_without_clusters_is_told_to_have_none() -> None:
    found = levels(unit_vectors(FILMS, 32), (0.5, 1.0, 1.5))
    torn = [level for level in found if len(level.partition.sizes) > 1]
    assert torn
    assert max(level.films_in_stable for level in torn) < 0.2
    assert "regions of a continuum" in stability.recommend(found)[1]
    one = levels(vectors(FILMS, 32, 0.7)[::4], (0.01,))
    assert "there more than one cluster" in stability.recommend(one)[1]


def test_jaccard_and_rand_are_the_plain_ones() -> None:
    random = np.random.default_rng(0)
    one, other = random.integers(0, 4, 120).astype(np.int32), random.integers(0, 3, 120).astype(np.int32)
    found = stability.jaccard(one, other, 5)
    for a in range(5):
        for b in range(3):
            left, right = set(np.flatnonzero(one == a)), set(np.flatnonzero(other == b))
            assert found[a, b] == (len(left & right) / len(left | right) if left | right else 0)
    pairs = list(combinations(range(120), 2))
    same_one, same_other = (np.array([m[i] == m[j] for i, j in pairs]) for m in (one, other))
    both, total = (same_one & same_other).sum(), len(pairs)
    chance = same_one.sum() * same_other.sum() / total
    plain = (both - chance) / ((same_one.sum() + same_other.sum()) / 2 - chance)
    assert stability.rand(one, other) == pytest.approx(plain, abs=1e-6)


def test_half_of_the_patients_with_all_their_films() -> None:
    patients = np.random.default_rng(1).integers(0, 31, 200).astype(np.int32)
    chosen = stability.half(patients, 3, 0)
    assert len(np.unique(patients[chosen])) in (14, 15)
    assert set(np.flatnonzero(np.isin(patients, patients[chosen]))) == set(chosen)
    assert not np.array_equal(chosen, stability.half(patients, 3, 1))


def test_the_graph_of_a_half_is_the_one_of_its_films_alone() -> None:
    unit = vectors(FILMS, 16, 1.0)
    pool = graph.build(unit, 60, 0, Progress())
    chosen = stability.half((np.arange(FILMS) // 2).astype(np.int32), 0, 0)
    alone = graph.build(unit[chosen], 5, 0, Progress())
    taken = stability.induced(pool, chosen, 5)
    assert np.array_equal(taken.ids, alone.ids)
    assert np.allclose(taken.distances, alone.distances, atol=1e-6)


def test_a_film_without_neighbours_in_the_half_is_alone() -> None:
    pool = graph.Graph(
        np.array([[1, 2], [0, 2], [3, 4], [4, 2], [3, 2]], np.int32), np.full((5, 2), 0.1, np.float32), "exact", 1.0, 5
    )
    taken = stability.induced(pool, np.array([0, 1, 4]), 2)
    assert taken.ids.tolist() == [[1, 0], [0, 1], [2, 2]]
    weights = fuzzy.weights(taken)
    assert weights[0, 1] > 0
    assert weights[2, 0] == weights[2, 1] == 0


def test_persistence_and_tree_follow_films() -> None:
    coarse = np.array([0] * 60 + [1] * 40, np.int32)
    finer = np.array([0] * 35 + [2] * 25 + [1] * 40, np.int32)
    finest = np.array([0] * 35 + [1] * 25 + [2] * 20 + [3] * 20, np.int32)
    assert [one.tolist() for one in stability.persistence([coarse, finer, finest])] == [[1, 2], [2, 2, 2], [2, 2, 1, 1]]
    found = [
        Level(r, stability.Partition(m, 0.0), np.ones(m.max() + 1), np.zeros(m.max() + 1), 1.0, np.ones(m.max() + 1))
        for r, m in ((0.1, coarse), (0.5, finer), (1.0, finest))
    ]
    rows = {(row["resolution"], row["cluster"]): row for row in stability.tree(found)}
    assert rows[0.1, 0]["parent"] == -1
    assert (rows[0.5, 2]["parent"], rows[0.5, 2]["share"]) == (0, 1.0)
    assert [rows[1.0, c]["parent"] for c in range(4)] == [0, 2, 1, 1]
