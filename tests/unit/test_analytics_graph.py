"""The graph and what is made of it: neighbours, weights, clusters, map."""

from __future__ import annotations

import numba
import numpy as np
import pytest
from sklearn.manifold import trustworthiness as plain_trustworthiness
from sklearn.metrics import adjusted_rand_score
from sklearn.neighbors import NearestNeighbors

from services.analytics import cluster, forces, fuzzy, graph, layout, lists, metrics, nearest
from services.analytics.progress import Progress
from services.analytics.structure import distortion
from services.core.errors import HilumError
from tests.kit.clustered import KINDS, kind_of, vectors
from tests.kit.records import unit_vectors

K = 7


def test_exact_graph_is_the_one_of_sklearn() -> None:
    unit = unit_vectors(300, 16)
    built = graph.build(unit, K, 0, Progress())
    distances, ids = NearestNeighbors(n_neighbors=K + 1, metric="cosine").fit(unit).kneighbors(unit)
    assert np.array_equal(built.ids, ids[:, 1:])
    assert np.allclose(built.distances, distances[:, 1:], atol=1e-6)
    assert (built.method, built.recall) == ("exact", 1.0)


def test_blocks_make_no_difference(monkeypatch: pytest.MonkeyPatch) -> None:
    unit = unit_vectors(200, 12)
    whole = graph.build(unit, K, 0, Progress())
    monkeypatch.setattr(graph, "_BLOCK_NUMBERS", 200 * 3)
    parts = graph.build(unit, K, 0, Progress())
    assert np.array_equal(whole.ids, parts.ids)


def test_duplicates_are_neighbours_but_a_film_is_not_its_own() -> None:
    unit = unit_vectors(60, 8)
    unit[10:22] = unit[10]  # twelve times the same film: more than k
    built = graph.build(unit, K, 0, Progress())
    assert not (built.ids == np.arange(60)[:, None]).any()
    for row in range(10, 22):
        assert set(built.ids[row]) < set(range(10, 22))
        assert np.allclose(built.distances[row], 0, atol=1e-6)
    assert (np.diff(built.distances, axis=1) >= 0).all()


