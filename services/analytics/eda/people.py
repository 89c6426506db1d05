"""Patients and studies: how many films each has, and where what is said of them contradicts itself."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import func, select

from services.analytics.eda.fields import Sites
from services.analytics.frame import Frame
from services.analytics.variables import coded
from services.core.facts import Facts
from services.core.facts.schema import images


@dataclass(frozen=True)
class People:
    """How many of what each has, in the order of numbers that mean nothing: films (P,) of each patient, studies (P,) of
    each patient, films (S,) of each study; patients and studies: (D,) of each dataset."""

    films_of_patient: NDArray[np.int64]
    studies_of_patient: NDArray[np.int64]
    films_of_study: NDArray[np.int64]
    patients: NDArray[np.int64]
    studies: NDArray[np.int64]


@dataclass(frozen=True)
class Twice:
    """Patients (or studies) of whom a field says several things. who: dataset and id of each, in order; what: the
    values; films: all the films of theirs."""

    who: list[tuple[str, str]]
    what: list[list[str]]
    films: int


@dataclass(frozen=True)
class Shared:
    """Films of several patients with the same pixels. who: dataset and id of each patient."""

    films: list[str]
    who: list[tuple[str, str]]


def people(frame: Frame, where: Sites) -> People:
    """Films that name no patient, or no study, are left out of its counts."""
    patient, study = frame.numbered("patient_id"), frame.numbered("study_id")
    named, told = patient >= 0, study >= 0
    pairs = _pairs(patient[named & told], study[named & told])
    return People(
        films_of_patient=_sizes(patient[named]),
        studies_of_patient=_sizes(pairs[0]),
        films_of_study=_sizes(study[told]),
        patients=_each(patient, where),
        studies=_each(study, where),
    )


def twice(frame: Frame, key: str, field: str) -> Twice:
    """Whose films say more than one thing in `field`; films that say nothing do not count."""
    who = frame.numbered(key)
    values, codes = coded(frame.table[field])
    rows = np.flatnonzero((who >= 0) & (codes >= 0))
    one = np.zeros(int(who.max(initial=0)) + 1, np.int32)
    one[who[rows]] = codes[rows]  # of several, any one
    several = np.zeros(len(one), bool)
    several[who[rows][codes[rows] != one[who[rows]]]] = True
    theirs = rows[several[who[rows]]]
    told = frame.table.select(["dataset", key]).take(pa.array(theirs)).to_pylist()
    said: defaultdict[tuple[str, str], set[str]] = defaultdict(set)
    for film, code in zip(told, codes[theirs].tolist(), strict=True):
        said[film["dataset"], film[key]].add(values[code])
    listed = sorted(said)
    films = int(several[who[who >= 0]].sum())
    return Twice(listed, [sorted(said[name]) for name in listed], films)


def same_pixels(facts: Facts, frame: Frame) -> list[Shared]:
    """Films with the same pixels under two patients, picture by picture."""
    often = select(images.c.pixel_sha256).where(images.c.pixel_sha256 != "").group_by(images.c.pixel_sha256)
    often = often.having(func.count() > 1)
    query = select(images.c.pixel_sha256, images.c.image_id, images.c.dataset, images.c.patient_id)
    query = query.where(images.c.pixel_sha256.in_(often), images.c.patient_id.is_not(None), images.c.patient_id != "")
    groups: defaultdict[str, list[tuple[str, tuple[str, str]]]] = defaultdict(list)
    with facts.read() as db:
        for pixels, image_id, dataset, patient in db.execute(query.order_by(images.c.image_id)):
            groups[pixels].append((image_id, (dataset, patient)))
    here = set(frame.ids) if groups else set()
    found = []
    for films in groups.values():
        mine = [(image_id, who) for image_id, who in films if image_id in here]
        if len({who for _, who in mine}) > 1:
            found.append(Shared([image_id for image_id, _ in mine], sorted({who for _, who in mine})))
    return found


def _pairs(one: NDArray[np.int32], other: NDArray[np.int32]) -> NDArray[np.int64]:
    """(2, K): the different pairs."""
    width = int(other.max(initial=0)) + 1
    return np.stack(np.divmod(pc.unique(pa.array(one.astype(np.int64) * width + other)).to_numpy(), width))


def _sizes(codes: NDArray[np.int32]) -> NDArray[np.int64]:
    counts = np.bincount(codes) if len(codes) else np.empty(0, np.int64)
    return counts[counts > 0]


def _each(codes: NDArray[np.int32], where: Sites) -> NDArray[np.int64]:
    named = codes >= 0
    pairs = _pairs(where.of_film[named], codes[named])
    return np.bincount(pairs[0], minlength=len(where.names))
