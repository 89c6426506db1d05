"""The flow of films is what a plain reference in pandas says it is, on random specifications over a random archive."""

from __future__ import annotations

import random
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, note, settings
from hypothesis import strategies as st

from services.analytics import frame
from services.analytics.cohort.asked import CohortAsked
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.flow import Flow, Judge
from services.analytics.cohort.population import Population
from services.analytics.cohort.spec import Spec
from services.analytics.progress import Progress
from services.analytics.sample import places
from services.core import filters
from services.core.facts import Facts, images, open_facts
from services.core.types import ImageRecord
from tests.kit.filters import expressions, matches, random_record
from tests.kit.records import stored

FILMS = 150
DAYS = ["2020-01-01", "2020-01-20", "2020-02-29", "2021-06-01", "", None]
DATASETS = ["nih", "demo"]


def record(number: int) -> ImageRecord:
    """A random film of one of a few patients, with one to a few films a study, some of whom nothing is known."""
    chance = random.Random(7 * number)
    base = random_record(number, chance)
    person = chance.choice([None, "", *range(12)])
    study = chance.choice([None, "", 1, 2, 3, 4])
    fields = {name: getattr(base, name) for name in base.__dataclass_fields__}
    fields |= {
        "dataset": chance.choice(DATASETS),
        "patient_id": f"p{person}" if isinstance(person, int) else person,
        "study_id": f"s{person}-{study}" if isinstance(study, int) else study,
        "study_date": chance.choice(DAYS),
        "study_order": chance.choice([None, 1, 2, 3]),
    }
    return ImageRecord(**fields)


RECORDS = [record(number) for number in range(FILMS)]
IDS = sorted(one.image_id for one in RECORDS)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Facts]:
    facts = open_facts(f"sqlite:///{tmp_path_factory.mktemp('cohort') / 'facts.db'}")
    images.commit(facts, [stored(one) for one in RECORDS])
    yield facts
    facts.close()


@pytest.fixture(scope="module")
def population(archive: Facts) -> Population:
    every = tuple(one.name for one in frame.images.c if one.name not in ("thumbnail", "created_at", "updated_at"))
    return Population(frame.load(archive, "", [], every, Progress()))


def flow(population: Population, facts: Facts, spec: Spec) -> Flow:
    judge = Judge(population, Conditions(population, facts), None, Path(), Progress())  # type: ignore[arg-type]
    return judge.flow(spec)


