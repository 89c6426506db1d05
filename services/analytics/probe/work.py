"""Probes: the same films for every model, classifiers in cross-validation over patients, and what to think of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.analytics import resample
from services.analytics.bench import Bench
from services.analytics.probe import augment, cross, draw, groups, keep, report, robust, shortcuts, tables, trust
from services.analytics.probe.asked import AUGMENT_FILMS, OFF, ON, ProbeAsked
from services.analytics.probe.classify import Linear
from services.analytics.probe.compared import compare
from services.analytics.probe.cross import Probed
from services.analytics.probe.draw import ALL, Refused, Task
from services.analytics.probe.scores import AUROC, Measured, by_fold
from services.analytics.probe.shortcuts import Shortcut
from services.core.errors import ErrorCode, HilumError
from services.core.facts import images
from services.core.models import ModelSpec
from services.core.types import ImageRecord


@dataclass
class Study:
    """What every model is measured on. rows: (M,) of the sample, of all tasks together; records of those films.
    weight: (B, P), how often each person is in each draw."""

    tasks: list[Task]
    refused: list[Refused]
    rows: NDArray[np.int64]
    records: list[ImageRecord]
    shared: int
    weight: NDArray[np.float64]
    shortcuts: list[Shortcut] = field(default_factory=list)

    def place(self, task: Task) -> NDArray[np.int64]:
        """(n,) the task's films among `rows`."""
        found: NDArray[np.int64] = np.searchsorted(self.rows, task.rows)
        return found

    def drawn(self, task: Task) -> NDArray[np.float64]:
        """(B, n)."""
        return self.weight[:, task.people]


@dataclass
class Found:
    """What came of one model."""

    spec: ModelSpec
    probed: dict[tuple[str, str], Probed] = field(default_factory=dict)
    external: dict[tuple[str, str, str], tuple[dict[str, Measured], dict[str, Measured]]] = field(default_factory=dict)
    gaps: list[groups.Gap] = field(default_factory=list)
    within: dict[tuple[tuple[str, str], str], Measured] = field(default_factory=dict)
    trust: dict[tuple[tuple[str, str], str], dict[str, Any]] = field(default_factory=dict)
    bins: dict[str, list[Any]] = field(default_factory=dict)
    robust: list[robust.Robust] = field(default_factory=list)
    likeness: NDArray[np.float64] | None = None
    not_augmented: str = ""


def run(bench: Bench[ProbeAsked]) -> None:
    """Make the run in the bench's folder."""
    asked, films = bench.asked, bench.films
    if asked.augment == ON:
        _ = bench.encode  # before hours of other work
    study = _study(bench)
    inside = groups.masks(films, study.rows, study.records)
    found = [_of_model(bench, study, spec, inside) for spec in bench.specs]
    bench.progress("report", 0, 1)
    pairs = compare({one.spec.name: one.probed for one in found}, asked.classifiers)
    page = report.page(asked, films, study, found, pairs)
    bench.table("draws", tables.draws(films, study))
    bench.table("promises", tables.promises(films, found))
    bench.table("figures", tables.figures(found))
    metrics = tables.metrics(found, pairs)
    made = {one.spec.name: {"probes": f"probe-{one.spec.name}.safetensors"} for one in found} if asked.save else {}
    bench.progress("report", 1, 1)
    bench.finish(
        metrics, page, made, measured=[f"{task.dataset}/{task.label}" for task in study.tasks],
        films_drawn=len(study.rows), people_drawn=study.weight.shape[1],
    )  # fmt: skip


def _study(bench: Bench[ProbeAsked]) -> Study:
    """Draw the films and put them into folds."""
    asked, films = bench.asked, bench.films
    tasks, refused = draw.draw(films, asked.labels, asked.per_side, asked.seed, asked.pooled)
    bench.progress("draw", 0, len(tasks))
    rows = np.unique(np.concatenate([task.rows for task in tasks])) if tasks else np.zeros(0, np.int64)
    known = images.get(bench.facts, [films.ids[row] for row in rows])
    records = [known[films.ids[row]] for row in rows]
    shared = 0
    if tasks:
        pixels = {int(row): record.pixel_sha256 for row, record in zip(rows, records, strict=True)}
        tasks, more, shared = draw.assign(tasks, pixels, asked.folds, asked.seed)
        refused = refused + more
    if not tasks:
        why = f": {refused[0].label}, {refused[0].reason}" if refused else ""
        raise HilumError(
            ErrorCode.FAILED_PRECONDITION,
            f"no finding is stated, present and absent, of enough films and patients of one dataset{why}"
            f"{bench.one_sided}; ingest labels, name others, or ask for all datasets pooled",
        )
    people = 1 + max(int(task.people.max()) for task in tasks)
    study = Study(tasks, refused, rows, records, shared, resample.weights(people, resample.DRAWS, asked.seed))
    facts = shortcuts.facts(records)
    for done, task in enumerate(tasks, 1):
        mine = {name: values[study.place(task)] for name, values in facts.items()}
        study.shortcuts += shortcuts.find(task, mine, study.drawn(task))
        bench.progress("draw", done, len(tasks))
    return study


