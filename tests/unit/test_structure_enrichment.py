"""What clusters are rich in: tests as SciPy has them, patients that count once, silence that counts not at all."""

from __future__ import annotations

from math import comb

import numpy as np
import pytest
from scipy import stats

from services.analytics.sample import Sample
from services.analytics.structure import describe, enrichment
from services.analytics.structure.enrichment import Votes, enrich
from services.analytics.structure.terms import FINDING, MACHINE, Term, categorical, numeric, whole

FILMS = 600


def term(has: np.ndarray, field: str = "manufacturer", value: str = "Acme", about: str = MACHINE) -> Term:
    return Term(field, value, about, has.astype(np.int8))


@pytest.fixture
def members() -> np.ndarray:
    return np.sort(np.random.default_rng(0).integers(0, 4, FILMS)).astype(np.int32)


def test_both_tests_are_scipys() -> None:
    for table in ([40, 60, 90, 210], [300, 5, 20, 40], [25, 400, 10, 700]):
        (p,), (name,) = enrichment.p_values(np.array([table]))
        square = np.reshape(table, (2, 2))
        assert name == "chi2"
        assert p == pytest.approx(stats.chi2_contingency(square, correction=False).pvalue, rel=1e-6)
    for a, b, c, d in ([3, 1, 2, 9], [0, 12, 4, 100], [7, 2, 30, 60]):
        (p,), (name,) = enrichment.p_values(np.array([[a, b, c, d]]))
        row, column, total = a + b, a + c, a + b + c + d
        chances = {
            x: comb(column, x) * comb(total - column, row - x) / comb(total, row)
            for x in range(max(0, row + column - total), min(row, column) + 1)
        }
        assert name == "fisher"
        assert p == pytest.approx(sum(v for v in chances.values() if v <= chances[a] * (1 + 1e-7)), abs=1e-6)


def test_odds_ratios_and_cramers_v_are_those_of_the_formulas() -> None:
    ratio, low, high = enrichment.odds_ratio(np.array([20, 10, 30, 60]))
    margin = 1.959964 * np.sqrt(1 / 20 + 1 / 10 + 1 / 30 + 1 / 60)
    assert (ratio, low, high) == pytest.approx((4.0, 4 * np.exp(-margin), 4 * np.exp(margin)))
    assert enrichment.odds_ratio(np.array([5, 0, 1, 9]))[0] == pytest.approx(5.5 * 9.5 / (0.5 * 1.5))
    table = np.array([[30, 10, 5], [8, 40, 12]], dtype=float)
    phi = stats.chi2_contingency(table, correction=False).statistic / table.sum()
    less = table.sum() - 1
    bare = max(phi - 2 / less, 0) / min(2 - 1 / less - 1, 3 - 4 / less - 1)
    assert enrichment.cramer(table) == pytest.approx(np.sqrt(bare), abs=1e-6)


def test_patients_vote_once_on_each_side() -> None:
    random = np.random.default_rng(5)
    members = random.integers(0, 3, 200).astype(np.int32)
    patients = random.integers(0, 60, 200).astype(np.int32)
    has = random.integers(-1, 2, 200).astype(np.int8)
    found = Votes(members, patients).count(has)
    for cluster in range(3):
        plain = [0, 0, 0, 0]
        for person in range(60):
            for side, place in ((members == cluster, 0), (members != cluster, 2)):
                mine = has[side & (patients == person) & (has >= 0)]
                if len(mine):
                    plain[place + (0 if 2 * mine.sum() >= len(mine) else 1)] += 1
        assert found[cluster].tolist() == plain
        films = enrichment.by_film(members, has)[cluster]
        inside, outside = has[members == cluster], has[members != cluster]
        assert films.tolist() == [(inside == 1).sum(), (inside == 0).sum(), (outside == 1).sum(), (outside == 0).sum()]


def test_discoveries_are_bounded_as_benjamini_and_hochberg_bound_them(members: np.ndarray) -> None:
    random = np.random.default_rng(3)
    patients = np.arange(FILMS, dtype=np.int32)
    terms = [term(random.random(FILMS) < 0.3, value=str(n)) for n in range(40)]
    (found,) = enrich([members], patients, terms)
    p = np.array([one.p for one in found])
    order = np.argsort(p)
    plain = np.empty(len(p))
    least = 1.0
    for rank in range(len(p), 0, -1):
        least = min(least, p[order[rank - 1]] * len(p) / rank)
        plain[order[rank - 1]] = least
    assert np.allclose([one.q for one in found], plain, atol=1e-6)
    assert sum(one.found for one in found) <= 2  # nothing was planted