@pytest.mark.parametrize("people", [False, True])
def test_large_samples_get_inverted_lists_and_know_their_recall(people: bool) -> None:
    unit = vectors(3_000, 32, 0.8)
    unit[100:130] = unit[100]
    patients = (np.arange(3_000) // 3).astype(np.int32) if people else None
    near = graph.build(unit, K, 3, Progress(), exact_films=100, patients=patients)
    true = graph.build(unit, K, 3, Progress(), patients=patients)
    assert near.method == "inverted lists"
    assert not (near.ids == np.arange(3_000)[:, None]).any()
    assert patients is None or not (patients[near.ids] == patients[:, None]).any()
    found = float((near.distances <= true.distances[:, -1:] + 1e-6).mean())
    assert abs(near.recall - found) < 0.005
    assert found > 0.985
    assert near.recall >= lists.GOOD
    assert (np.diff(near.distances, axis=1) >= 0).all()
    close = near.ids == true.ids
    assert close.mean() > 0.95
    assert np.allclose(near.distances[close], true.distances[close], atol=1e-5)


def test_whoever_is_kept_does_not_depend_on_the_order_of_offers() -> None:
    random, others = np.random.default_rng(4), 300
    score = random.integers(0, 40, (5, others)).astype(np.float32) / 40  # many are equally near
    films = np.arange(2, 7)
    expected = [
        [other for other in np.lexsort((np.arange(others), -score[row])) if other != film][:K]
        for row, film in enumerate(films)
    ]
    for _ in range(3):
        ids, similar = nearest.nobody(5, K)
        for part in np.array_split(random.permutation(others), 7):
            nearest.offer(score[:, part], films, np.arange(5), part, nearest.ANYBODY, ids, similar)
        assert ids.tolist() == expected
        assert np.array_equal(similar, np.take_along_axis(score, ids, axis=1))


def test_cells_are_as_far_apart_either_way_and_compared_for_the_films_of_both() -> None:
    unit = vectors(1_200, 24, 0.8)
    cells = lists.sort(unit, 20, 0)
    assert np.array_equal(cells.apart, cells.apart.T)
    assert (np.diag(cells.apart) == 0).all()
    everything = np.ones_like(cells.apart, dtype=bool)
    ids, distances = lists._look(unit, K, cells.members, everything, lambda done, total: None, nearest.ANYBODY)
    true = graph.build(unit, K, 0, Progress())
    assert (ids == true.ids).mean() > 0.999  # to the last bit, products of other blocks differ
    assert np.allclose(distances, true.distances, atol=1e-6)


def test_films_that_lists_cannot_help_are_all_compared() -> None:
    unit = unit_vectors(400, 64)  # nothing but noise: every cell is as near as any other
    near = graph.build(unit, K, 0, Progress(), exact_films=100)
    assert near.method == "exact"
    assert np.array_equal(near.ids, graph.build(unit, K, 0, Progress()).ids)


def test_films_with_too_few_others_in_their_cells_get_exact_neighbours() -> None:
    """Most films of a patient are in a cell of their own, and no neighbours of each other."""
    unit, patients = vectors(1_000, 16, 0.3), np.arange(1_000, dtype=np.int32)
    patients[np.arange(1_000) % KINDS == 1] = 1
    near = graph.build(unit, K, 0, Progress(), exact_films=100, patients=patients)
    assert not (patients[near.ids] == patients[:, None]).any()
    assert np.isfinite(near.distances).all()
    true = graph.build(unit, K, 0, Progress(), patients=patients)
    assert float((near.distances <= true.distances[:, -1:] + 1e-6).mean()) > 0.98


def test_a_map_is_the_same_on_any_number_of_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(layout, "_MANY", 1)
    monkeypatch.setattr(layout, "epochs", lambda films: 20)
    unit = vectors(240, 16, 0.5)
    edges = fuzzy.weights(graph.build(unit, 10, 0, Progress()))
    most = numba.get_num_threads()
    try:
        numba.set_num_threads(1)
        alone = layout.project(edges, unit, 1, lambda done, total: None)
    finally:
        numba.set_num_threads(most)
    assert np.array_equal(alone, layout.project(edges, unit, 1, lambda done, total: None))


def test_the_curve_that_is_worked_out_is_the_one_of_pow() -> None:
    squares = np.float32(10) ** np.linspace(-12, 6, 2_000, dtype=np.float32)
    worked_out = np.array([forces._curve(square) for square in squares])
    assert np.abs(worked_out / (forces.A * squares.astype(np.float64) ** forces.B) - 1).max() < 3e-4
    assert 0 <= forces._curve(np.float32(0)) < 1e-30


def test_films_are_pushed_from_any_other_equally_often() -> None:
    films, draws = 50, np.zeros(50, dtype=int)
    for film in range(2_000):
        for number in range(10):
            draws[forces._other(np.uint32(film * 2_654_435_761 % 2**32), np.uint32(number), np.uint64(films))] += 1
    assert ((draws - 400) ** 2 / 400).sum() < 85.4  # χ² of 49 degrees of freedom, p 0.001


@pytest.mark.slow
def test_weights_and_curve_are_those_of_umap_learn() -> None:
    from umap.umap_ import find_ab_params, fuzzy_simplicial_set

    unit = vectors(500, 16, 0.8)
    unit[20:40] = unit[20]
    near = graph.build(unit, 15, 0, Progress())
    ids = np.hstack([np.arange(500)[:, None], near.ids]).astype(np.int32)
    distances = np.hstack([np.zeros((500, 1)), near.distances]).astype(np.float32)
    theirs, _, _ = fuzzy_simplicial_set(
        unit, 16, np.random.RandomState(0), "cosine", knn_indices=ids, knn_dists=distances
    )
    ours = fuzzy.weights(near)
    assert abs(ours - theirs).max() < 1e-4
    assert abs(ours - ours.T).max() == 0
    assert np.allclose(find_ab_params(1.0, 0.1), (forces.A, forces.B), atol=1e-6)


@pytest.mark.slow
def test_the_map_is_as_true_as_umap_learns() -> None:
    import umap

    unit = vectors(1_500, 24, 0.9)
    near = graph.build(unit, 15, 0, Progress())
    ours = layout.project(fuzzy.weights(near), unit, 0, lambda done, total: None)
    theirs = umap.UMAP(n_neighbors=16, metric="cosine", init="pca", random_state=0, n_jobs=1).fit_transform(unit)
    judged = [metrics.trustworthiness(unit, np.asarray(place), near, 0) for place in (ours, theirs)]
    assert judged[0]["trustworthiness"] > judged[1]["trustworthiness"] - 0.01
    assert judged[0]["kept"] > judged[1]["kept"] - 0.02
    found = distortion.measure(unit, [ours, np.asarray(theirs)], near, distortion.rows(1_500, 0))
    assert found[0].continuity.mean() > found[1].continuity.mean() - 0.01  # pushes are no stronger than UMAP's


@pytest.mark.parametrize("engine", cluster.ENGINES)
def test_leiden_finds_planted_clusters(engine: str) -> None:
    unit = vectors(320, 24, 0.5)
    edges = fuzzy.weights(graph.build(unit, 15, 0, Progress()))
    found = cluster.leiden(edges, 1.0, 5, engine)
    assert adjusted_rand_score([kind_of(n) for n in range(320)], found.members) > 0.98
    assert found.sizes == sorted(found.sizes, reverse=True)
    assert np.array_equal(found.members, cluster.leiden(edges, 1.0, 5, engine).members)
    assert len(cluster.leiden(edges, 5.0, 5, engine).sizes) > len(found.sizes) == KINDS


def test_leiden_refuses_an_engine_it_does_not_have() -> None:
    edges = fuzzy.weights(graph.build(unit_vectors(40), 5, 0, Progress()))
    with pytest.raises(HilumError, match="igraph, leidenalg"):
        cluster.leiden(edges, 1.0, 0, "louvain")


def test_the_map_keeps_clusters_together_and_is_the_same_again() -> None:
    unit = vectors(240, 16, 0.5)
    near = graph.build(unit, 10, 0, Progress())
    edges = fuzzy.weights(near)
    rounds: list[int] = []
    place = layout.project(edges, unit, 1, lambda done, total: rounds.append(done))
    assert rounds == list(range(1, layout.epochs(240) + 1))
    assert np.array_equal(place, layout.project(edges, unit, 1, lambda done, total: None))
    assert not np.array_equal(place, layout.project(edges, unit, 2, lambda done, total: None))
    ours = metrics.trustworthiness(unit, place, near, 0)
    assert ours["trustworthiness"] == pytest.approx(
        plain_trustworthiness(unit, place, n_neighbors=10, metric="cosine"), abs=1e-6
    )
    assert ours["trustworthiness"] > 0.85


def test_pca_start_survives_films_that_are_all_alike() -> None:
    unit = np.repeat(unit_vectors(1, 8), 40, axis=0)
    place = layout.project(fuzzy.weights(graph.build(unit, 5, 0, Progress())), unit, 0, lambda done, total: None)
    assert np.isfinite(place).all()
