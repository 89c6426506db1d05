"""What matching, splits, draws to a target and table 1 of a cohort take, on films made up: CPU and wall seconds.

    python benchmarks/bench_cohort_draws.py                                     # smoke
    python benchmarks/bench_cohort_draws.py --cases 2000 --controls 200000 --films 2000000

Read the CPU seconds: wall times carry what else the machine does.
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import numpy as np

from services.analytics.cohort.balance import balance, worst
from services.analytics.cohort.leakage import audit
from services.analytics.cohort.links import components
from services.analytics.cohort.matching import Rules, match
from services.analytics.cohort.measure import MAHALANOBIS, PROPENSITY
from services.analytics.cohort.sampling import Target, Urn, to_target
from services.analytics.cohort.splitting import split
from services.analytics.cohort.table1 import table1
from services.analytics.cohort.traits import Number, Trait
from services.analytics.progress import Progress
from services.analytics.variables import Variable


def timed(name: str, work: Callable[[], Any], say: Callable[[Any], str]) -> None:
    start, used = time.perf_counter(), time.process_time()
    found = work()
    took = f"{time.process_time() - used:6.2f} s CPU {time.perf_counter() - start:6.2f} s"
    print(f"{name:60} {took}  {say(found)}", flush=True)


def matching(cases: int, controls: int) -> None:
    chance, films = np.random.default_rng(0), cases + controls
    case = np.zeros(films, bool)
    case[chance.choice(films, cases, replace=False)] = True
    age = Number("age", np.where(case, chance.normal(65, 12, films), chance.normal(50, 17, films)).round())
    spacing = Number("pixel_spacing", chance.normal(0.15, 0.01, films) + 0.005 * case)
    sex = Variable("sex", ["F", "M"], (chance.random(films) < np.where(case, 0.65, 0.45)).astype(np.int32))
    view = Variable("view", ["AP", "LATERAL", "PA"], chance.integers(0, 3, films).astype(np.int32))
    device = Variable("device", [f"d{n}" for n in range(12)], chance.integers(0, 12, films).astype(np.int32))
    patients = np.where(case, np.arange(films), chance.integers(films, films + films // 3, films)).astype(np.int32)
    place = chance.permutation(films).astype(np.uint64)
    every: list[Trait] = [age, spacing, sex, view, device]

    def run(exact: list[Trait], on: list[Trait], within: list[tuple[Number, float]] | None = None, **rules: Any) -> Any:
        found = match(case, ~case, patients, place, exact, on, Rules(**rules), Progress(), within or [])
        return found, worst(balance([*exact, *on], found.sides(case)))

    def say(made: Any) -> str:
        found, left = made
        return f"{len(found.case):,} pairs, {found.how}, largest difference {left:.3f}"

    for name, work in {
        "exact sex and view, nearest age, spacing": lambda: run([sex, view], [age, spacing]),
        "nearest age, spacing": lambda: run([], [age, spacing]),
        "nearest of 19 columns": lambda: run([], every, distance=MAHALANOBIS),
        "propensity, caliper 0.2": lambda: run([], every, distance=PROPENSITY, caliper=0.2),
        "propensity, caliper 0.2, 1:4": lambda: run([], every, distance=PROPENSITY, caliper=0.2, ratio=(1, 4)),
        "exact sex, age within 2, nearest spacing": lambda: run([sex], [spacing], [(age, 2.0)]),
    }.items():
        timed(f"{cases:,} × {controls:,}: {name}", work, say)


def splitting(films: int) -> None:
    chance = np.random.default_rng(1)
    patients = chance.integers(0, films // 3, films)
    near = np.where(chance.random(films) < 0.02, chance.integers(0, films // 100, films), -1)
    strata = [
        Variable(f"s{n}", ["absent", "present"], (chance.random(films) < 0.1 * (n + 1)).astype(np.int32))
        for n in range(3)
    ]
    place = chance.permutation(films).astype(np.uint64)
    fractions = {"train": 0.7, "validate": 0.1, "test": 0.2}

    def run() -> Any:
        made = split(components(films, [patients, near]), place, fractions, strata, Progress())
        audit(made.part, made.names, {"patient": patients, "near": near}).must_hold()
        return made

    timed(f"split and audit of {films:,} films", run, lambda made: f"{made.groups:,} groups, off by {made.off:.4%}")


def drawing(films: int) -> None:
    chance = np.random.default_rng(2)
    patients = chance.integers(0, films // 3, films).astype(np.int32)
    place = chance.permutation(films).astype(np.uint64)
    names = {"sex": 2, "age_band": 5, "view": 3, "device": 12}
    told = {
        name: Variable(name, [str(n) for n in range(values)], chance.integers(-1, values, films).astype(np.int32))
        for name, values in names.items()
    }
    targets = [
        Target((name,), {(str(n),): 2 * (n + 1) / values / (values + 1) for n in range(values)})
        for name, values in names.items()
    ]
    urn = Urn(place, patients, np.ones(films, bool))
    timed(
        f"{films // 100:,} of {films:,} films to four targets", lambda: to_target(urn, told, targets, films // 100),
        lambda met: f"largest distance {max(one.distances[1] for one in met.reached):.4f}",
    )  # fmt: skip
    age = Number("age", chance.normal(50, 15, films))
    groups = {"all": np.ones(films, bool), "half": chance.random(films) < 0.5}
    timed(
        f"table 1 of {films:,} films, 5 variables",
        lambda: table1([age, *told.values()], groups, patients, np.arange(films)),
        lambda made: f"{len(made.lines)} lines",
    )  # fmt: skip


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--cases", type=int, default=100)
    parser.add_argument("--controls", type=int, default=5_000)
    parser.add_argument("--films", type=int, default=20_000)
    asked = parser.parse_args()
    matching(asked.cases, asked.controls)
    splitting(asked.films // 10)
    drawing(asked.films)


if __name__ == "__main__":
    main()