@dataclass
class Reference:
    """The same in pandas, criterion by criterion, unit by unit, said as the guide says it."""

    seed: int

    def __post_init__(self) -> None:
        known = {one.image_id: one for one in RECORDS}
        self.records = [known[image_id] for image_id in IDS]
        table = pd.DataFrame({"id": IDS})
        for name, field in (("patient", "patient_id"), ("study", "study_id")):
            table[name] = [
                f"{one.dataset}/{getattr(one, field)}" if getattr(one, field) else f"alone {one.image_id}"
                for one in self.records
            ]
        table["day"] = pd.to_datetime([one.study_date or None for one in self.records])
        table["order"] = [np.nan if one.study_order is None else float(one.study_order) for one in self.records]
        table["left"] = True
        self.table = table
        self.hash = dict(zip(IDS, places(IDS, self.seed), strict=True))
        studies = table.groupby("study").agg(
            patient=("patient", "last"), day=("day", "min"), order=("order", "min"), first=("id", "min")
        )
        dated = studies.groupby("patient")["day"].transform(lambda days: days.notna().any())
        days = (studies["day"] - pd.Timestamp("1970-01-01")).dt.days
        studies["key"] = np.where(dated, days, studies["order"])
        ranked = studies[studies["key"].notna()].copy()
        ranked["tie"] = ranked["order"].fillna(0)
        self.studies = studies
        self.line = list(ranked.sort_values(["key", "tie", "first"]).index)

    def counts(self, mask: pd.Series) -> dict[str, int]:
        part = self.table[mask]
        return {"images": len(part), "studies": part["study"].nunique(), "patients": part["patient"].nunique()}

    def filtered(self, text: str) -> pd.Series:
        expr = filters.parse(text)
        return pd.Series([expr is None or matches(expr, one) for one in self.records])

    def timed(self, time: dict[str, Any], among: pd.Series) -> pd.Series:
        anchored = self.filtered(time.get("anchor", "")) & among
        there = set(self.table[among]["study"])
        marked = set(self.table[anchored]["study"])
        least = time.get("at_least_studies", 0)
        low, high = time.get("from_day"), time.get("to_day")
        passing = set()
        for _patient, own in self.studies.groupby("patient"):
            names = set(own.index)
            if least and low is None and high is None:
                if len(names & marked) >= least:
                    passing |= names
                continue
            line = [name for name in self.line if name in names & marked]
            if not line:
                continue
            anchor = line[-1 if time.get("which") == "last" else 0]
            if low is None and high is None:
                passing.add(anchor)
                continue
            away = (own["day"] - own["day"][anchor]).dt.days
            inside = away.notna() & (away >= (-1e9 if low is None else low)) & (away <= (1e9 if high is None else high))
            within = set(own.index[inside]) & there
            if len(within) >= least:
                passing |= within
        return self.table["study"].isin(passing)

    def criterion(self, one: dict[str, Any]) -> pd.Series:
        """Who passes, exclusion included."""
        everybody = pd.Series(True, index=self.table.index)
        among = self.table["left"] if one.get("among") == "remaining" else everybody
        if "filter" in one:
            tested = self.filtered(one["filter"])
        elif "ids" in one:
            tested = self.table["id"].isin(one["ids"]["image_ids"])
        else:
            tested = self.timed(one["time"], among)
        level = one.get("level", "image")
        if level == "image":
            passing = tested & among
        else:
            judged = self.table.assign(tested=tested)[among].groupby(level)["tested"]
            good = judged.all() if one.get("films") == "all" else judged.any()
            passing = self.table[level].isin(set(good.index[good]))
        return ~passing if one.get("exclude") else passing

    def cap(self, cap: dict[str, Any]) -> pd.Series:
        left = self.table[self.table["left"]].copy()
        place = {name: rank for rank, name in enumerate(self.line)}
        if cap.get("which") == "random":
            left["key"] = [float(self.hash[image_id]) for image_id in left["id"]]
            left["exact"] = [self.hash[image_id] for image_id in left["id"]]
            left = left.sort_values("exact", kind="stable")
        else:
            sign = -1 if cap.get("which") == "last" else 1
            left["key"] = [sign * place[name] if name in place else np.inf for name in left["study"]]
            left = left.sort_values(["key", "id"], kind="stable")
        keep: set[str] = set()
        for _, part in left.groupby(cap["per"], sort=False):
            if cap.get("studies"):
                firsts = list(dict.fromkeys(part["study"]))[: cap["most"]]
                keep |= set(part[part["study"].isin(firsts)]["id"])
            else:
                keep |= set(part["id"][: cap["most"]])
        return self.table["id"].isin(keep)

    def run(self, spec: dict[str, Any]) -> list[tuple[dict[str, int], dict[str, int] | None]]:
        """(left, what a criterion would remove alone) of every step."""
        everybody = self.counts(self.table["left"])
        told: list[tuple[dict[str, int], dict[str, int] | None]] = [(everybody, None)]
        for one in spec["criteria"]:
            passing, alone = self.criterion(one), None
            if one.get("among") != "remaining":
                alone = {name: everybody[name] - count for name, count in self.counts(passing).items()}
            self.table["left"] &= passing
            told.append((self.counts(self.table["left"]), alone))
        for cap in spec["caps"]:
            self.table["left"] &= self.cap(cap)
            told.append((self.counts(self.table["left"]), None))
        return told


