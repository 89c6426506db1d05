"""Draw the films of a run: from the facts, by a filter, the same for every model and every repetition."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import func, select

from services.analytics import frame
from services.analytics.frame import STATES, UNKNOWN, Frame, matching
from services.analytics.progress import Progress
from services.core.facts import Facts
from services.core.facts.schema import embeddings
from services.core.labels import LabelState, merge
from services.core.models import ModelSpec
from services.core.types import ImageRecord


@dataclass(frozen=True)
class Sample:
    """N films in the order of their ids; row i of every array of a run is film i.

    patients: (N,) int32, numbers that mean nothing outside this run; a film without a patient is one of its own.
    age: (N,) float32 years, NaN unknown.  dataset, view, sex: N strings, empty unknown.
    labels: finding → (N,) int8 position in STATES (0 absent, 1 present, 2 uncertain), −1 unknown.
    """

    ids: list[str]
    patients: NDArray[np.int32]
    dataset: list[str]
    view: list[str]
    sex: list[str]
    age: NDArray[np.float32]
    labels: dict[str, NDArray[np.int8]]
    nameless: int  # films without a patient

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def sha256(self) -> str:
        """Of the ids: two runs with one hash looked at the same films."""
        return hashlib.sha256("\n".join(self.ids).encode()).hexdigest()

    def note(self, matching: int) -> str:
        """One sentence on what this sample can and cannot say."""
        people = int(self.patients.max()) + 1 if len(self) else 0
        part = f"{len(self)} of {matching}" if len(self) < matching else f"all {matching}"
        nameless = f" ({self.nameless} films name no patient; each counts as one)" if self.nameless else ""
        return (
            f"{part} films that match, of {people} patients{nameless}. Films of one patient are not independent:"
            " they do not count as neighbours of each other in agreement, and the unit of intervals is the patient."
        )

    def table(self) -> pa.Table:
        """As it is written to sample.parquet."""
        columns: dict[str, object] = {
            "image_id": self.ids, "patient": self.patients, "dataset": self.dataset, "view": self.view, "sex": self.sex,
            "age": pa.array(self.age, from_pandas=True),
        }  # fmt: skip
        for name, codes in self.labels.items():
            columns[f"label.{name}"] = words(codes)
        return pa.table(columns)


def words(codes: NDArray[np.int8]) -> list[str]:
    """Label codes as words; unknown stays unknown."""
    names = np.array([*(state.value for state in STATES), LabelState.UNKNOWN.value], dtype=object)
    found: list[str] = names[codes].tolist()  # −1 is the last
    return found


def count(facts: Facts, where: str, specs: Sequence[ModelSpec]) -> int:
    """How many films `draw` draws from."""
    with facts.read() as db:
        return int(db.scalar(select(func.count()).select_from(matching(where, specs).subquery())) or 0)


def held(facts: Facts, spec: ModelSpec, ids: Sequence[str]) -> NDArray[np.bool_]:
    """(N,): which of the films are stored with `spec`."""
    with facts.read() as db:
        there = set(db.scalars(select(embeddings.c.image_id).where(embeddings.c.fingerprint == spec.fingerprint)))
    return np.array([image_id in there for image_id in ids], dtype=bool)


def draw(
    facts: Facts, where: str, specs: Sequence[ModelSpec], size: int, seed: int, progress: Progress
) -> tuple[Sample, int]:
    """The sample and how many films matched.

    A film's place in the draw is a hash of the seed and its id: the same films for every model, on every database, in
    every order of ingest, and when the archive grows most of a sample stays as it was.
    """
    films = frame.load(facts, where, specs, (), progress)
    return of(first(films, size, seed)), len(films)


def first(films: Frame, size: int, seed: int) -> Frame:
    """The `size` films that come first in the draw, or all of them where they are no more (or size is 0)."""
    if not size or size >= len(films):
        return films
    rows = np.argsort(places(films.ids, seed), kind="stable")[:size]
    return films.take(np.sort(rows))


def places(ids: Sequence[str], seed: int) -> NDArray[np.uint64]:
    """(N,): each film's place in the draw of `seed`."""
    key = seed.to_bytes(8, "big")
    hashed = b"".join(hashlib.blake2b(i.encode(), key=key, digest_size=8).digest() for i in ids)
    return np.frombuffer(hashed, ">u8").astype(np.uint64)


def of(films: Frame) -> Sample:
    """Its films."""

    def text(name: str) -> list[str]:
        found: list[str] = pc.fill_null(pc.cast(films.table[name], pa.string()), "").to_pylist()
        return found

    age = pc.cast(films.table["age"], pa.float32()).to_numpy()  # null becomes NaN
    return Sample(
        ids=films.ids, patients=films.patients, dataset=text("dataset"), view=text("view"), sex=text("sex"), age=age,
        labels=films.findings, nameless=films.nameless,
    )  # fmt: skip


def assemble(records: Sequence[ImageRecord]) -> Sample:
    """Records → columns."""
    people: dict[object, int] = {}
    patients = np.empty(len(records), dtype=np.int32)
    labels: dict[str, NDArray[np.int8]] = {}
    codes = {state: code for code, state in enumerate(STATES)}
    for row, record in enumerate(records):
        key = (record.dataset, record.patient_id) if record.patient_id else record.image_id
        patients[row] = people.setdefault(key, len(people))
        for name, state in merge(list(record.labels)).items():
            column = labels.get(name)
            if column is None:
                column = labels[name] = np.full(len(records), UNKNOWN, dtype=np.int8)
            column[row] = codes[state]
    return Sample(
        ids=[r.image_id for r in records],
        patients=patients,
        dataset=[r.dataset for r in records],
        view=[r.view or "" for r in records],
        sex=[r.sex or "" for r in records],
        age=np.array([np.nan if r.age is None else r.age for r in records], dtype=np.float32),
        labels=dict(sorted(labels.items())),
        nameless=sum(not r.patient_id for r in records),
    )