def _of_model(bench: Bench[ProbeAsked], study: Study, spec: ModelSpec, inside: groups.Masks) -> Found:
    asked, found = bench.asked, Found(spec)
    with bench.vectors(spec, study.rows) as unit:
        vectors = np.array(unit)
    facts = shortcuts.facts(study.records)
    stage = f"probes of {spec.name}"
    bench.progress(stage, 0, len(study.tasks))
    for done, task in enumerate(study.tasks, 1):
        place, weight = study.place(task), study.drawn(task)
        name = f"{task.label} of {task.dataset} probed in {spec.name}"
        ask = partial(cross.probe, vectors[place], task, asked.classifiers, asked.seed, weight)
        probed = bench.once(name, ask, task)
        found.probed[task.key] = probed
        found.gaps += groups.gaps(probed, {name: mask[place] for name, mask in inside.items()}, weight)
        for one in study.shortcuts:
            if one.task is task and one.named:
                promise = probed.promise["logistic"]
                found.within[task.key, one.fact] = shortcuts.within(task, promise, facts[one.fact][place], weight)
        for name, promise in probed.promise.items():
            found.trust[task.key, name] = trust.errors(task, promise, weight)
        bench.progress(stage, done, len(study.tasks))
    for name in asked.classifiers:
        found.bins[name] = trust.reliability(list(found.probed.values()), name, asked.seed)
    _whole(bench, study, found, vectors)
    if asked.augment != OFF:
        _augmented(bench, study, found, vectors)
    return found


def _whole(bench: Bench[ProbeAsked], study: Study, found: Found, vectors: NDArray[np.float32]) -> None:
    """Probes of all films of a task: asked on the same label of other datasets, and kept."""
    asked, saved = bench.asked, dict[str, tuple[Linear, Mapping[str, Any]]]()
    by_label: dict[str, list[Task]] = {}
    for task in study.tasks:
        by_label.setdefault(task.label, []).append(task)
    for tasks in by_label.values():
        apart = [task for task in tasks if task.dataset != ALL]
        for task in tasks:
            others = [other for other in apart if task in apart and other is not task]
            if not others and not asked.save:
                continue
            mine = vectors[study.place(task)]
            fitted = cache(partial(cross.whole, mine, task, asked.seed))
            for other in others:
                bench.progress(f"external tests of {found.spec.name}", 0, 0)
                stage = f"{task.label} of {task.dataset} asked in {other.dataset} by {found.spec.name}"
                ask = partial(_elsewhere, fitted, mine, vectors[study.place(other)], task, other, asked.seed)
                promise = bench.once(stage, ask, task, other)
                figures = by_fold(other.y, promise, other.fold, study.drawn(other))
                home = found.probed[other.key].figures["logistic"]
                found.external[task.label, task.dataset, other.dataset] = (
                    figures, {name: figures[name].less(home[name]) for name in figures}
                )  # fmt: skip
            if not asked.save:
                continue
            told = {
                "label": task.label, "dataset": task.dataset, "films": len(task.y), "patients": task.patients,
                "run_id": bench.run_id,
                "cross_validated_auroc": found.probed[task.key].figures["logistic"][AUROC].as_json(),
            }  # fmt: skip
            saved[f"{task.dataset}/{task.label}"] = (fitted(), told)
    if asked.save:
        keep.write(bench.part / f"probe-{found.spec.name}.safetensors", found.spec.name, found.spec.fingerprint, saved)


def _elsewhere(
    fitted: Callable[[], Linear], mine: NDArray[np.float32], theirs: NDArray[np.float32], task: Task, other: Task,
    seed: int,
) -> NDArray[np.float64]:  # fmt: skip
    """(n,) what a task's probe promises of another's films, learned without the patients of both."""
    met = np.intersect1d(task.people, other.people)
    asks = cross.whole(mine, task, seed, met) if len(met) else fitted()
    return asks.promise(theirs)


def _augmented(bench: Bench[ProbeAsked], study: Study, found: Found, vectors: NDArray[np.float32]) -> None:
    """The study's variants, where they are asked for or cheap; else the reason why not."""
    asked = bench.asked
    if asked.augment != ON and len(study.rows) > AUGMENT_FILMS:
        found.not_augmented = f"{len(study.rows):,} films are more than {AUGMENT_FILMS:,}: ask for it (--augment)"
        return
    try:
        ids = [bench.films.ids[row] for row in study.rows]
        name, told = found.spec.name, (bench.facts, bench.blobs, ids, vectors, bench.progress)
        varied = bench.once(f"augmented films of {name}", lambda: augment.encode(bench.encode, found.spec, *told), ids)
    except HilumError as error:
        if asked.augment == ON:
            raise
        found.not_augmented = error.client_message
        return
    found.likeness = varied.likeness
    stage = f"augmented probes of {found.spec.name}"
    for done, task in enumerate(study.tasks, 1):
        bench.progress(stage, done - 1, len(study.tasks))
        ask = partial(robust.evaluate, found.probed[task.key], varied, study.place(task), study.drawn(task))
        one = bench.once(f"{task.label} of {task.dataset} augmented in {found.spec.name}", ask, task, varied.there)
        if one:
            found.robust.append(one)
        bench.progress(stage, done, len(study.tasks))
    if not found.robust:
        found.not_augmented = "too few of the films have a picture that the encoder takes"