def asks() -> st.SearchStrategy[dict[str, Any]]:
    text = expressions(IDS).map(filters.describe)
    days = st.fixed_dictionaries(
        {},
        optional={
            "anchor": text, "which": st.sampled_from(["first", "last"]), "from_day": st.integers(-600, 0),
            "to_day": st.integers(0, 600), "at_least_studies": st.integers(1, 3),
        },
    )  # fmt: skip
    ids = st.lists(st.sampled_from(IDS), min_size=1, max_size=9).map(lambda some: {"image_ids": some})
    return st.one_of(
        text.map(lambda one: {"filter": one}), days.map(lambda one: {"time": one}), ids.map(lambda one: {"ids": one})
    )


def criteria() -> st.SearchStrategy[dict[str, Any]]:
    how = st.fixed_dictionaries(
        {},
        optional={
            "exclude": st.booleans(), "level": st.sampled_from(["image", "study", "patient"]),
            "films": st.sampled_from(["any", "all"]), "among": st.sampled_from(["archive", "remaining"]),
        },
    )  # fmt: skip
    return st.tuples(asks(), how).map(lambda both: {**both[0], **both[1]})


CAPS = st.fixed_dictionaries(
    {"per": st.sampled_from(["patient", "study"]), "most": st.integers(1, 3)},
    optional={"which": st.sampled_from(["first", "last", "random"])},
)
SPECS = st.fixed_dictionaries(
    {
        "criteria": st.lists(criteria(), max_size=5),
        "caps": st.lists(st.one_of(CAPS, CAPS.map(lambda cap: {**cap, "per": "patient", "studies": True})), max_size=2),
        "seed": st.integers(0, 9),
    }
)


@settings(max_examples=30, deadline=None)
@given(SPECS)
def test_attrition_is_what_pandas_says(archive: Facts, population: Population, told: dict[str, Any]) -> None:
    spec = Spec.parse(told)
    found = flow(population, archive, spec)
    reference = Reference(spec.seed)
    wanted = reference.run(told)
    note(str(told))
    assert [step.left.as_json() for step in found.steps] == [left for left, _ in wanted]
    assert [step.alone.as_json() if step.alone else None for step in found.steps] == [alone for _, alone in wanted]
    assert population.take(found.mask).ids == list(reference.table[reference.table["left"]]["id"])
    for before, after in zip(found.steps, found.steps[1:], strict=False):
        assert after.removed == before.left - after.left
    for number, step in enumerate(found.steps[1:], 1):  # each film fell at one step
        assert (found.fell == number).sum() == step.removed.images


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(SPECS, st.randoms(use_true_random=False))
def test_the_order_of_criteria_changes_counts_alone(
    archive: Facts, population: Population, told: dict[str, Any], chance: random.Random
) -> None:
    over_all = [{**one, "among": "archive"} for one in told["criteria"]]
    shuffled = chance.sample(over_all, len(over_all))
    one = flow(population, archive, Spec.parse({**told, "criteria": over_all}))
    other = flow(population, archive, Spec.parse({**told, "criteria": shuffled}))
    assert (one.mask == other.mask).all()


def test_columns_are_those_that_the_specification_speaks_of(archive: Facts) -> None:
    """A population of just these columns gives the same flow."""
    told = {
        "criteria": [{"filter": 'sex = "F" OR labels.edema = present'}, {"time": {"to_day": 100}}],
        "caps": [{"per": "patient", "most": 1}],
    }
    asked = CohortAsked.parse({"cohort": told})
    narrow = Population(frame.load(archive, "", [], asked.columns, Progress()))
    assert set(narrow.frame.table.column_names) < {one.name for one in frame.images.c}
    found = flow(narrow, archive, asked.spec)
    assert [step.left.as_json() for step in found.steps] == [left for left, _ in Reference(0).run(told)]
