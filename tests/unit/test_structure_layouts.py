"""Layouts and what they distort, against SciPy, scikit-learn and plain counting."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.spatial import procrustes
from sklearn.manifold import trustworthiness

from services.analytics import fuzzy, graph, layout
from services.analytics.progress import Progress
from services.analytics.structure import distortion, layouts, together
from tests.kit.clustered import KINDS, kind_of, vectors

FILMS, K = 240, 8
KIND = np.array([kind_of(number) for number in range(FILMS)])


@pytest.fixture(scope="module")
def unit() -> NDArray[np.float32]:
    return vectors(FILMS, 24, 0.8)


@pytest.fixture(scope="module")
def pool(unit: NDArray[np.float32]) -> graph.Graph:
    return graph.build(unit, layouts.neighbours(K, ("tsne",), (20.0,), FILMS), 0, Progress())


@pytest.fixture(scope="module")
def drawn(unit: NDArray[np.float32], pool: graph.Graph) -> list[layouts.Layout]:
    edges = fuzzy.weights(layouts.first(pool, K))
    return layouts.draw(pool, edges, unit, ("umap", "pca", "tsne"), (20.0,), (4, 5), lambda done, total: None)


def test_one_graph_serves_all(unit: NDArray[np.float32], pool: graph.Graph) -> None:
    assert pool.k == 60
    assert layouts.neighbours(K, ("umap",), (20.0,), FILMS) == 2 * K
    assert layouts.neighbours(K, ("tsne",), (90.0,), 50) == 49
    assert np.array_equal(layouts.first(pool, K).ids, graph.build(unit, K, 0, Progress()).ids)


def test_every_layout_keeps_kinds_together(drawn: list[layouts.Layout]) -> None:
    assert [(one.column, one.seed) for one in drawn] == [
        ("umap", 4), ("umap", 5), ("pca", 4), ("tsne-20", 4), ("tsne-20", 5),
    ]  # fmt: skip
    for one in drawn:
        middles = np.array([one.place[kind == KIND].mean(axis=0) for kind in range(KINDS)])
        nearest = ((one.place[:, None, :] - middles) ** 2).sum(axis=2).argmin(axis=1)
        assert (nearest == KIND).mean() > 0.9
        assert np.allclose(one.place.mean(axis=0), 0, atol=1e-3)


def test_a_seed_draws_the_same_map_and_another_one_another(
    unit: NDArray[np.float32], pool: graph.Graph, drawn: list[layouts.Layout]
) -> None:
    four, five = drawn[3:]
    again = layouts.tsne(pool, unit, 20.0, 4, True, lambda done, total: None)
    assert np.array_equal(again - again.mean(axis=0), four.place)
    assert layouts.onto(four.place, five.place).disparity > 1e-3


def test_a_perplexity_is_what_so_few_films_allow(unit: NDArray[np.float32]) -> None:
    few = unit[:40]
    near = graph.build(few, 39, 0, Progress())
    edges = fuzzy.weights(layouts.first(near, K))
    made = layouts.draw(near, edges, few, ("tsne",), (30.0, 50.0), (0,), lambda done, total: None)
    assert [one.perplexity for one in made] == [13.0]


def test_procrustes_is_scipys() -> None:
    random = np.random.default_rng(0)
    one, other = random.standard_normal((2, 80, 2)).astype(np.float32)
    other += 0.7 * one
    _, theirs, disparity = procrustes(one, other)
    ours = layouts.onto(one, other)
    assert abs(ours.disparity - disparity) < 1e-6
    centred = one - one.mean(axis=0)
    assert np.allclose((ours.place - one.mean(axis=0)) / np.linalg.norm(centred), theirs, atol=1e-6)


def test_a_map_turned_mirrored_and_scaled_is_the_same_map() -> None:
    one = np.random.default_rng(1).standard_normal((50, 2)).astype(np.float32)
    turned = (one @ np.array([[0.0, 3.0], [3.0, 0.0]]) + 7).astype(np.float32)
    found = layouts.onto(one, turned)
    assert found.disparity < 1e-6
    assert np.allclose(found.place, one, atol=1e-4)
    assert layouts.onto(one, np.zeros_like(one)).disparity == 1.0


def test_distortion_is_sklearns_both_ways(
    unit: NDArray[np.float32], pool: graph.Graph, drawn: list[layouts.Layout]
) -> None:
    near = layouts.first(pool, K)
    every = distortion.rows(FILMS, 0)
    assert np.array_equal(every, np.arange(FILMS))
    for one, found in zip(drawn, distortion.measure(unit, [d.place for d in drawn], near, every), strict=True):
        flat = one.place.astype(np.float64)
        assert found.trustworthiness.mean() == pytest.approx(
            trustworthiness(unit, flat, n_neighbors=K, metric="cosine"), abs=1e-6
        )
        # Continuity is trustworthiness with the two spaces changing places; on unit vectors the order is euclidean.
        assert found.continuity.mean() == pytest.approx(
            trustworthiness(flat, unit.astype(np.float64), n_neighbors=K), abs=1e-6
        )
        for row in (0, 17):
            away = ((flat - flat[row]) ** 2).sum(axis=1)
            away[row] = np.inf
            assert found.kept[row] == len(set(np.argsort(away)[:K]) & set(near.ids[row])) / K


def test_a_perfect_picture_distorts_nothing_and_a_shuffled_one_does() -> None:
    angle = np.random.default_rng(2).uniform(0, 2 * np.pi, 150)
    ring = np.stack([np.cos(angle), np.sin(angle)], axis=1).astype(np.float32)
    near = graph.build(ring, K, 0, Progress())
    true, shuffled = distortion.measure(ring, [ring, np.roll(ring, 40, axis=0)], near, np.arange(150))
    assert true.trustworthiness.min() > 0.999
    assert true.continuity.min() > 0.999
    assert shuffled.kept.mean() < 0.2
    assert shuffled.continuity.mean() < 0.7


def test_how_far_groups_go_between_maps_is_the_plain_formula() -> None:
    random = np.random.default_rng(5)
    first = random.standard_normal((40, 2)).astype(np.float32) * 3 + 7
    other = random.standard_normal((40, 2)).astype(np.float32)
    group = random.random(40) < 0.3
    radius = sum(((x - first[:, 0].mean()) ** 2 + (y - first[:, 1].mean()) ** 2) for x, y in first / 1.0) / 40
    size = (sum(((x - other[:, 0].mean()) ** 2 + (y - other[:, 1].mean()) ** 2) for x, y in other / 1.0) / 40) ** 0.5
    here = (first - first.mean(axis=0)) / radius**0.5
    there = (other - other.mean(axis=0)) / size  # as wide as the first
    steps = [(b - a) for a, b, inside in zip(here, there, group, strict=True) if inside]
    middle = (sum(x for x, _ in steps) / len(steps), sum(y for _, y in steps) / len(steps))
    found = together.shifts(first, other, {"some": group, "none": np.zeros(40, bool)})
    assert set(found) == {"some"}
    assert found["some"] == pytest.approx(
        (len(steps), float(np.hypot(*middle)), float(np.mean([np.hypot(x, y) for x, y in steps]))), abs=1e-6
    )
    turned = together.shifts(first, first * 4 - 9, {"some": group})["some"]
    assert turned[1:] == pytest.approx((0.0, 0.0), abs=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("stranger", [False, True], ids=["seen twice", "a stranger"])
def test_maps_drawn_together_are_as_true_and_as_near_as_aligned_umaps(stranger: bool) -> None:
    """umap-learn's AlignedUMAP at its defaults, on the same vectors: trustworthiness by scikit-learn, and how far films
    are apart after SciPy's Procrustes. Of a stranger's map neither makes the same."""
    import umap

    films, random = 500, np.random.default_rng(0)
    centres, kind = random.standard_normal((30, 24)), random.integers(0, 30, 500)
    turn = np.linalg.qr(random.standard_normal((48, 48)))[0][:24]
    units = []
    for axes, of in ((np.eye(24), kind), (turn, random.permutation(kind) if stranger else kind)):
        raw = (centres[of] + 0.8 * random.standard_normal((films, 24))) @ axes
        units.append(np.asarray(raw / np.linalg.norm(raw, axis=1, keepdims=True), np.float32))
    near = [graph.build(unit, 15, 0, Progress()) for unit in units]
    alone = [
        layout.project(fuzzy.weights(one), unit, 0, lambda d, t: None) for one, unit in zip(near, units, strict=True)
    ]
    turned = [alone[0], layouts.onto(alone[0], alone[1]).place]
    spaces = [together.Space(*one) for one in zip(units, near, turned, strict=True)]
    ours = together.draw(spaces, np.arange(films, dtype=np.int32), 0, lambda d, t: None).together
    made = umap.AlignedUMAP(n_neighbors=16, metric="cosine", random_state=0, n_epochs=200)
    theirs = made.fit(units, relations=[{row: row for row in range(films)}]).embeddings_

    def judged(places: list[NDArray[np.float32]]) -> tuple[list[float], float]:
        trust = [trustworthiness(u, p, n_neighbors=15, metric="cosine") for u, p in zip(units, places, strict=True)]
        one, other, _ = procrustes(np.asarray(places[0], float), np.asarray(places[1], float))
        other = other / np.linalg.norm(other)
        return trust, float(np.linalg.norm(one - other, axis=1).mean() * np.sqrt(films))

    (our_trust, our_apart), (their_trust, their_apart) = judged(ours), judged(list(theirs))
    assert min(our_trust) > min(their_trust) - 0.02
    if stranger:
        assert min(our_apart, their_apart) > 0.9
    else:
        assert our_apart < their_apart + 0.05 < 0.4
