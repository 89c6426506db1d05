"""A folder of CT series: one image per series, its middle axial slice. Headers are read, pixels are not.

The slices of a series are those with one SeriesInstanceUID, wherever they lie. Of them count the axial ones, once per
position along their normal; they are ordered from the feet to the head, and the one at index N // 2 is taken: the
middle one, of an even number the upper of the two in the middle. What makes no image is told by one file of the series.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from pydicom.dataset import Dataset

from services.ingest import gate
from services.ingest.header import Header, read_header
from services.ingest.reasons import BadFilm, Reason
from services.ingest.sources.dicom import series_uid
from services.ingest.sources.files import Listed, Refused

FEWEST = 10  # a chest is 25 cm high and slices are at most 1 cm apart; what is shorter is a scout or a fragment
STEEPEST = 0.85  # cosine between an axial slice's normal and the body's axis; a gantry tilts by 30 degrees at most
_HEAD = 64 * 2**10  # bytes in which a slice's header ends, as a rule
_SAME = 0.01  # millimetres


@dataclass(frozen=True, slots=True)
class _Slice:
    file: Listed
    position: float = 0.0
    reason: Reason | None = None


def middles(files: Iterable[Listed]) -> list[Listed]:
    """The file of each series' middle slice, and one for whatever is not taken; sorted by name."""
    series: dict[str, list[_Slice]] = defaultdict(list)
    found: list[Listed] = []
    for file in files:
        try:
            elements = header(file).elements
            series[series_uid(elements) or file.name].append(_placed(file, elements))
        except BadFilm as error:
            found.append(Refused(file.root, file.name, error.reason))
    found += map(_middle, series.values())
    return sorted(found, key=lambda file: file.name)


def header(file: Listed) -> Header:
    """Of the start of the file where that holds it, else of the whole. Raises BadFilm: not a slice of a chest CT."""
    try:
        found = read_header(file.read(_HEAD))
    except BadFilm:
        found = None
    if found is None or "Rows" not in found.elements:  # which stands behind all that is asked here
        found = read_header(file.read())
    gate.check_slice_kind(found)
    return found


def _placed(file: Listed, elements: Dataset) -> _Slice:
    if gate.is_localizer(elements):
        return _Slice(file, reason=Reason.LOCALIZER)
    try:
        row, column = np.reshape([float(v) for v in elements.get("ImageOrientationPatient") or ()], (2, 3))
        place = np.reshape([float(v) for v in elements.get("ImagePositionPatient") or ()], 3)
    except (TypeError, ValueError):
        return _Slice(file, reason=Reason.NO_POSITION)
    normal = np.cross(row, column)
    length = float(np.linalg.norm(normal))
    if not np.isfinite([length, *place]).all() or length < 0.5:
        return _Slice(file, reason=Reason.NO_POSITION)
    normal /= length if normal[2] >= 0 else -length  # towards the head
    if normal[2] < STEEPEST:
        return _Slice(file, reason=Reason.NOT_AXIAL)
    return _Slice(file, float(place @ normal))


def _middle(slices: Sequence[_Slice]) -> Listed:
    axial = sorted((s for s in slices if s.reason is None), key=lambda s: (s.position, s.file.name))
    places = [s for n, s in enumerate(axial) if not n or s.position - axial[n - 1].position > _SAME]
    if len(places) >= FEWEST:
        return places[len(places) // 2].file
    stands = min(slices, key=lambda s: s.file.name)
    reason = Reason.TOO_FEW_SLICES if axial else stands.reason
    assert reason is not None
    return Refused(stands.file.root, stands.file.name, reason)
