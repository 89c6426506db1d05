"""Calibration: curves recover a known truth, know their uncertainty, never see the patients they are tested on."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.isotonic import IsotonicRegression

from services.analytics.calibration import fit, pairs
from services.analytics.calibration.fit import Pairs
from services.analytics.calibration.pairs import Labelled
from services.analytics.graph import Graph
from services.core.blobs import Blobs
from services.core.calibration import FILM, WORDS, Curve, Curves, comparable, probability
from services.core.errors import HilumError
from services.core.facts import Facts, calibrations
from services.core.store import VectorStore
from tests.kit import clustered
from tests.kit.analyses import make
from tests.kit.records import make_spec

STEP = Curve((0.2, 0.6, 0.8), (0.1, 0.5, 0.9), (0.0, 0.4, 0.8), (0.2, 0.6, 1.0), threshold=0.6)


def truth(score: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-12 * (score - 0.6)))


def known(seed: int, people: int = 80, each: int = 40, spread: float = 0.0) -> Pairs:
    """Pairs that share by `truth`; some patients, at either end, share more than others."""
    random = np.random.default_rng(seed)
    one, other = np.repeat(np.arange(people), each), random.integers(0, people, people * each)
    score, mood = random.uniform(0.2, 0.95, people * each), spread * random.standard_normal(people)
    chance = np.clip(truth(score) + mood[one] + mood[other], 0, 1)
    return Pairs(score, random.random(people * each) < chance, one.astype(np.int32), other.astype(np.int32), 0.1)


def test_a_curve_is_read_between_its_points_and_flat_beyond() -> None:
    assert probability(STEP, 0.0) == (0.1, 0.0, 0.2)
    assert probability(STEP, 0.6) == (0.5, 0.4, 0.6)
    assert probability(STEP, 0.7) == pytest.approx((0.7, 0.6, 0.8))
    assert probability(STEP, 1.0) == (0.9, 0.8, 1.0)
    scores = np.linspace(0, 1, 50)
    assert [probability(STEP, s)[0] for s in scores] == pytest.approx(np.interp(scores, STEP.scores, STEP.probability))
    assert not comparable(STEP, 0.59)
    assert comparable(STEP, 0.6)
    silent = Curve.of({**STEP.as_json(), "threshold": None})
    assert not comparable(silent, 1.0)
    assert Curve.of(STEP.as_json()) == STEP


def test_the_narrowest_curve_answers() -> None:
    by = {(FILM, "", ""): STEP, (FILM, "edema", ""): STEP, (FILM, "", "PA"): STEP, (WORDS, "edema", ""): STEP}
    curves = Curves(by)
    assert curves.best(FILM, "edema", "PA") == (STEP, "edema")
    assert curves.best(FILM, "mass", "PA") == (STEP, "")
    assert curves.best(WORDS, "mass") is None
    assert curves.nothing_comparable(FILM, [0.1, 0.5])
    assert not curves.nothing_comparable(FILM, [0.1, 0.7])
    assert not Curves({}).nothing_comparable(FILM, [0.0])


@pytest.mark.parametrize("finding", ["edema", "mass", ""])
@pytest.mark.parametrize("view", ["PA", "AP", ""])
@pytest.mark.parametrize("asked_by", [FILM, WORDS])
def test_curves_of_one_question_hold_the_best_of_all(facts: Facts, asked_by: str, finding: str, view: str) -> None:
    kinds = [("edema", "PA"), ("edema", ""), ("", "PA"), ("", ""), ("nodule", ""), ("", "LATERAL")]
    for by in (FILM, WORDS):
        made = [replace(STEP, threshold=n / 10) for n in range(len(kinds))]
        kept = [calibrations.Calibration(by, *kind, one, {}) for kind, one in zip(kinds, made, strict=True)]
        calibrations.save(facts, "f" * 64, by, kept if by is FILM else kept[:2])
    asked = asked_by, finding, view
    few, every = (calibrations.curves(facts, ["f" * 64], only)["f" * 64] for only in (asked, None))
    assert few.best(*asked) == every.best(*asked)
    assert set(few.by) < set(every.by)


def test_what_is_kept_comes_back_and_is_replaced(facts: Facts) -> None:
    one = calibrations.Calibration(FILM, "edema", "PA", STEP, {"pairs": 3})
    calibrations.save(facts, "f" * 64, FILM, [one])
    calibrations.save(facts, "f" * 64, WORDS, [calibrations.Calibration(WORDS, "edema", "", STEP, {})])
    found = calibrations.curves(facts, ["f" * 64, "0" * 64])
    assert found["f" * 64].by == {(FILM, "edema", "PA"): STEP, (WORDS, "edema", ""): STEP}
    assert not found["0" * 64]
    assert calibrations.every(facts, "f" * 64)[0] == one
    calibrations.save(facts, "f" * 64, FILM, [])
    assert set(calibrations.curves(facts, ["f" * 64])["f" * 64].by) == {(WORDS, "edema", "")}


def test_a_curve_recovers_the_truth_and_says_how_surely() -> None:
    found = fit.fit(known(0), 5, 0)
    scores = np.array(found.curve.scores)
    assert np.abs(np.array(found.curve.probability) - truth(scores)).mean() < 0.05
    assert (np.diff(found.curve.probability) >= 0).all()
    assert (np.array(found.curve.low) <= np.array(found.curve.probability)).all()
    assert found.about["ece"] < 0.03 < found.about["ece_before"]
    assert found.about["brier"] < found.about["brier_constant"]
    at = np.interp(found.curve.threshold, scores, found.curve.low)
    assert at > 0.1 >= np.interp(found.curve.threshold - 0.06, scores, found.curve.low)


def test_the_curve_is_that_of_scikit_learn_on_the_bins() -> None:
    some = known(4)
    scores, rising = fit.rising(some, np.ones(len(some.score)))
    bins = fit._bins(some)
    total, shares = np.bincount(bins), np.bincount(bins, some.shares)
    theirs = IsotonicRegression().fit_transform(scores, (shares + 0.1) / (total + 1), sample_weight=total + 1)
    assert rising == pytest.approx(theirs, abs=1e-9)


def test_intervals_hold_the_truth_though_pairs_share_patients() -> None:
    held = []
    for seed in range(12):
        curve = fit.fit(known(seed, people=50, each=30, spread=0.1), 5, seed).curve
        at = np.array([0.4, 0.55, 0.7, 0.85])
        random = np.random.default_rng(99)
        moods = 0.1 * np.sqrt(2) * random.standard_normal(4000)
        mean = np.array([np.clip(truth(s) + moods, 0, 1).mean() for s in at])
        low, high = (np.interp(at, curve.scores, line) for line in (curve.low, curve.high))
        held.append((low <= mean) & (mean <= high))
    assert np.mean(held) > 0.85


def test_no_curve_is_tested_on_patients_it_was_fitted_on(monkeypatch: pytest.MonkeyPatch) -> None:
    some, seen = known(1, people=40), []
    honest = fit.rising

    def spy(train: Pairs, weight: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        seen.append(set(train.one) | set(train.other))
        return honest(train, weight)

    monkeypatch.setattr(fit, "rising", spy)
    fit._out_of_fold(some, 4, 0)
    assert len(seen) == 4
    tested = [set(range(40)) - train for train in seen]
    assert set().union(*tested) == set(range(40))
    assert sum(map(len, tested)) == 40


def test_errors_are_what_they_are_called() -> None:
    shares = np.array([True, False, False, False])
    assert fit.brier(np.full(4, 0.25), shares) == pytest.approx(0.1875)
    assert fit.ece(np.full(400, 0.5), np.arange(400) % 4 == 0) == pytest.approx(0.25, abs=0.02)
    assert fit.ece(np.full(400, 0.25), np.arange(400) % 4 == 0) == pytest.approx(0, abs=0.02)


def test_pairs_judge_what_is_known_of_both() -> None:
    has = np.array([[1, 0], [1, 1], [0, 0], [0, 1]], bool)
    known_of = np.array([[1, 1], [1, 1], [1, 0], [0, 1]], bool)
    films = Labelled(["a", "b"], has, known_of, np.array(["PA"] * 4), np.arange(4, dtype=np.int32))
    near = Graph(
        np.array([[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2]], np.int32),
        np.full((4, 3), 0.5, np.float32),
        "exact",
        1,
        4,
    )
    found = {(finding, view): one for finding, view, one in pairs.by_films(films, near, 0)}
    assert set(found) == {("", ""), ("a", ""), ("b", "")}
    a = found["a", ""]  # films 0 and 1 have it; of film 3 it is not known
    assert sorted(zip(a.one, a.other, a.shares, strict=True)) == [
        (0, 1, True),
        (0, 2, False),
        (1, 0, True),
        (1, 2, False),
    ]
    whole = found["", ""]
    assert (3, 2) not in set(zip(whole.one, whole.other, strict=True))  # nothing of film 3's is known of film 2
    assert (1, 3, True) in set(zip(whole.one, whole.other, whole.shares, strict=True))


def test_an_archive_is_calibrated_and_answers_read_it(tmp_path: Path, facts: Facts, store: VectorStore) -> None:
    spec = make_spec("sharp", 24)
    clustered.fill(facts, store, Blobs(tmp_path / "blobs"), [spec], 320, noise=2.0)
    run = make(tmp_path, facts, store, models=["sharp"], calibration={"folds": 4})
    about = run.metrics["sharp"]["film//"]
    assert about["ece"] < about["ece_before"]
    assert about["folds"] == 4
    curves = calibrations.curves(facts, [spec.fingerprint])[spec.fingerprint]
    assert {(FILM, "", ""), (FILM, "edema", ""), (FILM, "edema", "PA")} <= set(curves.by)
    best = curves.best(FILM, "edema", "PA")
    assert best is not None
    low, high = probability(best[0], best[0].scores[0])[0], probability(best[0], 0.99)[0]
    assert high > low
    kept = calibrations.every(facts, spec.fingerprint)[0].about
    assert kept["run_id"] == run.folder.name
    assert "Reliability" in run.report
    assert "no curves for questions in words" in run.report
    with pytest.raises(HilumError, match="folds"):
        make(tmp_path, facts, store, models=["sharp"], calibration={"folds": 1})
