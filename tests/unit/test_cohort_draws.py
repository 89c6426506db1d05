"""Samples to a target of shares, tables of who is in a cohort: held to plain references."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.spatial.distance import jensenshannon

from services.analytics.cohort import sampling, sections
from services.analytics.cohort.sampling import OTHERS, Target, Urn, to_target
from services.analytics.cohort.table1 import CONTRADICTORY, table1
from services.analytics.cohort.traits import Number
from services.analytics.page import Page
from services.analytics.variables import Variable
from services.core.errors import ErrorCode, HilumError

SEX, VIEW = ["F", "M"], ["AP", "LATERAL", "PA"]


def urn(films: int, seed: int = 0, members: NDArray[np.bool_] | None = None, cap: int = 0) -> Urn:
    chance = np.random.default_rng(seed)
    every = np.ones(films, bool) if members is None else members
    return Urn(chance.permutation(films).astype(np.uint64), np.arange(films, dtype=np.int32) // 2, every, cap)


def variables(films: int, seed: int = 0, unknown: float = 0.1) -> dict[str, Variable]:
    """More women are filmed lateral: the two variables are not independent."""
    chance = np.random.default_rng(seed)
    sex = (chance.random(films) < 0.3).astype(np.int32)
    view = np.where(chance.random(films) < np.where(sex, 0.1, 0.5), 1, chance.integers(0, 3, films)).astype(np.int32)
    sex[chance.random(films) < unknown] = -1
    return {"sex": Variable("sex", SEX, sex), "view": Variable("view", VIEW, view)}


def target(name: str, **shares: float) -> Target:
    return Target((name,), {(value,): share for value, share in shares.items()})


def test_one_target_is_met_to_a_film_and_the_distance_falls() -> None:
    told = variables(4000)
    met = to_target(urn(4000), told, [target("sex", F=0.5, M=0.5)], 600)
    sex = told["sex"].codes[met.drawn.rows]
    assert (len(sex), (sex == 0).sum(), (sex == 1).sum()) == (600, 300, 300)
    (reached,) = met.reached
    assert reached.values == ["F", "M", OTHERS]
    before = [float(np.mean(told["sex"].codes == code)) for code in (0, 1, -1)]
    expected = jensenshannon([0.5, 0.5, 0], before, base=2)
    assert reached.distances == (pytest.approx(expected, abs=1e-9), 0.0)
    # As large as can be: what is scarce bounds it.
    most = to_target(urn(4000), told, [target("sex", F=0.2, M=0.8)], 0)
    men = int((told["sex"].codes == 1).sum())
    assert most.possible == len(most.drawn.rows) == int(men / 0.8)
    assert to_target(urn(4000), told, [target("sex", F=0.2, M=0.8)], 10**6).possible == most.possible


def plain_raking(counts: NDArray[np.float64], rows: list[float], columns: list[float]) -> NDArray[np.float64]:
    """Iterative proportional fitting of a table to both margins (Deming and Stephan 1940)."""
    for _ in range(2000):
        counts = counts * (np.array(rows) / counts.sum(axis=1))[:, None]
        counts = counts * (np.array(columns) / counts.sum(axis=0))[None]
    return counts


def test_two_targets_are_raked_as_proportional_fitting_does_where_films_are_plenty() -> None:
    told = variables(300_000, 1, unknown=0.0)
    met = to_target(
        urn(300_000), told, [target("sex", F=0.4, M=0.6), target("view", AP=0.2, LATERAL=0.3, PA=0.5)], 3000
    )
    table = np.zeros((2, 3))
    np.add.at(table, (told["sex"].codes, told["view"].codes), 1.0)
    expected = plain_raking(table, [1200, 1800], [600, 900, 1500])
    found = np.zeros((2, 3))
    np.add.at(found, (told["sex"].codes[met.drawn.rows], told["view"].codes[met.drawn.rows]), 1.0)
    assert np.abs(found - expected).max() < 12  # of 1,020 at most: no chance is far from 1 in 100
    assert found.sum(axis=1).tolist() == [1200, 1800] and found.sum(axis=0).tolist() == [600, 900, 1500]
    assert all(after < 0.001 < before for before, after in (one.distances for one in met.reached))


@settings(max_examples=30, deadline=None)
@given(st.integers(60, 400), st.integers(0, 300), st.integers(0, 9999), st.booleans())
def test_targets_are_met_within_whole_films_or_the_sample_is_as_large_as_they_allow(
    films: int, size: int, seed: int, capped: bool
) -> None:
    told = variables(films, seed)
    chance = np.random.default_rng(seed)
    members = chance.random(films) < 0.9
    own = urn(films, seed, members, cap=1 if capped else 0)
    shares = chance.dirichlet(np.ones(3))
    targets = [
        Target(("sex",), {("F",): 0.5, ("M",): 0.4, ("unknown",): 0.1}),
        Target(("view",), {(value,): float(share) for value, share in zip(VIEW, shares, strict=True)}),
    ]
    try:
        met = to_target(own, told, targets, size)
    except HilumError as error:
        assert error.code is ErrorCode.FAILED_PRECONDITION
        return
    rows = met.drawn.rows
    assert members[rows].all() and len(set(rows.tolist())) == len(rows)
    assert len(rows) <= met.possible and (not size or len(rows) <= size)
    if capped:
        assert np.bincount(own.patients[rows]).max() == 1
    else:  # a patient's films are in cells that need each other
        wanted = min(size or met.possible, met.possible)
        assert len(rows) >= wanted - 2
        for one in met.reached:
            assert np.abs(one.after * len(rows) - one.target * wanted).max() <= 3
    again = to_target(own, told, targets, size)
    assert np.array_equal(rows, again.drawn.rows)


def test_a_target_like_other_films_and_values_together() -> None:
    told = variables(3000, 2)
    like = np.arange(3000) < 400
    wanted = sampling.shares_of(list(told.values()), like)
    assert wanted.name == "sex × view" and sum(wanted.shares.values()) == pytest.approx(1)
    met = to_target(urn(3000, members=~like), told, [wanted], 500)
    frame = pd.DataFrame({"sex": told["sex"].codes, "view": told["view"].codes})
    share = frame[like].value_counts(normalize=True)
    mine = frame.iloc[met.drawn.rows].value_counts()
    assert (mine - share * 500).abs().max() < 1


def test_what_a_target_lacks_is_told_where_it_is_no_must() -> None:
    told = variables(2000, 3, unknown=0.0)
    none = ~((told["sex"].codes == 1) & (told["view"].codes == 0))
    wanted = sampling.shares_of(list(told.values()), np.ones(2000, bool))
    with pytest.raises(HilumError, match="'M, AP' in sex × view"):
        to_target(urn(2000, members=none), told, [wanted], 300)
    met = to_target(urn(2000, members=none), told, [wanted], 300, strict=False)
    assert met.lacking == pytest.approx(1 - none.mean()) and len(met.drawn.rows) == 300
    rest = met.reached[0].target[met.reached[0].after > 0]
    assert np.abs(met.reached[0].after[met.reached[0].after > 0] - rest / rest.sum()).max() < 1 / 300


def test_targets_that_cannot_be_are_refused() -> None:
    told = variables(200)
    for shares, code in (
        ({"F": 0.5, "X": 0.5}, ErrorCode.FAILED_PRECONDITION), ({"F": 0.5, "M": 0.6}, ErrorCode.INVALID_ARGUMENT),
        ({"F": -0.5, "M": 1.5}, ErrorCode.INVALID_ARGUMENT), ({"F": math.nan}, ErrorCode.INVALID_ARGUMENT),
        ({}, ErrorCode.INVALID_ARGUMENT),
    ):  # fmt: skip
        with pytest.raises(HilumError) as error:
            to_target(urn(200), told, [target("sex", **shares)], 10)
        assert error.value.code is code
    # Each alone could be; together nothing can: every woman is filmed AP, and half of all are to be women.
    both = {"sex": Variable("sex", SEX, np.array([0, 0, 1, 1], np.int32)),
            "view": Variable("view", VIEW, np.array([0, 0, 2, 2], np.int32))}  # fmt: skip
    with pytest.raises(HilumError):
        to_target(urn(4), both, [target("sex", F=0.5, M=0.5), target("view", AP=0.9, PA=0.1)], 2)


def test_quotas_and_random_draws_are_in_the_order_of_the_seed() -> None:
    own = urn(100, 3)
    first = np.sort(np.argsort(own.place)[:10])
    assert np.array_equal(sampling.plain(own, 10).rows, first)
    odd = np.arange(100) % 2 == 1
    drawn = sampling.quotas(own, [("odd", odd, 5), ("all", np.ones(100, bool), 60)])
    assert (drawn.rows % 2 == 1).sum() == 5
    assert [(one.name, one.wanted, one.drawn) for one in drawn.strata] == [("odd", 5, 5), ("all", 50, 50)]


# --- table 1


def cohort(films: int = 600, seed: int = 0) -> tuple[pd.DataFrame, list[Number | Variable]]:
    """Patients of one to five films; ages rise with films; some patients' films say two sexes."""
    chance = np.random.default_rng(seed)
    patient = np.sort(chance.integers(0, films // 3, films))
    first = chance.normal(55, 15, films // 3)[patient]
    nth = pd.Series(patient).groupby(patient).cumcount().to_numpy()
    age = np.where(chance.random(films) < 0.1, np.nan, np.floor(first + nth))
    sex = np.where(chance.random(films) < 0.05, -1, chance.integers(0, 2, films // 3)[patient])
    sex[chance.random(films) < 0.02] = 1
    view = chance.integers(-1, 3, films)
    frame = pd.DataFrame({"patient": patient, "study": np.arange(films) // 2, "age": age, "sex": sex, "view": view})
    traits: list[Number | Variable] = [
        Number("age", age), Variable("sex", SEX, sex.astype(np.int32)), Variable("view", VIEW, view.astype(np.int32))
    ]  # fmt: skip
    return frame, traits


def test_table_1_is_what_pandas_counts() -> None:
    frame, traits = cohort()
    half = (frame.patient % 2 == 0).to_numpy()
    groups = {"all": np.ones(len(frame), bool), "even": half, "nobody": np.zeros(len(frame), bool)}
    made = table1(traits, groups, frame.patient.to_numpy(), frame.study.to_numpy())
    assert made.sizes[1] == {
        "images": int(half.sum()), "studies": frame[half].study.nunique(), "patients": frame[half].patient.nunique(),
    }  # fmt: skip
    told = pd.DataFrame(made.rows())
    for name, some in (("all", frame), ("even", frame[half])):
        mine = told[told.group == name].set_index(["variable", told[told.group == name].value.fillna("")])
        age = some.groupby("patient").age.min()
        line = mine.loc[("age", "")]
        assert (line.known, line.of, line.missing) == (age.notna().sum(), len(age), age.isna().sum())
        assert line["mean"] == pytest.approx(age.mean()) and line.sd == pytest.approx(age.std())
        quartiles = [line.first_quartile, line["median"], line.third_quartile]
        assert quartiles == pytest.approx(age.quantile([0.25, 0.5, 0.75]).tolist())
        known = some[some.sex >= 0].groupby("patient").sex.agg(["min", "max"])
        sure = known[known["min"] == known["max"]]["min"]
        assert mine.loc[("sex", "F"), "count"] == (sure == 0).sum()
        assert mine.loc[("sex", "M"), "count"] == (sure == 1).sum()
        assert mine.loc[("sex", CONTRADICTORY), "count"] == len(known) - len(sure) > 0
        assert mine.loc[("sex", "F"), "missing"] == some.patient.nunique() - len(known)
        view = some.view[some.view >= 0].value_counts()
        for code, value in enumerate(VIEW):
            assert mine.loc[("view", value), "count"] == view[code]
            assert mine.loc[("view", value), "share"] == pytest.approx(view[code] / view.sum())
        assert mine.loc[("view", "PA"), "unit"] == "image" and mine.loc[("view", "PA"), "of"] == len(some)
    assert set(told[told.group == "nobody"]["count"].dropna()) == {0}


def test_the_page_shows_what_is_missing_and_escapes_values() -> None:
    frame, traits = cohort(60)
    evil = Variable("device", ["<script>alert(1)</script>"], np.where(np.arange(60) % 2, 0, -1).astype(np.int32))
    silent = Variable("race", [], np.full(60, -1, np.int32))
    every = {"<b>all</b>": np.ones(60, bool)}
    page = Page("t")
    sections.table_one(page, table1([*traits, evil, silent], every, frame.patient.to_numpy(), frame.study.to_numpy()))
    rows = {row[0].strip(): row[1:] for row in page.tables[0]["rows"]}
    assert page.tables[0]["columns"] == ["", "counted in", "<b>all</b>"]
    assert rows["images"][1] == "60" and rows["<script>alert(1)</script>"][1] == "30 (100.0%)"
    missing = [row[2] for row in page.tables[0]["rows"] if row[0].strip() == "missing"]
    people = frame.patient.nunique()
    assert len(missing) == 5 and missing[3] == "30 (50.0%)" and missing[4] == f"{people} (100.0%)"
    manifest = {
        "asked": {"filter": "", "seed": 0}, "films": 60, "patients": people, "sample_sha256": "0" * 64,
        "finished_at": "", "run_id": "0" * 8, "sample_note": "", "continued": None, "models": {}, "versions": {},
    }  # fmt: skip
    html = page.html(manifest)
    assert "<script>alert" not in html and "<b>all" not in html
