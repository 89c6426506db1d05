"""The films of a probe: of one label in one dataset as many with as without it, and folds that no patient is twice in.

Films are taken patient by patient: a second film of a patient only when every patient has given one. The draw is of the
films' ids and the seed alone, so it is the same for every model, on every database, in every order of ingest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy.sparse import coo_array
from scipy.sparse.csgraph import connected_components
from sklearn.model_selection import StratifiedGroupKFold

from services.analytics.probe.asked import LEAST
from services.analytics.sample import Sample
from services.core.errors import ErrorCode, HilumError

ALL = "all datasets"

Rows = NDArray[np.int64]
People = NDArray[np.int32]


@dataclass(frozen=True)
class Task:
    """One label in one dataset, or in ALL of them.

    rows: (n,) of the sample, in the order drawn, present and absent in turn.  y: (n,) has it.  absent, present: films
    there were to draw from.  people: (n,) whose films stay together, the same number in every task.  fold: (n,).
    only: there is no other dataset.
    """

    label: str
    dataset: str
    rows: Rows
    y: NDArray[np.bool_]
    absent: int
    present: int
    people: People
    fold: NDArray[np.int8]
    only: bool = False

    @property
    def key(self) -> tuple[str, str]:
        return self.dataset, self.label

    @property
    def name(self) -> str:
        label = self.label.replace("_", " ")
        return label if self.only else f"{label}, {self.dataset}"

    @property
    def each(self) -> int:
        """Films of a side."""
        return int(self.y.sum())

    @property
    def patients(self) -> int:
        return len(np.unique(self.people))


def apart(tasks: Sequence[Task]) -> list[Task]:
    """Those of single datasets, if there are any: what is averaged over, as pooled ones are of the same films."""
    return [task for task in tasks if task.dataset != ALL] or list(tasks)


@dataclass(frozen=True)
class Refused:
    """A label that cannot be measured in a dataset, and why."""

    label: str
    dataset: str
    absent: int
    present: int
    reason: str


def draw(
    films: Sample, labels: Sequence[str], per_side: int, seed: int, pooled: bool
) -> tuple[list[Task], list[Refused]]:
    """Tasks without folds yet, and what there are too few films for. labels: empty for all that are stated."""
    tasks, refused = list[Task](), list[Refused]()
    key = np.array([_key(image_id, seed) for image_id in films.ids], dtype=np.uint64)
    datasets = np.array(films.dataset, dtype=object)
    names = sorted(set(films.dataset))
    scopes: list[tuple[str, NDArray[np.bool_]]] = [(name, datasets == name) for name in names]
    if pooled and len(names) > 1:
        scopes.append((ALL, np.ones(len(films), dtype=bool)))
    for dataset, inside in scopes:
        for label in labels or films.labels:
            codes = films.labels[label]
            if dataset == ALL and len(set(datasets[(codes == 0) | (codes == 1)].tolist())) < 2:
                continue  # they are the films of the one dataset
            sides = [np.flatnonzero(inside & (codes == code)) for code in (0, 1)]
            absent, present = map(len, sides)
            if min(absent, present) < LEAST:
                if labels or max(absent, present) >= LEAST:
                    refused.append(Refused(label, dataset, absent, present, _lacking(absent, present)))
                continue
            each = min(per_side, absent, present)
            chosen = [_first(rows, films.patients, key, each) for rows in sides]
            rows = np.stack(chosen[::-1], axis=1).ravel()
            y = np.tile([True, False], each)
            people = films.patients[rows]
            fold = np.zeros(len(rows), np.int8)
            tasks.append(Task(label, dataset, rows, y, absent, present, people, fold, len(names) == 1))
    return tasks, refused


def assign(
    tasks: Sequence[Task], pixels: Mapping[int, str], folds: int, seed: int
) -> tuple[list[Task], list[Refused], int]:
    """The same tasks in folds, those that cannot be, and how many films are the very film of another patient.

    pixels: row of the sample → hash of its film. Films of one patient, and patients who share a film, are one person
    here, in every task.
    """
    person, shared = together(tasks, pixels)
    ready, refused = list[Task](), list[Refused]()
    for task in tasks:
        people = np.array([person[row] for row in task.rows.tolist()], dtype=np.int32)
        if min(len(np.unique(people[task.y == side])) for side in (True, False)) < folds:
            reason = f"films of fewer than {folds} patients on one side: no {folds} folds of patients"
            refused.append(Refused(task.label, task.dataset, task.absent, task.present, reason))
            continue
        fold = split(task.y, people, folds, seed)
        if any(len(set(task.y[fold == number].tolist())) < 2 for number in range(folds)):
            reason = f"its patients do not go into {folds} folds with both sides in each"
            refused.append(Refused(task.label, task.dataset, task.absent, task.present, reason))
            continue
        ready.append(replace(task, people=people, fold=fold))
    return ready, refused, shared


def together(tasks: Sequence[Task], pixels: Mapping[int, str]) -> tuple[dict[int, int], int]:
    """Row → person, and how many films' pixels are those of another patient's film."""
    patient = {row: who for task in tasks for row, who in zip(task.rows.tolist(), task.people.tolist(), strict=True)}
    rows = sorted(patient)
    _, who = np.unique([patient[row] for row in rows], return_inverse=True)
    _, film = np.unique([pixels[row] for row in rows], return_inverse=True)
    patients, looks = int(who.max()) + 1, int(film.max()) + 1
    edges = coo_array(
        (np.ones(len(rows), dtype=np.int8), (who, patients + film)), shape=(patients + looks, patients + looks)
    )
    _, component = connected_components(edges, directed=False)
    seen = np.unique(np.stack([film, who]), axis=1)
    several = np.bincount(seen[0], minlength=looks) > 1
    _, person = np.unique(component[who], return_inverse=True)
    return dict(zip(rows, person.tolist(), strict=True)), int(several[film].sum())


def split(y: NDArray[np.bool_], people: NDArray[np.int32], folds: int, seed: int) -> NDArray[np.int8]:
    """(n,) fold of each film: sides spread evenly, a person in one fold only.

    Raises INTERNAL should a person ever be in two: no figure is made of films that were learned from.
    """
    fold = np.full(len(y), -1, dtype=np.int8)
    makes = StratifiedGroupKFold(folds, shuffle=True, random_state=seed)
    for number, (_, test) in enumerate(makes.split(np.zeros(len(y)), y, people)):
        fold[test] = number
    check(people, fold)
    return fold


def check(people: NDArray[np.int32], fold: NDArray[np.int8]) -> None:
    """Raises INTERNAL when a person is in two folds, or a film in none."""
    pairs = np.unique(np.stack([people.astype(np.int64), fold.astype(np.int64)]), axis=1)
    if (fold < 0).any() or len(np.unique(pairs[0])) < pairs.shape[1]:
        raise HilumError(ErrorCode.INTERNAL, "a patient is in two folds of a probe; tell us, with the run's seed")


def _first(rows: Rows, patients: People, key: NDArray[np.uint64], count: int) -> Rows:
    """`count` of the rows: every patient's first film by its key, then their second, and so on."""
    order = np.lexsort((key[rows], patients[rows]))
    mine = patients[rows][order]
    starts = np.flatnonzero(np.diff(mine, prepend=-1))
    turn = np.arange(len(mine)) - np.repeat(starts, np.diff(starts, append=len(mine)))
    found: Rows = rows[order][np.lexsort((key[rows][order], turn))[:count]]
    return found


def _key(image_id: str, seed: int) -> int:
    digest = hashlib.blake2b(image_id.encode(), key=seed.to_bytes(8, "big"), digest_size=8)
    return int.from_bytes(digest.digest(), "big")


def _lacking(absent: int, present: int) -> str:
    if not absent:
        return "stated absent of no film here: what is not stated is unknown, not absent"
    if not present:
        return "present on no film here"
    return f"fewer than {LEAST} films on one side"
