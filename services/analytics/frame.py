"""The films of an archive as columns: what is counted, drawn from and described, without a Python object for each."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray
from sqlalchemy import select

from services.analytics import columns
from services.analytics.progress import Progress
from services.core.facts import Facts
from services.core.facts import profiles as sayings
from services.core.facts.profiles import Said
from services.core.facts.schema import embeddings, images, profiles
from services.core.filters import parse, to_sql
from services.core.labels import Label, LabelState, merge
from services.core.models import ModelSpec

STATES = (LabelState.ABSENT, LabelState.PRESENT, LabelState.UNCERTAIN)
UNKNOWN = -1
NEEDED = ("image_id", "dataset", "patient_id", "view", "sex", "age", "profile")  # of every sample
_FREE = {"image_id", "patient_id", "study_id", "series_id", "accession_id", "pixel_sha256"}  # too many to be coded


@dataclass(frozen=True)
class Frame:
    """N films in the order of their ids.

    table: a column for each field that was asked for, text as a dictionary where values repeat; blank text is null.
    said: profile → the statements (finding, source, state) that it stands for.
    """

    table: pa.Table
    said: dict[int, list[Said]]

    def __len__(self) -> int:
        return int(self.table.num_rows)

    @property
    def ids(self) -> list[str]:
        found: list[str] = self.table["image_id"].to_pylist()
        return found

    @cached_property
    def sha256(self) -> str:
        """Of all that is known of these films."""
        found = _Hashed()
        with pa.ipc.new_stream(pa.PythonFile(found, mode="w"), self.table.schema) as out:
            out.write_table(self.table)
        said = [[number, self.said[number]] for number in sorted(self.said)]
        return hashlib.sha256(f"{found.of.hexdigest()}{json.dumps(said)}".encode()).hexdigest()

    def take(self, rows: NDArray[np.int64]) -> Frame:
        """The films of these rows, in this order."""
        return Frame(self.table.take(pa.array(rows)), self.said)

    @cached_property
    def patients(self) -> NDArray[np.int32]:
        """(N,) numbers from 0 in the order in which patients come; a film without a patient is one of its own."""
        key = self._keys("patient_id")
        key = np.where(key < 0, key.max(initial=0) + 1 + np.arange(len(key)), key)
        return _in_order(key)

    @cached_property
    def nameless(self) -> int:
        """Films without a patient."""
        return int(self.table["patient_id"].null_count)

    @cached_property
    def profiles(self) -> tuple[list[int], NDArray[np.int32]]:
        """Profiles that some film has, and (N,) which of them each film has."""
        coded = self.table["profile"].combine_chunks().dictionary_encode()
        return coded.dictionary.to_pylist(), coded.indices.to_numpy()

    @cached_property
    def findings(self) -> dict[str, NDArray[np.int8]]:
        """finding → (N,) position in STATES (0 absent, 1 present, 2 uncertain), −1 unknown; sources merged as a film
        shows them, those that contradict each other uncertain."""
        numbers, of_film = self.profiles
        return {name: codes[of_film] for name, codes in self.merged(numbers).items()}

    def stated(self, finding: str, source: str) -> NDArray[np.int8]:
        """(N,) what one source says of a finding, coded as in `findings`."""
        numbers, of_film = self.profiles
        codes = np.full(len(numbers), UNKNOWN, np.int8)
        for row, number in enumerate(numbers):
            for name, who, state in self.said.get(number, ()):
                if name == finding and who == source:
                    codes[row] = STATES.index(LabelState(state))
        return codes[of_film]

    def merged(self, numbers: Sequence[int]) -> dict[str, NDArray[np.int8]]:
        """finding → the same codes of each of these profiles."""
        code = {state: position for position, state in enumerate(STATES)}
        found: dict[str, NDArray[np.int8]] = {}
        for row, number in enumerate(numbers):
            said = [Label(name, LabelState(state), source) for name, source, state in self.said.get(number, ())]
            for name, state in merge(said).items():
                if name not in found:
                    found[name] = np.full(len(numbers), UNKNOWN, np.int8)
                found[name][row] = code[state]
        return dict(sorted(found.items()))

    def numbered(self, field: str) -> NDArray[np.int32]:
        """(N,) which patient or study each film is of, by its dataset and `field`; −1 where none is named."""
        if field not in self._numbers:
            key = self._keys(field)
            self._numbers[field] = np.full(len(self), -1, np.int32)
            self._numbers[field][key >= 0] = _in_order(key[key >= 0])
        return self._numbers[field]

    @cached_property
    def _numbers(self) -> dict[str, NDArray[np.int32]]:
        return {}

    def _keys(self, field: str) -> NDArray[np.int64]:
        """(N,) a number for each pair of dataset and id; −1 where no id is named."""
        site = self.table["dataset"].combine_chunks().indices.to_numpy().astype(np.int64)
        ids = self.table[field].combine_chunks().dictionary_encode()
        own = pc.fill_null(ids.indices, -1).to_numpy(zero_copy_only=False).astype(np.int64)
        return np.where(own < 0, -1, site * max(len(ids.dictionary), 1) + own)


class _Hashed:
    """A file of which nothing is kept but the SHA-256 of what is written."""

    closed = False

    def __init__(self) -> None:
        self.of = hashlib.sha256()

    def write(self, part: bytes) -> int:
        self.of.update(part)
        return len(part)

    def flush(self) -> None:
        pass

    def close(self) -> None:
        self.closed = True


def _in_order(keys: NDArray[np.int64]) -> NDArray[np.int32]:
    """(N,) numbers from 0 in the order in which keys come."""
    found: NDArray[np.int32] = pa.array(keys).dictionary_encode().indices.to_numpy()
    return found


def load(
    facts: Facts, where: str, specs: Sequence[ModelSpec], fields: Sequence[str], progress: Progress, total: int = 0
) -> Frame:
    """The films that pass `where` and are stored with every one of `specs`. fields: of the record, NEEDED besides.
    total: how many they are, as far as anybody knows, for the progress. Raises INVALID_FILTER."""
    names = list(dict.fromkeys((*NEEDED, *fields)))
    query = matching(where, specs).with_only_columns(*(images.c[name] for name in names))
    progress("films", 0, max(total, 1))
    parts, done = [], 0
    for batch in columns.batches(facts, query):
        parts.append(pa.RecordBatch.from_arrays([_tidy(n, batch[n]) for n in names], names))
        done += batch.num_rows
        progress("films", done, max(total, done))
    empty = pa.RecordBatch.from_pylist([], columns.schema(query))
    table = pa.Table.from_batches(parts or [pa.RecordBatch.from_arrays([_tidy(n, empty[n]) for n in names], names)])
    table = table.unify_dictionaries().combine_chunks()
    table = table.take(pc.sort_indices(table["image_id"]))
    return Frame(table, _said(facts, set(pc.unique(table["profile"]).to_pylist())))


def matching(where: str, specs: Sequence[ModelSpec]) -> Any:
    """A select of the ids of films that pass `where` and are stored with every one of `specs`.
    Raises INVALID_FILTER."""
    query = select(images.c.image_id).where(to_sql(parse(where)))
    for spec in specs:
        held = select(embeddings.c.image_id).where(embeddings.c.fingerprint == spec.fingerprint)
        query = query.where(images.c.image_id.in_(held))
    return query


def _said(facts: Facts, wanted: set[int]) -> dict[int, list[Said]]:
    with facts.read() as db:
        rows = db.execute(select(profiles.c.profile, profiles.c.said)).tuples()
        return {number: sayings.read(text) for number, text in rows if number in wanted}


def _tidy(name: str, column: pa.Array) -> pa.Array:
    """Blank text is unknown; text that repeats is kept once; a truth is told in words."""
    if pa.types.is_boolean(column.type):
        column = pc.if_else(column, "yes", "no")
    if not pa.types.is_string(column.type):
        return column
    column = pc.if_else(pc.equal(column, ""), None, column)
    return column if name in _FREE else column.dictionary_encode()
