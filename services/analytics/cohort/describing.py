"""What a specification says of a cohort that is chosen: its split, with an audit of what leaks, and its table 1."""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from services.analytics import columns
from services.analytics import sample as order
from services.analytics.bench import Bench
from services.analytics.cohort import leakage, links, version
from services.analytics.cohort.drawing import CASES, CONTROLS, Draws
from services.analytics.cohort.leakage import Audit
from services.analytics.cohort.links import Codes
from services.analytics.cohort.population import Population
from services.analytics.cohort.spec import GROUP, SPLIT, Spec
from services.analytics.cohort.spec import Split as Asked
from services.analytics.cohort.splitting import Split, split
from services.analytics.cohort.table1 import Table1, table1
from services.analytics.cohort.traits import check, trait
from services.analytics.frame import Frame
from services.analytics.variables import coded, variable
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.facts.schema import reports

SPLIT_FIELDS = (*links.FIELDS, "study_date", "device", "split")  # of the record, that a split and its audit need
USUAL = ("dataset", "sex", "age", "view")  # of a table that nobody asked for, with the findings that are stated
ALL, _STATED, _FINDINGS = "all", 20, 30


@dataclass(frozen=True)
class Parts:
    """split: of the n films chosen.  found: what its parts share.  same: cosine distance below which films were taken
    for nearly the same, 0 where that was not asked."""

    split: Split
    found: Audit
    same: float

    def as_json(self) -> dict[str, Any]:
        """The figures, as plain JSON."""
        theirs = {"audit_of_datasets_split": self.found.theirs.as_json()} if self.found.theirs else {}
        return {**self.split.as_json(), "same": self.same, "audit": self.found.as_json(), **theirs}


def parted(bench: Bench[Any], spec: Spec, asked: Asked) -> Parts:
    """Split the films of the bench, and look for what leaks. Raises `leakage.LeakError` where anything does, and
    FAILED_PRECONDITION where the parts cannot have their shares."""
    frame, progress = bench.frame, bench.progress
    ways = links.by_name(frame)
    look = partial(links.looking_alike, frame, bench.facts, bench.blobs, progress)
    ways[links.LOOKS] = bench.once_of(frame, "looks", look, list(version.state(bench.facts)))
    same, looked = 0.0, {links.LOOKS: int((links.coded(frame.table["phash"]) >= 0).sum())}
    if asked.near_duplicates:
        ways[links.VECTORS], same, looked[links.VECTORS] = _near(bench, spec, asked)
    more, told = cautions(frame, bench.facts)
    strata = [variable(frame, name) for name in asked.stratify]
    held = [*ways.values(), more[leakage.REPORT]]
    made = bench.once_of(frame, "splitting", lambda: split(
        links.components(len(frame), held), order.places(frame.ids, spec.seed), asked.fractions, strata, progress,
    ), held)  # fmt: skip
    ways, looked = ways | more, looked | told
    found = leakage.audit(made.part, made.names, ways, looked)
    names, theirs = coded(frame.table["split"])
    if len(names) > 1:
        found = replace(found, theirs=leakage.audit(theirs.astype(np.int8), names, ways, looked))
    found.must_hold()
    return Parts(made, found, same)


def table(
    population: Population, rows: NDArray[np.int64], spec: Spec, group: NDArray[np.int8], made: Split | None
) -> Table1:
    """Of the films at `rows` (n,) of the population. group: (N,) 1 for cases and 0 for controls."""
    frame = population.frame.take(rows)
    names = [check(name) for name in spec.table1.variables] if spec.table1 else [*USUAL, *_stated(frame)]
    by = spec.table1.by if spec.table1 else GROUP if spec.match else SPLIT if made else ""
    groups = {ALL: np.ones(len(rows), bool)}
    if by == GROUP:
        groups |= {CASES: group[rows] == 1, CONTROLS: group[rows] == 0}
    elif by == SPLIT and made:
        groups |= {name: made.part == place for place, name in enumerate(made.names)}
    elif by:
        one = variable(frame, by)
        groups |= {value: one.codes == code for code, value in enumerate(one.values) if (one.codes == code).any()}
        groups |= {f"{by} unknown": one.codes < 0} if (one.codes < 0).any() else {}
    return table1([trait(frame, name) for name in names], groups, population.patients[rows], population.studies[rows])


