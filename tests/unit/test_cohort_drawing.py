"""A specification's match and sample over an archive: units whole, other patients, controls along with their cases."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from services.analytics import frame
from services.analytics.cohort import drawing
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.describing import table
from services.analytics.cohort.drawing import Draws
from services.analytics.cohort.flow import Flow, Judge
from services.analytics.cohort.population import Population
from services.analytics.cohort.spec import Spec
from services.analytics.progress import Progress
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts, images, open_facts
from tests.kit import analyses
from tests.kit.records import make_record, stored

FILMS = 900


@pytest.fixture(scope="module")
def home(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("drawing")


@pytest.fixture(scope="module")
def archive(home: Path) -> Iterator[Facts]:
    """Three films a patient, in two studies; whoever is older has edema more often, on one film of the three."""
    chance = np.random.default_rng(0)
    facts = open_facts(f"sqlite:///{home / 'facts.db'}")
    films = []
    for n in range(FILMS):
        person, age = n // 3, float(20 + n // 3 * 7 % 70)
        has = n % 3 == 1 and chance.random() < (0.5 if age > 60 else 0.1)
        films.append(make_record(
            f"film-{n}", patient_id=f"p{person}", study_id=f"s{person}-{n % 3 // 2}", age=age, sex="FM"[person % 2],
            view=("PA", "AP", "LATERAL")[n % 3], study_date=f"2020-0{1 + n % 3}-01",
            labels={"edema": "present" if has else "absent"},
        ))  # fmt: skip
    images.commit(facts, [stored(one) for one in films])
    yield facts
    facts.close()


@pytest.fixture(scope="module")
def films(archive: Facts) -> Population:
    return Population(frame.load(archive, "", [], ("study_id", "study_date"), Progress()))


def drawn(archive: Facts, films: Population, **said: Any) -> tuple[Flow, Draws]:
    spec = Spec.parse(said)
    conditions = Conditions(films, archive)
    judge = Judge(films, conditions, None, Path(), Progress())  # type: ignore[arg-type]
    flow = judge.flow(spec)
    return flow, drawing.draw(flow, spec, conditions, Progress())


MATCH: dict[str, Any] = {"cases": "labels.edema = present", "exact": ["sex"], "nearest": ["age"], "within": {"age": 10}}


@pytest.mark.parametrize("unit", ["image", "study", "patient"])
def test_matched_units_are_whole_and_controls_are_of_other_patients(
    archive: Facts, films: Population, unit: str
) -> None:
    flow, made = drawn(archive, films, unit=unit, match=MATCH, seed=3)
    told = made.matched
    assert told is not None
    case = Conditions(films, archive)("labels.edema = present")
    assert case[told.case].all()
    units = films.units(unit)
    assert made.cases == len(np.unique(units[case]))
    assert len(told.cases) + sum(len(rows) for rows in told.unmatched.values()) == made.cases
    assert not set(films.patients[told.control]) & set(films.patients[case])
    assert len(set(films.patients[told.control].tolist())) == len(told.control)
    age, (_, sex) = films.numbers("age"), films.text("sex")
    assert (np.abs(age[told.case] - age[told.control]) <= 10).all()
    assert (sex[told.case] == sex[told.control]).all()
    # All the films of a unit come with it, and nobody else.
    for code, rows in ((1, told.case), (0, told.control)):
        assert np.array_equal(made.group == code, np.isin(units, units[rows]))
    assert np.array_equal(flow.mask, made.group >= 0)
    assert [step.kind for step in flow.steps] == ["archive", "match"]
    before, after = next((one.difference, one.difference_matched) for one in made.lines if one.name == "age")
    assert before > 0.5 and abs(after) < 0.1
    again, _ = drawn(archive, films, unit=unit, match=MATCH, seed=3)
    assert np.array_equal(flow.mask, again.mask)


def test_a_matched_cohort_is_sampled_by_its_cases(archive: Facts, films: Population) -> None:
    flow, made = drawn(archive, films, match={**MATCH, "ratio": "1:2"}, sample={"how": "random", "size": 20})
    told = made.matched
    assert told is not None and (made.group == 1).sum() == 20
    mine = made.group[told.case] == 1
    assert np.array_equal(np.flatnonzero(made.group == 0), np.unique(told.control[mine]))
    assert [step.kind for step in flow.steps] == ["archive", "match", "sample"]
    assert flow.steps[-1].left.images == flow.mask.sum() == 20 + (made.group == 0).sum()
    one = table(flow.population, np.flatnonzero(flow.mask), Spec.parse({"match": MATCH}), made.group, None)
    assert one.groups == ["all", "cases", "controls"]
    assert one.sizes[0]["images"] == one.sizes[1]["images"] + one.sizes[2]["images"] == flow.mask.sum()
    assert made.as_json()["match"]["matched"] == len(told.cases) > 20


def test_samples_of_patients(archive: Facts, films: Population) -> None:
    target = [{"variable": "sex", "shares": {"F": 0.8, "M": 0.2}}]
    flow, made = drawn(archive, films, unit="patient", sample={"how": "target", "size": 50, "targets": target})
    assert made.met is not None and made.met.reached[0].distances[1] == 0
    _, sex = flow.population.text("sex")
    assert flow.steps[-1].left.as_json() == {"images": 150, "studies": 100, "patients": 50}
    assert (sex[flow.mask] == 0).sum() == 120
    like = {"how": "target", "size": 60, "like": "age > 60", "by": ["sex", "age_band"]}
    flow, made = drawn(archive, films, unit="patient", criteria=[{"filter": "view != PA"}], sample=like)
    assert flow.population.numbers("age")[flow.mask].min() > 60 and flow.mask.sum() == 120
    quotas = [{"filter": "labels.edema = present", "size": 7}, {"filter": "sex = F", "size": 5}]
    flow, made = drawn(archive, films, unit="study", sample={"how": "quotas", "quotas": quotas})
    assert made.drawn is not None and [one.drawn for one in made.drawn.strata] == [7, 5]
    assert flow.steps[-1].left.studies == 12
    by = {"how": "stratified", "size": 30, "by": ["view"], "allocation": "equal"}
    flow, made = drawn(archive, films, sample=by)
    assert made.drawn is not None and [one.drawn for one in made.drawn.strata] == [10, 10, 10]


def test_nobody_to_match_is_said(archive: Facts, films: Population) -> None:
    for match, words in (
        ({**MATCH, "cases": "age > 200"}, "no film that is left is a case"),
        ({**MATCH, "controls": "age > 200"}, "no possible control is the same"),
        ({**MATCH, "exact": [], "within": {"age": 0}, "controls": "age < 0"}, "no case has a control"),
    ):
        with pytest.raises(HilumError, match=words) as error:
            drawn(archive, films, match=match)
        assert error.value.code is ErrorCode.FAILED_PRECONDITION
    _, made = drawn(
        archive, films, match={"cases": "labels.edema = present", "propensity": ["age", "sex"], "ratio": "2:1"}
    )
    assert made.matched is not None and np.bincount(made.matched.control).max() == 2


def test_a_run_writes_pairs_balance_and_tables_of_what_is_left(archive: Facts, home: Path) -> None:
    asked = {"match": {**MATCH, "ratio": "1:2"}, "sample": {"how": "random", "size": 20}, "seed": 1}
    made = analyses.make(home, archive, None, cohort=asked)  # type: ignore[arg-type]
    films = pq.read_table(made.folder / "cohort.parquet").to_pandas().set_index("image_id")
    pairs = pq.read_table(made.folder / "pairs.parquet").to_pandas()
    assert set(pairs.case) == set(films.index[films.group == "cases"]) and len(set(pairs.case)) == 20
    assert set(pairs.control) == set(films.index[films.group == "controls"])
    balance = pq.read_table(made.folder / "balance.parquet").to_pandas()
    assert {"age", "sex"} <= set(balance.variable)
    told = pq.read_table(made.folder / "table1.parquet").to_pandas()
    assert set(told.group) == {"all", "cases", "controls"}
    assert told[(told.variable == "age") & (told.group == "cases")].of.tolist() == [20]
    for words in ("Matched controls", "Love plot", "Table 1", "age at most 10 apart"):
        assert words in made.report
