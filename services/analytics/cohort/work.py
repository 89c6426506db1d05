"""A cohort: the archive's columns, the flow of films through the specification, a set that filters find, and a page."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from numpy.typing import NDArray

from services.analytics import frame, manifest, sample
from services.analytics.bench import Bench
from services.analytics.cohort import report, sections, verdicts, version
from services.analytics.cohort.asked import CohortAsked, frozen, taken, there_is
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.describing import parted, table, write
from services.analytics.cohort.drawing import CASES, CONTROLS, Draws, draw
from services.analytics.cohort.flow import Flow, Judge, empty
from services.analytics.cohort.population import Population, content
from services.analytics.cohort.similar import Similar
from services.analytics.cohort.spec import Spec
from services.analytics.cohort.splitting import Split
from services.analytics.page import Page
from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import sets
from services.core.sets import settle

COHORT = "cohort"  # cohort.parquet: the films chosen, and what the cohort says of each
ATTRITION = "attrition"
_WITH_SET = ("spec", "spec_sha256", "ids_sha256", "counts", "steps", "data", "seed")
_MOST_ABOUT = 2**18  # characters of a specification that are kept with the set: sets are listed, and listed often


def run(bench: Bench[CohortAsked]) -> None:
    """Make the run in the bench's folder, and the set."""
    spec = frozen(bench.asked.spec, bench.facts)
    _free(bench)
    _, latest = version.state(bench.facts)
    judge = judging(bench)
    flow, population = judge.flow(spec), judge.population
    once = partial(bench.once_of, population.frame)
    draws = draw(flow, spec, judge.conditions, bench.progress, once) if flow.mask.any() else None
    if draws is None or not flow.mask.any():
        raise empty(flow)
    rows = np.flatnonzero(flow.mask)
    bench.matching, bench.frame = len(population), population.take(flow.mask)
    ids = bench.films.ids
    parts = parted(bench, spec, spec.split) if spec.split else None
    made = parts.split if parts else None
    told = _told(flow, spec, ids, latest) | draws.as_json() | ({"split": parts.as_json()} if parts else {})
    page = Page(spec.title or f"Cohort {spec.name}".strip(), report.ABOUT)
    report.flow(page, flow)
    one = table(population, rows, spec, draws.group, made)
    sections.table_one(page, one)
    report.draws(page, spec, draws)
    if parts:
        sections.split(page, parts.split)
        sections.audit(page, parts.found)
    report.record(page, spec, told)
    _tables(bench, flow, draws, made)
    write(bench, population, draws, parts, one)
    if spec.name:
        bench.progress("cohort", 0, 1)
        _keep(bench, told, ids)
    bench.finish(_figures(told), page, films_of=_datasets(population), cohort=told)


def judging(bench: Bench[CohortAsked]) -> Judge:
    """Who judges the films that this run may look at."""
    asked = bench.asked
    population = load(bench, asked.filter, asked.columns)
    conditions = Conditions(population, bench.facts)
    similar = Similar(
        bench.facts, bench.store, filters.parse(asked.filter), lambda: bench.encode, conditions, bench.progress,
        partial(bench.once_of, population.frame),
    )  # fmt: skip
    return Judge(population, conditions, similar, manifest.runs_dir(bench.settings.data_dir), bench.progress)


def load(bench: Bench[CohortAsked], where: str, columns: tuple[str, ...]) -> Population:
    total = sample.count(bench.facts, where, [])
    return Population(frame.load(bench.facts, where, [], columns, bench.progress, total))


def _told(flow: Flow, spec: Spec, ids: list[str], latest: str) -> dict[str, Any]:
    """What a cohort is known by: in its run's manifest, and (but for what is long) with its set."""
    return {
        "spec": spec.as_json(),
        "spec_sha256": spec.sha256,
        "ids_sha256": content(ids),
        "counts": flow.population.count(flow.mask).as_json(),
        "steps": [step.as_json() for step in flow.steps],
        "data": version.told(flow.steps[0].left, flow.population.ids, latest),
        "seed": spec.seed,
    }


def _figures(told: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in told.items() if name not in ("spec", "data")}


def _datasets(population: Population) -> list[str]:
    """Whoever may not see all of them may not see the run: it tells of every film that was judged."""
    return sorted(population.text("dataset")[0])


def _free(bench: Bench[CohortAsked]) -> None:
    """Is the name free, or this very run's? Raises ALREADY_EXISTS."""
    name = bench.asked.spec.name
    about = taken(bench.facts, name) if name else None
    if about is not None and about.get("run_id") != bench.run_id:
        raise there_is()


def _keep(bench: Bench[CohortAsked], told: dict[str, Any], ids: list[str]) -> None:
    """Make the set, or find that this run has made it before it was cut short."""
    spec = bench.asked.spec
    short = {name: told[name] for name in _WITH_SET}
    if len(json.dumps(told["spec"])) > _MOST_ABOUT:
        short["spec"] = None
    if sets.unfinished(bench.facts).get(spec.name) == sets.DELETING:  # the name is free when points say nothing of it
        settle(bench.facts, bench.store)
    try:
        sets.create(bench.facts, spec.name, sets.COHORT, spec.title, {"run_id": bench.run_id, **short}, ids)
    except HilumError as error:
        about = taken(bench.facts, spec.name) if error.code is ErrorCode.ALREADY_EXISTS else None
        if not about or (about.get("run_id"), about.get("ids_sha256")) != (bench.run_id, told["ids_sha256"]):
            raise
    settle(bench.facts, bench.store)


def _tables(bench: Bench[CohortAsked], flow: Flow, draws: Draws, made: Split | None) -> None:
    verdicts.write(bench.part, flow)
    films: dict[str, Any] = {"image_id": bench.films.ids}
    if draws.matched:
        films["group"] = _named((CONTROLS, CASES), draws.group[flow.mask])
    if made:
        films["split"] = _named(made.names, made.part)
    bench.table(COHORT, films)
    manifest.write_json(bench.part / f"{ATTRITION}.json", {"steps": [step.as_json() for step in flow.steps]})
    rows = [
        {"step": number, "name": step.name, "kind": step.kind, "test": step.test}
        | {f"left_{name}": count for name, count in step.left.as_json().items()}
        | {f"removed_{name}": count for name, count in step.removed.as_json().items()}
        | {f"alone_{name}": count for name, count in (step.alone.as_json() if step.alone else _NOBODY).items()}
        for number, step in enumerate(flow.steps)
    ]
    pq.write_table(pa.Table.from_pylist(rows), Path(bench.part, f"{ATTRITION}.parquet"))


def _named(names: Sequence[str], codes: NDArray[np.int8]) -> pa.Array:
    return pa.DictionaryArray.from_arrays(pa.array(codes), pa.array(names)).cast(pa.string())


_NOBODY: dict[str, int | None] = {"images": None, "studies": None, "patients": None}