def write(bench: Bench[Any], population: Population, draws: Draws, parts: Parts | None, one: Table1) -> None:
    """table1, and as far as there are such: pairs, balance, targets, split and leakage, as Parquet."""
    _put(bench, "table1", one.rows())
    if draws.matched:
        told, ids = draws.matched, population.frame.table["image_id"]
        kept = (draws.group[told.case] == 1) & (draws.group[told.control] == 0)
        pair = [ids.take(rows[kept]) for rows in (told.case, told.control)]
        bench.table("pairs", {"case": pair[0], "control": pair[1], "distance": told.distance[kept]})
        _put(bench, "balance", [line.as_json() for line in draws.lines])
    if draws.met:
        _put(bench, "targets", [
            {"target": reached.name, "value": value, "wanted": float(wanted), "before": float(before),
             "sample": float(after)}
            for reached in draws.met.reached
            for value, wanted, before, after in zip(
                reached.values, reached.target, reached.before, reached.after, strict=True)
        ])  # fmt: skip
    if parts:
        _put(bench, "split", [
            {"variable": stratum.variable, "value": stratum.value, "part": name, "films": int(films)}
            for stratum in parts.split.strata
            for name, films in zip(parts.split.names, stratum.films, strict=True)
        ])  # fmt: skip
        _put(bench, "leakage", [
            {"shared": shared.kind, "looked": shared.looked, "groups": shared.groups, "films": shared.films,
             "leaks": shared.leaks}
            for shared in parts.found.shared
        ])  # fmt: skip


def _put(bench: Bench[Any], name: str, rows: list[dict[str, Any]]) -> None:
    if rows:
        bench.table(name, {column: [row[column] for row in rows] for column in rows[0]})


def _stated(frame: Frame) -> list[str]:
    """Findings that so many films have, the commonest first."""
    present = {name: int((codes == 1).sum()) for name, codes in frame.findings.items()}
    often = sorted((name for name, films in present.items() if films >= _STATED), key=lambda name: -present[name])
    return [f"labels.{name}" for name in often[:_FINDINGS]]


def _near(bench: Bench[Any], spec: Spec, asked: Asked) -> tuple[Codes, float, int]:
    model = next((one for one in bench.specs if one.name == asked.model), None)
    if model is None:
        raise HilumError(ErrorCode.FAILED_PRECONDITION, "near duplicates need a model; name it in split.model")
    held = bench.held(model)
    codes = np.full(len(bench.frame), -1, np.int64)
    if len(held) < 2:
        return codes, asked.same, len(held)

    def nearly() -> tuple[Codes, float]:
        with bench.vectors(model, held) as unit:
            return links.nearly_the_same(unit, asked.same, spec.seed, bench.progress)

    written = list(version.written(bench.facts, model))
    codes[held], same = bench.once_of(bench.frame, "nearly the same", nearly, held, written)
    return codes, same, len(held)


def cautions(frame: Frame, facts: Facts) -> tuple[dict[str, Codes], dict[str, int]]:
    """What only looks like a leak, and reports that few patients have; and of how many films each could be told."""
    age = np.nan_to_num(frame.table["age"].cast("double").to_numpy(), nan=-1.0).astype(np.int64)
    same = [age, *(coded(frame.table[name])[1].astype(np.int64) for name in ("dataset", "study_date", "sex", "device"))]
    prints = _reports(frame, facts)
    told = sum(one is not None for one in prints)
    ways = {**leakage.reports(prints, frame.patients), **leakage.days(same, frame.patients)}
    days = int(np.all([codes >= 0 for codes in same], axis=0).sum())
    return ways, {leakage.REPORT: told, leakage.PHRASE: told, leakage.DAY: days}


def _reports(frame: Frame, facts: Facts) -> list[leakage.Print | None]:
    """Of each film's study, what tells its report; None without one."""
    study = list(zip(*(frame.table[name].cast("string").to_pylist() for name in ("dataset", "study_id")), strict=True))
    wanted = {key for key in study if key[1]}
    if not wanted:
        return [None] * len(study)
    query = select(reports.c.dataset, reports.c.study_id, reports.c.section, reports.c.text)
    query = query.where(reports.c.dataset.in_(sorted({dataset for dataset, _ in wanted})))
    found: dict[tuple[str, str], leakage.Print] = {}
    for batch in columns.batches(facts, query.order_by(reports.c.dataset, reports.c.study_id, reports.c.section)):
        for dataset, of, _, text in zip(*(column.to_pylist() for column in batch.columns), strict=True):
            if (dataset, of) in wanted:
                found[dataset, of] = leakage.fingerprint(text, found.get((dataset, of)))
    return [found.get(key) for key in study]
