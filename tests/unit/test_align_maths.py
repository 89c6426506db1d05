"""Maps between spaces whose true relation is known: rotations, regressions, clouds of the same shape."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import approx_fprime
from scipy.stats import special_ortho_group
from sklearn.linear_model import Ridge

from services.analytics.align import adversarial, contrastive, evaluate, ridge
from services.analytics.align.maps import Map, frame, rotation, unit
from services.analytics.align.methods import METHODS, fit
from services.core.errors import ErrorCode, HilumError

DIM = 24
PAIRS = np.stack([np.arange(300)] * 2, axis=1)


def cloud(n: int, seed: int = 0) -> NDArray[np.float64]:
    """Unit vectors in clusters of unlike sizes, leaning to one side as encoders' vectors do."""
    shape = np.random.default_rng(99)
    centres = shape.standard_normal((30, DIM)) * np.linspace(2, 0.3, DIM)
    sizes = shape.random(30) ** 2 + 0.05
    rng = np.random.default_rng(seed)
    of = rng.choice(30, n, p=sizes / sizes.sum())
    return unit(centres[of] + 0.2 * rng.standard_normal((n, DIM)) + 0.5)


def turned(vectors: NDArray[np.float64], noise: float = 0.0) -> NDArray[np.float64]:
    turn = special_ortho_group.rvs(DIM, random_state=5)
    return unit(vectors @ turn + noise * np.random.default_rng(6).standard_normal(vectors.shape))


def found(learned: Map, images: NDArray[np.float64], texts: NDArray[np.float64]) -> float:
    """Share of images whose own text is nearest."""
    scores = learned.images(images) @ learned.texts(texts).T
    return float((scores.argmax(1) == np.arange(len(scores))).mean())


def test_procrustes_recovers_a_rotation_exactly() -> None:
    x = cloud(300)
    turn = special_ortho_group.rvs(DIM, random_state=5)
    np.testing.assert_allclose(rotation(x, x @ turn), turn, atol=1e-10)
    learned = fit("procrustes", x, x @ turn, PAIRS[:60])
    np.testing.assert_allclose(learned.images(x), learned.texts(x @ turn), atol=1e-5)
    np.testing.assert_allclose(np.linalg.norm(learned.images(x), axis=1), 1, atol=1e-6)


@pytest.mark.parametrize("method", ["procrustes", "ridge", "contrastive"])
def test_pairs_lead_to_strangers(method: str) -> None:
    x = cloud(600)
    y = turned(x, 0.02)
    learned = fit(method, x[:300], y[:300], PAIRS, seed=1)
    assert found(learned, x[300:], y[300:]) > 0.95
    again = fit(method, x[:300], y[:300], PAIRS, seed=1)
    np.testing.assert_array_equal(learned.of_images.weight, again.of_images.weight)


@pytest.mark.parametrize("method", ["procrustes", "ridge", "contrastive"])
def test_spaces_of_unlike_size_are_joined(method: str) -> None:
    x = cloud(600)
    wide = unit(np.concatenate([turned(x), 0.01 * np.random.default_rng(3).standard_normal((600, 16))], axis=1))
    for images, texts in ((x, wide), (wide, x)):
        learned = fit(method, images[:300], texts[:300], PAIRS)
        assert learned.images(images).shape == learned.texts(texts).shape
        assert found(learned, images[300:], texts[300:]) > 0.8


def test_ridge_is_that_of_an_independent_library() -> None:
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((80, 12)), rng.standard_normal((80, 5))
    x, y = x - x.mean(0), y - y.mean(0)
    alpha = 0.3 * float(np.linalg.eigvalsh(x.T @ x).mean())
    wanted = Ridge(alpha=alpha, fit_intercept=False).fit(x, y).coef_.T
    np.testing.assert_allclose(ridge._solve(x, y, [0.3])[0], wanted, atol=1e-8)


def test_the_penalty_is_chosen_on_patients_left_out() -> None:
    """Twenty films of each patient, and nothing to learn but who it is: no penalty helps, so none may look good."""
    rng = np.random.default_rng(2)
    patients = np.repeat(np.arange(30), 20)
    faces, words = unit(rng.standard_normal((30, 40)))[patients], unit(rng.standard_normal((30, 40)))[patients]
    fold = ridge.folds(patients, 5, 0)
    assert all(len(set(fold[patients == one])) == 1 for one in range(30))
    assert set(fold) == set(range(5))
    learned = fit("ridge", faces, words, np.stack([np.arange(600)] * 2, axis=1), patients)
    strangers = unit(rng.standard_normal((50, 40)))
    assert found(learned, strangers, unit(rng.standard_normal((50, 40)))) < 0.2