def test_many_films_of_one_patient_are_no_evidence(members: np.ndarray) -> None:
    """Thirty films of one patient on one scanner: a discovery by film, none by patient."""
    patients = np.arange(FILMS, dtype=np.int32)
    mine = np.flatnonzero(members == 2)[:30]
    patients[mine] = patients[mine[0]]
    patients = np.unique(patients, return_inverse=True)[1].astype(np.int32)
    has = np.zeros(FILMS)
    has[mine] = 1
    one = next(e for e in enrich([members], patients, [term(has)])[0] if e.cluster == 2)
    assert stats.fisher_exact(one.films.reshape(2, 2)).pvalue < 1e-6
    assert one.people[0] == 1
    assert not one.found


def test_silence_is_not_absence(members: np.ndarray) -> None:
    patients = np.arange(FILMS, dtype=np.int32)
    has = np.random.default_rng(1).integers(0, 2, FILMS)
    silent = np.where((members == 0) & (np.arange(FILMS) % 2 == 0) & (has == 0), -1, has)
    known, unknown = (enrich([members], patients, [term(one)])[0][0] for one in (has, silent))
    assert known.films[0] == unknown.films[0]
    assert known.films[1] > unknown.films[1]
    assert unknown.films[:2].sum() == (silent[members == 0] >= 0).sum()


def test_a_planted_scanner_is_named_and_a_finding_counted(members: np.ndarray) -> None:
    random = np.random.default_rng(7)
    patients = (np.arange(FILMS) // 2).astype(np.int32)
    scanner = np.where(members == 1, random.random(FILMS) < 0.9, random.random(FILMS) < 0.1)
    effusion = np.where(members == 2, random.random(FILMS) < 0.6, random.random(FILMS) < 0.15)
    noise = [term(random.random(FILMS) < 0.4, field=f"side.{n}", value="yes") for n in range(20)]
    (found,) = enrich(
        [members], patients, [term(scanner), term(effusion, "pleural_effusion", "pleural effusion", FINDING), *noise]
    )
    films = _sample(members, patients, random)
    assert describe.verdict(1, found) == "looks like a scanner cluster (manufacturer Acme)"
    assert describe.describe(1, found, films, members).startswith("mostly AP films of men; manufacturer Acme ×")
    assert describe.verdict(2, found) == "looks like a finding cluster (pleural effusion)"
    assert "pleural effusion ×" in describe.describe(2, found, films, members)
    assert describe.verdict(3, found) == ""
    assert describe.describe(3, found, films, members) == "mostly PA films; nothing in the tables sets it apart"
    ranked = enrichment.sorting(members, patients, [term(scanner), *noise])
    assert ranked[0].field == "manufacturer"
    assert ranked[0].q < enrichment.FDR < ranked[-1].q
    assert ranked[0].patients == FILMS // 2  # one film of each


def test_terms_are_values_quarters_and_not_knowing() -> None:
    words = ["a"] * 20 + ["b"] * 20 + ["rare"] * 2 + [None] * 8
    found = {one.value: one for one in categorical("device", MACHINE, words)}
    assert set(found) == {"a", "b", "unknown"}
    assert (found["a"].has == np.array([1] * 20 + [0] * 22 + [-1] * 8)).all()
    assert found["unknown"].has.sum() == 8
    assert [one.value for one in categorical("device", MACHINE, ["a"] * 30)] == []
    quarters = numeric("age", MACHINE, [float(n) for n in range(80)] + [None] * 2)
    assert [one.has[:80].sum() for one in quarters] == [20, 20, 20, 20]
    assert (quarters[0].has[80:] == -1).all()
    assert whole(["edema", "edema_left", "lung_left"]) == ["edema", "lung_left"]


def _sample(members: np.ndarray, patients: np.ndarray, random: np.random.Generator) -> Sample:
    return Sample(
        ids=[str(n) for n in range(FILMS)], patients=patients, dataset=["d"] * FILMS,
        view=["AP" if m == 1 else "PA" for m in members], sex=["M" if m == 1 else "MF"[n % 2] for n, m in
        enumerate(members)], age=random.uniform(20, 80, FILMS).astype(np.float32), labels={}, nameless=0,
    )  # fmt: skip
