"""Models beside one another: every figure as its definition has it, and as it should be on spaces made for it."""

from __future__ import annotations

import itertools
import json
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from scipy import stats

from services.analytics import jackknife
from services.analytics.compare import clusters, distances, overlap
from services.analytics.compare.asked import CompareAsked
from services.analytics.compare.cka import Alignment
from services.core.blobs import Blobs
from services.core.clusters import read
from services.core.errors import HilumError
from services.core.facts import Facts
from services.core.store import VectorStore, payload
from tests.kit.analyses import Made, make
from tests.kit.clustered import fill, vectors
from tests.kit.records import make_spec

FILMS = 160
PATIENTS = (np.arange(FILMS) // 2).astype(np.int32)


def spaces(seed: int = 0) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    random = np.random.default_rng(seed)
    x = random.standard_normal((FILMS, 12))
    y = x @ random.standard_normal((12, 7)) + 2 * random.standard_normal((FILMS, 7))
    x, y = (v / np.linalg.norm(v, axis=1, keepdims=True) for v in (x, y))
    return x.astype(np.float32), y.astype(np.float32)


def textbook_cka(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """tr(K H L H) / √(tr(K H K H) tr(L H L H)) on Gram matrices: Cortes et al. 2012."""
    k, m = (v.astype(np.float64) @ v.astype(np.float64).T for v in (x, y))
    h = np.eye(len(x)) - 1 / len(x)
    return float(np.trace(k @ h @ m @ h) / np.sqrt(np.trace(k @ h @ k @ h) * np.trace(m @ h @ m @ h)))


def textbook_debiased(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """The same with the U-statistic of Song et al. 2012 as a sum over films that all differ, one term at a time."""

    def hsic(k: NDArray[np.float64], m: NDArray[np.float64]) -> float:
        n, total = len(k), 0.0
        for i, j in itertools.permutations(range(n), 2):
            total += k[i, j] * m[i, j] / (n * (n - 1))
        k, m = k - np.diag(np.diag(k)), m - np.diag(np.diag(m))
        pairs = sum(
            k[i, j] * (m.sum() - 2 * m[i].sum() - 2 * m[j].sum() + 2 * m[i, j])
            for i, j in itertools.permutations(range(n), 2)
        ) / (n * (n - 1) * (n - 2) * (n - 3))
        triples = sum(k[i, j] * (m[i].sum() - m[i, j]) for i, j in itertools.permutations(range(n), 2)) / (
            n * (n - 1) * (n - 2)
        )
        return float(total + pairs - 2 * triples)

    k, m = (v.astype(np.float64) @ v.astype(np.float64).T for v in (x, y))
    return hsic(k, m) / float(np.sqrt(hsic(k, k) * hsic(m, m)))


def test_cka_is_the_textbooks() -> None:
    x, y = spaces()
    alignment = Alignment(PATIENTS, 0)
    alignment.own("x", x)
    alignment.own("y", y)
    plain, debiased = alignment.between("x", x, "y", y)
    assert np.isclose(plain.value, textbook_cka(x, y), atol=1e-9)
    assert np.isclose(debiased.value, textbook_debiased(x, y), atol=1e-9)
    assert plain.low < plain.value < plain.high
    group = jackknife.groups(PATIENTS, 0)
    without = [textbook_cka(x[group != g], y[group != g]) for g in range(jackknife.GROUPS)]
    assert np.isclose(plain.high, jackknife.estimate(plain.value, without).high, atol=1e-9)


def test_cka_of_a_turned_space_is_one_and_of_strangers_debiased_about_zero() -> None:
    x, _ = spaces()
    turn = np.linalg.qr(np.random.default_rng(1).standard_normal((12, 12)))[0]
    stranger = np.random.default_rng(2).standard_normal((FILMS, 200)).astype(np.float32)
    alignment = Alignment(PATIENTS, 0)
    for name, v in (("x", x), ("turned", (3 * x @ turn).astype(np.float32)), ("stranger", stranger)):
        alignment.own(name, v)
    assert np.isclose(alignment.between("x", x, "turned", (3 * x @ turn).astype(np.float32))[1].value, 1, atol=1e-6)
    plain, debiased = alignment.between("x", x, "stranger", stranger)
    assert plain.value > 0.15
    assert abs(debiased.value) < 0.05
    assert debiased.low < 0 < debiased.high


def test_jaccard_is_that_of_sets_and_its_chance_that_of_draws() -> None:
    random = np.random.default_rng(0)
    one, other = (np.stack([random.permutation(30)[:6] for _ in range(50)]).astype(np.int32) for _ in range(2))
    for k in (1, 3, 6):
        plain = [len(set(a[:k]) & set(b[:k])) / len(set(a[:k]) | set(b[:k])) for a, b in zip(one, other, strict=True)]
        assert np.allclose(overlap.jaccard(one, other, k), plain, atol=1e-12)
    patients = np.array([0] * 10 + list(range(1, 21)), dtype=np.int32)
    expected = overlap.by_chance(patients, 6)
    for film, pool in ((0, 20), (29, 29)):
        drawn = [np.stack([random.permutation(pool)[:6] for _ in range(20_000)]) for _ in range(2)]
        assert np.isclose(overlap.jaccard(*drawn, 6).mean(), expected[film], atol=0.002)  # type: ignore[arg-type]


def test_far_is_the_share_of_films_that_are_nearer() -> None:
    x, y = spaces()
    near = np.argsort(-(y @ y.T), axis=1)[:, 1:4].astype(np.int32)
    found = overlap.far(x, near, 0)
    for film in (0, 77):
        away = x @ x[film]
        shares = [sum(away[j] > away[n] for j in range(FILMS) if j != film) / (FILMS - 1) for n in near[film]]
        assert np.isclose(found[film], np.mean(shares), atol=0.01)
    own = np.argsort(-(x @ x.T), axis=1)[:, 1:4].astype(np.int32)
    assert overlap.far(x, own, 0).mean() < 0.01
    strangers = np.random.default_rng(0).integers(0, FILMS, (FILMS, 3)).astype(np.int32)
    assert abs(overlap.far(x, strangers, 0).mean() - 0.5) < 0.05


def test_orders_of_distances_agree_with_scipy_and_the_test_is_exact_on_few_films() -> None:
    x, y = spaces()
    rows = distances.apart(PATIENTS, 40, 0)
    assert len(set(PATIENTS[rows])) == len(rows) == 40
    a, b = (1 - v[rows].astype(np.float64) @ v[rows].astype(np.float64).T for v in (x, y))
    upper = np.triu_indices(40, 1)
    found = distances.order(distances.matrix(x[rows]), distances.matrix(y[rows]), 99, 0)
    assert np.isclose(found.spearman.value, stats.spearmanr(a[upper], b[upper]).statistic, atol=1e-6)
    assert np.isclose(found.kendall.value, stats.kendalltau(a[upper], b[upper]).statistic, atol=1e-6)
    assert found.p == 0.01
    assert found.spearman.low > 0
    a, b = (d[:5, :5] for d in (a, b))
    small = np.triu_indices(5, 1)
    true = stats.spearmanr(a[small], b[small]).statistic
    orders = [list(order) for order in itertools.permutations(range(5))]
    as_high = [stats.spearmanr(a[small], b[np.ix_(o, o)][small]).statistic >= true - 1e-9 for o in orders]
    assert abs(distances.order(a, b, 4000, 0).p - np.mean(as_high)) < 0.03


def test_indices_of_partitions_are_their_definitions() -> None:
    random = np.random.default_rng(0)
    one = random.integers(0, 4, FILMS).astype(np.int32)
    other = np.where(random.random(FILMS) < 0.6, one, random.integers(0, 3, FILMS)).astype(np.int32)
    found = clusters.alike(one, other, PATIENTS, 0)
    pairs = list(itertools.combinations(range(FILMS), 2))
    both = sum(one[i] == one[j] and other[i] == other[j] for i, j in pairs)
    first, second = sum(one[i] == one[j] for i, j in pairs), sum(other[i] == other[j] for i, j in pairs)
    expected = first * second / len(pairs)
    assert np.isclose(found.ari.value, (both - expected) / ((first + second) / 2 - expected), atol=1e-6)
    table = np.array([[((one == a) & (other == b)).mean() for b in range(3 + 1)] for a in range(4)])
    entropy = [stats.entropy(table.sum(axis=axis)) for axis in (0, 1)]
    mutual = sum(entropy) - stats.entropy(table.ravel())
    assert np.isclose(found.nmi.value, mutual / np.mean(entropy), atol=1e-6)
    assert found.ari.low < found.ari.value < found.ari.high


def test_asking() -> None:
    assert CompareAsked.parse({"models": ["a", "b"], "compare": {"apart": 50}}).apart == 50
    for wrong in ({"models": ["a"]}, {"models": ["a", "b"], "compare": {"shuffles": 5}}):
        with pytest.raises(HilumError):
            CompareAsked.parse(wrong)


def test_two_that_agree_and_one_that_does_not(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    specs = [make_spec("one", 24), make_spec("alike", 24), make_spec("stranger", 24)]
    blobs = Blobs(tmp_path / "blobs")
    records = fill(facts, store, blobs, specs, FILMS)
    unit = vectors(FILMS, 24, 0.5, 0)
    turn = np.linalg.qr(np.random.default_rng(5).standard_normal((24, 24)))[0]
    ids = [r.image_id for r in records]
    moved = (unit @ turn).astype(np.float32)
    moved[7] = moved[4]  # one film that the second model holds among another kind
    shown = [payload(r) for r in records]
    store.upsert(specs[1], ids, moved, shown)
    store.upsert(specs[2], ids, unit[np.random.default_rng(6).permutation(FILMS)], shown)

    run = make(
        tmp_path, facts, store, models=["one", "alike", "stranger"], k=5,
        compare={"apart": 60, "shuffles": 99, "shown": 2},
    )  # fmt: skip
    close, apart = (run.metrics["one"]["against"][name] for name in ("alike", "stranger"))
    assert close["jaccard"]["low"] > 0.9
    assert apart["jaccard"]["low"] < 2 * apart["jaccard_by_chance"] < 0.1
    for name, measure in (("cka_debiased", "value"), ("spearman", "low"), ("ari", "value")):
        assert close[name][measure] > 0.9
        assert abs(apart[name]["value"]) < 0.1
    assert close["p_order"] == 0.01
    assert apart["p_order"] > 0.05
    _drawn_together(run, [spec.name for spec in specs])
    films = pq.read_table(run.folder / "films.parquet").to_pandas()
    pair = films[(films["first"] == "one") & (films["second"] == "alike")]
    worst = pair.sort_values(["jaccard", "far_in_first"], ascending=[True, False]).iloc[0]
    assert worst.image_id == ids[7]
    assert "data:image/jpeg" in run.report
    assert ids[7] in run.report

    linked = pq.read_table(run.folder / "linked.parquet")
    assert {f"{what} {spec.name}" for what in ("x", "y", "cluster") for spec in specs} < set(linked.column_names)
    atlas = pq.read_table(run.folder / "atlas" / "one" / "dataset.parquet")
    assert atlas["cluster in stranger"].to_pylist() == linked["cluster stranger"].to_pylist()
    charts = json.loads((run.folder / "atlas" / "one" / "metadata.json").read_text())
    included = charts["props"]["defaultChartsConfig"]["include"]
    assert "cluster in alike" in included
    assert "x in alike" not in included
    assert sum(len(cluster.films) for cluster in read(tmp_path / "runs", run.folder.name, "alike", 1.0)) == FILMS
    page = (run.folder / "linked.html").read_text()
    assert "http" not in page.replace("http-equiv", "")
    assert "secret" not in page


def _drawn_together(run: Made, names: list[str]) -> None:
    """Drawn at once, films stand where the first model has them if they have the same neighbours, and only then; and
    maps keep as much."""
    alone, joint = ({name: run.metrics[name]["maps"][how] for name in names} for how in ("alone", "together"))
    assert joint["alike"]["disparity"] < 0.2 < alone["alike"]["disparity"]
    assert joint["alike"]["moved"] < 0.5 < alone["alike"]["moved"]
    assert joint["stranger"]["disparity"] > 0.8
    for name in names:
        assert joint[name]["trustworthiness"]["value"] > alone[name]["trustworthiness"]["value"] - 0.02
    for how in ("alone", "together"):
        assert run.metrics[names[0]]["maps"][how]["disparity"] < 1e-6
    placed = pq.read_table(run.folder / "linked.parquet")
    assert {f"x together {name}" for name in names} < set(placed.column_names)
    for words in ("The same maps, drawn together", "by itself, turned", "films apart, in radii"):
        assert words in run.report
