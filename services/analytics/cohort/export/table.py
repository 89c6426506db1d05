"""The films of a cohort as a table: what the archive knows of each, and what the cohort says of it."""

from __future__ import annotations

from functools import cached_property

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from sqlalchemy import select

from services.analytics import columns, frame
from services.analytics.cohort.export.frozen import Count, Frozen
from services.analytics.frame import STATES, Frame
from services.analytics.progress import Progress
from services.core import filters
from services.core.errors import ErrorCode, HilumError
from services.core.facts import Facts
from services.core.facts.schema import labels

# Of the record, in the order of columns; numbers that place a film in the archive's own engine are not told.
FIELDS = (
    "dataset", "patient_id", "study_id", "series_id", "accession_id", "study_date", "date_kind", "study_order", "split",
    "view", "view_source", "orientation", "modality", "body_part", "sex", "age", "age_binned", "race", "ethnicity",
    "institution", "manufacturer", "device", "rows", "columns", "bits_stored", "photometric", "pixel_spacing",
    "burned_in", "bytes_sha256", "pixel_sha256", "licence", "attribution",
)  # fmt: skip
PREFIX = "cohort."  # of columns that the cohort made, as its split beside the dataset's own
_LABELS = ("image_id", "name", "source", "state", "level", "implicit", "score")


class Content:
    """What every format draws from; each table is read once, in the order of image ids."""

    def __init__(self, frozen: Frozen, facts: Facts, progress: Progress | None = None) -> None:
        self.frozen = frozen
        self._facts, self._progress = facts, progress or Progress()
        self._where = filters.describe(filters.equals("cohort", frozen.name))

    @cached_property
    def frame(self) -> Frame:
        """The films that the archive still has. Raises FAILED_PRECONDITION where there is none any more."""
        found = frame.load(self._facts, self._where, [], FIELDS, self._progress, self.frozen.count.images)
        if not len(found):
            raise HilumError(ErrorCode.FAILED_PRECONDITION, "the archive has no film of this cohort any more")
        return found

    @cached_property
    def films(self) -> pa.Table:
        """One row per film: image_id, FIELDS, cohort.<column>, labels.<finding> (present, absent, uncertain; null where
        nobody says anything)."""
        found = self.frame.table
        names = ("image_id", *FIELDS)
        plain = [_plain(found[name]) for name in names]
        place = pc.index_in(found["image_id"], value_set=self.frozen.films["image_id"].combine_chunks())
        extra = [name for name in self.frozen.films.column_names if name != "image_id"]
        own = [self.frozen.films[name].combine_chunks().take(place.combine_chunks()) for name in extra]
        states = pa.array([state.value for state in STATES])
        stated = self.frame.findings
        said = [states.take(pa.array(codes.astype(np.int64), mask=codes < 0)) for codes in stated.values()]
        named = [*names, *(PREFIX + name for name in extra), *(f"labels.{name}" for name in stated)]
        return pa.table([*plain, *own, *said], names=named)

    @cached_property
    def labels(self) -> pa.Table:
        """Every statement: image_id, finding, source, state, level, implicit, score."""
        query = select(*(labels.c[name] for name in _LABELS))
        query = query.where(labels.c.image_id.in_(frame.matching(self._where, [])))
        found = columns.read(self._facts, query).sort_by([(name, "ascending") for name in _LABELS[:3]])
        return found.rename_columns(["image_id", "finding", *_LABELS[2:]])

    @cached_property
    def count(self) -> Count:
        """Of what is exported."""
        of_study = self.frame.numbered("study_id")
        studies = len(np.unique(of_study[of_study >= 0])) + int((of_study < 0).sum())
        return Count(len(self.frame), studies, int(self.frame.patients.max(initial=-1)) + 1)

    @property
    def gone(self) -> int:
        """Films that were frozen and that the archive has no more: forgotten since, for instance."""
        return max(0, self.frozen.count.images - len(self.frame))


def _plain(column: pa.ChunkedArray) -> pa.ChunkedArray:
    return column.cast(column.type.value_type) if pa.types.is_dictionary(column.type) else column
