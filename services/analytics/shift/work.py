"""Shift: of each model what can be read of every axis, sets of films against each other, how clusters mix, what
findings go together with an axis, and what taking one out costs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from itertools import combinations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import select

from services.analytics import cluster, fuzzy, graph, linear
from services.analytics.agreement import Agreement, agreement
from services.analytics.bench import Bench
from services.analytics.graph import Graph
from services.analytics.linear import Reading
from services.analytics.page import Page
from services.analytics.probe.scores import holm
from services.analytics.shift import axes, mixing, removal, report, shortcuts, two_sample
from services.analytics.shift.asked import NOTHING, WHERE_FROM, ShiftAsked
from services.analytics.shift.axes import Axis, one_each
from services.analytics.shift.mixing import Mixed
from services.analytics.shift.removal import Removal
from services.analytics.shift.shortcuts import Shortcut
from services.analytics.shift.two_sample import Tested
from services.core.errors import ErrorCode, HilumError
from services.core.facts import images
from services.core.facts.schema import images as rows_of
from services.core.filters import parse, to_sql

MAX_PAIRS = 10  # of datasets, those of most films


@dataclass(frozen=True)
class Read:
    """An axis as it can be read. reading: from vectors.  near: from neighbours.  tested: on one film of each patient;
    p as it stands among all axes (Holm)."""

    axis: Axis
    reading: Reading
    near: Agreement | None
    tested: Tested
    p: float


@dataclass(frozen=True)
class Pair:
    """Two sets of films. films: of different patients, drawn of each."""

    one: str
    other: str
    films: tuple[int, int]
    tested: Tested
    mmd: Tested


@dataclass(frozen=True)
class Found:
    """Everything of one model."""

    model: str
    read: list[Read]
    pairs: list[Pair]
    mixed: dict[str, list[Mixed]]
    shortcuts: list[Shortcut]
    removal: Removal | None


def run(bench: Bench[ShiftAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, films = bench.asked, bench.films
    records = images.get(bench.facts, films.ids)
    names = {*asked.read} | ({asked.remove} - {"", NOTHING})
    known = axes.collect([records[i] for i in films.ids], films.patients, sorted(names), 2 * asked.folds)
    del records
    sets = _sets(bench, known)
    if not known and not sets:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"no axis has two values of {2 * asked.folds} patients each: there is nothing to tell apart; widen the "
            "filter, or name two filters a and b",
        )
    page, found = Page("Shift and shortcuts", report.ABOUT), []
    for spec in bench.specs:
        with bench.vectors(spec) as unit:
            found.append(_look(bench, spec.name, unit, known, sets))
    report.write(page, asked, known, found)
    bench.table("axes", report.table(found))
    bench.finish({one.model: report.as_json(one) for one in found}, page)


def _look(
    bench: Bench[ShiftAsked], model: str, unit: NDArray[np.float32], known: Sequence[Axis], sets: Sequence[Any]
) -> Found:
    asked, films = bench.asked, bench.films
    stage = f"graph of {model}"
    build = partial(graph.build, unit, asked.k, asked.seed, bench.progress, stage, patients=films.patients)
    near = bench.once(stage, build)
    read = []
    for done, axis in enumerate(known):
        bench.progress(f"axes of {model}", done, len(known))
        read.append(bench.once(f"{axis.name} read from {model}", partial(_read, bench, unit, near, axis), axis))
    p = holm({one.axis.name: one.tested.p for one in read})
    read = [Read(one.axis, one.reading, one.near, one.tested, p[one.axis.name]) for one in read]
    pairs = bench.once(f"pairs under {model}", lambda: [_pair(bench, unit, *pair) for pair in sets], list(sets))
    members = cluster.leiden(fuzzy.weights(near), 1.0, asked.seed).members
    mixed = {}
    for axis in known:
        if axis.name in WHERE_FROM:
            rows = one_each(axis.rows, films.patients, asked.seed)
            mixed[axis.name] = mixing.mixing(members[rows], axis.codes[rows], asked.seed)
    cut = bench.once(f"shortcuts of {model}", partial(_shortcuts, bench, model, unit, read), list(known))
    out = bench.once(f"removal from {model}", partial(_remove, bench, model, unit, read), list(known))
    return Found(model, read, pairs, mixed, cut, out)


def _read(bench: Bench[ShiftAsked], unit: NDArray[np.float32], near: Graph, axis: Axis) -> Read:
    asked, patients = bench.asked, bench.films.patients
    rows = linear.some(axis.rows, linear.MOST, asked.seed)
    promise = linear.out_of_fold(unit[rows], axis.codes[rows], patients[rows], asked.folds, asked.seed)
    reading = linear.reading(axis.codes[rows], promise, patients[rows], asked.seed)
    alone = _thin(axis.rows, patients, asked.seed)
    tested = two_sample.classifier(unit[alone], axis.codes[alone], asked.permutations, asked.seed)
    return Read(axis, reading, agreement(near, axis.codes, patients, finding=False), tested, tested.p)


def _thin(rows: NDArray[np.int64], patients: NDArray[np.int32], seed: int) -> NDArray[np.int64]:
    """One film of each patient, as many as a test takes."""
    return linear.some(one_each(rows, patients, seed), two_sample.MOST, seed)


def _sets(
    bench: Bench[ShiftAsked], known: Sequence[Axis]
) -> list[tuple[str, str, NDArray[np.bool_], NDArray[np.bool_]]]:
    """What is held against each other: a against b, and every two datasets."""
    asked, found = bench.asked, []
    if asked.a:
        one, other = (_passing(bench, where) for where in (asked.a, asked.b))
        if (one & other).any():
            raise HilumError(ErrorCode.INVALID_ARGUMENT, "some films pass both a and b; say it so that none does")
        if min(len(np.unique(bench.films.patients[side])) for side in (one, other)) < 2 * asked.folds:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"a and b each need films of {2 * asked.folds} patients among those of this run; widen them",
            )
        found.append((asked.a, asked.b, one, other))
    for axis in known:
        if axis.name == "dataset":
            most = np.argsort(-np.bincount(axis.codes[axis.rows]), kind="stable")
            pairs = list(combinations(most, 2))[:MAX_PAIRS]
            found += [(axis.values[a], axis.values[b], axis.codes == a, axis.codes == b) for a, b in pairs]
    return found


def _passing(bench: Bench[ShiftAsked], where: str) -> NDArray[np.bool_]:
    with bench.facts.read() as db:
        passing = set(db.scalars(select(rows_of.c.image_id).where(to_sql(parse(where)))))
    return np.array([image_id in passing for image_id in bench.films.ids], dtype=bool)


def _pair(
    bench: Bench[ShiftAsked],
    unit: NDArray[np.float32],
    one: str,
    other: str,
    inside: NDArray[np.bool_],
    outside: NDArray[np.bool_],
) -> Pair:
    asked = bench.asked
    rows = _thin(np.flatnonzero(inside | outside), bench.films.patients, asked.seed)
    first, second = rows[inside[rows]], rows[outside[rows]]
    if min(len(first), len(second)) < 4:
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            "of one film of each patient too few are left on one side; let a and b be of different patients",
        )
    codes = outside[rows].astype(np.int32)
    tested = two_sample.classifier(unit[rows], codes, asked.permutations, asked.seed)
    return Pair(
        one, other, (len(first), len(second)), tested,
        two_sample.mmd(unit[first], unit[second], asked.permutations, asked.seed),
    )  # fmt: skip


def _shortcuts(bench: Bench[ShiftAsked], model: str, unit: NDArray[np.float32], read: Sequence[Read]) -> list[Shortcut]:
    asked, films, found = bench.asked, bench.films, []
    for done, finding in enumerate(bench.labels):
        bench.progress(f"findings of {model}", done, len(bench.labels))
        codes = films.labels[finding]
        rows = linear.some(np.flatnonzero((codes == 0) | (codes == 1)), linear.MOST, asked.seed)
        y, patients = codes[rows].astype(np.int32), films.patients[rows]
        if not linear.enough(y, patients, asked.folds):
            continue
        promise, has = np.full(len(films), np.nan), np.full(len(films), -1, dtype=np.int32)
        promise[rows] = linear.out_of_fold(unit[rows], y, patients, asked.folds, asked.seed)[:, 1]
        has[rows] = y
        for one in read:
            weighed = shortcuts.weigh(
                finding, has, promise, one.axis, one.reading, films.patients, asked.folds, asked.seed
            )
            found += [weighed] if weighed else []
    return shortcuts.corrected(found)


def _remove(bench: Bench[ShiftAsked], model: str, unit: NDArray[np.float32], read: Sequence[Read]) -> Removal | None:
    """The axis asked for, or that of the place or machine that is best read, if one surely is."""
    asked = bench.asked
    able = {one.axis.name: one for one in read}
    if asked.remove == NOTHING:
        return None
    if asked.remove:
        if asked.remove not in able:
            raise HilumError(
                ErrorCode.FAILED_PRECONDITION,
                f"too few films say their {asked.remove}, or all the same; remove another axis, or {NOTHING}",
            )
        chosen = able[asked.remove]
    else:
        sure = [one for one in read if one.axis.name in WHERE_FROM and one.reading.estimate.low > 0.5]
        if not sure:
            return None
        chosen = max(sure, key=lambda one: one.reading.value)
    findings = {name: bench.films.labels[name] for name in bench.labels}
    return removal.remove(
        unit, chosen.axis, findings, bench.films.patients, asked.k, asked.folds, asked.seed, bench.progress,
        f"{chosen.axis.name} out of {model}",
    )  # fmt: skip
