"""What films can be rich in: every value of every field of the record and of side tables, every finding.

A term is something that a film has, has not, or that nobody knows of it; unknown never counts as absent. That a field
is unknown is a term of its own, of fields known of some films only.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.analytics.sample import Sample
from services.core.facts import Facts, images, sides
from services.core.facts.sides import NUMBER
from services.core.types import ImageRecord

FINDING, PERSON, VIEW, MACHINE, PLACE, SIDE = "finding", "person", "view", "machine", "place", "side table"
FIELDS = {
    "view": VIEW, "orientation": VIEW, "body_part": VIEW, "sex": PERSON, "age": PERSON, "race": PERSON,
    "ethnicity": PERSON, "manufacturer": MACHINE, "device": MACHINE, "matrix": MACHINE, "pixel_spacing": MACHINE,
    "bits_stored": MACHINE, "photometric": MACHINE, "burned_in": MACHINE, "modality": MACHINE, "dataset": PLACE,
    "institution": PLACE, "split": PLACE,
}  # fmt: skip
MIN_FILMS = 5  # a value of fewer films, or of fewer patients, is neither asked about nor shown
MAX_VALUES = 40  # of a field, the commonest
UNKNOWN_VALUE = "unknown"
_BINS = 4


@dataclass(frozen=True)
class Term:
    """field and value in words; about: what kind of thing it is.  has: (N,) int8, 1 has it, 0 has not, −1 unknown."""

    field: str
    value: str
    about: str
    has: NDArray[np.int8]

    @property
    def name(self) -> str:
        return self.value if self.about == FINDING else f"{self.field} {self.value}"


def collect(facts: Facts, films: Sample) -> list[Term]:
    """Every term of a sample, fields first, then side tables, then findings."""
    known = images.get(facts, films.ids)
    records = [known[image_id] for image_id in films.ids]
    found: list[Term] = []
    for field, about in FIELDS.items():
        values = [_value(record, field) for record in records]
        numbers = field in ("age", "pixel_spacing") and sum(1 for v in set(values) if v is not None) > MIN_FILMS
        found += numeric(field, about, values) if numbers else categorical(field, about, values)  # type: ignore[arg-type]
    found += [term for column, values, number in _sides(facts, records) for term in _of_side(column, values, number)]
    for finding, codes in films.labels.items():
        has = np.where(codes > 1, -1, codes).astype(np.int8)
        if (has == 1).sum() >= MIN_FILMS and (has == 0).any():
            found.append(Term(finding, finding.replace("_", " "), FINDING, has))
    return [term for term in found if len(np.unique(films.patients[term.has == 1])) >= MIN_FILMS]


def whole(findings: Sequence[str]) -> list[str]:
    """Without those that are another one's on one side."""
    stems = [(name, name.removesuffix("_left").removesuffix("_right")) for name in findings]
    return [name for name, stem in stems if stem == name or stem not in findings]


def categorical(field: str, about: str, values: Sequence[object]) -> list[Term]:
    """A term for each of the commonest values, and one for not knowing; none where all films have the same."""
    words = [None if value is None or value == "" else _word(value) for value in values]
    counts = Counter(word for word in words if word is not None)
    found = []
    kinds = np.array([word or "" for word in words])
    silent = np.array([word is None for word in words])
    if len(counts) > 1:
        for word, count in sorted(counts.items(), key=lambda item: (-item[1], item[0]))[:MAX_VALUES]:
            if count >= MIN_FILMS:
                found.append(Term(field, word, about, np.where(silent, -1, kinds == word).astype(np.int8)))
    if counts and MIN_FILMS <= silent.sum() <= len(words) - MIN_FILMS:
        found.append(Term(field, UNKNOWN_VALUE, about, silent.astype(np.int8)))
    return found


def numeric(field: str, about: str, values: Sequence[float | None]) -> list[Term]:
    """A term for each quarter of the films by this number."""
    numbers = np.array([np.nan if value is None else float(value) for value in values])
    known = np.isfinite(numbers)
    if known.sum() < MIN_FILMS:
        return []
    edges = np.unique(np.quantile(numbers[known], np.linspace(0, 1, _BINS + 1)))
    if len(edges) < 3:
        return categorical(field, about, [float(n) if ok else None for n, ok in zip(numbers, known, strict=True)])
    place = np.clip(np.searchsorted(edges, numbers, side="right") - 1, 0, len(edges) - 2)
    found = []
    for number in range(len(edges) - 1):
        low, high = edges[number], edges[number + 1]
        words = f"below {high:g}" if number == 0 else f"{low:g} or more" if number == len(edges) - 2 else (
            f"{low:g} to {high:g}")  # fmt: skip
        found.append(Term(field, words, about, np.where(known, place == number, -1).astype(np.int8)))
    if MIN_FILMS <= (~known).sum() <= len(numbers) - MIN_FILMS:
        found.append(Term(field, UNKNOWN_VALUE, about, (~known).astype(np.int8)))
    return found


def _value(record: ImageRecord, field: str) -> object:
    if field == "matrix":
        return f"{record.columns} × {record.rows}" if record.rows else None
    return getattr(record, field)


def _word(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _sides(facts: Facts, records: Sequence[ImageRecord]) -> Iterator[tuple[str, list[object], bool]]:
    """Each column of each side table: its name, the cell of every film, and whether it holds numbers."""
    keys = {"image": "image_id", "study": "study_id", "patient": "patient_id"}
    columns: dict[tuple[str, str, bool], list[object]] = {}
    for table in sides.listed(facts):
        mine = [
            (row, key) for row, record in enumerate(records)
            if record.dataset == table.dataset and (key := getattr(record, keys[table.level]))
        ]  # fmt: skip
        cells = sides.cells(facts, table.dataset, table.name, {key for _, key in mine})
        for column in table.columns:
            held = columns.setdefault((table.name, column.name, column.kind == NUMBER), [None] * len(records))
            for row, key in mine:
                held[row] = cells.get(key, {}).get(column.kind, {}).get(column.name)
    for (table_name, column_name, number), values in columns.items():
        yield f"{table_name}.{column_name}", values, number


def _of_side(column: str, values: list[object], number: bool) -> list[Term]:
    if number and len(set(values) - {None}) > MIN_FILMS:
        return numeric(column, SIDE, values)  # type: ignore[arg-type]
    return categorical(column, SIDE, values)
