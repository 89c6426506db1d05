"""The films that a cohort is chosen from, as columns, and a choice of them as a mask."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import pyarrow as pa
from numpy.typing import NDArray

from services.analytics import variables
from services.analytics.cohort.spec import IMAGE, PATIENT, STUDY
from services.analytics.frame import Frame
from services.analytics.variables import Variable

Mask = NDArray[np.bool_]


@dataclass(frozen=True)
class Counts:
    """How many films, of how many studies, of how many patients. A film that names no study, or no patient, is one of
    its own."""

    images: int
    studies: int
    patients: int

    def __sub__(self, other: Counts) -> Counts:
        return Counts(self.images - other.images, self.studies - other.studies, self.patients - other.patients)

    def as_json(self) -> dict[str, int]:
        return {"images": self.images, "studies": self.studies, "patients": self.patients}


@dataclass(frozen=True)
class Population:
    """N films in the order of their ids. frame: the columns that the specification speaks of, NEEDED and study_id."""

    frame: Frame

    def __len__(self) -> int:
        return len(self.frame)

    @cached_property
    def ids(self) -> list[str]:
        """N image ids, sorted."""
        return self.frame.ids

    @cached_property
    def patients(self) -> NDArray[np.int32]:
        """(N,) numbers from 0 in the order in which patients come; a film without a patient is one of its own."""
        return self.frame.patients

    @cached_property
    def studies(self) -> NDArray[np.int32]:
        """(N,) the same of studies."""
        key = self.frame.numbered("study_id").astype(np.int64)
        key = np.where(key < 0, key.max(initial=-1) + 1 + np.arange(len(key)), key)
        found: NDArray[np.int32] = pa.array(key).dictionary_encode().indices.to_numpy()
        return found

    @cached_property
    def images(self) -> NDArray[np.int32]:
        """(N,) films themselves."""
        return np.arange(len(self), dtype=np.int32)

    def units(self, unit: str) -> NDArray[np.int32]:
        """(N,) which image, study or patient each film is of; every number from 0 to the largest is there."""
        return {IMAGE: lambda: self.images, STUDY: lambda: self.studies, PATIENT: lambda: self.patients}[unit]()

    def variable(self, name: str) -> Variable:
        """What films are told apart by, as a few values each; see `variables`."""
        return variables.variable(self.frame, name)

    def numbers(self, name: str) -> NDArray[np.float64]:
        """(N,) a number of the record, NaN unknown."""
        found: NDArray[np.float64] = self.frame.table[name].cast("double").to_numpy()
        return found

    def text(self, name: str) -> tuple[list[str], NDArray[np.int32]]:
        """Values of a text in their order, and (N,) which of them each film has, −1 unknown."""
        return variables.coded(self.frame.table[name])

    def every(self) -> Mask:
        """(N,) true."""
        return np.ones(len(self), bool)

    def count(self, mask: Mask) -> Counts:
        """Of the films of a mask."""
        return Counts(int(mask.sum()), _distinct(self.studies, mask), _distinct(self.patients, mask))

    def lifted(self, passing: Mask, unit: str, every: bool = False, among: Mask | None = None) -> Mask:
        """(N,) films of units of which any film passes, or every one; judged over the films `among`, where not all.
        A unit without a film to judge does not pass."""
        if unit == IMAGE:
            return passing if among is None else passing & among
        codes = self.units(unit)
        size = int(codes.max(initial=-1)) + 1
        judged = codes if among is None else codes[among]
        hits = passing if among is None else passing[among]
        found = np.zeros(size, bool)
        found[judged[hits]] = True
        if every:
            found[judged[~hits]] = False
        return found[codes]

    def take(self, mask: Mask) -> Frame:
        """Their columns."""
        return self.frame.take(np.flatnonzero(mask))


def content(ids: Sequence[str]) -> str:
    """The hash of a list of sorted ids."""
    return hashlib.sha256("\n".join(ids).encode()).hexdigest()


def _distinct(codes: NDArray[np.int32], mask: Mask) -> int:
    there = np.zeros(int(codes.max(initial=-1)) + 1, bool)
    there[codes[mask]] = True
    return int(there.sum())
