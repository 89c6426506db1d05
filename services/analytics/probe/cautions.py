"""What must be known before a figure of a report is believed, in words, from what this run saw."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from services.analytics.probe.asked import LEAST
from services.analytics.probe.draw import ALL, Refused, Task
from services.analytics.probe.scores import Measured
from services.analytics.probe.shortcuts import Shortcut
from services.analytics.sample import Sample
from services.core.labels import LabelState
from services.core.types import ImageRecord

FEW = 200  # films of a side, and patients of a task, below which figures are called few
STUDY = 1000

Within = Mapping[str, Mapping[tuple[tuple[str, str], str], Measured]]  # model → (task, fact) → AUROC of like with like


def few(tasks: Sequence[Task]) -> list[str]:
    """Of tasks with fewer films or patients than intervals bear."""
    small = [task for task in tasks if task.each < FEW or task.patients < FEW]
    if not small:
        return []
    films = min(small, key=lambda task: task.each)
    people = min(small, key=lambda task: task.patients)
    return [
        f"{len(small)} of {len(tasks)} probes are of few films: down to {films.each} of a side ({films.name}) and "
        f"{people.patients} patients ({people.name}). The study that this follows had {STUDY} of a side."
    ]


def one_sided(films: Sample, labels: Sequence[str]) -> list[str]:
    """Labels that coincide with a dataset: present in some only, and stated absent of no film of those."""
    told, datasets = list[str](), np.array(films.dataset, dtype=object)
    everywhere = set(films.dataset)
    for label in labels or films.labels:
        codes = films.labels[label]
        present, absent = (set(datasets[codes == code].tolist()) for code in (1, 0))
        if int((codes == 1).sum()) < LEAST or present == everywhere or present & absent:
            continue
        other = f"in {_and(sorted(absent))} alone" if absent else "of no film at all, and what is not stated is unknown"
        told.append(
            f"The label {label.replace('_', ' ')} coincides with the dataset: it is present in "
            f"{_and(sorted(present))} alone ({int((codes == 1).sum())} films) and stated absent {other}. A probe "
            "against films of other datasets would tell datasets apart and not the finding. Within a dataset it can "
            "be measured once films of that dataset are stated to be without it."
        )
    return told


def shortcuts(found: Sequence[Shortcut], within: Within) -> list[str]:
    """The strongest fact of each task that tells the label by itself."""
    told, seen = list[str](), set[tuple[str, str]]()
    for one in found:
        if not one.named or one.task.key in seen:
            continue
        seen.add(one.task.key)
        models = [
            f"{model} {by[one.task.key, one.fact].estimate}" for model, by in within.items()
            if (one.task.key, one.fact) in by
        ]  # fmt: skip
        advice = ""
        if one.fact == "dataset":
            advice = " The probes of each dataset by itself are free of this."
        told.append(
            f"{one.task.name}: the {one.fact} alone, with no look at the film, tells the label with AUROC "
            f"{one.alone.estimate}. Among films of the same {one.fact}: {'; '.join(models)}.{advice}"
        )
    return told


def shared(films: int) -> list[str]:
    """Of the same film under two patients."""
    if not films:
        return []
    return [
        f"{films} films are, to the pixel, another patient's film, too. Those patients are taken for one, so that no "
        "film is learned from and asked about."
    ]


def nameless(records: Sequence[ImageRecord]) -> list[str]:
    """Of films without a patient."""
    count = sum(not record.patient_id for record in records)
    if not count:
        return []
    return [
        f"{count} of {len(records)} films name no patient. Each counts as a patient of its own; if some are of one "
        "patient, figures are too good and intervals too narrow."
    ]


def dominated(tasks: Sequence[Task]) -> list[str]:
    """Of tasks of which five patients give more than three films in ten."""
    given = []
    for task in tasks:
        _, films = np.unique(task.people, return_counts=True)
        most = int(np.sort(films)[::-1][:5].sum())
        if most > 0.3 * len(task.y):
            given.append(f"{task.name} {most} of {len(task.y)}")
    if not given:
        return []
    return [f"In {len(given)} of {len(tasks)} probes five patients give more than 3 films in 10: {'; '.join(given)}."]


def sources(task: Task, records: Sequence[ImageRecord]) -> tuple[str, float]:
    """Who says so, the commonest first, and the share of absent films that nobody said it of, but convention."""
    who, implicit = Counter[str](), list[bool]()
    for record, has in zip(records, task.y, strict=True):
        said = [one for one in record.labels if one.name == task.label and one.state is not LabelState.UNKNOWN]
        who.update({one.source for one in said})
        if not has:
            implicit.append(all(one.implicit for one in said))
    return ", ".join(name for name, _ in who.most_common(3)), float(np.mean(implicit))


def convention(shares: Mapping[str, float]) -> list[str]:
    """shares: task → share of implicit absents."""
    meant = [name for name, share in shares.items() if share > 0.5]
    if not meant:
        return []
    return [
        f"In {len(meant)} of {len(shares)} probes most absent films are absent by the dataset's convention: nobody "
        "said that the finding is not there, it is just not listed."
    ]


def pooled(tasks: Sequence[Task], refused: Sequence[Refused]) -> list[str]:
    """Of what was left out."""
    told = []
    if refused:
        told.append(f"{len(refused)} pairs of a label and a dataset could not be measured; they are listed below.")
    if any(task.dataset == ALL for task in tasks):
        told.append(
            "Probes of all datasets together may tell datasets apart where findings go with them; hold them against "
            "those of one dataset."
        )
    return told


def by_row(rows: NDArray[np.int64], records: Sequence[ImageRecord]) -> dict[int, ImageRecord]:
    """Row of the sample → its record."""
    return dict(zip(rows.tolist(), records, strict=True))


def _and(names: Sequence[str]) -> str:
    return names[0] if len(names) == 1 else f"{', '.join(names[:-1])} and {names[-1]}"
