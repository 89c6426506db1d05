"""Figures of analyses against the plain formula, where no other test holds them to it: modularity, adjusted mutual
information, paired tests, intervals by patient, how mixed a cluster is."""

from __future__ import annotations

import itertools
import math
from types import SimpleNamespace

import networkx
import numpy as np
import pytest
from scipy import sparse, stats

from services.analytics import cluster, fuzzy, graph, resample
from services.analytics.compare import clusters
from services.analytics.progress import Progress
from services.analytics.retrieval.significance import paired
from services.analytics.shift.mixing import mixing
from services.analytics.structure import report_classes
from services.analytics.structure.classes import Classes
from tests.kit.clustered import vectors

CLOSE = 1e-6


def test_modularity_is_newmans() -> None:
    edges = fuzzy.weights(graph.build(vectors(160, 16, 0.9), 8, 0, Progress()))
    found = cluster.leiden(edges, 1.0, 0)
    dense = edges.toarray().astype(np.float64)
    degree, twice = dense.sum(axis=1), dense.sum()
    plain = sum(
        (dense[i, j] - degree[i] * degree[j] / twice) / twice
        for i in range(160) for j in range(160) if found.members[i] == found.members[j]
    )  # fmt: skip
    assert found.modularity == pytest.approx(plain, abs=CLOSE)
    groups = [set(np.flatnonzero(found.members == number).tolist()) for number in range(len(found.sizes))]
    network = networkx.from_scipy_sparse_array(sparse.csr_matrix(dense))
    assert found.modularity == pytest.approx(networkx.community.modularity(network, groups), abs=CLOSE)


def test_adjusted_mutual_information_is_vinhs() -> None:
    """Expected by the hypergeometric law, term by term (Vinh, Epps & Bailey 2010, equation 24a)."""
    random = np.random.default_rng(3)
    one = random.integers(0, 3, 60).astype(np.int32)
    other = np.where(random.random(60) < 0.5, one, random.integers(0, 4, 60)).astype(np.int32)
    n = len(one)
    rows, columns = np.bincount(one), np.bincount(other)
    mutual = expected = 0.0
    for i, a in enumerate(rows.tolist()):
        for j, b in enumerate(columns.tolist()):
            both = int(((one == i) & (other == j)).sum())
            mutual += both / n * math.log(n * both / (a * b)) if both else 0.0
            for size in range(max(a + b - n, 1), min(a, b) + 1):
                chance = math.comb(a, size) * math.comb(n - a, b - size) / math.comb(n, b)
                expected += size / n * math.log(n * size / (a * b)) * chance
    middle = (stats.entropy(rows) + stats.entropy(columns)) / 2
    found = clusters.alike(one, other, np.arange(n, dtype=np.int32), 0)
    assert found.ami.value == pytest.approx((mutual - expected) / (middle - expected), abs=CLOSE)


def test_paired_tests_are_scipys_over_patients_and_the_swap_of_every_patient() -> None:
    random = np.random.default_rng(4)
    patients = np.repeat(np.arange(11, dtype=np.int32), random.integers(1, 5, 11))
    one, other = random.random(len(patients)) + 0.12, random.random(len(patients))
    mine, theirs = (np.array([x[patients == p].mean() for p in range(11)]) for x in (one, other))
    found = paired(one, other, patients, 0)
    wanted = stats.ttest_rel(mine, theirs)
    assert found["t"] == pytest.approx(wanted.statistic, abs=CLOSE)
    assert found["p_t"] == pytest.approx(wanted.pvalue, abs=CLOSE)
    gaps, seen = mine - theirs, abs((mine - theirs).mean())
    swapped = [abs((gaps * signs).mean()) >= seen - 1e-12 for signs in itertools.product((1, -1), repeat=11)]
    drawn = 4 * math.sqrt(0.25 / 10_000)  # of so many swaps at random
    assert found["p_permutation"] == pytest.approx(np.mean(swapped), abs=drawn)


def test_an_interval_is_that_of_films_written_down_again_for_every_patient_drawn() -> None:
    random = np.random.default_rng(5)
    patients = np.repeat(np.arange(9, dtype=np.int32), random.integers(1, 6, 9))
    values = random.random(len(patients))
    values[::7] = np.nan  # no value
    found = resample.means(values[:, None], patients, 2, 300)[0]
    again = []
    for times in resample.weights(9, 300, 2):
        films = [v for p in range(9) for _ in range(int(times[p])) for v in values[patients == p] if np.isfinite(v)]
        again.append(sum(films) / len(films))
    known = [v for v in values if np.isfinite(v)]
    assert found.value == pytest.approx(sum(known) / len(known), abs=CLOSE)
    assert (found.low, found.high) == pytest.approx(tuple(np.percentile(again, (2.5, 97.5))), abs=CLOSE)


def test_how_mixed_a_cluster_is_is_scipys_entropy() -> None:
    random = np.random.default_rng(6)
    members, codes = random.integers(0, 4, 300).astype(np.int32), random.integers(0, 3, 300).astype(np.int32)
    codes[members == 2] = np.where(random.random((members == 2).sum()) < 0.8, 0, codes[members == 2])
    whole = stats.entropy(np.bincount(codes))
    found = {one.cluster: one for one in mixing(members, codes, 0)}
    assert set(found) == {0, 1, 2, 3}
    for number, one in found.items():
        counts = np.bincount(codes[members == number], minlength=3)
        assert one.entropy == pytest.approx(stats.entropy(counts) / whole, abs=CLOSE)
        assert (one.films, one.most, one.share) == (counts.sum(), counts.argmax(), counts.max() / counts.sum())


def test_purity_of_clusters_is_that_of_the_map_and_its_interval_by_patient() -> None:
    random = np.random.default_rng(7)
    members, of = random.integers(0, 3, 90).astype(np.int32), random.integers(-1, 3, 90).astype(np.int32)
    of[(members == 1) & (of >= 0)] = 2
    patients = (np.arange(90) // 3).astype(np.int32)
    classes = Classes(["a", "b", "c"], ["a", "b", "c"], of, np.zeros((90, 3), bool))
    view = SimpleNamespace(members=members)
    found, alone, _ = report_classes.clusters(view, classes, patients)  # type: ignore[arg-type]
    pure = 0
    for number in range(3):
        inside = [c for c, m in zip(of, members, strict=True) if m == number and c >= 0]
        pure += max(inside.count(c) for c in range(3))
    assert found.value == pytest.approx(pure / (of >= 0).sum(), abs=CLOSE)
    assert alone == pytest.approx(max((of == c).sum() for c in range(3)) / (of >= 0).sum(), abs=CLOSE)
    assert found.low < found.value < found.high
