"""What else than findings vectors tell: each test by its definition, a planted scanner found, named and taken out."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest
from numpy.typing import NDArray
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import ndcg_score, roc_auc_score

from services.analytics import graph, kinds
from services.analytics.progress import Progress
from services.analytics.shift import axes, leace, mixing, removal, two_sample
from services.core.blobs import Blobs
from services.core.errors import HilumError
from services.core.facts import Facts, images, models
from services.core.facts.images import Stored
from services.core.store import VectorStore, payload
from tests.kit import clustered
from tests.kit.analyses import make
from tests.kit.records import make_spec

FILMS, DIM = 240, 12
PATIENTS = (np.arange(FILMS) // 2).astype(np.int32)
SCANNER = ((np.arange(FILMS) // 2) % 3).astype(np.int32)


def space(by: float, seed: int = 0) -> NDArray[np.float32]:
    """Vectors moved by their scanner."""
    random = np.random.default_rng(seed)
    found = random.standard_normal((FILMS, DIM)) @ (np.eye(DIM) + 0.3 * random.standard_normal((DIM, DIM)))
    found += by * random.standard_normal((3, DIM))[SCANNER]
    return (found / np.linalg.norm(found, axis=1, keepdims=True)).astype(np.float32)


def textbook_mmd(x: NDArray[np.float32], y: NDArray[np.float32]) -> float:
    """Gretton et al. 2012, equation 3, one pair at a time."""
    both = np.concatenate([x, y]).astype(np.float64)
    far = [np.linalg.norm(both[i] - both[j]) for i in range(len(both)) for j in range(i)]
    width = np.median(far)

    def k(a: NDArray[np.float64], b: NDArray[np.float64]) -> float:
        return float(np.exp(-((a - b) ** 2).sum() / (2 * width**2)))

    p, q = both[: len(x)], both[len(x) :]
    m, n = len(p), len(q)
    one = sum(k(p[i], p[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
    other = sum(k(q[i], q[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
    return one + other - 2 * sum(k(a, b) for a in p for b in q) / (m * n)


def test_mmd_is_the_plain_double_sum() -> None:
    x, y = space(1.0)[SCANNER == 0][:21], space(1.0)[SCANNER == 1][:14]
    found = two_sample.mmd(x, y, 199, 0)
    assert np.isclose(found.value, textbook_mmd(x, y), atol=1e-9)
    assert found.p == 1 / 200


def test_tests_of_alike_sets_hold_their_level() -> None:
    p = {"mmd": [], "classifier": []}  # type: ignore[var-annotated]
    for seed in range(40):
        x = np.random.default_rng(seed).standard_normal((60, 5)).astype(np.float32)
        codes = np.arange(60, dtype=np.int32) % 2
        p["mmd"].append(two_sample.mmd(x[codes == 0], x[codes == 1], 99, seed).p)
        p["classifier"].append(two_sample.classifier(x, codes, 99, seed).p)
    for values in p.values():
        assert np.mean(np.array(values) <= 0.1) <= 0.25
        assert 0.3 < np.mean(values) < 0.7


def test_the_statistic_of_the_classifier_is_scikit_learns_auroc() -> None:
    ranks = np.random.default_rng(0).dirichlet(np.ones(3), size=90)
    codes = np.arange(90, dtype=np.int32) % 3
    plain = np.mean([roc_auc_score(codes == c, ranks[:, c]) for c in range(3)])
    from scipy.stats import rankdata

    found = two_sample._macro(np.column_stack([rankdata(ranks[:, c]) for c in range(3)]), codes)
    assert np.isclose(found, plain, atol=1e-9)


def test_leace_is_the_textbooks_and_leaves_nothing_to_a_straight_line() -> None:
    x = space(1.0)
    eraser = leace.fit(x, SCANNER, shrink=False)
    # P = I − (Σ½)(W Σxz)(W Σxz)⁺ W, with W the pseudo-inverse of Σ½ by singular values.
    centred = x.astype(np.float64) - x.mean(axis=0, dtype=np.float64)
    sigma = centred.T @ centred / len(x)
    u, s, _ = np.linalg.svd(sigma)
    half, white = u @ np.diag(np.sqrt(s)) @ u.T, u @ np.diag(1 / np.sqrt(s)) @ u.T
    z = (SCANNER[:, None] == np.arange(3)).astype(float)
    cross = white @ (centred.T @ (z - z.mean(axis=0)) / len(x))
    plain = x - centred @ (half @ cross @ np.linalg.pinv(cross, rcond=1e-10) @ white).T
    assert np.allclose(eraser(x), plain, atol=1e-6)
    for shrink in (False, True):
        after = leace.fit(x, SCANNER, shrink)(x).astype(np.float64)
        means = np.stack([after[c == SCANNER].mean(axis=0) for c in range(3)])
        assert np.abs(means - means[0]).max() < 1e-6
        line = LogisticRegression(C=1e6, max_iter=2000, tol=1e-8).fit(after, SCANNER)
        assert np.abs(line.coef_).max() < 1e-2
        assert np.isclose(line.score(after, SCANNER), 1 / 3, atol=0.02)
    before = LogisticRegression(C=1e6, max_iter=2000).fit(x, SCANNER).score(x, SCANNER)
    assert before > 0.6


def test_leace_moves_vectors_less_than_taking_out_the_classes_means() -> None:
    x = space(1.0)
    after = leace.fit(x, SCANNER, shrink=False)(x)
    means = np.stack([x[c == SCANNER].mean(axis=0) for c in range(3)])
    way = np.linalg.qr((means - x.mean(axis=0)).T)[0][:, :2]
    orthogonal = x - (x - x.mean(axis=0)) @ way @ way.T
    assert ((after - x) ** 2).sum() < ((orthogonal - x) ** 2).sum()


def test_clusters_of_one_value_are_told_from_mixed_ones() -> None:
    members = np.repeat([0, 1, 2], 40).astype(np.int32)
    codes = np.concatenate([np.arange(80) % 2, np.zeros(40)]).astype(np.int32)
    one, _, alone = mixing.mixing(members, codes, 0)
    assert one.p > 0.5
    assert np.isclose(alone.entropy, 0)
    assert (alone.share, alone.most, alone.films) == (1.0, 0, 40)
    assert alone.p < 0.01 < one.p
    assert alone.entropy < alone.low < alone.expected < 1.05


def test_axes_leave_out_the_rare_and_the_unknown() -> None:
    words = ["A"] * 20 + ["B"] * 20 + ["C"] * 2 + [None, ""]
    axis = axes.make("device", words, np.arange(44, dtype=np.int32) // 2, 5)
    assert (axis.values, axis.rare) == (["A", "B"], 2)
    assert np.bincount(axis.codes + 1).tolist() == [4, 20, 20]
    drawn = axes.one_each(axis.rows, np.arange(44) // 2, 0)
    assert len(drawn) == 20
    assert len(set((drawn // 2).tolist())) == 20


def test_ndcg_leaves_out_films_not_judged() -> None:
    x = space(0.5)
    y = np.where(np.arange(FILMS) % 5 == 0, -1, np.arange(FILMS) // 2 % 2).astype(np.int32)
    near = graph.build(x, 60, 0, Progress(), patients=PATIENTS)
    plain = []
    for film in np.flatnonzero(y == 1):
        judged = (PATIENTS[film] != PATIENTS) & (y >= 0)
        plain.append(ndcg_score([y[judged]], [(x @ x[film])[judged]], k=10))
    assert np.allclose(removal.answered(near, y, PATIENTS), plain, atol=1e-6)


def test_an_axis_is_taken_out_of_a_finding_that_is_stated_along_a_part_of_it_alone() -> None:
    x = space(1.5)
    axis = axes.Axis("device", ["a", "b", "c"], SCANNER, 0)
    said = np.where(SCANNER == 0, np.arange(FILMS) // 6 % 2, -1).astype(np.int8)
    found = removal.remove(x, axis, {"edema": said}, PATIENTS, 5, 4, 0, Progress(), "removal")
    assert found.axis.before.low > 0.7
    assert found.axis.after.value < 0.6
    (probe,) = found.probes
    assert probe.films == (SCANNER == 0).sum()
    assert probe.change.value != 0


def archive(facts: Facts, store: VectorStore, blobs: Blobs, films: int, scanner: float) -> None:
    """Films of four kinds, moved by their scanner, which is Acme for most with effusion and few without; two datasets
    that differ in nothing."""
    spec, random = make_spec("one", 24), np.random.default_rng(0)
    store.ensure(spec)
    models.register(facts, spec)
    records = []
    for number in range(films):
        record = clustered.record(number)
        acme = random.random() < (0.85 if clustered.kind_of(number) == 2 else 0.15)
        records.append(
            replace(record, manufacturer="Acme" if acme else "Zenith", dataset="left" if number // 8 % 2 else "right")
        )
    way = random.standard_normal(24) / np.sqrt(24)
    vectors = clustered.vectors(films, 24, 1.2, 0)
    vectors = vectors + scanner * np.array([r.manufacturer == "Acme" for r in records])[:, None] * way
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    store.upsert(spec, [r.image_id for r in records], vectors, [payload(r) for r in records])
    images.commit(
        facts, [Stored(r, blobs.put(clustered.thumbnail(n)), (spec.fingerprint,)) for n, r in enumerate(records)]
    )


def test_a_planted_scanner_is_named_and_taken_out(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    archive(facts, store, Blobs(tmp_path / "blobs"), 240, 1.2)
    run = make(
        tmp_path, facts, store, models=["one"], k=10,
        shift={"axes": ["dataset", "manufacturer", "sex"], "permutations": 499, "folds": 4,
               "a": 'manufacturer = "Acme"', "b": 'manufacturer = "Zenith"'},
    )  # fmt: skip
    found = run.metrics["one"]
    scanner = found["axes"]["manufacturer"]
    assert scanner["auroc"]["low"] > 0.8
    assert scanner["p_uncorrected"] <= scanner["p"] < 0.01
    assert scanner["neighbours"]["lift_low"] > 0
    assert found["axes"]["dataset"]["p"] > 0.05
    (ab, datasets) = found["pairs"]
    assert max(ab["p"], ab["p_mmd"]) < 0.01
    assert datasets["p_mmd"] > 0.05
    warned = [(s["finding"], s["axis"]) for s in found["shortcuts"] if s["warned"]]
    assert ("pleural_effusion", "manufacturer") in warned
    assert all(axis == "manufacturer" for _, axis in warned)
    taken = found["removal"]
    assert taken["axis"] == "manufacturer"
    assert taken["auroc"]["after"]["value"] < 0.6 < taken["auroc"]["before"]["value"]
    assert taken["auroc"]["change"]["high"] < 0
    assert taken["neighbours_lift"][1] < taken["neighbours_lift"][0] / 2
    assert taken["auroc_of"]["pleural_effusion"]["after"]["value"] > 0.7
    assert any(m["p"] < 0.05 for m in found["mixing"]["manufacturer"])
    assert {r["axis"] for r in pq.read_table(run.folder / "axes.parquet").to_pylist()} == set(found["axes"])
    for words in ("manufacturer taken out of one", "pleural effusion by manufacturer", "Acme, Zenith", "shortcut",
                  "Do clusters mix datasets?", "Research use only"):  # fmt: skip
        assert words in run.report
    assert "p-secret" not in run.report


def test_where_there_is_no_scanner_none_is_named(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    archive(facts, store, Blobs(tmp_path / "blobs"), 160, 0.0)
    run = make(
        tmp_path, facts, store, models=["one"], k=8,
        shift={"axes": ["dataset", "sex"], "permutations": 199, "remove": "none"},
    )  # fmt: skip
    found = run.metrics["one"]
    assert not [s for s in found["shortcuts"] if s["warned"]]
    assert found["removal"] is None
    assert min(one["p"] for one in found["axes"].values()) > 0.05


def test_sets_that_overlap_are_refused(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [make_spec("one", 24)], 80)
    with pytest.raises(HilumError, match="both a and b"):
        make(tmp_path, facts, store, models=["one"], k=5, shift={"a": 'view = "PA"', "b": "age > 0"})


@pytest.mark.parametrize(
    ("asked", "words"),
    [
        ({"axes": ["weather"]}, "axes are"),
        ({"a": 'view = "PA"'}, "a and b"),
        ({"remove": "edema"}, "what is removed"),
        ({"permutations": 9}, "permutations"),
        ({"folds": 1}, "folds"),
    ],
)
def test_what_cannot_be_asked(asked: dict[str, object], words: str) -> None:
    with pytest.raises(HilumError, match=words):
        kinds.parse({"models": ["m"], "shift": asked})


def test_what_was_asked_can_be_asked_again() -> None:
    asked = kinds.parse({"models": ["m"], "shift": {"axes": ["sex"], "a": 'view = "PA"', "b": 'view = "AP"'}})
    assert asked.kind == "shift"
    assert kinds.parse(asked.as_json()) == asked
