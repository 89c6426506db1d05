"""Classes: figures as scikit-learn and plain sums have them, also when patients are drawn again."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from numpy.typing import NDArray
from sklearn.metrics import davies_bouldin_score, silhouette_samples, silhouette_score

from services.analytics import graph
from services.analytics.progress import Progress
from services.analytics.sample import Sample
from services.analytics.structure import classes, view
from services.analytics.structure.classes import NONE, Classes
from services.analytics.structure.report_classes import paints
from tests.kit.records import unit_vectors

FILMS = 260


@pytest.fixture(scope="module")
def unit() -> NDArray[np.float32]:
    return unit_vectors(FILMS, 16, seed=2)


@pytest.fixture(scope="module")
def sorted_() -> Classes:
    of = np.random.default_rng(0).integers(-1, 3, FILMS).astype(np.int32)
    return Classes(["a", "b", NONE], ["a", "b"], of, np.zeros((FILMS, 2), dtype=bool))


@pytest.fixture(scope="module")
def patients() -> NDArray[np.int32]:
    return (np.arange(FILMS) // 2).astype(np.int32)


def test_figures_are_sklearns(unit: NDArray[np.float32], sorted_: Classes, patients: NDArray[np.int32]) -> None:
    pure = sorted_.of >= 0
    points, own = unit[pure].astype(np.float64), sorted_.of[pure]
    found = classes.measure(unit, sorted_, patients, np.where(pure, 0.5, np.nan), 10, 0)
    assert found.whole["silhouette"] == pytest.approx(silhouette_score(points, own, metric="cosine"), abs=1e-6)
    each = silhouette_samples(points, own, metric="cosine")
    assert found.whole["silhouette_by_class"] == pytest.approx([each[own == c].mean() for c in range(3)], abs=1e-6)
    assert found.whole["davies_bouldin"] == pytest.approx(davies_bouldin_score(points, own), abs=1e-6)
    away = 1 - points @ points.T
    within = [away[np.ix_(own == c, own == c)][~np.eye((own == c).sum(), dtype=bool)].mean() for c in range(3)]
    across = [away[np.ix_(own == a, own == b)].mean() for a in range(3) for b in range(3) if a != b]
    assert found.whole["intra"] == pytest.approx(np.mean(within), abs=1e-6)
    assert found.whole["inter"] == pytest.approx(np.mean(across), abs=1e-6)
    assert found.whole["purity"] == pytest.approx(0.5)
    flat = points[:, :2]
    assert view.on_map(flat.astype(np.float32), own)["silhouette"] == pytest.approx(
        silhouette_score(flat, own), abs=1e-5
    )


def test_a_film_drawn_twice_is_not_compared_with_its_copy(unit: NDArray[np.float32], sorted_: Classes) -> None:
    """One draw by plain loops: films as often as they were drawn, never beside themselves."""
    rows = np.flatnonzero(sorted_.of >= 0)[:60]
    points, own = unit[rows].astype(np.float64), sorted_.of[rows]
    times = np.random.default_rng(1).integers(0, 3, 60).astype(float)
    found = classes._figures(points, own, times[None, :], 3, np.full(60, 0.5))
    away = 1 - points @ points.T
    scores = []
    for i in range(60):
        means = []
        for c in range(3):
            there = (own == c) & (np.arange(60) != i)
            means.append((away[i, there] * times[there]).sum() / times[there].sum())
        inside, outside = means[own[i]], min(m for c, m in enumerate(means) if c != own[i])
        scores.append((outside - inside) / max(inside, outside))
    assert found["silhouette"][0] == pytest.approx(np.average(scores, weights=times), abs=1e-9)
    repeated = np.repeat(np.arange(60), times.astype(int))
    assert found["davies_bouldin"][0] == pytest.approx(davies_bouldin_score(points[repeated], own[repeated]), abs=1e-6)


def test_intervals_hold_the_value_and_differences_cancel_what_is_shared(
    unit: NDArray[np.float32], sorted_: Classes, patients: NDArray[np.int32]
) -> None:
    pulled = unit + 0.5 * np.eye(16, dtype=np.float32)[np.maximum(sorted_.of, 0)]
    pulled /= np.linalg.norm(pulled, axis=1, keepdims=True)
    none = np.full(FILMS, np.nan)
    plain, better = (classes.measure(space, sorted_, patients, none, 100, 0) for space in (unit, pulled))
    gain = better.less(plain, "silhouette")
    assert 0 < gain.low < gain.value < gain.high
    same = plain.less(plain, "davies_bouldin")
    assert (same.value, same.low, same.high) == (0, 0, 0)
    for name in ("silhouette", "davies_bouldin", "intra", "inter"):
        one = plain.estimate(name)
        assert one.low < one.value < one.high


def test_overlap_counts_neighbours_of_other_patients(
    unit: NDArray[np.float32], sorted_: Classes, patients: NDArray[np.int32]
) -> None:
    near = graph.build(unit, 6, 0, Progress())
    matrix, own = classes.overlap(near, sorted_, patients)
    plain = np.zeros((3, 3))
    for row in range(FILMS):
        for other in near.ids[row]:
            if sorted_.of[row] >= 0 and sorted_.of[other] >= 0 and patients[row] != patients[other]:
                plain[sorted_.of[row], sorted_.of[other]] += 1
    assert np.allclose(matrix, plain / plain.sum(axis=1, keepdims=True))
    assert np.isnan(own[sorted_.of < 0]).all()


def test_a_film_is_of_a_class_by_what_is_stated_alone() -> None:
    #                 a alone, a with b silent, both, b alone, none, a absent b silent, a with b uncertain, no finding
    a = [1, 1, 1, 0, 0, 0, 1, -1]
    b = [0, -1, 1, 1, 0, -1, 2, -1]
    no = [0, -1, -1, -1, -1, -1, -1, 1]
    films = _films({"a": a * 12, "b": b * 12, "no_finding": no * 12})
    found = classes.sort(films, ["a", "b", "no_finding"])
    assert found is not None
    assert found.names == ["a", "b", NONE]
    assert found.of[:8].tolist() == [0, 0, -1, 1, 2, -1, -1, 2]
    assert found.mixed[:2].tolist() == [2, 10]
    assert classes.sort(films, ["a"]) is not None  # a against the films without it
    assert classes.sort(replace(films, labels={"a": films.labels["a"] * 0 - 1}), ["a"]) is None
    five = ["cardiomegaly", "edema"]
    assert classes.studied([*five, "fracture"], ()) == five
    assert classes.studied([*five, "fracture"], ("fracture",)) == ["fracture"]
    assert classes.studied(["fracture", "mass", "mass_left"], ()) == ["fracture", "mass"]


def test_films_with_two_findings_lie_between_and_wear_both_colours() -> None:
    films = _films({"a": [1, 0, 1, 0] * 15, "b": [0, 1, 1, 0] * 15})
    found = classes.sort(films, ["a", "b"])
    assert found is not None
    random = np.random.default_rng(0)
    ends = np.eye(3, 12)
    place = np.array([ends[0], ends[1], (ends[0] + ends[1]) / 2, ends[2]])[np.arange(60) % 4]
    place = place + 0.05 * random.standard_normal(place.shape)
    unit = (place / np.linalg.norm(place, axis=1, keepdims=True)).astype(np.float32)
    (between,) = classes.mixtures(unit, found, films.patients, 0)
    assert (between.one, between.other, between.films) == ("a", "b", 15)
    assert between.position.low < 0.5 < between.position.high
    assert between.amid == 1.0
    colours = paints(found)
    assert colours[2] not in {colours[0], colours[1], colours[3]}
    one, other, mixed = ([int(colours[n][at : at + 2], 16) for at in (1, 3, 5)] for n in (0, 1, 2))
    assert all(min(x, y) <= m <= max(x, y) for x, y, m in zip(one, other, mixed, strict=True))


def _films(labels: dict[str, list[int]]) -> Sample:
    count = len(next(iter(labels.values())))
    return Sample(
        ids=[str(n) for n in range(count)], patients=np.arange(count, dtype=np.int32), dataset=["d"] * count,
        view=["PA"] * count, sex=["F"] * count, age=np.full(count, 50, np.float32),
        labels={name: np.array(codes, dtype=np.int8) for name, codes in labels.items()}, nameless=0,
    )  # fmt: skip