def test_the_gradients_of_the_contrastive_loss_are_its_slopes() -> None:
    rng = np.random.default_rng(4)
    x, y = rng.standard_normal((7, 4)), rng.standard_normal((7, 5))
    shapes = [(4, 3), (3,), (5, 3), (3,), ()]
    values = [rng.standard_normal(shape) for shape in shapes]
    ends = np.cumsum([value.size for value in values])[:-1]

    def loss(flat: NDArray[np.float64]) -> float:
        parts = [part.reshape(shape) for part, shape in zip(np.split(flat, ends), shapes, strict=True)]
        return contrastive._loss(parts, x, y)[0]

    flat = np.concatenate([value.ravel() for value in values])
    given = np.concatenate([value.ravel() for value in contrastive._loss(values, x, y)[1]])
    np.testing.assert_allclose(given, approx_fprime(flat, loss, 1e-7), atol=1e-5)


def test_the_adversarial_method_finds_a_rotation_without_a_pair(monkeypatch: pytest.MonkeyPatch) -> None:
    """Films and reports of different people, so that not even a set of pairs is there to be matched."""
    monkeypatch.setattr(adversarial, "ATTEMPTS", 1)
    x = cloud(1400, seed=1)
    y = turned(x, 0.01)
    learned = fit("adversarial", x[:600], y[600:1200], seed=0)
    assert found(learned, x[1200:], y[1200:]) > 0.4  # by chance 0.005


def test_csls_takes_the_hub_off_the_top() -> None:
    rng = np.random.default_rng(0)
    y = unit(rng.standard_normal((60, 8)))
    x = unit(y + 0.5 * rng.standard_normal(y.shape))
    hub = unit(x.mean(0, keepdims=True) + 0.35 * x[:1])
    plain = np.bincount((x @ np.concatenate([y, hub]).T).argmax(1), minlength=61)[-1]
    corrected = np.bincount(adversarial.csls(x, np.concatenate([y, hub])).argmax(1), minlength=61)[-1]
    assert corrected <= plain


def test_a_frame_keeps_the_axes_of_most_variance() -> None:
    rng = np.random.default_rng(0)
    vectors = rng.standard_normal((500, 6)) * [9, 1, 1, 5, 1, 1] + 3
    axes = frame(vectors, 2).axes
    np.testing.assert_allclose(np.abs(axes[[0, 3], [0, 1]]), 1, atol=0.01)


def test_too_few_pairs_and_unknown_methods_are_refused() -> None:
    x = cloud(40)
    for method, pairs in (("ridge", PAIRS[:3]), ("procrustes", None), ("magic", PAIRS[:30])):
        with pytest.raises(HilumError) as refused:
            fit(method, x, x, pairs)
        assert refused.value.code is ErrorCode.INVALID_ARGUMENT
    assert set(METHODS) == {"procrustes", "ridge", "contrastive", "adversarial"}


# Evaluation: figures worked out by hand.


def test_ranks_ties_and_shared_findings_both_ways() -> None:
    """Three films of two studies of two patients, and a third patient's film."""
    held = evaluate.Held(
        study=np.array([0, 0, 1, 2]), patients=np.array([7, 7, 8, 9], np.int32),
        findings=np.array([[1, 0], [0, 0], [1, 0], [0, 1]], bool),
    )  # fmt: skip
    films = np.eye(4, dtype=np.float32)
    reports = np.array([[0.9, 0.1, 0.5, 0.2], [0.8, 0.1, 0.5, 0.3], [0.7, 0.6, 0.1, 0.4]], np.float32)
    answers = evaluate.ask(films, reports, held)
    assert answers[evaluate.TO_REPORT].rank.tolist() == [1, 2.5, 1.5, 1]
    # film 0: of others' reports only 1 shares its finding, and comes first; film 3's finding nobody shares
    np.testing.assert_array_equal(answers[evaluate.TO_REPORT].precision, [1, np.nan, 1, np.nan])
    assert answers[evaluate.TO_IMAGE].rank.tolist() == [1, 2, 3]
    np.testing.assert_array_equal(answers[evaluate.TO_IMAGE].precision, [1, 1, np.nan])

    told = evaluate.summed([answers[evaluate.TO_REPORT]], seed=0)
    assert list(told) == list(evaluate.FIGURES)
    assert told["recall@1"].value == 0.5
    assert told["median_rank"].value == 1.25
    assert told["shared_findings_map"].value == 1.0
    assert told["recall@1"].low < 0.5 < told["recall@1"].high


def test_average_precision_is_that_of_an_independent_library() -> None:
    from sklearn.metrics import average_precision_score

    rng = np.random.default_rng(0)
    held = evaluate.Held(np.arange(40), np.arange(40, dtype=np.int32), rng.random((40, 3)) < 0.3)
    films, reports = unit(rng.standard_normal((40, 5))), unit(rng.standard_normal((40, 5)))
    found = evaluate.ask(films, reports, held)[evaluate.TO_REPORT].precision
    for row in np.flatnonzero(np.isfinite(found)):
        others = np.arange(40) != row
        relevant = (held.findings[row] & held.findings).any(1)[others]
        assert found[row] == pytest.approx(
            average_precision_score(relevant, (films[row] @ reports.T)[others]), abs=1e-5
        )
