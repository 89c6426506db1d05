"""A cohort: the archive's columns, the flow of films through the specification, a set that filters find, and a page."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from services.analytics import frame, manifest, sample
from services.analytics.bench import Bench
from services.analytics.cohort import report, verdicts, version
from services.analytics.cohort.asked import CohortAsked, taken, there_is
from services.analytics.cohort.conditions import Conditions
from services.analytics.cohort.flow import Flow, Judge, empty
from services.analytics.cohort.population import Population, Selection
from services.analytics.cohort.similar import Similar
from services.analytics.page import Page
from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import sets
from services.core.sets import settle

COHORT = "cohort"  # cohort.parquet: the films chosen, and what the cohort says of each
ATTRITION = "attrition"
_MOST_ABOUT = 2**18  # characters of a specification that are kept with the set: sets are listed, and listed often


def run(bench: Bench[CohortAsked]) -> None:
    """Make the run in the bench's folder, and the set."""
    spec = bench.asked.spec
    _free(bench)
    _, latest = version.state(bench.facts)
    judge = judging(bench)
    flow = judge.flow(spec)
    if not flow.mask.any():
        raise empty(flow)
    chosen = Selection.of(judge.population, flow.mask)
    bench.matching, bench.frame = len(judge.population), judge.population.take(chosen.mask)
    films = bench.films
    told = _told(bench, flow, chosen, latest)
    page = Page(spec.title or f"Cohort {spec.name}".strip(), report.ABOUT)
    report.put(page, spec, flow, told)
    _tables(bench, flow, chosen)
    bench.progress("cohort", 0, 1)
    if spec.name:
        _keep(bench, told, films.ids)
    bench.finish(_figures(flow, told), page, films_of=_datasets(judge.population), cohort=told)


def judging(bench: Bench[CohortAsked]) -> Judge:
    """Who judges the films that this run may look at."""
    asked = bench.asked
    population = load(bench, asked.filter, asked.columns)
    conditions = Conditions(population, bench.facts)
    similar = Similar(
        bench.facts, bench.store, filters.parse(asked.filter), lambda: bench.encode, conditions, bench.progress
    )
    return Judge(population, conditions, similar, manifest.runs_dir(bench.settings.data_dir), bench.progress)


def load(bench: Bench[CohortAsked], where: str, columns: tuple[str, ...]) -> Population:
    total = sample.count(bench.facts, where, [])
    return Population(frame.load(bench.facts, where, [], columns, bench.progress, total))


def _told(bench: Bench[CohortAsked], flow: Flow, chosen: Selection, latest: str) -> dict[str, Any]:
    """What a cohort is known by: in its run's manifest, and (but for what is long) with its set."""
    spec = bench.asked.spec
    return {
        "spec": spec.as_json(),
        "spec_sha256": spec.sha256,
        "ids_sha256": chosen.sha256,
        "counts": chosen.counts.as_json(),
        "steps": [step.as_json() for step in flow.steps],
        "data": version.told(flow.steps[0].left, flow.population.ids, latest),
        "seed": spec.seed,
    }


def _figures(flow: Flow, told: dict[str, Any]) -> dict[str, Any]:
    return {name: told[name] for name in ("counts", "ids_sha256", "spec_sha256", "steps")}


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
    short = told if len(json.dumps(told["spec"])) <= _MOST_ABOUT else {**told, "spec": None}
    try:
        sets.create(bench.facts, spec.name, sets.COHORT, spec.title, {"run_id": bench.run_id, **short}, ids)
    except HilumError as error:
        about = taken(bench.facts, spec.name) if error.code is ErrorCode.ALREADY_EXISTS else None
        if not about or (about.get("run_id"), about.get("ids_sha256")) != (bench.run_id, told["ids_sha256"]):
            raise
    settle(bench.facts, bench.store)


def _tables(bench: Bench[CohortAsked], flow: Flow, chosen: Selection) -> None:
    verdicts.write(bench.part, flow)
    bench.table(COHORT, {"image_id": bench.films.ids})
    manifest.write_json(bench.part / f"{ATTRITION}.json", {"steps": [step.as_json() for step in flow.steps]})
    rows = [
        {"step": number, "name": step.name, "kind": step.kind, "test": step.test}
        | {f"left_{name}": count for name, count in step.left.as_json().items()}
        | {f"removed_{name}": count for name, count in step.removed.as_json().items()}
        | {f"alone_{name}": count for name, count in (step.alone.as_json() if step.alone else _NOBODY).items()}
        for number, step in enumerate(flow.steps)
    ]
    pq.write_table(pa.Table.from_pylist(rows), Path(bench.part, f"{ATTRITION}.parquet"))


_NOBODY: dict[str, int | None] = {"images": None, "studies": None, "patients": None}
