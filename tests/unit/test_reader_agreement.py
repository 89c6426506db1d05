"""Agreement of judges, held against statsmodels and against plain loops."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import ndcg_score
from statsmodels.stats.inter_rater import cohens_kappa, fleiss_kappa

from services.query.readerstudy import agreement
from services.query.readerstudy.agreement import Bootstrap

SEEDS = st.integers(0, 2**32 - 1)


def some_choices(random: np.random.Generator, judges: int, sets: int, films: int, k: int) -> np.ndarray:
    """(R, S, n) of 0 and 1, k ones each."""
    return (random.random((judges, sets, films)).argsort(axis=2).argsort(axis=2) < k).astype(np.int64)


def table(one: np.ndarray, other: np.ndarray, categories: int) -> np.ndarray:
    counted = np.zeros((categories, categories))
    for a, b in zip(one.ravel(), other.ravel(), strict=True):
        counted[a, b] += 1
    return counted


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(2, 6), st.integers(1, 30), st.integers(2, 12))
def test_fleiss_kappa_is_statsmodels(seed: int, judges: int, sets: int, films: int) -> None:
    random = np.random.default_rng(seed)
    for rated, categories in (
        (some_choices(random, judges, sets, films, max(1, films // 2)), 2),
        (random.integers(0, 4, (judges, sets, films)), 4),
    ):
        said = np.stack([agreement.graded(one, categories) for one in rated])
        ours = agreement.fleiss(said, Bootstrap.of(range(sets), 0, 10)).value
        with np.errstate(invalid="ignore", divide="ignore"):
            theirs = fleiss_kappa(said.sum(axis=0).reshape(-1, categories))
        assert np.allclose(ours, theirs, atol=1e-6, equal_nan=True)


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 30), st.integers(2, 12))
def test_cohens_kappa_is_statsmodels(seed: int, sets: int, films: int) -> None:
    random = np.random.default_rng(seed)
    one, other = some_choices(random, 2, sets, films, max(1, films // 3))
    draws = Bootstrap.of(range(sets), 0, 10)
    ours = agreement.cohen(agreement.chosen(one.astype(float)), agreement.chosen(other.astype(float)), draws).value
    assert ours == pytest.approx(cohens_kappa(table(one, other, 2)).kappa, abs=1e-6)
    a, b = random.integers(0, 4, (2, sets, films))
    said = agreement.graded(a, 4), agreement.graded(b, 4)
    with np.errstate(invalid="ignore", divide="ignore"):
        plain, weighted = cohens_kappa(table(a, b, 4)), cohens_kappa(table(a, b, 4), wt="quadratic")
    assert np.allclose(agreement.cohen(*said, draws).value, plain.kappa, atol=1e-6, equal_nan=True)
    assert np.allclose(agreement.cohen(*said, draws, True).value, weighted.kappa, atol=1e-6, equal_nan=True)


def test_kappa_of_the_published_example() -> None:
    """Fleiss 1971, table 1 as it is printed everywhere: ten subjects, fourteen raters, five categories."""
    counts = np.array([
        [0, 0, 0, 0, 14], [0, 2, 6, 4, 2], [0, 0, 3, 5, 6], [0, 3, 9, 2, 0], [2, 2, 8, 1, 1],
        [7, 7, 0, 0, 0], [3, 2, 6, 3, 0], [2, 5, 3, 2, 2], [6, 5, 2, 1, 0], [0, 2, 2, 3, 7],
    ])  # fmt: skip
    rated = np.array([np.repeat(np.arange(5), row) for row in counts]).T[:, :, None]  # (14, 10, 1)
    said = np.stack([agreement.graded(one, 5) for one in rated])
    assert agreement.fleiss(said, Bootstrap.of(range(10), 0, 10)).value == pytest.approx(0.210, abs=5e-4)


def test_sets_that_a_reader_did_not_answer_count_for_nobody_else() -> None:
    random = np.random.default_rng(1)
    rated = some_choices(random, 3, 8, 10, 5)
    draws = Bootstrap.of(range(8), 0, 10)
    said = np.stack([agreement.graded(one, 2) for one in rated])
    whole = agreement.fleiss(said[:, :5], Bootstrap.of(range(5), 0, 10)).value
    said[1:, 5:] = 0  # the last three were answered by one reader alone
    assert agreement.fleiss(said, draws).value == pytest.approx(whole)
    assert agreement.cohen(said[0], said[1], draws).value == pytest.approx(
        cohens_kappa(table(rated[0, :5], rated[1, :5], 2)).kappa
    )


@settings(max_examples=30, deadline=None)
@given(SEEDS, st.integers(1, 8), st.integers(2, 10))
def test_ties_for_the_last_places_share_them(seed: int, sets: int, films: int) -> None:
    random = np.random.default_rng(seed)
    k = int(random.integers(1, films))
    votes = random.integers(0, 3, (sets, films)).astype(float)
    shares = agreement.top(votes, k)
    assert np.allclose(shares.sum(axis=1), k)
    # Each film's share is how often it is among the first k when ties are broken by lot.
    lots = np.array([np.argsort(-(votes + random.random(votes.shape) / 2), axis=1)[:, :k] for _ in range(800)])
    often = np.stack([(lots == film).any(axis=2).mean(axis=0) for film in range(films)], axis=1)
    assert np.allclose(shares, often, atol=0.12)
    model = np.zeros_like(shares)
    model[:, :k] = 1
    least, most = agreement.ties(shares, model, k)
    drawn = (lots < k).mean(axis=2)
    assert (drawn >= least - 1e-9).all() and (drawn <= most + 1e-9).all()
    value = agreement.overlap(shares, model, k)
    assert (value >= least - 1e-9).all() and (value <= most + 1e-9).all()


def test_ndcg_is_that_of_scikit_learn() -> None:
    random = np.random.default_rng(3)
    grades = random.integers(0, 4, (40, 10)).astype(float)
    grades[0] = 0
    for k in (1, 3, 5, 10):
        ours = agreement.ndcg(grades, k)
        assert np.isnan(ours[0])
        place = -np.arange(10.0)[None, :]
        theirs = [ndcg_score(row[None, :], place, k=k) for row in grades[1:]]
        assert np.allclose(ours[1:], theirs)
        shuffled = [np.nanmean([agreement.ndcg(random.permuted(grades, axis=1), k) for _ in range(400)])]
        assert np.nanmean(agreement.ndcg_by_chance(grades, k)) == pytest.approx(shuffled[0], abs=0.02)


def test_intervals_hold_the_truth_about_as_often_as_they_say() -> None:
    random = np.random.default_rng(5)
    held = 0
    for trial in range(200):
        values = random.binomial(5, 0.7, 40) / 5
        figure = Bootstrap.of(range(40), trial, 400).mean(values)
        held += figure.low <= 0.7 <= figure.high
    assert 0.88 <= held / 200 <= 0.99


def test_sets_of_one_query_stand_or_fall_together() -> None:
    values = np.repeat(np.random.default_rng(2).random(12), 5)
    apart, together = Bootstrap.of(range(60), 0), Bootstrap.of(np.repeat(np.arange(12), 5), 0)
    one, other = apart.mean(values), together.mean(values)
    assert one.value == pytest.approx(other.value)
    assert (other.high - other.low) > 1.8 * (one.high - one.low)


def test_few_sets_have_no_interval() -> None:
    figure = Bootstrap.of(range(2), 0).mean(np.array([0.5, 1.0]))
    assert figure.value == 0.75 and np.isnan(figure.low)
